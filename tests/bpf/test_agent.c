// SPDX-License-Identifier: GPL-2.0-or-later
/* What the agent takes off packets that come in, and what it leaves alone, with BPF_PROG_TEST_RUN.
 */
#include "agent_rig.h"

#define GO_ON UINT32_MAX
#define DROPPED 2

/* The packet is now what was in the tunnel, under the same addresses of Ethernet. */
static void must_be_open(const struct frame *wrapped, const struct frame *inner, bool v6,
			 const struct outcome *out, const char *what)
{
	unsigned payload = inner->len - inner->l3;

	cr_assert_eq(out->verdict, GO_ON, "%s: %u", what, out->verdict);
	cr_assert_eq(out->len, 14 + payload, "%s: %u bytes", what, out->len);
	cr_assert(!memcmp(out->b, wrapped->b, 12), "%s", what);
	cr_assert_eq(out->b[12] << 8 | out->b[13], v6 ? SL_ETH_IPV6 : SL_ETH_IPV4, "%s", what);
	cr_assert(!memcmp(out->b + 14, inner->b + inner->l3, payload), "%s", what);
}

static void must_stay(struct agent_rig *r, const struct frame *f, enum sl_agent_count why,
		      const char *what)
{
	uint64_t before = agent_rig_count(r, why);
	struct outcome out;

	cr_assert_eq(agent_rig_run(r->in, f->b, f->len, &out), GO_ON, "%s: %u", what, out.verdict);
	cr_assert(out.len == f->len && !memcmp(out.b, f->b, f->len), "%s: touched", what);
	cr_assert_eq(agent_rig_count(r, why), before + 1, "%s: not counted as that", what);
}

Test(agent, takes_off_every_header_of_both_families)
{
	struct frame inner, f;
	struct outcome out;
	struct agent_rig r;
	char what[64];

	agent_rig_up(&r);
	for (unsigned i = 0; i < TUNNEL_KINDS * 2 * 2 * 3; i++) {
		const unsigned words[] = {0, 1, 31};
		struct tunnel t = {.kind = i % TUNNEL_KINDS,
				   .v6 = i / TUNNEL_KINDS % 2,
				   .words = words[i / TUNNEL_KINDS / 4],
				   .dstopts = i / TUNNEL_KINDS / 4 == 1};
		bool v6 = i / TUNNEL_KINDS / 2 % 2;
		uint32_t how = t.kind == IPIP ? SL_AGENT_IPIP : SL_AGENT_GUE;
		uint64_t before = agent_rig_count(&r, how);

		snprintf(what, sizeof(what), "IPv%u in IPv%u, kind %u, %u words", v6 ? 6 : 4,
			 t.v6 ? 6 : 4, t.kind, t.words);
		agent_client_segment(v6, &inner);
		agent_wrap(&t, v6, &inner, &f);
		agent_rig_run(r.in, f.b, f.len, &out);
		must_be_open(&f, &inner, v6, &out, what);
		cr_assert_eq(agent_rig_count(&r, how), before + 1, "%s", what);
	}
}

Test(agent, leaves_alone_what_is_not_for_it)
{
	struct tunnel t = {.kind = GUE0};
	struct frame inner, f;
	struct agent_rig r;

	agent_rig_up(&r);
	agent_client_segment(false, &inner);
	must_stay(&r, &inner, SL_AGENT_OTHER, "no tunnel");
	frame_arp(&f);
	must_stay(&r, &f, SL_AGENT_OTHER, "ARP");
	agent_wrap(&t, false, &inner, &f);
	f.b[f.l3 + 14] = 1;
	must_stay(&r, &f, SL_AGENT_NOT_FROM, "from 10.0.1.7");
	agent_wrap(&t, false, &inner, &f);
	f.b[f.l3 + 20 + 3]++;
	must_stay(&r, &f, SL_AGENT_OTHER, "another port");
	agent_wrap(&t, false, &inner, &f);
	f.b[f.len - (inner.len - inner.l3) + 19]++;
	must_stay(&r, &f, SL_AGENT_NOT_VIP, "for 10.9.9.10");
	t.kind = IPIP;
	agent_wrap(&t, false, &inner, &f);
	f.b[f.l3 + 6] = 0x20;
	must_stay(&r, &f, SL_AGENT_FRAGMENT, "first fragment");
	f.b[f.l3 + 7] = 9;
	must_stay(&r, &f, SL_AGENT_FRAGMENT, "a later one");
	f.b[f.l3 + 9] = 17;
	must_stay(&r, &f, SL_AGENT_OTHER, "a fragment of UDP has no ports");
}

/* Byte 0 of GUE's header; 1: protocol; 2, 3: flags. */
Test(agent, gue_that_means_something_else_stays_as_it_is)
{
	const struct {
		unsigned at;
		uint8_t value;
	} changes[] = {{0, 0x20}, {0, 0x80}, {0, 0xc0}, {0, 0xe0},
		       {1, 17},	  {1, 0},    {2, 0x80}, {3, 1}};
	struct tunnel t = {.kind = GUE0};
	struct frame inner, f;
	struct agent_rig r;

	agent_rig_up(&r);
	agent_client_segment(true, &inner);
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		agent_wrap(&t, true, &inner, &f);
		f.b[f.l3 + 28 + changes[i].at] = changes[i].value;
		must_stay(&r, &f, SL_AGENT_GUE_UNKNOWN, "GUE");
	}
}

