// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A balancer that sees one direction of a connection only, as another one has its answers: what has
 * no cookie is remembered from its SYN on.
 */
#include "lb_expect.h"

static struct lb_rig rig;

TestSuite(lb_half, .timeout = 120);

#define STAMPS                                                                                     \
	"\1\1\x8\xa"                                                                               \
	"ttttTTTT"

/* To which server the segment of a client goes. */
static unsigned sent_to(bool v6, uint8_t flags, const char *options, uint32_t echo)
{
	struct segment s = {.v6 = v6,
			    .client_port = 40000,
			    .flags = flags,
			    .options = options,
			    .options_n = options ? sizeof(STAMPS) - 1 : 0,
			    .echo = echo,
			    .ttl = 64};
	struct outcome out;
	struct frame f;
	unsigned l4;

	segment_build(&s, &f, &l4);
	out = lb_rig_raw(&rig, &f);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return out.b[f.l3 + (v6 ? 39 : 19)] - (v6 ? 0x10u : 10u);
}

/* An echo that names a server, as one that is no cookie does by chance. */
static uint32_t naming(bool v6, unsigned server)
{
	struct sl_lb_ends e = {
		.client_port = 40000, .vip_port = 80, .proto = IPPROTO_TCP, .v6 = v6};

	lb_client(v6, e.client);
	lb_vip_address(v6, e.vip);
	return 1000000u << 9 |
	       sl_cookie(lb_id(v6, server), sl_lb_hash(rig.control.key[0], &e), 0, 9);
}

static void clocks(bool v6)
{
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		lb_rig_set_clock(&rig, lb_id(v6, i), 1000000);
}

static void erratic(unsigned id)
{
	struct sl_lb_clock c = lb_rig_clock(&rig, id);

	c.erratic = 1;
	lb_put(rig.skel->maps.lb_clocks, &id, &c);
	rig.control.mixed = 1;
	lb_rig_control(&rig);
}

Test(lb_half, a_server_without_one_clock_keeps_its_connections)
{
	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		clocks(v6);
		erratic(lb_id(v6, 1));
		lb_rig_table(&rig, v6, 1);
		cr_expect_eq(sent_to(v6, 2, STAMPS, 0), 1);
		lb_rig_table(&rig, v6, 3);
		cr_expect_eq(sent_to(v6, 16, STAMPS, naming(v6, 2)), 1);
		/* the port comes again, with a server that has a clock */
		lb_rig_table(&rig, v6, 2);
		cr_expect_eq(sent_to(v6, 2, STAMPS, 0), 2);
		cr_expect_eq(sent_to(v6, 16, STAMPS, naming(v6, 2)), 2);
	}
}

Test(lb_half, who_has_no_timestamps_is_remembered)
{
	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		clocks(v6);
		lb_rig_table(&rig, v6, 1);
		cr_expect_eq(sent_to(v6, 2, NULL, 0), 1);
		lb_rig_table(&rig, v6, 3);
		cr_expect_eq(sent_to(v6, 16, NULL, 0), 1);
		/* its port comes again, now with timestamps */
		lb_rig_table(&rig, v6, 2);
		cr_expect_eq(sent_to(v6, 2, STAMPS, 0), 2);
		lb_rig_table(&rig, v6, 3);
		cr_expect_eq(sent_to(v6, 16, STAMPS, naming(v6, 2)), 2);
	}
	/* a client that offers them, a server that shows none */
	rig.control.mixed = 0;
	lb_rig_control(&rig);
	lb_put(rig.skel->maps.lb_clocks, &(uint32_t){1}, &(struct sl_lb_clock){0});
	lb_rig_table(&rig, false, 1);
	cr_expect_eq(sent_to(false, 2, STAMPS, 0), 1);
	lb_rig_table(&rig, false, 3);
	cr_expect_eq(sent_to(false, 16, NULL, 0), 1);
}

Test(lb_half, a_vip_that_keeps_by_the_table_has_its_connections_there)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		lb_rig_table(&rig, v6, 1);
		cr_expect_eq(sent_to(v6, 2, STAMPS, 0), 1);
		lb_rig_table(&rig, v6, 3);
		cr_expect_eq(sent_to(v6, 16, STAMPS, 0), 1);
		cr_expect_eq(sent_to(v6, 2, STAMPS, 0), 3, "another connection");
		cr_expect_eq(sent_to(v6, 16, STAMPS, 0), 3);
	}
}

/* The answer to a SYN that is in the table needs no entry more, which might not be had. */
Test(lb_half, a_connection_is_entered_once)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct segment answer = {.v6 = v6,
					 .to_client = true,
					 .server = 1,
					 .client_port = 40000,
					 .flags = 0x12,
					 .ttl = 64};
		struct outcome out;

		rig.control.inserts_max = 1 + v6;
		lb_rig_control(&rig);
		lb_rig_table(&rig, v6, 1);
		cr_expect_eq(sent_to(v6, 2, NULL, 0), 1);
		lb_rig_pass(&rig, &answer, &out);
		lb_rig_table(&rig, v6, 3);
		cr_expect_eq(sent_to(v6, 16, NULL, 0), 1);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_INSERTED), 2);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BYPASSED), 0);
}
