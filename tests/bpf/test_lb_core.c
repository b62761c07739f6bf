// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * select: core. Which core of each server a connection would reach is computed here a second way
 * (Toeplitz bit by bit, and the steering program itself on the packet that comes out); the balancer
 * must have chosen the least loaded of them.
 */
#include "lb_core_foretell.h"

/* --- what a server makes of a packet, told another way */

static unsigned nic_core(const struct server *s, bool v6, unsigned i, uint16_t port, bool ports)
{
	__be32 client[4], server[4];
	unsigned size = v6 ? 16 : 4;
	uint8_t input[36];
	uint16_t ends[2] = {htons(port), htons(8080)};

	lb_client(v6, client);
	lb_server_address(v6, i, server);
	memcpy(input, (uint8_t *)client + 16 - size, size);
	memcpy(input + size, (uint8_t *)server + 16 - size, size);
	memcpy(input + 2 * size, ends, 4);
	return s->table
		.core[toeplitz(s->table.key, input, 2 * size + (ports ? 4 : 0)) % s->table.entries];
}

/* --- tests */

/* `core_at` is the core that the connection would reach. */
static void least_loaded_is_chosen(unsigned (*core_at)(bool v6, unsigned i, uint16_t port))
{
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 2 * 200; n++) {
		bool v6 = n & 1;
		uint16_t port = (uint16_t)(1024 + draw() % 60000);
		unsigned best = 0, at, got;
		struct outcome out;
		uint64_t before;

		for (unsigned i = 1; i < LB_RIG_SERVERS; i++)
			if (servers[v6][i].loads.load[core_at(v6, i, port)] <
			    servers[v6][best].loads.load[core_at(v6, best, port)])
				best = i;
		at = core_at(v6, best, port);
		before = chosen(v6, best, at);
		out = syn(v6, port);
		got = server_of(&out, v6);
		cr_assert_eq(got, best, "v6 %d, port %u: server %u, not %u", v6, port, got, best);
		cr_assert_eq(chosen(v6, best, at), before + 1, "another core was meant");
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 400);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_UNREPORTED), 0);
}

static unsigned by_nic(bool v6, unsigned i, uint16_t port)
{
	return nic_core(&servers[v6][i], v6, i, port, true);
}

static unsigned by_addresses(bool v6, unsigned i, uint16_t port)
{
	return nic_core(&servers[v6][i], v6, i, port, false);
}

Test(lb_core, toeplitz_with_a_key_for_each_server)
{
	up(SL_REPORT_TOEPLITZ, 512);
	least_loaded_is_chosen(by_nic);
}

Test(lb_core, toeplitz_with_one_key_for_all)
{
	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 1; i < LB_RIG_SERVERS; i++)
			memcpy(servers[v6][i].table.key, servers[v6][0].table.key, SL_REPORT_KEY);
	least_loaded_is_chosen(by_nic);
}

Test(lb_core, toeplitz_over_addresses_only)
{
	up(SL_REPORT_TOEPLITZ, 4096);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			memset(servers[v6][i].table.fields, SL_REPORT_ADDRESSES, SL_REPORT_FLOWS);
	least_loaded_is_chosen(by_addresses);
}

/* With l2 the packet stays what it is: all servers hash the client's end and the VIP's. */
static unsigned by_vip(bool v6, unsigned i, uint16_t port)
{
	const struct server *s = &servers[v6][i];
	unsigned size = v6 ? 16 : 4;
	uint16_t ends[2] = {htons(port), htons(80)};
	__be32 client[4], vip[4];
	uint8_t input[36];

	lb_client(v6, client);
	lb_vip_address(v6, vip);
	memcpy(input, (uint8_t *)client + 16 - size, size);
	memcpy(input + size, (uint8_t *)vip + 16 - size, size);
	memcpy(input + 2 * size, ends, 4);
	return s->table.core[toeplitz(s->table.key, input, 2 * size + 4) % s->table.entries];
}

Test(lb_core, l2_is_hashed_with_the_vip)
{
	up(SL_REPORT_TOEPLITZ, 256);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		rig.vip[v6].forward = SL_LB_L2;
		lb_rig_vip(&rig, v6);
	}
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 2 * 100; n++) {
		bool v6 = n & 1;
		uint16_t port = (uint16_t)(3000 + n);
		unsigned best = 0;
		uint64_t before;

		for (unsigned i = 1; i < LB_RIG_SERVERS; i++)
			if (servers[v6][i].loads.load[by_vip(v6, i, port)] <
			    servers[v6][best].loads.load[by_vip(v6, best, port)])
				best = i;
		before = chosen(v6, best, by_vip(v6, best, port));
		send_syn(v6, port);
		cr_assert_eq(chosen(v6, best, by_vip(v6, best, port)), before + 1);
	}
}

/* --- servers that run Sluice: their steering program decides */

