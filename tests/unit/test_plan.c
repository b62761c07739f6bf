// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner: properties over seeded random loads, and the cases that balancers get wrong. */
#include <criterion/criterion.h>
#include <string.h>

#include "plan_rig.h"

static void apply(const struct sl_plan_result *r)
{
	for (unsigned i = 0; i < r->moves; i++) {
		cr_assert_eq(out[i].from, bucket[out[i].bucket].worker);
		cr_assert_neq(out[i].from, out[i].to);
		cr_assert(worker[out[i].to].usable);
		cr_assert_not(bucket[out[i].bucket].pinned);
		bucket[out[i].bucket].worker = out[i].to;
	}
}

Test(plan, never_worse_and_never_below_the_bound)
{
	for (unsigned seed = 1; seed <= 400; seed++) {
		struct sl_plan_result r;
		unsigned buckets, workers;
		double before;

		rng = seed * 0x9e3779b97f4a7c15ULL;
		buckets = 1 + (unsigned)(uniform() * BUCKETS * 0.99);
		workers = 1 + (unsigned)(uniform() * WORKERS * 0.99);
		zipf(buckets, workers, uniform() * 1.6, workers * uniform() * 1.5);
		for (unsigned b = 0; b < buckets; b++)
			bucket[b].pinned = uniform() < 0.1;
		for (unsigned w = 0; w < workers; w++)
			worker[w].other = uniform() * 0.3;
		before = highest(buckets, workers);
		r = run(buckets, workers,
			(struct sl_plan_opts){.min_gain = uniform() * 0.1,
					      .max_moves = seed % 3 ? 0 : seed % 50});
		cr_assert_float_eq(r.before, before, 1e-9, "seed %u", seed);
		apply(&r);
		cr_assert_float_eq(r.after, highest(buckets, workers), 1e-9, "seed %u", seed);
		cr_assert_leq(r.after, before + 1e-9, "seed %u", seed);
		cr_assert_geq(r.after, r.bound - 1e-9, "seed %u: %f below %f", seed, r.after,
			      r.bound);
		if (seed % 3 == 0 && seed % 50)
			cr_assert_leq(r.moves, seed % 50);
	}
}

Test(plan, close_to_the_bound_with_few_moves)
{
	static const struct {
		unsigned buckets, workers;
		double skew, excess; /* highest load at most so much above the bound */
	} c[] = {{1024, 4, 0, 0.02},	{1024, 8, 1.0, 0.03}, {512, 8, 1.0, 0.03},
		 {512, 16, 1.0, 0.03},	{512, 8, 1.2, 0.03},  {128, 8, 1.0, 0.05},
		 {1024, 16, 0.8, 0.05}, {128, 2, 1.0, 0.02}};

	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		for (unsigned seed = 1; seed <= 20; seed++) {
			struct sl_plan_result r;

			rng = seed * 0x9e3779b97f4a7c15ULL;
			zipf(c[i].buckets, c[i].workers, c[i].skew, 0.8 * c[i].workers);
			r = run(c[i].buckets, c[i].workers, (struct sl_plan_opts){0});
			cr_expect_leq(r.after, r.bound * (1 + c[i].excess),
				      "case %u seed %u: %f, bound %f", i, seed, r.after, r.bound);
			/* Two elephants come free of all others: that alone is a quarter with 8. */
			cr_expect_leq(r.moves, c[i].buckets / 3, "case %u seed %u: %u moves", i,
				      seed, r.moves);
		}
}

Test(plan, even_load_stays)
{
	struct sl_plan_result r;

	rng = 7;
	zipf(1024, 4, 0, 3.2);
	for (unsigned b = 0; b < 1024; b++)
		bucket[b].worker = b % 4;
	r = run(1024, 4, (struct sl_plan_opts){.min_gain = 0});
	cr_expect_eq(r.moves, 0);
	cr_expect_float_eq(r.bound, 0.8, 1e-9);
}

Test(plan, nothing_moves_for_less_than_the_minimum_gain)
{
	struct sl_plan_result r;

	zipf(64, 2, 0, 1.28); /* 64 of 0.02 */
	for (unsigned b = 0; b < 64; b++)
		bucket[b].worker = b < 33 ? 0 : 1; /* 0.66 and 0.62: 3 % to gain */
	r = run(64, 2, (struct sl_plan_opts){.min_gain = 0.05});
	cr_expect_eq(r.moves, 0);
	cr_expect_float_eq(r.after, r.before, 1e-12);
	r = run(64, 2, (struct sl_plan_opts){.min_gain = 0.02});
	cr_expect_eq(r.moves, 1);
}

Test(plan, elephant_is_isolated_and_stays)
{
	struct sl_plan_result r;

	zipf(101, 4, 0, 1.01);
	bucket[17] = (struct sl_plan_bucket){.load = 1.4, .worker = 2};
	for (unsigned b = 0; b < 101; b++)
		bucket[b].worker = b % 3; /* worker 3 is idle */
	bucket[17].worker = 2;
	r = run(101, 4, (struct sl_plan_opts){.min_gain = 0.05});
	cr_expect_eq(r.elephant, 17);
	cr_expect_float_eq(r.bound, 1.4, 1e-9);
	apply(&r);
	for (unsigned b = 0; b < 101; b++)
		if (b != 17)
			cr_assert_neq(bucket[b].worker, bucket[17].worker,
				      "bucket %u with the elephant", b);
	cr_expect_float_eq(r.after, 1.4, 1e-9);
	r = run(101, 4, (struct sl_plan_opts){.min_gain = 0.05});
	cr_expect_eq(r.moves, 0);
}

