// SPDX-License-Identifier: GPL-2.0-or-later
/* The heavy hitters of an elephant: none missed, none underrated, old ones fade. */
#include <criterion/criterion.h>

#include "dataplane/sketch.h"

static struct sl_sketch s;
static struct sl_elephant top;
static uint64_t rng = 88172645463325252ULL;

static uint64_t draw(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void add(uint32_t bucket, uint16_t flow, uint64_t cycles)
{
	struct sl_flow_key key = {.port = {flow, 80}, .proto = 17};

	sketch_add(&s, bucket, &key, cycles);
}

Test(sketch, heavy_flows_among_thousands_of_light_ones)
{
	for (unsigned i = 0; i < 20000; i++) {
		unsigned kind = draw() % 100;

		add(7, kind < 40 ? 1 : kind < 60 ? 2 : (uint16_t)(100 + draw() % 5000), 1000);
	}
	sketch_top(&s, &top);
	cr_expect_eq(top.bucket, 8);
	cr_expect_eq(top.flows, SL_HEAVY_FLOWS);
	cr_expect_eq(top.flow[0].port[0], 1);
	cr_expect_eq(top.flow[1].port[0], 2);
	cr_expect(top.flow[0].share >= 380 && top.flow[0].share <= 480, "%u", top.flow[0].share);
	cr_expect(top.flow[1].share >= 180 && top.flow[1].share <= 280, "%u", top.flow[1].share);
}

Test(sketch, time_counts_not_packets)
{
	for (unsigned i = 0; i < 1000; i++) {
		add(7, 1, 100);
		if (i % 10 == 0)
			add(7, 2, 9000);
	}
	sketch_top(&s, &top);
	cr_expect_eq(top.flows, 2);
	cr_expect_eq(top.flow[0].port[0], 2);
	cr_expect_eq(top.flow[0].share, 900);
}

Test(sketch, what_was_heavy_fades)
{
	for (unsigned i = 0; i < 10000; i++)
		add(7, 1, 1000);
	for (unsigned i = 0; i < 10000; i++)
		add(7, 2, 1000);
	sketch_top(&s, &top);
	cr_expect_eq(top.flow[0].port[0], 2);
	cr_expect_gt(top.flow[0].share, 700, "%u", top.flow[0].share);
}

Test(sketch, another_bucket_starts_anew)
{
	add(7, 1, 1000);
	add(8, 2, 10);
	sketch_top(&s, &top);
	cr_expect_eq(top.bucket, 9);
	cr_expect_eq(top.flows, 1);
	cr_expect_eq(top.flow[0].port[0], 2);
	cr_expect_eq(top.flow[0].share, 1000);
}