/* The worker to which the server's program sends what the balancer would send it. */
static unsigned by_steer(bool v6, unsigned i, uint16_t port)
{
	struct rig *r = steer[v6 * LB_RIG_SERVERS + i];
	struct segment s = {.v6 = v6, .client_port = port, .flags = 2, .options = "", .ttl = 64};
	struct frame f;
	unsigned l4;
	__be32 server[4];

	segment_build(&s, &f, &l4);
	lb_server_address(v6, i, server);
	memcpy(f.b + f.l3 + (v6 ? 24 : 16), (uint8_t *)server + (v6 ? 0 : 12), v6 ? 16 : 4);
	f.b[l4 + 2] = 8080 >> 8;
	f.b[l4 + 3] = 8080 & 255;
	return steered(r, f.b, f.len);
}

Test(lb_core, sluice_servers_do_what_was_foretold, .timeout = 60)
{
	up(SL_REPORT_SYMMETRIC, SL_DEFAULT_BUCKETS);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			sluice_server(v6, i);
	least_loaded_is_chosen(by_steer);
	/* Rows move: told, they are foretold. Loads are smoothed by now. */
	for (unsigned b = 0; b < SL_DEFAULT_BUCKETS; b++) {
		struct server *s = &servers[0][b % LB_RIG_SERVERS];

		s->table.core[b] = (uint8_t)(draw() % CORES);
		row(steer[b % LB_RIG_SERVERS], b, s->table.core[b]);
	}
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		servers[0][i].sender.table++;
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 100; n++) {
		uint16_t port = (uint16_t)(2000 + n);
		struct outcome out = syn(false, port);
		unsigned got = server_of(&out, false), core = by_steer(false, got, port);

		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			cr_assert_leq(cores_of(got).load[core],
				      cores_of(i).load[by_steer(false, i, port)]);
	}
}

/* --- loads that the balancer adds itself, and equals */

Test(lb_core, equal_cores_get_alike)
{
	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	set_flow(100);
	for (unsigned n = 0; n < 1600; n++)
		syn(false, (uint16_t)(1024 + n));
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		for (unsigned c = 0; c < CORES; c++)
			cr_expect(chosen(false, i, c) >= 95 && chosen(false, i, c) <= 105,
				  "server %u, core %u: %lu of 1600", i, c, chosen(false, i, c));
}

/* Who has no cookie is remembered from the SYN on: with the server that got it, not the row's. */
Test(lb_core, the_table_has_the_server_that_was_chosen)
{
	up(SL_REPORT_TOEPLITZ, 128);
	distinct_loads();
	set_flow(0);
	for (unsigned n = 0; n < 50; n++) {
		struct sl_lb_connection key = {.client_port = htons((uint16_t)(7000 + n)),
					       .vip_port = htons(80),
					       .proto = IPPROTO_TCP};
		struct outcome out = syn(false, (uint16_t)(7000 + n));
		uint32_t server;

		lb_client(false, key.client);
		cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.lb_connections), &key,
						 &server),
			     0);
		cr_assert_eq(server, server_of(&out, false));
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 50);
}

/* One of four reports, and has nothing to do: it must not get what is the others'. */
Test(lb_core, who_does_not_report_keeps_his_share)
{
	unsigned got[LB_RIG_SERVERS] = {0};

	up(SL_REPORT_TOEPLITZ, 128);
	report(&servers[0][2]);
	for (unsigned n = 0; n < 800; n++) {
		struct outcome out = syn(false, (uint16_t)(1024 + n));

		got[server_of(&out, false)]++;
	}
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		cr_expect(got[i] > 150 && got[i] < 250, "server %u: %u of 800", i, got[i]);
}

Test(lb_core, a_server_that_drains_gets_nothing)
{
	up(SL_REPORT_TOEPLITZ, 128);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		report(&servers[0][i]);
	lb_rig_state(&rig, false, 1, SL_LB_DRAIN);
	for (unsigned n = 0; n < 200; n++) {
		struct outcome out = syn(false, (uint16_t)(1024 + n));

		cr_assert_neq(server_of(&out, false), 1);
	}
}

/* More servers than are compared: some rows are looked at, the least loaded of them wins. */
Test(lb_core, of_many_some_are_compared)
{
	unsigned got[LB_RIG_SERVERS] = {0};

	up(SL_REPORT_TOEPLITZ, 128);
	rig.table.few_n = 0;
	for (unsigned i = 0; i < SL_LB_ROWS; i++)
		rig.table.server[i] = (uint16_t)(draw() % LB_RIG_SERVERS);
	store_table(false);
	rig.vip[0].candidates = 2;
	lb_rig_vip(&rig, false);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
		for (unsigned c = 0; c < CORES; c++)
			set_load(&servers[0][i], c, 100 * i);
		report(&servers[0][i]);
	}
	set_flow(0);
	for (unsigned n = 0; n < 1600; n++) {
		struct outcome out = syn(false, (uint16_t)(1024 + n));

		got[server_of(&out, false)]++;
	}
	/* of two at random the better one: 7, 5, 3 and 1 of 16 */
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		cr_expect(abs((int)got[i] - (int)(700 - 200 * i)) < 90, "server %u: %u", i, got[i]);
}
