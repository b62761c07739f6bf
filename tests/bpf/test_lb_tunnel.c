// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct server return: what the load balancer puts around a packet is compared byte for byte with
 * headers that are put together here, every checksum made over the whole; and which server it is.
 */
#include "lb_tunnel_rig.h"

static void matrix(unsigned proto)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 3 * 2 * 2 * 3 * 2; i++) {
		struct packet p = packet(i & 1, proto);
		unsigned how = SL_LB_L2 + i / 12 % 3;

		p.vlans = i / 4 % 3;
		p.no_check = proto == UDP && !p.v6 && i >= 36;
		p.class = (uint8_t)(i * 37);
		p.stamps = i % 5 < 3;
		p.data = DATA + i % 3;
		forward(proto, how, i >> 1 & 1);
		check(&p, how, i >> 1 & 1);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_MALFORMED), 0);
}

TestSuite(lb_tunnel, .timeout = 120);

Test(lb_tunnel, tcp_byte_for_byte)
{
	matrix(TCP);
}

Test(lb_tunnel, udp_byte_for_byte)
{
	matrix(UDP);
}

Test(lb_tunnel, the_last_hop_is_not_spent_on_the_tunnel)
{
	struct packet p;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 6; i++) {
		forward(TCP, SL_LB_L2 + i / 2, false);
		p = packet(i & 1, TCP);
		p.ttl = 2;
		check(&p, SL_LB_L2 + i / 2, false);
		p.ttl = 1;
		run_packet(&p, &out);
		cr_expect_eq(out.verdict, XDP_DROP);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TTL), 6);
}

/* Flows of one client differ in the outer source port; packets of one flow do not. */
Test(lb_tunnel, flows_spread_and_stay)
{
	unsigned buckets[64] = {0}, low = 1000, high = 0, distinct = 0, port;
	static bool seen[65536];
	struct outcome out;

	up(UDP, SL_LB_GUE, false);
	for (unsigned i = 0; i < 4096; i++) {
		struct packet p = packet(false, UDP);

		run_packet(&p, &out);
		port = get16(out.b, 34);
		cr_assert_geq(port, 49152);
		buckets[port % 64]++;
		distinct += !seen[port];
		seen[port] = true;
		run_packet(&p, &out);
		cr_assert_eq(get16(out.b, 34), port);
	}
	cr_expect_gt(distinct, 3300, "%u of 4096; 3,624 by chance of 14 bits", distinct);
	for (unsigned i = 0; i < 64; i++) {
		low = buckets[i] < low ? buckets[i] : low;
		high = buckets[i] > high ? buckets[i] : high;
	}
	cr_expect(low > 30 && high < 110, "64 buckets of 4096 flows: %u to %u", low, high);
}

/* `source: 10.0.2.0/24`: IPIP has no port, so flows differ in the source's last bits. */
Test(lb_tunnel, sources_spread_within_their_prefix)
{
	struct sl_lb_tunnel t = {.spread = 0xff};
	struct big e = {0};
	uint32_t id = 2, seen[8] = {0}, n = 0;
	struct outcome out;

	up(UDP, SL_LB_IPIP, false);
	lb_address(false, "172.16.3.0", "", t.source);
	lb_put(rig.skel->maps.lb_tunnels, &id, &t);
	for (unsigned i = 0; i < 500; i++) {
		struct packet p = packet(false, UDP);

		run_packet(&p, &out);
		cr_assert_eq(memcmp(out.b + 26, "\xac\x10\3", 3), 0);
		seen[out.b[29] / 32] |= 1u << out.b[29] % 32;
		t.source[3] = htonl(0xac100300u + out.b[29]);
		expect(&e, &p, SL_LB_IPIP, false, 0, t.source);
		compare(&e, &out, "source of a prefix");
	}
	for (unsigned i = 0; i < 8; i++)
		n += (unsigned)__builtin_popcount(seen[i]);
	cr_expect_gt(n, 180, "%u of 256", n);
}

/* All fragments of a datagram go to one server, whose ports only the first of them has. */
Test(lb_tunnel, fragments_go_by_their_addresses)
{
	struct sl_lb_vip_key key = {.proto = UDP, .fragments = 1};
	struct packet p;
	struct outcome out;
	unsigned server, servers = 0;

	up(UDP, SL_LB_GUE, true);
	lb_rig_table(&rig, false, -1);
	p = packet(false, UDP);
	p.fragment = 0x2000;
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP, "nobody said whose");
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_FRAGMENT), 1);
	lb_vip_address(false, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[0]);
	for (unsigned i = 0; i < 20; i++) {
		p = packet(false, UDP);
		p.fragment = 0x2000 | i;
		run_packet(&p, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		server = out.b[14 + 39] & 0xf;
		servers |= 1u << server;
		cr_assert_eq(get16(out.b, 54 + 6), 0, "no outer checksum of what has no inner one");
	}
	cr_expect_eq(__builtin_popcount(servers), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_FRAGMENT), 20);
	rig.vip[0].forward = SL_LB_NAT;
	lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[0]);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
}

Test(lb_tunnel, truncated_packets_go_nowhere)
{
	struct packet p;
	struct big f = {0};
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 6; i++) {
		forward(TCP, SL_LB_L2 + i / 2, i & 1);
		p = packet(i & 1, TCP);
		begin(&f, &p, p.v6);
		add_packet(&f, &p, 64);
		for (unsigned len = 14; len < f.len; len++) {
			lb_rig_run(&rig, f.b, len, rig.client_if, &out);
			cr_assert(out.verdict == XDP_DROP || out.verdict == XDP_PASS);
			cr_assert_eq(out.len, len, "%u of %u", len, f.len);
		}
	}
}

