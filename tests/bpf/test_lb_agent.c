// SPDX-License-Identifier: GPL-2.0-or-later
/* keep: agent on the balancer: the cookie chooses the server and stays in the timestamp. */
#include "lb_rig.h"

#define ACK 16
#define SYN 2
#define BITS 9

static struct segment client_segment(bool v6, uint8_t flags, uint32_t echo)
{
	return (struct segment){.v6 = v6,
				.client_port = 40000,
				.flags = flags,
				.options = "\1\1\10\12ttttTTTT",
				.options_n = 12,
				.stamp = 77,
				.echo = echo,
				.ttl = 60};
}

/* The timestamp that a server's agent would have written. */
static uint32_t cookie_of(struct lb_rig *r, bool v6, unsigned id, unsigned phase)
{
	struct sl_lb_ends e = {.client_port = 40000, .vip_port = 80, .proto = 6, .v6 = v6};

	lb_client(v6, e.client);
	lb_vip_address(v6, e.vip);
	return 0xabcd00u << BITS |
	       sl_cookie(id, sl_lb_hash(r->control.key[phase], &e), phase, BITS);
}

static struct outcome sent(struct lb_rig *r, const struct segment *s, struct frame *f)
{
	unsigned l4;

	segment_build(s, f, &l4);
	return lb_rig_raw(r, f);
}

/* Sent on to server i, with the right checksum and the timestamps as they were. */
static void must_reach(const struct outcome *out, const struct frame *f, bool v6, unsigned i)
{
	unsigned l4 = v6 ? 54 : 34;
	__be32 addr[4];

	lb_server_address(v6, i, addr);
	cr_assert_eq(out->verdict, XDP_REDIRECT);
	cr_assert_eq(out->len, f->len);
	cr_assert(!memcmp(out->b + 14 + (v6 ? 24 : 16), v6 ? addr : addr + 3, v6 ? 16 : 4),
		  "another server than %u", i);
	cr_assert(!memcmp(out->b + l4 + 20, f->b + l4 + 20, f->len - l4 - 20), "options");
	cr_assert_eq(lb_tcp_sum(out->b, v6, 14, l4, out->len), 0xffff, "checksum");
}

Test(lb_agent, cookie_names_the_server_by_either_secret_and_stays)
{
	struct lb_rig r = {0};
	struct outcome out;
	struct frame f;

	lb_rig_up(&r, SL_LB_KEEP_AGENT, BITS);
	for (unsigned i = 0; i < 2 * 2 * LB_RIG_SERVERS; i++) {
		bool v6 = i & 1;
		unsigned phase = i >> 1 & 1, server = i >> 2;
		struct segment s =
			client_segment(v6, ACK, cookie_of(&r, v6, lb_id(v6, server), phase));

		lb_rig_table(&r, v6, (int)(server + 1) % LB_RIG_SERVERS);
		out = sent(&r, &s, &f);
		must_reach(&out, &f, v6, server);
		s.options = "\1\10\12ttttTTTT\1";
		out = sent(&r, &s, &f);
		must_reach(&out, &f, v6, server);
	}
	cr_assert_eq(lb_rig_count(&r, SL_LB_COOKIE), 32);
	cr_assert_eq(lb_rig_count(&r, SL_LB_DROP_NO_CLOCK), 0);
}

/* By the row then, and counted. */
Test(lb_agent, forged_cookies_and_those_of_servers_that_are_gone_or_down)
{
	struct lb_rig r = {0};
	struct outcome out;
	struct segment s;
	struct frame f;

	lb_rig_up(&r, SL_LB_KEEP_AGENT, BITS);
	lb_rig_table(&r, false, 3);
	s = client_segment(false, ACK, cookie_of(&r, false, 200, 0));
	out = sent(&r, &s, &f);
	must_reach(&out, &f, false, 3);
	s.echo = cookie_of(&r, false, lb_id(true, 0), 0); /* the other VIP's */
	out = sent(&r, &s, &f);
	must_reach(&out, &f, false, 3);
	cr_assert_eq(lb_rig_count(&r, SL_LB_BAD_COOKIE), 2);
	lb_rig_state(&r, false, 1, SL_LB_ABSENT);
	s.echo = cookie_of(&r, false, 1, 0);
	out = sent(&r, &s, &f);
	must_reach(&out, &f, false, 3);
	cr_assert_eq(lb_rig_count(&r, SL_LB_BAD_COOKIE), 3);
	lb_rig_state(&r, false, 1, SL_LB_DOWN);
	out = sent(&r, &s, &f);
	must_reach(&out, &f, false, 3);
	cr_assert_eq(lb_rig_count(&r, SL_LB_COOKIE_DOWN), 1);
	lb_rig_state(&r, false, 1, SL_LB_DRAIN);
	out = sent(&r, &s, &f);
	must_reach(&out, &f, false, 1);
	cr_assert_eq(lb_rig_count(&r, SL_LB_HASHED), 4);
}

