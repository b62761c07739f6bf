// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the load balancer does with each kind of TCP segment: every output is compared byte for byte
 * with one that is put together by hand, its checksums made over the whole.
 */
#include "lb_expect.h"

static struct lb_rig rig;

static void pass_through(const struct segment *s, struct outcome *out)
{
	lb_rig_pass(&rig, s, out);
}

static uint32_t cookie_of(const struct segment *s, unsigned server)
{
	struct sl_lb_ends e = {
		.client_port = s->client_port, .vip_port = 80, .proto = 6, .v6 = s->v6};

	lb_client(s->v6, e.client);
	lb_vip_address(s->v6, e.vip);
	return sl_cookie(lb_id(s->v6, server), sl_lb_hash(rig.control.key[rig.control.phase], &e),
			 rig.control.phase, rig.vip[s->v6].bits);
}

/* SYN: to the server of the row, and nothing else is touched. Returns the server. */
static unsigned check_syn(struct segment s, const char *what)
{
	struct expected e;
	struct outcome out;
	__be32 addr[4];
	unsigned server;

	s.flags = 2;
	pass_through(&s, &out);
	server = server_of(&out, &s);
	expect_from(&e, &s);
	lb_server_address(s.v6, server, addr);
	expect_end(&e, &s, addr, 8080);
	expect_checksums(&e, s.v6);
	compare(&e, &out, what, &s);
	return server;
}

/* From the server: the VIP's, with the cookie. Returns the timestamp that the client sees. */
static uint32_t check_reply(struct segment s, const struct layout *l, unsigned server,
			    uint8_t flags)
{
	struct expected e;
	struct outcome out;
	__be32 addr[4];
	uint32_t wire;

	s.to_client = true;
	s.server = server;
	s.flags = flags;
	s.stamp = sl_clock_at(lb_rig_clock(&rig, lb_id(s.v6, server)).now, lb_now_ms());
	pass_through(&s, &out);
	wire = s.stamp << rig.vip[s.v6].bits | cookie_of(&s, server);
	expect_from(&e, &s);
	lb_vip_address(s.v6, addr);
	expect_end(&e, &s, addr, 80);
	if (l->at >= 0)
		expect_stamp(&e, (unsigned)l->at, wire);
	expect_checksums(&e, s.v6);
	compare(&e, &out, l->name, &s);
	return wire;
}

/* From the client: to its server, the echo as that sent it. */
static void check_forward(struct segment s, const struct layout *l, unsigned server, uint32_t wire,
			  uint8_t flags)
{
	struct expected e;
	struct outcome out;
	__be32 addr[4];

	s.flags = flags;
	s.echo = wire;
	pass_through(&s, &out);
	expect_from(&e, &s);
	lb_server_address(s.v6, server, addr);
	expect_end(&e, &s, addr, 8080);
	if (l->at >= 0)
		expect_stamp(
			&e, (unsigned)l->at + 4,
			sl_cookie_restore(wire, rig.vip[s.v6].bits,
					  sl_clock_at(lb_rig_clock(&rig, lb_id(s.v6, server)).now,
						      lb_now_ms())));
	expect_checksums(&e, s.v6);
	compare(&e, &out, l->name, &s);
}

static void check_connection(bool v6, unsigned vlans, const struct layout *l)
{
	static const uint8_t replies[] = {0x12, 0x10, 0x18, 0x11, 0x14};
	static const uint8_t forwards[] = {0x10, 0x18, 0x11, 0x14};
	struct segment s = segment(v6, vlans, l);
	unsigned server = check_syn(s, l->name);
	uint32_t wire = 0;

	for (unsigned i = 0; i < sizeof(replies); i++) {
		uint32_t seen = check_reply(s, l, server, replies[i]);

		wire = i ? wire : seen;
	}
	/* The rows change; the connection stays. */
	lb_rig_table(&rig, v6, (int)((server + 1) % LB_RIG_SERVERS));
	for (unsigned i = 0; i < sizeof(forwards); i++)
		check_forward(s, l, server, wire, forwards[i]);
	lb_rig_table(&rig, v6, -1);
}

