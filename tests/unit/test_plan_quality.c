// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How good plans are, on the instances of bench_plan: never worse than a baseline unless within 1 %
 * of the lower bound, and with fewer moves than RSS++. No time is measured here.
 */
#include <criterion/criterion.h>

#include "../bench/plan_baselines.h"

#define BUCKETS 4096
#define SEEDS 5 /* one for each adversarial shape */

static const struct {
	unsigned buckets, workers;
} sizes[] = {{128, 2},	 {128, 8},    {128, 16},  {128, 32},  {128, 64}, {128, 128},
	     {512, 8},	 {512, 16},   {512, 64},  {512, 128}, {1024, 2}, {1024, 16},
	     {1024, 32}, {1024, 128}, {4096, 16}, {4096, 128}};

static struct instance in;
static struct sl_plan_move out[BUCKETS];
static uint16_t at[BUCKETS];
static void *scratch;

static void setup(void)
{
	in.bucket = malloc(BUCKETS * sizeof(*in.bucket));
	scratch = malloc(sl_plan_scratch_size(BUCKETS, SL_MAX_WORKERS));
	cr_assert(in.bucket && scratch);
}

static void teardown(void)
{
	free(in.bucket);
	free(in.flow);
	free(scratch);
}

TestSuite(quality, .init = setup, .fini = teardown);

static struct sl_plan_result plan(bool highest_only)
{
	const struct sl_plan_opts opts = {.highest_only = highest_only};
	struct sl_plan_result r;

	sl_plan(in.bucket, in.buckets, in.worker, in.workers, &opts, scratch, out, &r);
	return r;
}

static void no_worse(double high, const char *what, unsigned kind, unsigned seed)
{
	double than = instance_highest(&in, at), enough = 1.01 * instance_bound(&in);

	cr_expect_leq(high, fmax(enough, than) + 1e-9, "%u x %u, %s, seed %u: %f, %s %f",
		      in.buckets, in.workers, instance_names[kind], seed, high, what, than);
}

/* No move may be there that could be left out. */
static void no_move_in_vain(const struct sl_plan_result *r)
{
	double load[SL_MAX_WORKERS] = {0};

	for (unsigned b = 0; b < in.buckets; b++)
		load[at[b]] += in.bucket[b].load;
	for (unsigned i = 0; i < r->moves; i++)
		cr_assert_gt(load[out[i].from] + in.bucket[out[i].bucket].load,
			     1.01 * instance_bound(&in) - 1e-9, "%u x %u: bucket %u", in.buckets,
			     in.workers, out[i].bucket);
}

static void against_baselines(unsigned kind, unsigned seed, bool highest_only)
{
	struct sl_plan_result r = plan(highest_only);
	double high;

	for (unsigned b = 0; b < in.buckets; b++)
		at[b] = in.bucket[b].worker;
	for (unsigned i = 0; i < r.moves; i++)
		at[out[i].bucket] = out[i].to;
	high = instance_highest(&in, at);
	cr_expect_float_eq(high, r.after, 1e-9);
	cr_expect_geq(high, r.bound - 1e-6);
	cr_expect_geq(r.bound, instance_bound(&in) - 1e-9);
	if (highest_only)
		no_move_in_vain(&r);
	baseline_rsspp(&in, at);
	no_worse(high, "RSS++", kind, seed);
	baseline_hillclimb(&in, at);
	no_worse(high, "hill climb", kind, seed);
	baseline_longest(&in, at);
	no_worse(high, "longest first", kind, seed);
}

Test(quality, no_worse_than_any_baseline)
{
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			for (unsigned seed = 0; seed < SEEDS; seed++) {
				instance_make(&in, sizes[i].buckets, sizes[i].workers, kind, seed);
				against_baselines(kind, seed, seed % 2);
			}
}

Test(quality, within_1_percent_of_the_bound_with_32_buckets_a_worker)
{
	unsigned n = 0, within = 0;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			for (unsigned seed = 0; seed < 4 * SEEDS; seed++) {
				struct sl_plan_result r;

				if (sizes[i].buckets < 32 * sizes[i].workers ||
				    sizes[i].buckets > 1024)
					continue;
				instance_make(&in, sizes[i].buckets, sizes[i].workers, kind, seed);
				r = plan(true);
				within += r.after <= 1.01 * r.bound + 1e-9;
				n++;
			}
	cr_expect_geq(within, 0.99 * n, "%u of %u", within, n);
}

Test(quality, at_most_half_the_moves_of_rsspp_where_load_is_skewed)
{
	double moves = 0, rsspp = 0;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned kind = KIND_ZIPF_10; kind <= KIND_ZIPF_14; kind++) {
			double cell = 0, cell_rsspp = 0;

			for (unsigned seed = 0; seed < 2 * SEEDS; seed++) {
				instance_make(&in, sizes[i].buckets, sizes[i].workers, kind, seed);
				cell += plan(true).moves;
				cell_rsspp += baseline_rsspp(&in, at);
			}
			cr_expect_leq(cell, 1.4 * cell_rsspp + 2 * SEEDS, "%u x %u, %s",
				      sizes[i].buckets, sizes[i].workers, instance_names[kind]);
			moves += cell;
			rsspp += cell_rsspp;
		}
	cr_expect_leq(moves, rsspp / 2, "%f, RSS++ %f", moves, rsspp);
}

Test(quality, assigned_afresh_most_stays_where_it_is)
{
	double moves = 0, from_scratch = 0;

	/* Eight large buckets a worker: only plan_pack() comes within 1 %. */
	for (unsigned seed = 0; seed < 8 * SEEDS; seed++) {
		instance_make(&in, 128, 16, KIND_BIMODAL, seed);
		moves += plan(true).moves;
		from_scratch += baseline_longest(&in, at);
	}
	cr_expect_leq(moves, 0.85 * from_scratch, "%f of %f", moves, from_scratch);
}
