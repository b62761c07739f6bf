// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads measured by load.c against what the model was told to make. */
#include <criterion/criterion.h>
#include <math.h>

#include "balance_model.h"

static struct model m;
static struct sl_load load;

static void sample(void)
{
	struct sl_sample s = model_sample(&m);

	sl_load_update(&load, &s);
}

static void run(unsigned intervals)
{
	for (unsigned i = 0; i < intervals; i++) {
		model_run(&m, 100000000);
		sample();
	}
}

static double true_load(unsigned b)
{
	return m.rate[b] * (m.cost[b] + m.overhead) / MODEL_HZ;
}

static void setup(void)
{
	cr_assert_eq(sl_load_init(&load, 4, 256, 200000000), 0);
	model_init(&m, 256, 4, 5);
}

static void teardown(void)
{
	sl_load_fini(&load);
}

TestSuite(load, .init = setup, .fini = teardown);

Test(load, first_sample_gives_no_load)
{
	model_zipf(&m, 1, 2);
	model_run(&m, 100000000);
	sample();
	cr_expect_eq(load.rounds, 0);
	cr_expect_eq(load.workers[0].demand, 0);
}

Test(load, buckets_add_up_to_the_busy_share_of_their_worker)
{
	m.overhead = 7000;
	model_zipf(&m, 0.8, 2);
	sample();
	run(15);
	for (unsigned w = 0; w < 4; w++) {
		double sum = 0;

		for (unsigned b = w; b < 256; b += 4)
			sum += load.buckets[b].load;
		cr_expect_float_eq(sum, load.workers[w].demand, 1e-4);
		cr_expect_float_eq(sum, load.workers[w].busy, 0.08 * load.workers[w].busy,
				   "worker %u: buckets %f, busy %f", w, sum, load.workers[w].busy);
	}
}

Test(load, cycles_count_not_packets_alone)
{
	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = 200;
	for (unsigned b = 0; b < 256; b += 8)
		m.cost[b] = 80000; /* on worker 0 among cheap ones */
	sample();
	run(15);
	for (unsigned b = 0; b < 8; b += 4)
		cr_expect_float_eq(load.buckets[b].load, true_load(b), 0.2 * true_load(b),
				   "bucket %u: %f, true %f", b, load.buckets[b].load, true_load(b));
}

Test(load, without_samples_the_mean_of_the_worker_serves)
{
	m.sampled = false;
	m.overhead = 3000;
	model_zipf(&m, 0.5, 2);
	sample();
	run(15);
	for (unsigned w = 0; w < 4; w++)
		cr_expect_float_eq(load.workers[w].demand, load.workers[w].busy,
				   0.08 * load.workers[w].busy);
}

Test(load, saturated_workers_rank_by_demand)
{
	/* Workers 0 and 1 are both busy all the time; 1 is asked for twice as much. */
	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = b % 4 == 0	 ? 1.5 * MODEL_HZ / 20000 / 64
			    : b % 4 == 1 ? 3.0 * MODEL_HZ / 20000 / 64
					 : 10;
	sample();
	run(10);
	cr_expect_float_eq(load.workers[0].busy, 1, 0.01);
	cr_expect_float_eq(load.workers[1].busy, 1, 0.01);
	cr_expect_float_eq(load.workers[0].demand, 1.5, 0.1, "%f", load.workers[0].demand);
	cr_expect_float_eq(load.workers[1].demand, 3.0, 0.2, "%f", load.workers[1].demand);
	cr_expect_gt(load.workers[1].lost, load.workers[0].lost);
}

Test(load, shifted_hot_bucket_is_seen_in_one_interval)
{
	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = 100;
	m.rate[8] = 20000;
	sample();
	run(10);
	m.rate[8] = 100;
	m.rate[12] = 20000;
	run(1);
	cr_expect_float_eq(load.buckets[12].rate, 20000, 2000, "%f", load.buckets[12].rate);
	cr_expect_lt(load.buckets[8].rate, 200, "%f", load.buckets[8].rate);
}

/* Four packets in each interval of 5 ms are not enough to believe; the sum of some intervals is. */
Test(load, shift_is_seen_through_short_intervals)
{
	unsigned n = 0;

	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = 20;
	m.rate[8] = 800;
	sample();
	for (unsigned i = 0; i < 100; i++) {
		model_run(&m, 5000000);
		sample();
	}
	m.rate[8] = 20;
	m.rate[12] = 800;
	while ((load.buckets[12].rate < 500 || load.buckets[8].rate > 200) && n++ < 100) {
		model_run(&m, 5000000);
		sample();
	}
	cr_expect_lt(n, 20, "%u intervals of 5 ms: 12 at %f, 8 at %f", n, load.buckets[12].rate,
		     load.buckets[8].rate);
}