Test(plan, the_rest_is_evened_out_beside_an_elephant)
{
	struct sl_plan_result r;
	double load[3] = {0};

	zipf(101, 3, 0, 1.01);
	for (unsigned b = 0; b < 101; b++)
		bucket[b].worker = b < 90 ? 1 : 2;
	bucket[100] = (struct sl_plan_bucket){.load = 1.4, .worker = 0};
	r = run(101, 3, (struct sl_plan_opts){.min_gain = 0.05});
	apply(&r);
	for (unsigned b = 0; b < 101; b++)
		load[bucket[b].worker] += bucket[b].load;
	cr_expect_float_eq(load[0], 1.4, 1e-9);
	cr_expect_float_eq(load[1], load[2], 0.03, "%f and %f", load[1], load[2]);
}

Test(plan, swaps_where_no_single_move_helps)
{
	static const double load[] = {0.5, 0.4, 0.3, 0.4};
	struct sl_plan_result r;

	/* 0.9 and 0.7: every move is too big; 0.5 for 0.4 gives 0.8 and 0.8. */
	zipf(4, 2, 0, 1);
	for (unsigned b = 0; b < 4; b++)
		bucket[b] = (struct sl_plan_bucket){.load = load[b], .worker = b / 2};
	r = run(4, 2, (struct sl_plan_opts){.min_gain = 0.05});
	cr_expect_float_eq(r.after, 0.8, 1e-9);
	cr_expect_eq(r.moves, 2);
}

Test(plan, unusable_worker_is_emptied_whatever_the_gain)
{
	struct sl_plan_result r;

	rng = 3;
	zipf(256, 4, 1, 2);
	for (unsigned b = 200; b < 256; b++)
		bucket[b].load = 0; /* empty buckets go too */
	worker[1].usable = false;
	r = run(256, 4, (struct sl_plan_opts){.min_gain = 0.9});
	apply(&r);
	for (unsigned b = 0; b < 256; b++)
		cr_assert_neq(bucket[b].worker, 1);
}

Test(plan, pinned_stays_even_on_an_unusable_worker)
{
	struct sl_plan_result r;

	zipf(16, 2, 0, 1);
	for (unsigned b = 0; b < 16; b++)
		bucket[b].worker = 0;
	bucket[3].pinned = true;
	worker[0].usable = false;
	r = run(16, 2, (struct sl_plan_opts){0});
	apply(&r);
	cr_expect_eq(r.moves, 15);
	cr_expect_eq(bucket[3].worker, 0);
}

Test(plan, other_load_of_a_cpu_counts)
{
	struct sl_plan_result r;
	unsigned on_busy = 0;

	zipf(100, 2, 0, 1);
	worker[0].other = 0.6;
	for (unsigned b = 0; b < 100; b++)
		bucket[b].worker = b % 2;
	r = run(100, 2, (struct sl_plan_opts){.min_gain = 0.05});
	apply(&r);
	for (unsigned b = 0; b < 100; b++)
		on_busy += bucket[b].worker == 0;
	cr_expect_leq(on_busy, 22);
	cr_expect_float_eq(r.after, 0.8, 0.02);
}

Test(plan, heavy_state_stays_where_a_light_one_does_as_well)
{
	struct sl_plan_result r;

	zipf(4, 2, 0, 0.8);
	for (unsigned b = 0; b < 4; b++)
		bucket[b] = (struct sl_plan_bucket){.load = 0.2, .weight = b == 2 ? 0 : 50};
	r = run(4, 2, (struct sl_plan_opts){.max_moves = 1});
	cr_assert_eq(r.moves, 1);
	cr_expect_eq(out[0].bucket, 2);
}

Test(plan, bound_knows_what_few_large_buckets_cannot_do)
{
	struct sl_plan_result r;

	/* Five of 0.4 on four workers: two must share. The mean is 0.5. */
	zipf(5, 4, 0, 2);
	for (unsigned b = 0; b < 5; b++)
		bucket[b].worker = b < 3 ? 0 : 1;
	r = run(5, 4, (struct sl_plan_opts){0});
	cr_expect_float_eq(r.after, 0.8, 1e-6);
	cr_expect_float_eq(r.bound, 0.8, 1e-3);
}

Test(plan, same_input_same_plan)
{
	struct sl_plan_move first[BUCKETS];
	struct sl_plan_result a, b;

	rng = 99;
	zipf(1024, 8, 1, 6);
	a = run(1024, 8, (struct sl_plan_opts){0});
	memcpy(first, out, sizeof(first));
	b = run(1024, 8, (struct sl_plan_opts){0});
	cr_assert_eq(a.moves, b.moves);
	cr_expect_eq(memcmp(first, out, a.moves * sizeof(first[0])), 0);
}

Test(plan, no_usable_worker_no_move)
{
	struct sl_plan_result r;

	zipf(16, 2, 0, 1);
	worker[0].usable = worker[1].usable = false;
	r = run(16, 2, (struct sl_plan_opts){0});
	cr_expect_eq(r.moves, 0);
}