/* Every end behind the outer IP header, without which the kernel runs no test. */
#define OUTER_MIN (14 + 40)

Test(agent, short_ones_stay_as_they_are)
{
	struct frame inner, f, cut;
	struct outcome out;
	struct agent_rig r;

	agent_rig_up(&r);
	for (unsigned i = 0; i < TUNNEL_KINDS * 4; i++) {
		struct tunnel t = {.kind = i % TUNNEL_KINDS, .v6 = i / TUNNEL_KINDS % 2};
		bool v6 = i / TUNNEL_KINDS / 2;

		agent_client_segment(v6, &inner);
		agent_wrap(&t, v6, &inner, &f);
		for (cut = f; cut.len > (t.v6 ? OUTER_MIN : 34); cut.len--) {
			agent_rig_run(r.in, cut.b, cut.len, &out);
			cr_assert_eq(out.verdict, GO_ON);
			if (cut.len != f.len)
				cr_assert(out.len == cut.len && !memcmp(out.b, cut.b, cut.len),
					  "%u of %u bytes", cut.len, f.len);
		}
		/* what it says of the outer packet's length ends before the inner one */
		cut = f;
		cut.b[f.l3 + (t.v6 ? 5 : 3)]--;
		must_stay(&r, &cut, SL_AGENT_MALFORMED, "outer length");
		cut = f;
		cut.b[f.len - (inner.len - inner.l3)] ^= 0x10 << (t.kind == GUE1);
		agent_rig_run(r.in, cut.b, cut.len, &out);
		cr_assert(out.len == cut.len, "another version than the header says");
	}
}

/* RFC 6040, 4.2. A mark moves to the inner header, whose checksum stays right. */
Test(agent, congestion_is_told_inside)
{
	struct frame inner, f;
	struct outcome out;
	struct agent_rig r;

	agent_rig_up(&r);
	for (unsigned i = 0; i < 64; i++) {
		uint8_t outer = i & 3, ecn = i >> 2 & 3, want = outer == 3 ? 3 : ecn;
		struct tunnel t = {.kind = IPIP, .ecn = outer, .v6 = i >> 4 & 1};
		bool v6 = i >> 5;
		uint8_t *tos;

		agent_client_segment(v6, &inner);
		tos = &inner.b[inner.l3 + 1];
		*tos |= (uint8_t)(ecn << (v6 ? 4 : 0));
		if (!v6) /* the checksum's lower byte, which has room */
			inner.b[inner.l3 + 11] = (uint8_t)(inner.b[inner.l3 + 11] - ecn);
		agent_wrap(&t, v6, &inner, &f);
		agent_rig_run(r.in, f.b, f.len, &out);
		if (outer == 3 && !ecn) {
			cr_assert_eq(out.verdict, DROPPED);
			continue;
		}
		cr_assert_eq(out.verdict, GO_ON);
		cr_assert_eq(out.b[15] >> (v6 ? 4 : 0) & 3, want, "%u in %u", ecn, outer);
		if (!v6)
			cr_assert_eq(lb_sum(out.b + 14, 20, 0), 0xffff, "%u in %u", ecn, outer);
		*tos = out.b[15];
		inner.b[inner.l3 + 10] = out.b[24];
		inner.b[inner.l3 + 11] = out.b[25];
		must_be_open(&f, &inner, v6, &out, "marked");
	}
	cr_assert_eq(agent_rig_count(&r, SL_AGENT_DROP_ECN), 4);
}

/* Bytes anywhere: it is as it was, or shorter by headers; nothing else can happen to it. */
Test(agent, random_bytes_do_no_harm)
{
	struct frame inner, f;
	struct outcome out;
	struct agent_rig r;
	unsigned open = 0;

	agent_rig_up(&r);
	srand(4);
	for (unsigned i = 0; i < 10000; i++) {
		struct tunnel t = {.kind = (unsigned)rand() % TUNNEL_KINDS,
				   .v6 = rand() & 1,
				   .words = (unsigned)rand() % 4,
				   .dstopts = rand() & 1};
		bool v6 = rand() & 1;

		agent_client_segment(v6, &inner);
		agent_wrap(&t, v6, &inner, &f);
		for (unsigned n = (unsigned)rand() % 4; n--;)
			f.b[12 + (unsigned)rand() % (f.len - 12)] = (uint8_t)rand();
		f.len -= rand() % 8 ? 0 : (unsigned)rand() % (f.len - OUTER_MIN);
		agent_rig_run(r.in, f.b, f.len, &out);
		if (out.verdict == DROPPED)
			continue;
		cr_assert_eq(out.verdict, GO_ON);
		open += out.len != f.len;
		if (out.len == f.len)
			cr_assert(!memcmp(out.b, f.b, f.len));
		else
			cr_assert(
				out.len < f.len &&
				!memcmp(out.b + 20 + 14, f.b + 34 + f.len - out.len, out.len - 34));
	}
	cr_assert(open > 2500, "%u", open);
	cr_assert_eq(agent_rig_count(&r, SL_AGENT_DROP_FAILED), 0);
}