/* What a server answers has its cookie already; only what has no timestamps is entered. */
Test(lb_agent, answers_pass_with_the_timestamp_that_they_have)
{
	struct segment s = {.to_client = true,
			    .server = 2,
			    .client_port = 40000,
			    .flags = SYN | ACK,
			    .options = "\1\1\10\12ttttTTTT",
			    .options_n = 12,
			    .stamp = 0x12345678,
			    .ttl = 60};
	struct lb_rig r = {0};
	struct outcome out;
	struct frame f;
	unsigned l4;

	lb_rig_up(&r, SL_LB_KEEP_AGENT, BITS);
	segment_build(&s, &f, &l4);
	lb_rig_run(&r, f.b, f.len, r.server_if, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	cr_assert(!memcmp(out.b + l4 + 20, f.b + l4 + 20, 12));
	cr_assert_eq(lb_rig_count(&r, SL_LB_INSERTED), 0);
	cr_assert_eq(lb_rig_clock(&r, 2).now, 0);
	s.options_n = 0;
	segment_build(&s, &f, &l4);
	lb_rig_run(&r, f.b, f.len, r.server_if, &out);
	cr_assert_eq(lb_rig_count(&r, SL_LB_INSERTED), 1);
	lb_rig_table(&r, false, 0);
	s = client_segment(false, ACK, 0);
	s.options_n = 0;
	out = sent(&r, &s, &f);
	must_reach(&out, &f, false, 2);
	cr_assert_eq(lb_rig_count(&r, SL_LB_TABLE), 1);
}

/* Where answers do not pass, SYNs without timestamps are entered, and a flood of others is not. */
Test(lb_agent, direct_return_enters_only_who_has_no_timestamps)
{
	struct lb_rig r = {0};
	struct segment s = client_segment(false, SYN, 0);
	struct outcome out;
	struct frame f;

	lb_rig_up(&r, SL_LB_KEEP_AGENT, BITS);
	r.vip[0].forward = SL_LB_L2;
	r.control.generation++;
	lb_rig_control(&r);
	lb_rig_vip(&r, false);
	for (unsigned i = 0; i < 100; i++) {
		s.client_port = (uint16_t)(1000 + i);
		out = sent(&r, &s, &f);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
	}
	cr_assert_eq(lb_rig_count(&r, SL_LB_NEW), 100);
	cr_assert_eq(lb_rig_count(&r, SL_LB_INSERTED), 0);
	s.options_n = 0;
	sent(&r, &s, &f);
	cr_assert_eq(lb_rig_count(&r, SL_LB_INSERTED), 1);
}

/* Two bits of an id for the next balancer: ours are 0 to 3, and 64 ids of each are its own. */
Test(lb_agent, upper_bits_of_the_id_name_the_next_balancer)
{
	struct lb_rig r = {0};
	struct outcome out;
	struct frame f;

	lb_rig_up(&r, SL_LB_KEEP_AGENT, BITS);
	r.vip[0].forward = SL_LB_L2;
	r.vip[0].shift = BITS - 1 - 2;
	lb_rig_vip(&r, false);
	lb_rig_state(&r, false, 3, SL_LB_ABSENT);
	lb_rig_table(&r, false, 0);
	for (unsigned id = 0; id < 256; id++) {
		struct segment s = client_segment(false, ACK, cookie_of(&r, false, id, id & 1));
		uint32_t server = id >> 6;
		uint64_t before = lb_rig_count(&r, SL_LB_BAD_COOKIE);

		out = sent(&r, &s, &f);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		cr_assert(!memcmp(out.b + 14 + 12, f.b + 14 + 12, f.len - 26), "beyond addresses");
		cr_assert_eq(lb_rig_count(&r, SL_LB_BAD_COOKIE) - before, server == 3);
	}
	cr_assert_eq(lb_rig_count(&r, SL_LB_COOKIE), 192);
	for (uint32_t i = 0; i < 4; i++) {
		int cpus = libbpf_num_possible_cpus();
		struct sl_lb_stats each[cpus > 0 ? cpus : 1];
		uint64_t packets = 0;

		cr_assert_eq(
			bpf_map_lookup_elem(bpf_map__fd(r.skel->maps.lb_server_stats), &i, each),
			0);
		for (int k = 0; k < cpus; k++)
			packets += each[k].packets;
		cr_assert_eq(packets, i == 0 ? 128 : i == 3 ? 0 : 64, "%u: %lu", i, packets);
	}
}
