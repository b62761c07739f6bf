// SPDX-License-Identifier: GPL-2.0-or-later
/* What XDP makes of a server's health, and what it counts for others to tell that. */
#include "lb_rig.h"

static struct lb_rig rig;

static struct sl_lb_stats stats_of(uint32_t id)
{
	int cpus = libbpf_num_possible_cpus();
	struct sl_lb_stats each[cpus > 0 ? cpus : 1], sum = {0};

	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.lb_server_stats), &id, each),
		     0);
	for (int i = 0; i < cpus; i++) {
		sum.connections += each[i].connections;
		sum.accepted += each[i].accepted;
		sum.refused += each[i].refused;
	}
	return sum;
}

static void answer(bool v6, uint8_t flags, uint32_t sequence)
{
	struct segment s = {.v6 = v6,
			    .to_client = true,
			    .server = 1,
			    .client_port = 999,
			    .flags = flags,
			    .options = "",
			    .ttl = 64};
	struct outcome out;
	struct frame f;
	unsigned l4;

	segment_build(&s, &f, &l4);
	for (unsigned i = 0; i < 4; i++)
		f.b[l4 + 4 + i] = (uint8_t)(sequence >> (24 - 8 * i));
	lb_rig_run(&rig, f.b, f.len, rig.server_if, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
}

Test(lb_health, answers_to_syns_are_counted_and_no_others)
{
	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct sl_lb_stats s;

		answer(v6, 0x12, 7);
		s = stats_of(lb_id(v6, 1));
		cr_expect(s.accepted == 1 && s.refused == 0);
		answer(v6, 0x14, 0); /* RST, ACK to a SYN */
		s = stats_of(lb_id(v6, 1));
		cr_expect(s.accepted == 1 && s.refused == 1);
		answer(v6, 0x14, 7); /* RST of a connection */
		answer(v6, 0x04, 7);
		answer(v6, 0x10, 0); /* ACK */
		s = stats_of(lb_id(v6, 1));
		cr_expect(s.accepted == 1 && s.refused == 1);
	}
}

static void set_health(unsigned i, enum sl_lb_state state, enum sl_lb_health health)
{
	struct sl_lb_server s = {
		.port = htons(8080), .state = (uint8_t)state, .health = (uint8_t)health};
	uint32_t id = lb_id(false, i);

	lb_server_address(false, i, s.addr);
	lb_put(rig.skel->maps.lb_servers, &id, &s);
}

/* Which server gets a datagram; always of the same flow, without a checksum. */
static unsigned datagram_to(void)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(80)};
	struct sl_lb_vip vip = {.keep = SL_LB_KEEP_TABLE};
	__be32 client[4];
	struct frame f = {0};
	struct outcome out;
	uint32_t sum;

	lb_client(false, client);
	lb_vip_address(false, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &vip);
	put_ethernet(&f, 0, SL_ETH_IPV4);
	put32(&f, 0x45000020);
	put32(&f, 0x12340000);
	put32(&f, 0x40110000);
	put_bytes(&f, (uint8_t *)&client[3], 4);
	put_bytes(&f, (uint8_t *)&key.addr[3], 4);
	sum = ~lb_sum(f.b + 14, 20, 0) & 0xffff;
	f.b[24] = (uint8_t)(sum >> 8);
	f.b[25] = (uint8_t)sum;
	put16(&f, 7);
	put16(&f, 80);
	put32(&f, 12 << 16);
	put32(&f, 0xdeadbeef);
	out = lb_rig_raw(&rig, &f);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return out.b[33] - 10u;
}

Test(lb_health, datagrams_leave_a_server_that_fails)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	lb_rig_table(&rig, false, 1);
	cr_expect_eq(datagram_to(), 1);
	lb_rig_table(&rig, false, 2);
	cr_expect_eq(datagram_to(), 1, "remembered");
	set_health(1, SL_LB_UP, SL_LB_PANIC);
	cr_expect_eq(datagram_to(), 1, "all fail");
	set_health(1, SL_LB_UP, SL_LB_FAILING);
	cr_expect_eq(datagram_to(), 2);
	set_health(1, SL_LB_UP, SL_LB_HEALTHY);
	cr_expect_eq(datagram_to(), 2, "the entry is the new one's");
}

/* One packet of a connection that the table has: its server may be busy, not dead. */
Test(lb_health, segments_stay)
{
	struct segment s = {.client_port = 999, .flags = 0x02, .options = "", .ttl = 64};
	struct outcome out;
	struct frame f;
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	lb_rig_table(&rig, false, 1);
	answer(false, 0x12, 7);
	lb_rig_table(&rig, false, 2);
	set_health(1, SL_LB_UP, SL_LB_FAILING);
	s.flags = 0x10;
	segment_build(&s, &f, &l4);
	out = lb_rig_raw(&rig, &f);
	cr_expect_eq(out.b[33], 11);
}
