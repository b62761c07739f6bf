// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose packet it is, and whether it may pass: the steering program over single packets. */
#include <criterion/criterion.h>

#include "control/tenant_rules.h"
#include "platform/clock.h"
#include "rig.h"
#include "frames.h"

#define RING 2048
#define SRC 0x0a010203u /* 10.1.2.3 */
#define DST 0xc0a80101u /* 192.168.1.1 */

static struct rig *rig;

static void setup(void)
{
	const char *why = NULL;

	rig = rig_open(&why);
	if (!rig)
		cr_skip_test("%s", why);
}

static void teardown(void)
{
	if (rig)
		rig_close(rig);
}

TestSuite(tenants, .init = setup, .fini = teardown);

/* One rule each, tenant 1, 2 ... */
static void tenants(const char *const *text)
{
	struct sl_tenant_match *m = calloc(1, sizeof(*m));
	struct sl_tenant_rule rules[SL_MAX_RULES];
	char err[256] = "";
	uint32_t set = 1;
	unsigned n = 0;

	for (; text[n]; n++) {
		rules[n].tenant = n + 1;
		cr_assert_eq(sl_tenant_rule_parse(text[n], &rules[n], err, sizeof(err)), 0, "%s",
			     err);
	}
	cr_assert_eq(sl_tenant_compile(rules, n, m, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(rig->skel->maps.tenant_match), &set, m, 0), 0);
	free(m);
	rig->control.flags |= SL_CTL_TENANTS | SL_CTL_TENANT_SET;
	rig_write_control(rig);
}

static struct rig_run run(const struct frame *f)
{
	struct rig_run out;

	cr_assert_eq(rig_run(rig, f->b, f->len, &out), 0);
	return out;
}

static unsigned whose(const struct frame *f)
{
	const struct rig_run out = run(f);

	cr_assert_eq(out.verdict, XDP_REDIRECT);
	cr_assert(out.meta.flags & SL_META_TENANT);
	cr_assert(out.meta.flags & SL_META_TENANT_SET, "by which rules");
	return out.meta.tenant;
}

static struct frame udp(uint32_t src, unsigned dport)
{
	struct frame f = {0};

	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, src, DST, SL_IP_UDP, 0, 0, 8 + 32);
	put_ports(&f, 1000, dport, 4);
	put_zeros(&f, 32);
	return f;
}

/* A tag, or two, with these ids behind the addresses. */
static struct frame tagged(unsigned outer, int inner)
{
	struct frame in = udp(SRC, 9), f = {0};

	put_bytes(&f, in.b, 12);
	put16(&f, inner >= 0 ? SL_ETH_QINQ : SL_ETH_VLAN);
	put16(&f, 0xe000 | outer);
	if (inner >= 0) {
		put16(&f, SL_ETH_VLAN);
		put16(&f, (unsigned)inner);
	}
	put_bytes(&f, in.b + 12, in.len - 12);
	return f;
}

static struct frame tunnelled(unsigned dport, uint32_t vni)
{
	struct frame f = udp(0x0a630001, dport);
	uint8_t *header = f.b + 14 + 20 + 8;

	header[4] = (uint8_t)(vni >> 16);
	header[5] = (uint8_t)(vni >> 8);
	header[6] = (uint8_t)vni;
	return f;
}

Test(tenants, prefix_port_vlan_and_vni)
{
	static const char *const rules[] = {
		"10.1.0.0/16,vlan=0", "vlan=7",	   "vni=70000", "10.2.0.0/16,vlan=0,dport=80",
		"10.99.0.1,vni=5",    "vlan=3000", NULL};
	struct frame f;

	tenants(rules);
	f = udp(SRC, 9);
	cr_expect_eq(whose(&f), 1);
	f = udp(0x0a020001, 80);
	cr_expect_eq(whose(&f), 4);
	f = udp(0x0a020001, 81);
	cr_expect_eq(whose(&f), 0);
	f = udp(0x0b000001, 9);
	cr_expect_eq(whose(&f), 0);
	f = tagged(7, -1);
	cr_expect_eq(whose(&f), 2);
	f = tagged(8, -1);
	cr_expect_eq(whose(&f), 0);
	f = tagged(3000, -1);
	cr_expect_eq(whose(&f), 6);
	f = tagged(7, 8);
	cr_expect_eq(whose(&f), 2, "the outermost tag counts");
	f = tagged(8, 7);
	cr_expect_eq(whose(&f), 0);
	f = tagged(71, -1);
	cr_expect_eq(whose(&f), 0, "71 has the low six bits of 7");
	f = tunnelled(4789, 70000);
	cr_expect_eq(whose(&f), 3);
	f = tunnelled(6081, 70000);
	cr_expect_eq(whose(&f), 3);
	f = tunnelled(4789, 70001);
	cr_expect_eq(whose(&f), 0);
	f = tunnelled(4790, 70000);
	cr_expect_eq(whose(&f), 0);
	f = tunnelled(4789, 5);
	cr_expect_eq(whose(&f), 5);
}