static void matrix(unsigned bits)
{
	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, bits);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			lb_rig_set_clock(&rig, lb_id(v6, i), 0xfffffff0u + i * 0x30000000u);
	for (unsigned l = 0; l < LAYOUTS; l++)
		for (unsigned v6 = 0; v6 < 2; v6++)
			for (unsigned vlans = 0; vlans < 3; vlans++)
				check_connection(v6, vlans, &layouts[l]);
	cr_expect_gt(lb_rig_count(&rig, SL_LB_COOKIE), 0);
	cr_expect_gt(lb_rig_count(&rig, SL_LB_TABLE), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_HASHED), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BAD_COOKIE), 0);
}

TestSuite(lb, .timeout = 120);

Test(lb, every_segment_byte_for_byte_9)
{
	matrix(9);
}

Test(lb, every_segment_byte_for_byte_16)
{
	matrix(16);
}

static const struct layout *const data = &layouts[0];

static struct outcome ack(const struct segment *like, uint32_t echo)
{
	struct segment s = *like;
	struct outcome out;

	s.flags = 0x10;
	s.echo = echo;
	pass_through(&s, &out);
	return out;
}

/* Cookies of the secret before last name nobody any more, those of the last one still do. */
Test(lb, secrets_overlap)
{
	struct segment s;
	struct outcome out;
	uint32_t old;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_set_clock(&rig, 2, 77);
	s = segment(false, 0, data);
	old = 77u << 9 | cookie_of(&s, 2);
	rig.control.phase = 1;
	lb_rig_control(&rig);
	out = ack(&s, old);
	cr_expect_eq(server_of(&out, &s), 2);
	out = ack(&s, 77u << 9 | cookie_of(&s, 2));
	cr_expect_eq(server_of(&out, &s), 2);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_COOKIE), 2);
	rig.control.key[0][0] = 99;
	lb_rig_control(&rig);
	ack(&s, old);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_COOKIE) + lb_rig_count(&rig, SL_LB_BAD_COOKIE) +
			     lb_rig_count(&rig, SL_LB_DROP_NO_CLOCK),
		     3);
}

Test(lb, a_server_without_a_clock_is_waited_for)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	s = segment(false, 0, data);
	out = ack(&s, 5u << 9 | cookie_of(&s, 1));
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_NO_CLOCK), 1);
	check_reply(s, data, 1, 0x10);
	out = ack(&s, 5u << 9 | cookie_of(&s, 1));
	cr_expect_eq(out.verdict, XDP_REDIRECT);
}

Test(lb, drained_servers_keep_their_connections_those_that_are_down_do_not)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_set_clock(&rig, 3, 77);
	lb_rig_table(&rig, false, 0);
	s = segment(false, 0, data);
	lb_rig_state(&rig, false, 3, SL_LB_DRAIN);
	out = ack(&s, 77u << 9 | cookie_of(&s, 3));
	cr_expect_eq(server_of(&out, &s), 3);
	lb_rig_state(&rig, false, 3, SL_LB_DOWN);
	out = ack(&s, 77u << 9 | cookie_of(&s, 3));
	cr_expect_eq(server_of(&out, &s), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_COOKIE_DOWN), 1);
	lb_rig_state(&rig, false, 3, SL_LB_ABSENT);
	out = ack(&s, 77u << 9 | cookie_of(&s, 3));
	cr_expect_eq(server_of(&out, &s), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BAD_COOKIE), 1);
}

