// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits that nothing else in these tests happens to lie on: the last hop and the last byte of an
 * answer, a checksum of exactly zero, entries whose server drained or moved.
 */
#include "lb_expect.h"

static struct lb_rig rig;
static const struct layout *const data = &layouts[0];

TestSuite(lb_edges, .timeout = 60);

static struct segment answer_of(unsigned server)
{
	struct segment s = segment(false, 0, data);

	s.to_client = true;
	s.server = server;
	s.flags = 0x10;
	return s;
}

Test(lb_edges, an_answer_at_its_last_hop_goes_no_further)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (uint8_t ttl = 1; ttl < 3; ttl++) {
			s = answer_of(1);
			s.v6 = v6;
			s.ttl = ttl;
			lb_rig_pass(&rig, &s, &out);
			cr_expect_eq(out.verdict, ttl == 1 ? XDP_DROP : XDP_REDIRECT, "ttl %u",
				     ttl);
		}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TTL), 2);
}

Test(lb_edges, an_answer_that_just_fits_goes_to_its_client)
{
	struct segment s = answer_of(1);
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	cr_assert_eq(run("ip route replace 10.0.1.0/24 dev cl src 10.0.1.1 mtu lock %u",
			 20 + 20 + data->n + 7),
		     0);
	lb_rig_pass(&rig, &s, &out);
	cr_expect_eq(out.verdict, XDP_REDIRECT);
	cr_assert_eq(run("ip route replace 10.0.1.0/24 dev cl src 10.0.1.1 mtu lock %u",
			 20 + 20 + data->n + 6),
		     0);
	lb_rig_pass(&rig, &s, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TOO_BIG), 1);
}

/* Late segments have old timestamps; only SYN-ACKs tell that each connection has its own. */
Test(lb_edges, segments_that_are_late_take_no_clock_away)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned i = 0; i < 40; i++) {
		s = answer_of(1);
		s.stamp = i * 0x13572468u;
		lb_rig_pass(&rig, &s, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
	}
	cr_expect_eq(lb_rig_clock(&rig, 1).erratic, 0);
}

static unsigned entries(void)
{
	struct sl_lb_connection key, *last = NULL;
	unsigned n = 0;

	for (; !bpf_map_get_next_key(bpf_map__fd(rig.skel->maps.lb_connections), last, &key); n++)
		last = &key;
	return n;
}

Test(lb_edges, what_is_not_kept_takes_no_room)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_NONE, 9);
	for (unsigned i = 0; i < 4; i++) {
		s = segment(false, 0, &layouts[LAYOUTS - 1]);
		s.flags = 2;
		lb_rig_pass(&rig, &s, &out);
		s.to_client = true;
		s.server = 1;
		s.flags = 0x12;
		lb_rig_pass(&rig, &s, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
	}
	cr_expect_eq(entries(), 0);
}

/* To whom an entry of server 1 takes a connection whose row is server 2's. */
static unsigned by_entry(enum sl_lb_state state, uint16_t vip)
{
	struct sl_lb_server moved = {.port = htons(8080), .vip = vip, .state = (uint8_t)state};
	struct segment s = segment(false, 0, &layouts[LAYOUTS - 1]);
	struct outcome out;
	uint32_t id = 1;

	lb_rig_state(&rig, false, 1, SL_LB_UP);
	lb_rig_table(&rig, false, 1);
	s.flags = 2;
	lb_rig_pass(&rig, &s, &out);
	cr_assert_eq(server_of(&out, &s), 1);
	lb_rig_table(&rig, false, 2);
	lb_server_address(false, 1, moved.addr);
	lb_put(rig.skel->maps.lb_servers, &id, &moved);
	s.flags = 0x10;
	lb_rig_pass(&rig, &s, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return server_of(&out, &s);
}

Test(lb_edges, an_entry_is_good_while_its_server_serves_that_vip)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	cr_expect_eq(by_entry(SL_LB_UP, 0), 1);
	cr_expect_eq(by_entry(SL_LB_DRAIN, 0), 1, "it keeps what it has");
	cr_expect_eq(by_entry(SL_LB_DOWN, 0), 2);
	cr_expect_eq(by_entry(SL_LB_ABSENT, 0), 2);
	cr_expect_eq(by_entry(SL_LB_UP, 5), 2, "the id is of another VIP's server by now");
}

/* A datagram from the client's port to the VIP; returns its checksum once it is translated. */
static unsigned translated(uint16_t port, bool check, struct outcome *out)
{
	struct frame f = {0};
	__be32 client[4], vip[4];
	uint32_t sum;

	lb_client(false, client);
	lb_vip_address(false, vip);
	put_ethernet(&f, 0, SL_ETH_IPV4);
	put32(&f, 0x45000020);
	put32(&f, 0x12340000);
	put32(&f, 0x40110000);
	put_bytes(&f, (uint8_t *)client + 12, 4);
	put_bytes(&f, (uint8_t *)vip + 12, 4);
	put16(&f, port);
	put16(&f, 80);
	put32(&f, 12 << 16);
	put32(&f, 0xdeadbeef);
	if (check) {
		sum = ~lb_sum(f.b + 34, 12, lb_sum(f.b + 26, 8, 17 + 12)) & 0xffff;
		sum = sum ? sum : 0xffff;
		f.b[40] = (uint8_t)(sum >> 8);
		f.b[41] = (uint8_t)sum;
	}
	*out = lb_rig_raw(&rig, &f);
	cr_assert_eq(out->verdict, XDP_REDIRECT);
	return (unsigned)out->b[40] << 8 | out->b[41];
}

/* A sum of zero would be none: it is written as its other form. The port makes it zero here. */
Test(lb_edges, a_checksum_of_zero_is_not_none)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(80)};
	struct sl_lb_vip vip = {.keep = SL_LB_KEEP_TABLE};
	struct outcome out;
	unsigned check;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	lb_vip_address(false, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &vip);
	lb_rig_table(&rig, false, 1);
	cr_expect_eq(translated(1, false, &out), 0, "none stays none");
	check = translated(1, true, &out);
	cr_assert(check && check < 0xffff);
	cr_expect_eq(translated((uint16_t)(1 + check), true, &out), 0xffff);
	cr_expect_eq(lb_sum(out.b + 34, 12, lb_sum(out.b + 26, 8, 17 + 12)), 0xffff);
}
