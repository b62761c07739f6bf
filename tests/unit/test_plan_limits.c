// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner's options: deadline, limit of moves, NUMA nodes, what elephants leave. */
#include <criterion/criterion.h>

#include "plan_rig.h"

Test(limits, dust_may_stay_with_an_elephant_if_only_the_highest_load_counts)
{
	struct sl_plan_opts opts = {.highest_only = true};
	struct sl_plan_result r;

	zipf(101, 4, 0, 1.01);
	bucket[17] = (struct sl_plan_bucket){.load = 1.4, .worker = 2};
	for (unsigned b = 0; b < 101; b++)
		bucket[b].worker = b == 17 ? 2 : b < 50 ? 0 : b == 50 ? 2 : 1;
	r = run(101, 4, opts);
	cr_expect_eq(r.moves, 0); /* 1.41 is within 1 % of 1.4 */
	r = run(101, 4, (struct sl_plan_opts){.calm = 0.6});
	cr_expect_eq(r.moves, 1);
	r = run(101, 4, (struct sl_plan_opts){0});
	cr_expect_gt(r.moves, 30); /* the idle worker gets its share */
}

/*
 * Worker 0 is hot, 1 is of its node, 2 of another, and what 3 does besides sets the bound, 0.5.
 * Returns how many buckets go to 2.
 */
static unsigned sent_far(double load_of_near, bool any_node)
{
	struct sl_plan_result r;
	unsigned far = 0;

	for (unsigned b = 0; b < 64; b++)
		bucket[b] = (struct sl_plan_bucket){.load = 0.0125, .worker = 0};
	for (unsigned w = 0; w < 4; w++)
		worker[w] = (struct sl_plan_worker){.usable = true, .numa = w >= 2};
	worker[1].other = load_of_near;
	worker[3].other = 0.5;
	r = run(64, 4, (struct sl_plan_opts){.any_node = any_node, .highest_only = true});
	cr_assert_leq(r.after, 0.505 + 1e-9);
	for (unsigned i = 0; i < r.moves; i++)
		far += out[i].to == 2;
	return far;
}

Test(limits, bucket_leaves_its_numa_node_only_for_want_of_room)
{
	/* 0.3 must go: 24 buckets. */
	cr_expect_eq(sent_far(0.1, false), 0);
	cr_expect_geq(sent_far(0.4, false), 16); /* 8 of them fit near */
	cr_expect_leq(sent_far(0.4, false), 17);
	cr_expect_geq(sent_far(0.1, true), 14); /* the coldest first */
}

Test(limits, swaps_stay_on_the_numa_node_too)
{
	static const double load[] = {0.5, 0.4, 0.3, 0.4, 0.3, 0.39};

	for (unsigned b = 0; b < 6; b++)
		bucket[b] = (struct sl_plan_bucket){.load = load[b], .worker = b / 2};
	for (unsigned w = 0; w < 4; w++)
		worker[w] = (struct sl_plan_worker){.usable = true, .numa = w >= 2};
	worker[3].other = 0.8;
	cr_expect_eq(run(6, 4, (struct sl_plan_opts){.highest_only = true}).moves, 2);
	for (unsigned i = 0; i < 2; i++)
		cr_expect_leq(out[i].to, 1);
	cr_expect_eq(run(6, 4, (struct sl_plan_opts){.any_node = true}).moves, 2);
	cr_expect(out[0].to == 2 || out[1].to == 2, "the coldest, where nodes are all the same");
}

Test(limits, deadline_ends_with_the_best_so_far)
{
	double before, last;
	struct sl_plan_result r;

	rng = 5;
	zipf(1024, 16, 0.4, 12.8);
	for (unsigned b = 0; b < 1024; b++)
		bucket[b].worker = 0;
	before = last = highest(1024, 16);
	r = run(1024, 16, (struct sl_plan_opts){.deadline = 1});
	cr_expect(r.late);
	for (uint64_t deadline = 1; deadline < 20000; deadline *= 2) {
		r = run(1024, 16, (struct sl_plan_opts){.deadline = deadline});
		cr_assert_leq(r.after, last + 1e-9, "deadline %lu", (unsigned long)deadline);
		last = r.after;
		cr_assert(r.late || r.after <= r.bound * SL_PLAN_GOOD + 1e-9);
	}
	cr_expect_lt(last, before / 4);
	cr_expect_not(r.late);
}

static uint64_t ticks;

static uint64_t tick_clock(void)
{
	return ticks += 1000;
}

Test(limits, deadline_by_the_clock_of_the_caller)
{
	struct sl_plan_result r;

	rng = 5;
	zipf(1024, 16, 0.4, 12.8);
	for (unsigned b = 0; b < 1024; b++)
		bucket[b].worker = 0;
	r = run(1024, 16, (struct sl_plan_opts){.deadline = 500, .clock = tick_clock});
	cr_expect(r.late);
	r = run(1024, 16, (struct sl_plan_opts){.deadline = 1000000, .clock = tick_clock});
	cr_expect_not(r.late);
	cr_expect_leq(r.after, r.bound * SL_PLAN_GOOD + 1e-9);
}

Test(limits, limit_of_moves_takes_the_hottest_first)
{
	struct sl_plan_result r;
	double cost = 0;

	zipf(100, 4, 0, 2); /* 100 of 0.02: 1.2, 0.5, 0.3, 0 */
	for (unsigned b = 0; b < 100; b++)
		bucket[b].worker = b < 60 ? 0 : b < 85 ? 1 : 2;
	r = run(100, 4, (struct sl_plan_opts){.max_moves = 10});
	cr_expect_eq(r.moves, 10);
	cr_expect_float_eq(r.after, 1.0, 1e-6);
	for (unsigned i = 0; i < r.moves; i++)
		cost += 1 + bucket[out[i].bucket].weight;
	cr_expect_float_eq(r.cost, cost, 1e-9);
}