/* No cookie can be written for it, so its connections are remembered instead. */
Test(lb, a_server_without_one_clock_falls_back_to_the_table)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned i = 0; i < 8; i++) {
		s = segment(false, 0, data);
		s.to_client = true;
		s.server = 1;
		s.flags = 0x12;
		s.stamp = i * 0x13572468u;
		pass_through(&s, &out);
	}
	cr_expect_eq(lb_rig_clock(&rig, 1).erratic, 1);
	cr_expect_eq(memcmp(out.b + 14 + 20 + 20 + 4, "\x87\x61\xfe\xd8", 4), 0, "as it was sent");
	s.to_client = false;
	lb_rig_table(&rig, false, 3);
	out = ack(&s, s.stamp);
	cr_expect_eq(server_of(&out, &s), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TABLE), 1);
}

/*
 * The client's port comes again: what the table remembers of its connection before, with the server
 * that has no clock, is not of this one.
 */
static void check_port_again(uint32_t inserts)
{
	struct segment s = segment(false, 0, data), answer = s;
	struct outcome out;
	uint32_t wire;

	rig.control.inserts_max = 1000;
	lb_rig_control(&rig);
	for (unsigned i = 0; i < 8; i++) {
		answer.to_client = true;
		answer.server = 1;
		answer.flags = 0x12;
		answer.stamp = i * 0x13572468u;
		pass_through(&answer, &out);
	}
	rig.control.mixed = 1;
	rig.control.inserts_max = inserts;
	lb_rig_control(&rig);
	lb_rig_table(&rig, false, 2);
	wire = check_reply(s, data, 2, 0x12);
	out = ack(&s, wire);
	cr_expect_eq(server_of(&out, &s), 2, "to server %u", server_of(&out, &s));
}

Test(lb, a_port_that_comes_again_is_another_connection)
{
	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_set_clock(&rig, 2, 77);
	check_port_again(1000);
	check_port_again(0);
}

/* ... also where the table takes no new entries in this second. */
Test(lb, a_flood_does_not_keep_an_entry_of_a_connection_before)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	s = segment(false, 0, data);
	s.to_client = true;
	s.flags = 0x12;
	s.server = 1;
	pass_through(&s, &out);
	rig.control.inserts_max = 0;
	lb_rig_control(&rig);
	s.server = 2;
	lb_rig_table(&rig, false, 2);
	pass_through(&s, &out);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BYPASSED), 1);
	s.to_client = false;
	out = ack(&s, 0);
	cr_expect_eq(server_of(&out, &s), 2);
}

/* A next hop that was looked up half a turn of the millisecond counter ago is none. */
Test(lb, a_next_hop_of_weeks_ago_is_looked_up_again)
{
	struct {
		uint32_t until_ms, ifindex, mtu;
		uint8_t mac[12];
	} hop[256] = {0};
	struct segment s;
	uint32_t id = 1;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_table(&rig, false, 1);
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 256; i++) {
		hop[i].until_ms = lb_now_ms() + 0x70000000u;
		hop[i].ifindex = rig.client_if;
	}
	cr_assert_eq(sizeof(hop[0]), 24);
	lb_put(rig.skel->maps.lb_hops, &id, hop);
	s = segment(false, 0, data);
	cr_expect_eq(check_syn(s, "stale hop"), 1);
}

/* CPUs remember VIPs: one that changed, or went, is another to the next packet. */
Test(lb, a_vip_that_changes_is_seen_at_once)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_TCP, .port = htons(80)};
	struct segment s = segment(false, 0, data);
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_set_clock(&rig, 2, 77);
	lb_rig_table(&rig, false, 0);
	out = ack(&s, 77u << 9 | cookie_of(&s, 2));
	cr_expect_eq(server_of(&out, &s), 2);
	rig.vip[0].keep = SL_LB_KEEP_NONE;
	lb_rig_vip(&rig, false);
	out = ack(&s, 77u << 9 | cookie_of(&s, 2));
	cr_expect_eq(server_of(&out, &s), 0);
	lb_vip_address(false, key.addr);
	cr_assert_eq(bpf_map_delete_elem(bpf_map__fd(rig.skel->maps.lb_vips), &key), 0);
	rig.control.generation++;
	lb_rig_control(&rig);
	out = ack(&s, 77u << 9 | cookie_of(&s, 2));
	cr_expect_eq(out.verdict, XDP_DROP);
}