/* The first rule that accepts, ports and all. */
Test(tenants, rules_that_differ_in_ports)
{
	static const char *const rules[] = {"10.1.0.0/16,dport=80", "10.1.0.0/16,dport=81-90",
					    "10.1.0.0/16,proto=udp", NULL};
	struct frame f;

	tenants(rules);
	f = udp(SRC, 80);
	cr_expect_eq(whose(&f), 1);
	f = udp(SRC, 90);
	cr_expect_eq(whose(&f), 2);
	f = udp(SRC, 91);
	cr_expect_eq(whose(&f), 3);
}

static const char *const first[] = {"10.1.0.0/16", NULL};

static struct sl_tenant_gate gate(uint32_t tenant)
{
	struct sl_tenant_gate g;

	bpf_map_lookup_elem(bpf_map__fd(rig->skel->maps.tenant_gate), &tenant, &g);
	return g;
}

static void set_gate(uint32_t tenant, const struct sl_tenant_gate *g)
{
	bpf_map_update_elem(bpf_map__fd(rig->skel->maps.tenant_gate), &tenant, g, 0);
}

/* The ring of worker 0 on queue 0 has `fill` packets. */
static void set_ring(uint32_t fill)
{
	struct sl_tenant_ring ring = {
		.sent = 5000 + fill, .taken = 5000, .low = 128, .high = 256, .size = RING};
	uint32_t zero = 0;

	bpf_map_update_elem(bpf_map__fd(rig->skel->maps.tenant_ring), &zero, &ring, 0);
}

static uint32_t sent(void)
{
	struct sl_tenant_ring ring;
	uint32_t zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(rig->skel->maps.tenant_ring), &zero, &ring);
	return ring.sent;
}

static uint64_t seen(void)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < SL_DEFAULT_BUCKETS; b++)
		sum += rig_stats(rig, b).packets;
	return sum;
}

/* Of 20 packets, those that pass: a rate of one in 10 s with room for `depth` of them. */
static unsigned passed(uint32_t fill, unsigned share, unsigned floor)
{
	const uint64_t cost = 10000000000ull << 10;
	const struct frame f = udp(SRC, 9);
	unsigned n = 0;

	set_gate(1, &(struct sl_tenant_gate){.share_packet = cost,
					     .floor_packet = cost,
					     .share_depth = cost * share - cost / 2,
					     .floor_depth = cost * floor - cost / 2});
	for (unsigned i = 0; i < 20; i++) {
		set_ring(fill);
		n += run(&f).verdict == XDP_REDIRECT;
	}
	return n;
}

Test(tenants, who_gets_in_depends_on_the_ring)
{
	tenants(first);
	cr_expect_eq(passed(127, 5, 2), 20, "an empty ring is anybody's");
	cr_expect_eq(passed(128, 5, 2), 5);
	cr_expect_eq(passed(255, 5, 2), 5);
	cr_expect_eq(passed(256, 5, 2), 2);
	cr_expect_eq(passed(RING - 1, 5, 2), 2);
	cr_expect_eq(passed(RING, 5, 2), 0, "there is no room");
	cr_expect_eq(passed(200, 2, 5), 5, "who is within its floor is not asked for its share");
}

/* Of rates in packets and bytes the one that takes longer counts. */
Test(tenants, long_packets_take_more)
{
	const uint64_t second = 1000000000ull << 10;
	struct frame f = udp(SRC, 9);
	unsigned n = 0;

	tenants(first);
	f.len = 500;
	/* a packet a second, or 500 bytes in ten: 15 of these may come at once */
	set_gate(1, &(struct sl_tenant_gate){.floor_packet = second,
					     .floor_byte = second / 50 << 10,
					     .floor_depth = 145 * second});
	for (unsigned i = 0; i < 20; i++) {
		set_ring(256);
		n += run(&f).verdict == XDP_REDIRECT;
	}
	cr_expect_eq(n, 15);
}

