// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What servers report of their cores: what the balancer makes of it, for how long it counts, and
 * who may tell what. Reports come in as datagrams.
 */
#include "lb_core_rig.h"

/* --- what is made of loads */

Test(lb_core_reports, what_was_added_is_halved_by_each_report)
{
	struct sl_lb_cores before, after;
	unsigned most = 0;

	up(SL_REPORT_TOEPLITZ, 128);
	report(&servers[0][0]);
	for (unsigned n = 0; n < 64; n++)
		syn(false, (uint16_t)(1024 + n));
	before = cores_of(0);
	cr_assert_eq(send_loads(&servers[0][0]), 0);
	after = cores_of(0);
	for (unsigned c = 0; c < CORES; c++) {
		cr_expect_eq(before.added[c], SL_LB_ADDED_FLOW * before.chosen[c]);
		cr_expect_eq(after.added[c], before.added[c] / 2);
		most = before.added[c] > most ? before.added[c] : most;
	}
	cr_expect_gt(most, SL_LB_ADDED_FLOW);
}

/* Each connection adds 1/50 of a core, a tenth of what there is ends from report to report. */
Test(lb_core_reports, what_a_connection_adds_is_learned)
{
	double load[LB_RIG_SERVERS][CORES] = {{0}};
	double flow;

	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	for (unsigned round = 0; round < 60; round++) {
		uint64_t sent[LB_RIG_SERVERS][CORES];

		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			for (unsigned c = 0; c < CORES; c++)
				sent[i][c] = chosen(false, i, c);
		for (unsigned n = draw() % 40; n > 0; n--)
			syn(false, (uint16_t)(1024 + draw() % 60000));
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
			for (unsigned c = 0; c < CORES; c++) {
				/* half of those that came in between were there, on average */
				double now = 0.02 * (double)(chosen(false, i, c) - sent[i][c]);

				set_load(&servers[0][i], c,
					 (unsigned)(1000 * (0.9 * load[i][c] + now / 2)));
				load[i][c] = 0.9 * load[i][c] + now;
			}
			cr_assert_eq(send_loads(&servers[0][i]), 0);
		}
	}
	flow = (double)cores_of(0).flow / SL_REPORT_CORE;
	cr_expect(flow > 0.014 && flow < 0.026, "%g of a core", flow);
}

/* --- who does not report, or no more */

/* The row's server, whoever is less loaded. */
static void by_rows(unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct outcome out = syn(false, (uint16_t)(from + i));
		struct sl_lb_ends e = {
			.client_port = (uint16_t)(from + i), .vip_port = 80, .proto = IPPROTO_TCP};

		lb_client(false, e.client);
		lb_vip_address(false, e.vip);
		cr_assert_eq(server_of(&out, false),
			     rig.table.server[sl_lb_row(sl_lb_hash(rig.control.key[0], &e))]);
	}
}

Test(lb_core_reports, out_of_date_reports_count_for_nothing)
{
	up(SL_REPORT_TOEPLITZ, 128);
	by_rows(5000, 40); /* nobody has reported yet */
	cr_expect_eq(lb_rig_count(&rig, SL_LB_UNREPORTED), 40);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
		report(&servers[0][i]);
		servers[0][i].sender.table++; /* a table that never comes */
		cr_expect_eq(send_loads(&servers[0][i]), -EAGAIN);
	}
	by_rows(6000, 40);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 0);
	cr_expect_eq(sl_lb_loads_counts(receiver).behind, LB_RIG_SERVERS);
}

Test(lb_core_reports, reports_age)
{
	struct sl_error err;

	up(SL_REPORT_TOEPLITZ, 128);
	sl_lb_loads_close(receiver);
	cr_assert_eq(sl_lb_loads_open(&lb, "127.0.0.1", 400, &receiver, &err), 0);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	cr_expect(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
	syn(false, 999);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 1);
	usleep(450000);
	by_rows(5000, 20);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_UNREPORTED), 20);
}

/* --- who may tell what */