/* Random echoes: bounded work, and none leaves but to a server. */
Test(lb, forged_cookies_reach_servers_of_the_vip_or_nobody)
{
	unsigned sent = 20000;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		lb_rig_set_clock(&rig, i, 77);
	for (unsigned i = 0; i < sent; i++) {
		struct segment s = segment(false, 0, data);
		struct outcome out = ack(&s, i * 2654435761u);

		cr_assert_eq(out.verdict, XDP_REDIRECT);
		cr_assert_lt(server_of(&out, &s), LB_RIG_SERVERS);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_COOKIE) + lb_rig_count(&rig, SL_LB_HASHED), sent);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BAD_COOKIE), lb_rig_count(&rig, SL_LB_HASHED));
}

/* Each shorter by a byte than the one before: no read beyond, and what is wrong is not sent on. */
Test(lb, truncated_segments_go_nowhere)
{
	struct segment s;
	struct frame whole;
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned l = 0; l < LAYOUTS; l++) {
		s = segment(l & 1, l % 3, &layouts[l]);
		s.flags = 0x10;
		segment_build(&s, &whole, &l4);
		for (unsigned len = 14; len < whole.len; len++) {
			struct frame f = whole;

			f.len = len;
			cr_assert_neq(lb_rig_raw(&rig, &f).verdict, XDP_REDIRECT, "%u of %u", len,
				      whole.len);
		}
		whole.b[l4 + 12] = 0xf0; /* more options than there are bytes */
		cr_expect_eq(lb_rig_raw(&rig, &whole).verdict, XDP_DROP);
		whole.b[l4 + 12] = 0x40; /* shorter than a header */
		cr_expect_eq(lb_rig_raw(&rig, &whole).verdict, XDP_DROP);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_MALFORMED), 2 * LAYOUTS);
}

/* The stack would only send what is for a VIP's other ports back: nobody has the address. */
Test(lb, what_is_not_for_a_vip_passes_untouched_and_its_other_ports_are_nobodys)
{
	struct segment s;
	struct outcome out;
	struct frame f;
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	s = segment(false, 0, data);
	s.flags = 0x10;
	segment_build(&s, &f, &l4);
	f.b[l4 + 3]++; /* another port */
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_NO_VIP), 1);
	f.b[f.l3 + 19]++; /* another address */
	out = lb_rig_raw(&rig, &f);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(memcmp(out.b, f.b, f.len), 0);
	cr_expect_geq(lb_rig_count(&rig, SL_LB_PASSED), 1);
}

Test(lb, time_to_live_and_fragments)
{
	struct segment s;
	struct outcome out;
	struct frame f;
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	s = segment(true, 0, data);
	s.flags = 2;
	s.ttl = 1;
	pass_through(&s, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TTL), 1);
	s = segment(false, 0, data);
	segment_build(&s, &f, &l4);
	f.b[f.l3 + 6] = 0x20; /* more fragments */
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_FRAGMENT), 1);
}

/* The program asks the kernel; the kernel has no neighbour, so it gets the packet to send. */
Test(lb, an_unknown_neighbour_is_left_to_the_stack_with_the_packet_translated)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	cr_assert_eq(run("ip neigh del 10.0.2.11 dev sv"), 0);
	lb_rig_table(&rig, false, 1);
	s = segment(false, 0, data);
	s.flags = 2;
	pass_through(&s, &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(server_of(&out, &s), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_RESOLVE), 1);
}

