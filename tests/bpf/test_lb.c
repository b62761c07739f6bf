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

Test(lb, every_segment_byte_for_byte_8)
{
	matrix(8);
}

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

/* Whatever the echo says: nothing was put into what that server sent. */
Test(lb, no_cookie_is_of_a_server_without_one_clock)
{
	struct sl_lb_clock clock = {.now = 77ull << 32, .erratic = 1};
	struct segment s;
	struct outcome out;
	uint32_t id = 3, echo;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_put(rig.skel->maps.lb_clocks, &id, &clock);
	lb_rig_table(&rig, false, 1);
	s = segment(false, 0, data);
	echo = 77u << 9 | cookie_of(&s, 3);
	out = ack(&s, echo);
	cr_expect_eq(server_of(&out, &s), 1);
	echo = htonl(echo);
	cr_expect_eq(memcmp(out.b + 14 + 20 + 20 + 8, &echo, 4), 0, "as it came");
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BAD_COOKIE), 1);
}

/* RFC 7323, 3.2: without ACK the echo means nothing. */
Test(lb, an_echo_without_ack_is_none)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_set_clock(&rig, 3, 77);
	lb_rig_table(&rig, false, 1);
	s = segment(false, 0, data);
	s.flags = 4;
	s.echo = 77u << 9 | cookie_of(&s, 3);
	pass_through(&s, &out);
	cr_expect_eq(server_of(&out, &s), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_RST_NO_OPTION), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_COOKIE), 0);
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