/* The ring is that of the worker that has the packet's part of a bucket. */
Test(tenants, a_split_bucket_asks_its_parts_worker)
{
	const struct frame f = udp(SRC, 9);

	tenants(first);
	for (uint32_t b = 0; b < SL_DEFAULT_BUCKETS; b++)
		rig_row(rig, b, SL_TO_PARTS + 1);
	for (uint32_t p = 0; p < SL_SPLIT_PARTS; p++)
		rig_row(rig, SL_DEFAULT_BUCKETS + SL_SPLIT_PARTS + p, 0);
	cr_expect_eq(run(&f).verdict, XDP_REDIRECT);
	cr_expect_eq(passed(256, 5, 2), 2);
}

Test(tenants, a_drop_is_counted_and_takes_no_number)
{
	uint64_t before;

	tenants(first);
	before = seen();
	cr_expect_eq(passed(256, 5, 2), 2);
	cr_expect_eq(gate(1).packets, 20);
	cr_expect_eq(gate(1).drops, 18);
	cr_expect_eq(gate(1).bytes, 20 * udp(SRC, 9).len);
	cr_expect_eq(gate(1).drop_bytes, 18 * udp(SRC, 9).len);
	cr_expect_eq(seen() - before, 2);
}

Test(tenants, tickets_are_what_was_sent)
{
	const struct frame f = udp(SRC, 9);
	struct rig_run out;

	tenants(first);
	set_ring(0);
	out = run(&f);
	cr_expect_eq(out.meta.ticket, 5000);
	cr_expect_eq(run(&f).meta.ticket, 5001);
	cr_expect_eq(sent(), 5002);
	rig_empty_slot(rig, 0);
	cr_expect_eq(run(&f).verdict, XDP_PASS);
	cr_expect_eq(sent(), 5002, "what no socket takes is not in its ring");
}

Test(tenants, what_nobody_serves_takes_the_fallback)
{
	struct sl_tenant_ring ring = {.sent = 9000};
	const struct frame f = udp(SRC, 9);
	uint32_t zero = 0;

	tenants(first);
	set_gate(1,
		 &(struct sl_tenant_gate){.share_packet = ~0ull >> 8, .floor_packet = ~0ull >> 8});
	for (unsigned i = 0; i < 4; i++) {
		bpf_map_update_elem(bpf_map__fd(rig->skel->maps.tenant_ring), &zero, &ring, 0);
		cr_expect_eq(run(&f).verdict, XDP_REDIRECT);
	}
}

/* 1 byte in 10 s for all: then only floors pass. */
Test(tenants, a_capacity_is_kept_with_empty_rings)
{
	tenants(first);
	set_gate(SL_TENANT_TOTAL, &(struct sl_tenant_gate){.share_byte = 10000000000ull << 20 >> 8,
							   .share_depth = 1,
							   .floor_depth = 2});
	cr_expect_eq(passed(0, 5, 2), 2);
}

/* 64 bits of 2^-10 ns come round every 208 days: what was left behind more than half of that ago
 * seems to be ahead. */
Test(tenants, a_clock_that_stood_for_months_is_no_debt)
{
	const uint64_t hour = 3600ull * 1000000000 << 10, days_26 = 1ull << 61;
	struct sl_tenant_gate total = {.share_byte = 1 << 20, .share_depth = 1, .floor_depth = 2};
	struct sl_tenant_gate tenant = {.share_packet = hour, .floor_packet = hour};
	const struct frame f = udp(SRC, 9);

	tenants(first);
	for (unsigned i = 1; i < 8; i++) {
		tenant.share_at = tenant.floor_at = total.share_at =
			(sl_clock_ns() << 10) + i * days_26;
		set_gate(1, &tenant);
		set_gate(SL_TENANT_TOTAL, &total);
		set_ring(256);
		cr_expect_eq(run(&f).verdict, XDP_REDIRECT, "%u days ago", 26 * (8 - i));
		set_ring(256);
		cr_expect_eq(run(&f).verdict, XDP_DROP, "it takes an hour a packet");
	}
}

Test(tenants, off_means_off)
{
	const struct frame f = udp(SRC, 9);
	struct rig_run out;

	tenants(first);
	rig->control.flags &= ~SL_CTL_TENANTS;
	rig_write_control(rig);
	set_ring(300);
	out = run(&f);
	cr_expect_eq(out.verdict, XDP_REDIRECT);
	cr_expect_eq(out.meta.tenant, 0);
	cr_expect_eq(out.meta.flags & SL_META_TENANT, 0);
	cr_expect_eq(gate(1).packets, 0);
	cr_expect_eq(sent(), 5300);
}