/* A flood of handshakes fills no more of the table than its share of a second. */
Test(lb, floods_bypass_the_connection_table)
{
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	rig.control.inserts_max = 100;
	lb_rig_control(&rig);
	for (unsigned i = 0; i < 3000; i++) {
		struct segment s = segment(false, 0, &layouts[LAYOUTS - 1]);

		s.to_client = true;
		s.flags = 0x12;
		pass_through(&s, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
	}
	cr_expect_leq(lb_rig_count(&rig, SL_LB_INSERTED),
		      100u * 2 * 4); /* two CPUs, some seconds */
	cr_expect_eq(lb_rig_count(&rig, SL_LB_INSERTED) + lb_rig_count(&rig, SL_LB_BYPASSED), 3000);
}

/* A datagram to the VIP; `check`: its checksum is right, else there is none. */
static void datagram(struct frame *f, bool v6, uint16_t port, bool check)
{
	__be32 client[4], vip[4];
	unsigned size = v6 ? 16 : 4, l4;
	uint32_t sum;

	*f = (struct frame){0};
	lb_client(v6, client);
	lb_vip_address(v6, vip);
	put_ethernet(f, 0, v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	if (v6) {
		put32(f, 0x60000000);
		put32(f, 12 << 16 | 17 << 8 | 64);
	} else {
		put32(f, 0x45000020);
		put32(f, 0x12340000);
		put32(f, 0x40110000);
	}
	put_bytes(f, (uint8_t *)client + 16 - size, size);
	put_bytes(f, (uint8_t *)vip + 16 - size, size);
	if (!v6) {
		sum = ~lb_sum(f->b + 14, 20, 0) & 0xffff;
		f->b[24] = (uint8_t)(sum >> 8);
		f->b[25] = (uint8_t)sum;
	}
	l4 = f->len;
	put16(f, port);
	put16(f, 80);
	put32(f, 12 << 16);
	put32(f, 0xdeadbeef);
	if (!check)
		return;
	sum = ~lb_sum(f->b + l4, 12, lb_sum(f->b + l4 - 2 * size, 2 * size, 17 + 12)) & 0xffff;
	sum = sum ? sum : 0xffff;
	f->b[l4 + 6] = (uint8_t)(sum >> 8);
	f->b[l4 + 7] = (uint8_t)sum;
}

static void udp_vip(bool v6, enum sl_lb_select select)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(80)};
	struct sl_lb_vip vip = {.id = v6, .keep = SL_LB_KEEP_TABLE, .select = (uint8_t)select};

	lb_vip_address(v6, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &vip);
}

/* None stays none, a right one right, and never zero, which would be none. */
Test(lb, checksums_of_datagrams)
{
	struct frame f;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	udp_vip(false, SL_LB_BY_HASH);
	udp_vip(true, SL_LB_BY_HASH);
	datagram(&f, false, 7, false);
	cr_expect_eq(memcmp(lb_rig_raw(&rig, &f).b + 14 + 20 + 6, "\0\0", 2), 0);
	for (unsigned port = 1; port < 65536; port += 3) {
		bool v6 = port & 1;
		unsigned l4 = v6 ? 54 : 34, ends = v6 ? 32 : 8;
		struct outcome out;

		datagram(&f, v6, (uint16_t)port, true);
		out = lb_rig_raw(&rig, &f);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		cr_assert(out.b[l4 + 6] || out.b[l4 + 7], "port %u", port);
		cr_assert_eq(lb_sum(out.b + l4, 12, lb_sum(out.b + l4 - ends, ends, 17 + 12)),
			     0xffff, "port %u", port);
	}
}

/* What is not remembered cannot go in turn: its next datagram would go elsewhere. */
Test(lb, a_flow_that_is_not_remembered_goes_by_the_hash)
{
	struct outcome first, out;
	struct frame f;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	udp_vip(false, SL_LB_BY_TURN);
	rig.control.inserts_max = 0;
	lb_rig_control(&rig);
	datagram(&f, false, 7, true);
	first = lb_rig_raw(&rig, &f);
	cr_assert_eq(first.verdict, XDP_REDIRECT);
	for (unsigned i = 0; i < 8; i++) {
		out = lb_rig_raw(&rig, &f);
		cr_expect_eq(out.b[33], first.b[33]);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BYPASSED), 9);
}