/* The stack forwards what has a source that is not its own, and finds the neighbour by that. */
static void check_resolve(bool v6, unsigned how, bool server_v6)
{
	struct packet p = packet(v6, TCP);
	struct big e = {0};
	struct outcome out;
	unsigned kind = how == SL_LB_L2 ? SL_LB_IPIP : how;
	__be32 src[4];

	forward(TCP, how, server_v6);
	cr_assert_eq(run("ip neigh del %s dev sv", server_v6 ? "fd02::12" : "10.0.2.12"), 0);
	usleep(110 * 1000); /* the one that was looked up before */
	run_packet(&p, &out);
	cr_assert_eq(out.verdict, XDP_PASS);
	lb_address(server_v6, v6 ? "192.0.0.8" : "10.0.1.5", v6 ? "fd01::5" : "100::1", src);
	expect(&e, &p, kind, server_v6, entropy_of(&out, 14, kind, server_v6), src);
	memcpy(e.b, lb_mac[0], 6);
	memcpy(e.b + 6, lb_mac[1], 6);
	compare(&e, &out, "resolve");
	cr_assert_eq(run("ip neigh add %s lladdr 02:00:00:00:02:02 dev sv",
			 server_v6 ? "fd02::12" : "10.0.2.12"),
		     0);
}

/* GUE's own checksum is made of the inner one, which says nothing of extension headers. */
Test(lb_tunnel, behind_extension_headers_there_is_no_outer_checksum)
{
	struct packet p = packet(true, UDP);
	struct big f = {0};
	struct outcome out;
	__be32 client[4], vip[4];

	up(UDP, SL_LB_GUE, true);
	lb_client(true, client);
	lb_vip_address(true, vip);
	begin(&f, &p, true);
	add_ip(&f, true, 0, 0, 0, 16 + DATA, IPPROTO_DSTOPTS, 64, client, vip);
	add(&f, "\x11\0\1\4\0\0\0\0", 8);
	add16(&f, p.port);
	add16(&f, 80);
	add16(&f, 8 + DATA);
	add16(&f, 0x1234);
	f.len += DATA;
	lb_rig_run(&rig, f.b, f.len, rig.client_if, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	cr_expect_eq(get16(out.b, 14 + 40 + 6), 0);
	cr_expect_eq(memcmp(out.b + 14 + 48 + 8, f.b + 14 + 8, f.len - 14 - 8), 0);
}

Test(lb_tunnel, an_unknown_neighbour_is_resolved_by_the_stack)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 12; i++)
		check_resolve(i & 1, SL_LB_L2 + i / 4, i >> 1 & 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_RESOLVE), 12);
}

/* A source that is not the balancer's own is the same then: who lets only that in loses nothing. */
Test(lb_tunnel, a_foreign_source_stays_while_the_stack_resolves)
{
	struct sl_lb_tunnel t = {.foreign = 1};
	struct outcome out;
	struct packet p;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (uint32_t six = 0, id; six < 2; six++) {
		forward(TCP, SL_LB_IPIP, six);
		id = lb_id(six, 2);
		lb_address(six, "172.16.3.1", "fdaa::1", t.source);
		lb_put(rig.skel->maps.lb_tunnels, &id, &t);
		cr_assert_eq(run("ip neigh del %s dev sv", six ? "fd02::12" : "10.0.2.12"), 0);
		p = packet(six, TCP);
		run_packet(&p, &out);
		cr_assert_eq(out.verdict, XDP_PASS);
		cr_expect_eq(memcmp(out.b + (six ? 22 : 26), (uint8_t *)t.source + (six ? 0 : 12),
				    six ? 16 : 4),
			     0);
	}
}

/* A router would send the packet back to whom the VIP is routed to. */
Test(lb_tunnel, l2_is_for_servers_on_the_link)
{
	struct sl_lb_server s = {.state = SL_LB_UP};
	uint32_t id = 2;
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_L2, false);
	cr_assert_eq(run("ip route add 10.5.0.0/16 via 10.0.2.11"), 0);
	lb_address(false, "10.5.0.1", "", s.addr);
	lb_put(rig.skel->maps.lb_servers, &id, &s);
	p = packet(false, TCP);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_NO_ROUTE), 1);
	forward(TCP, SL_LB_IPIP, false);
	lb_put(rig.skel->maps.lb_servers, &id, &s);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_REDIRECT);
}

/* No answer passes here that could enter the connection: it is entered by what the client sends. */
Test(lb_tunnel, tcp_is_kept_by_the_table)
{
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_IPIP, false);
	p = packet(false, TCP);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 12);
	lb_rig_table(&rig, false, 1);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 12);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TABLE), 1);
	p = packet(false, TCP);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 11);
}

/* What the table has of the connection that had these ends before is not of this one. */
Test(lb_tunnel, a_flood_does_not_keep_an_entry_of_a_connection_before)
{
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_IPIP, false);
	p = packet(false, TCP);
	p.syn = true;
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 12);
	rig.control.inserts_max = 0;
	lb_rig_control(&rig);
	lb_rig_table(&rig, false, 1);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 11);
	p.syn = false;
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 11);
}
