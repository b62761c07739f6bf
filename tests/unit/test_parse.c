// SPDX-License-Identifier: GPL-2.0-or-later
/* The parser's build for user space; tests/bpf/test_steer.c holds the other build against it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../bpf/frames.h"

Test(parse, every_fixture)
{
	for (unsigned i = 0; i < FIXTURES; i++) {
		const struct fixture *x = &fixtures[i];
		struct sl_parsed p = {0};
		struct frame f;
		int rc;

		x->build(&f);
		rc = sl_parse(f.b, f.b + f.len, &p);
		cr_expect_eq(rc, x->reason, "%s: %d", x->name, rc);
		if (rc != SL_PARSED)
			continue;
		cr_expect_eq(p.flags, x->flags, "%s: flags %x", x->name, p.flags);
		cr_expect_eq(p.l3_off, x->l3_off, "%s", x->name);
		cr_expect_eq(p.l4_off, x->l4_off, "%s: l4 %u", x->name, p.l4_off);
		cr_expect_eq(p.proto, x->proto, "%s: proto %u", x->name, p.proto);
		cr_expect_eq(p.vlans, x->vlans, "%s", x->name);
		cr_expect_eq(p.flow.sport, x->sport, "%s: sport %u", x->name, p.flow.sport);
		cr_expect_eq(p.flow.dport, x->dport, "%s: dport %u", x->name, p.flow.dport);
		if (x->flow_proto)
			cr_expect_eq(p.flow.proto, x->flow_proto, "%s", x->name);
	}
}

Test(parse, addresses_are_the_flows)
{
	struct sl_parsed p = {0};
	struct frame f;

	frame_exceeded4(&f); /* from a router, about a packet from A to B */
	cr_assert_eq(sl_parse(f.b, f.b + f.len, &p), SL_PARSED);
	cr_expect_eq(bpf_ntohl(p.flow.src[3]), A4);
	cr_expect_eq(bpf_ntohl(p.flow.dst[3]), B4);
	frame_too_big6(&f);
	cr_assert_eq(sl_parse(f.b, f.b + f.len, &p), SL_PARSED);
	cr_expect_eq(memcmp(p.flow.src, a6, 16), 0);
	cr_expect_eq(memcmp(p.flow.dst, b6, 16), 0);
	frame_short_quote4(&f); /* too little quoted: its own addresses */
	cr_assert_eq(sl_parse(f.b, f.b + f.len, &p), SL_PARSED);
	cr_expect_eq(bpf_ntohl(p.flow.src[3]), R4);
}

/* Nothing behind the last byte is read: it would crash. Nothing of a cut packet is believed. */
Test(parse, cut_at_every_length)
{
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *area =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(area, MAP_FAILED);
	cr_assert_eq(mprotect(area + page, page, PROT_NONE), 0);
	for (unsigned i = 0; i < FIXTURES; i++) {
		struct frame f;

		fixtures[i].build(&f);
		for (unsigned len = 0; len <= f.len; len++) {
			uint8_t *packet = area + page - len;
			struct sl_parsed p = {0};
			int rc;

			memcpy(packet, f.b, len);
			rc = sl_parse(packet, packet + len, &p);
			if (len < f.len && fixtures[i].reason == SL_PARSED &&
			    strcmp(fixtures[i].name, "padded4"))
				cr_expect_eq(rc, SL_PASS_TRUNCATED, "%s cut to %u: %d",
					     fixtures[i].name, len, rc);
		}
	}
	munmap(area, 2 * page);
}