Test(lb_core_reports, replays_and_forgeries_change_nothing)
{
	uint8_t d[SL_REPORT_MAX], later[SL_REPORT_MAX];
	struct server *s = &servers[0][0], stranger;
	struct sl_lb_cores before, after;
	size_t n, m;

	up(SL_REPORT_TOEPLITZ, 128);
	report(s);
	set_load(s, 0, 500);
	n = sl_report_put_loads(&s->sender, &s->loads, d);
	set_load(s, 0, 900);
	m = sl_report_put_loads(&s->sender, &s->loads, later);
	cr_expect_eq(sl_lb_loads_take(receiver, later, m), 0);
	before = cores_of(0);
	cr_expect_eq(sl_lb_loads_take(receiver, later, m), -EALREADY);
	cr_expect_eq(sl_lb_loads_take(receiver, d, n), -EALREADY);
	stranger = *s;
	stranger.sender.key[0]++;
	cr_expect_eq(send_loads(&stranger), -EKEYREJECTED);
	stranger = *s;
	stranger.sender.server = 4000;
	cr_expect_eq(send_loads(&stranger), -ENOENT);
	stranger = *s;
	stranger.sender.boot = 0;
	cr_expect_eq(send_loads(&stranger), -EALREADY);
	after = cores_of(0);
	cr_expect(!memcmp(&before, &after, sizeof(before)));
	cr_expect_eq(sl_lb_loads_counts(receiver).replayed, 3);
	cr_expect_eq(sl_lb_loads_counts(receiver).forged, 1);
	cr_expect_eq(sl_lb_loads_counts(receiver).unknown, 1);
}

/* What was taken before is not taken again by a receiver that has just started. */
Test(lb_core_reports, a_new_receiver_knows_the_old_ones_reports)
{
	uint8_t d[SL_REPORT_MAX];
	struct server *s = &servers[0][0];
	struct sl_error err;
	size_t n;

	up(SL_REPORT_TOEPLITZ, 128);
	report(s);
	n = sl_report_put_loads(&s->sender, &s->loads, d);
	cr_expect_eq(sl_lb_loads_take(receiver, d, n), 0);
	sl_lb_loads_close(receiver);
	cr_assert_eq(sl_lb_loads_open(&lb, "127.0.0.1", 1000, &receiver, &err), 0);
	cr_expect_eq(sl_lb_loads_take(receiver, d, n), -EALREADY);
	cr_expect_eq(send_loads(s), 0);
}

/* Numbers of tables begin anew with a sender: its loads wait for its table. */
Test(lb_core_reports, a_sender_that_starts_again_sends_its_table_first)
{
	struct server *s = &servers[0][0];

	up(SL_REPORT_TOEPLITZ, 2048);
	report(s);
	s->sender.boot++;
	s->sender.sequence = 0;
	cr_expect_eq(send_loads(s), -EAGAIN);
	cr_expect_not(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
	report(s);
	cr_expect(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
}

/* Through the socket, and only as long as it is whole. */
Test(lb_core_reports, datagrams_are_received)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(SL_REPORT_PORT),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = -1;
	uint8_t d[SL_REPORT_MAX];
	size_t n;

	up(SL_REPORT_TOEPLITZ, 128);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	n = sl_report_put_table(&servers[0][0].sender, &servers[0][0].table, 0, d);
	cr_assert_eq(send(fd, d, n, 0), (ssize_t)n);
	n = sl_report_put_loads(&servers[0][0].sender, &servers[0][0].loads, d);
	cr_assert_eq(send(fd, d, n, 0), (ssize_t)n);
	cr_assert_eq(send(fd, d, n - 1, 0), (ssize_t)n - 1);
	cr_expect_eq(sl_lb_loads_receive(receiver, 100), 2);
	cr_expect_eq(sl_lb_loads_counts(receiver).malformed, 1);
	cr_expect(sl_lb_cores_fresh(&(struct sl_lb_cores){.until_ns = cores_of(0).until_ns}));
	close(fd);
}