/* What was believed at once is averaged with what follows, not held up by the smoothing. */
Test(load, shift_is_known_well_soon)
{
	double worst = 0;

	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = 20;
	sample();
	run(5);
	for (unsigned b = 0; b < 32; b++)
		m.rate[b] = 5000;
	for (unsigned i = 0; i < 8; i++) {
		model_run(&m, 10000000);
		sample();
	}
	/* 400 packets each: a standard deviation of 5 % */
	for (unsigned b = 0; b < 32; b++)
		worst = fmax(worst, fabs(load.buckets[b].rate - 5000) / 5000);
	cr_expect_lt(worst, 0.2, "off by %f", worst);
}

/*
 * A hot set shifts: a few buckets show it in 10 ms, the many with a handful of packets do not, but
 * together they are half of the load, and the planner needs their sums.
 */
Test(load, shift_of_many_small_buckets_is_seen_at_once)
{
	double sum[4] = {0}, want[4] = {0};

	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = b % 4 == 0 ? 400 : 4;
	m.rate[8] = 8000;
	sample();
	run(10);
	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = b % 4 == 1 ? 400 : 4;
	m.rate[13] = 8000;
	model_run(&m, 10000000);
	sample();
	for (unsigned b = 0; b < 256; b++) {
		sum[b % 4] += load.buckets[b].rate;
		want[b % 4] += m.rate[b];
	}
	cr_expect_float_eq(sum[1], want[1], 0.15 * want[1], "%f, true %f", sum[1], want[1]);
	cr_expect_lt(sum[0], 0.1 * want[1], "%f, true %f", sum[0], want[0]);
}

Test(load, noise_is_smoothed)
{
	double spread = 0, raw = sqrt(1000.0 / 0.1);

	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = 1000;
	sample();
	run(20);
	for (unsigned b = 0; b < 256; b++)
		spread += (load.buckets[b].rate - 1000) * (load.buckets[b].rate - 1000);
	spread = sqrt(spread / 256);
	cr_expect_lt(spread, 0.65 * raw, "deviation %f, unsmoothed %f", spread, raw);
}

/* The clock of foreign work ticks every 10 ms: a round of 20 ms sees none, half, or all of it. */
Test(load, foreign_work_is_seen_through_a_coarse_clock)
{
	const uint64_t tick = (uint64_t)MODEL_HZ / 100;
	uint64_t done = 0;
	double low = 1, high = 0;

	for (unsigned i = 0; i < 400; i++) {
		model_run(&m, 20000000);
		done += 2 * tick * 3 / 10;
		m.worker[1].other_cycles = done / tick * tick;
		sample();
		if (i < 200)
			continue;
		low = fmin(low, load.workers[1].other);
		high = fmax(high, load.workers[1].other);
	}
	cr_expect(low > 0.27 && high < 0.33, "30 %% was seen as %f to %f", low, high);
}

Test(load, change_of_owner_takes_no_foreign_samples)
{
	float before;

	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = 1000;
	sample();
	run(5);
	before = load.buckets[8].cost;
	/* At the new owner the counters stand elsewhere. */
	m.bucket[8].owner = m.bucket[8].target = 1;
	m.samples[1][8] = 1000;
	m.sampled_cycles[1][8] = 99999999999;
	run(1);
	cr_expect_float_eq(load.buckets[8].cost, before, 1, "%f", load.buckets[8].cost);
}

Test(load, interrupted_sample_makes_no_elephant)
{
	double before;

	for (unsigned b = 0; b < 256; b++)
		m.rate[b] = b == 12 ? 20 : 500; /* 12: too few to be sampled */
	sample();
	run(10);
	before = load.buckets[8].load;
	m.sampled_cycles[0][8] += 100000000; /* 50 ms off the CPU in one sample */
	run(1);
	cr_expect_lt(load.buckets[8].load, 2.5 * before, "%f from %f", load.buckets[8].load,
		     before);
	run(10);
	/* And not where it is the first sample of its bucket either. */
	m.sampled_cycles[0][12] += 100000000;
	m.samples[0][12]++;
	m.bucket[12].cost_samples = m.samples[0][12];
	m.rate[12] = 600;
	run(1);
	cr_expect_lt(load.buckets[12].cost, 40000, "%f cycles", load.buckets[12].cost);
	cr_expect_lt(load.buckets[8].load, 1.5 * before, "%f from %f", load.buckets[8].load,
		     before);
}

Test(load, restarted_counters_make_no_huge_load)
{
	model_zipf(&m, 0.5, 2);
	sample();
	run(5);
	for (unsigned w = 0; w < 4; w++)
		m.worker[w].busy_cycles = m.worker[w].packets = 0;
	run(1);
	for (unsigned w = 0; w < 4; w++) {
		cr_expect_leq(load.workers[w].busy, 0.9, "%f", load.workers[w].busy);
		cr_expect_leq(load.workers[w].demand, 1.2);
		cr_expect_geq(load.workers[w].demand, 0.2, "%f", load.workers[w].demand);
	}
}
