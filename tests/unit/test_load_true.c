// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads where packet counts mislead: expensive packets, work that interrupts, saturated workers.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "balance_model.h"

#define BUCKETS 64
#define WORKERS 2

static struct model m;
static struct sl_load load;

static void run(unsigned intervals)
{
	for (unsigned i = 0; i < intervals; i++) {
		struct sl_sample s;

		model_run(&m, 100 * MS);
		s = model_sample(&m);
		sl_load_update(&load, &s);
	}
}

static void setup(void)
{
	cr_assert_eq(sl_load_init(&load, WORKERS, BUCKETS, 200 * MS), 0);
	model_init(&m, BUCKETS, WORKERS, 11);
}

static void teardown(void)
{
	sl_load_fini(&load);
}

TestSuite(load_true, .init = setup, .fini = teardown);

static double true_load(unsigned b)
{
	return m.rate[b] * (m.cost[b] + m.overhead) / MODEL_HZ;
}

/* RSS++: a bucket's load is its core's load times its share of the core's packets. */
static double share_of_packets(unsigned b)
{
	double packets = 0;

	for (unsigned o = 0; o < BUCKETS; o++)
		if (m.bucket[o].owner == m.bucket[b].owner)
			packets += (double)m.bucket[o].packets;
	return load.workers[m.bucket[b].owner].busy * (double)m.bucket[b].packets / packets;
}

/* What the highest load really is after planning with these estimates. */
static double highest_planned_with(double (*estimate)(unsigned b))
{
	static struct sl_plan_bucket buckets[BUCKETS];
	struct sl_plan_worker workers[WORKERS] = {{.usable = true}, {.usable = true}};
	struct sl_plan_opts opts = {.min_gain = 0.01};
	struct sl_plan_move moves[BUCKETS];
	struct sl_plan_result r;
	double sum[WORKERS] = {0};
	void *scratch = malloc(sl_plan_scratch_size(BUCKETS, WORKERS));

	for (unsigned b = 0; b < BUCKETS; b++)
		buckets[b] =
			(struct sl_plan_bucket){.load = estimate(b), .worker = m.bucket[b].owner};
	sl_plan(buckets, BUCKETS, workers, WORKERS, &opts, scratch, moves, &r);
	free(scratch);
	for (unsigned i = 0; i < r.moves; i++)
		buckets[moves[i].bucket].worker = moves[i].to;
	for (unsigned b = 0; b < BUCKETS; b++)
		sum[buckets[b].worker] += true_load(b);
	return fmax(sum[0], sum[1]);
}

static double measured(unsigned b)
{
	return load.buckets[b].load;
}

/* Worker 0 has four buckets of few packets that cost fifty times as much: nine tenths of its work.
 */
Test(load_true, few_expensive_packets_outweigh_many_cheap_ones)
{
	double mean = 0, by_packets, by_cost;

	for (unsigned b = 0; b < BUCKETS; b++) {
		m.rate[b] = b % WORKERS ? 200 : 2000;
		m.cost[b] = 1000;
	}
	for (unsigned b = 0; b < 8; b += WORKERS) {
		m.rate[b] = 1800;
		m.cost[b] = 200000;
	}
	m.rate[30] = 40000; /* many, cheap */
	run(20);
	for (unsigned b = 0; b < BUCKETS; b++)
		mean += true_load(b) / WORKERS;
	cr_expect_gt(share_of_packets(30), 4 * share_of_packets(2), "by packets 30 outweighs 2");
	cr_expect_gt(measured(2), 4 * measured(30), "by cost 2 outweighs 30: %f, %f", measured(2),
		     measured(30));
	cr_expect_float_eq(measured(2), true_load(2), 0.1 * true_load(2));
	by_packets = highest_planned_with(share_of_packets);
	by_cost = highest_planned_with(measured);
	cr_expect_gt(by_packets, 1.3 * mean, "by packets: %f, mean %f", by_packets, mean);
	cr_expect_lt(by_cost, 1.1 * mean, "by cost: %f, mean %f", by_cost, mean);
}

/* Half of the time in rounds belonged to softirq: it is the CPU's load once, and no bucket's. */
Test(load_true, what_interrupts_a_worker_is_counted_once)
{
	double demand;

	for (unsigned b = 0; b < BUCKETS; b++)
		m.rate[b] = 1000;
	run(10);
	demand = load.workers[0].demand;
	for (unsigned i = 0; i < 60; i++) {
		const uint64_t busy = m.worker[0].busy_cycles, second = (uint64_t)MODEL_HZ;
		uint64_t took;

		run(1);
		took = m.worker[0].busy_cycles - busy;
		/* the model counts what packets need; on the wall it takes twice as long */
		m.worker[0].busy_cycles += took;
		m.worker[0].idle_cycles += second / 10 - 2 * took;
		m.worker[0].interrupted_cycles += second / 20;
		m.worker[0].other_cycles += second / 20;
	}
	cr_expect_float_eq(load.workers[0].other, 0.5, 0.02, "%f", load.workers[0].other);
	cr_expect_float_eq(load.workers[0].demand, demand, 0.1 * demand, "%f, was %f",
			   load.workers[0].demand, demand);
}

/* A foreign thread has what the worker leaves: more than half it would not get beside it. */
Test(load_true, foreign_threads_count_up_to_their_fair_half)
{
	for (unsigned i = 0; i < 60; i++) {
		m.worker[0].foreign_cycles += (uint64_t)(MODEL_HZ / 10 * 0.9);
		m.worker[1].foreign_cycles += (uint64_t)(MODEL_HZ / 10 * 0.3);
		m.worker[1].other_cycles += (uint64_t)(MODEL_HZ / 10 * 0.2);
		run(1);
	}
	cr_expect_float_eq(load.workers[0].other, 0.5, 0.01, "%f", load.workers[0].other);
	cr_expect_float_eq(load.workers[1].other, 0.5, 0.01, "%f", load.workers[1].other);
	cr_expect_float_eq(load.workers[0].foreign, 0.9, 0.01, "%f", load.workers[0].foreign);
}

/*
 * A sender that the scheduler takes from one CPU to the other: no reason to move a bucket. One that
 * is bound to its CPU is.
 */
Test(load_true, threads_that_may_go_elsewhere_count_alike_at_all_workers)
{
	for (unsigned i = 0; i < 60; i++) {
		const uint64_t took = (uint64_t)(MODEL_HZ / 10 * 0.4);

		m.worker[i / 10 % 2].foreign_cycles += took;
		m.worker[i / 10 % 2].roaming_cycles += took;
		m.worker[1].foreign_cycles += took / 2;
		run(1);
		if (i < 20)
			continue;
		cr_assert_float_eq(load.workers[1].other - load.workers[0].other, 0.2, 0.05,
				   "%u: %f, %f", i, load.workers[0].other, load.workers[1].other);
	}
	cr_expect_float_eq(load.workers[0].other, 0.4 / WORKERS, 0.02, "%f", load.workers[0].other);
}

/*
 * Arrivals and samples say the same of both; what worker 1 loses tells that it is worse off.
 */
Test(load_true, saturated_workers_rank_by_loss)
{
	for (unsigned b = 0; b < BUCKETS; b++)
		m.rate[b] = 2000;
	run(10);
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned w = 0; w < WORKERS; w++)
			m.worker[w].busy_cycles += (uint64_t)(MODEL_HZ / 10 * 0.5);
		m.worker[1].ring_full += 2000;
		run(1);
	}
	cr_expect_gt(load.workers[1].demand, 1.1 * load.workers[0].demand, "%f, %f",
		     load.workers[1].demand, load.workers[0].demand);
}

/* Twins: each counter of worker 1 and its buckets is worker 0's, but for what waits in the ring. */
static void run_twins(void)
{
	struct sl_sample s;

	model_run(&m, 100 * MS);
	for (unsigned b = 0; b < BUCKETS; b += WORKERS) {
		m.bucket[b + 1] = m.bucket[b];
		m.bucket[b + 1].owner = m.bucket[b + 1].target = 1;
	}
	m.worker[1] = m.worker[0];
	m.worker[1].ring_fill = MODEL_RING;
	m.worker[0].ring_fill = MODEL_RING / 2;
	s = model_sample(&m);
	sl_load_update(&load, &s);
}

Test(load_true, saturated_twins_rank_by_ring_fill)
{
	for (unsigned b = 0; b < BUCKETS; b++)
		m.rate[b] = 4000;
	for (unsigned i = 0; i < 10; i++)
		run_twins();
	cr_expect_gt(load.workers[1].demand, load.workers[0].demand, "%f, %f",
		     load.workers[1].demand, load.workers[0].demand);
	cr_expect_lt(load.workers[1].demand, 1.02 * load.workers[0].demand, "no more than that");
}

/* A calm worker's full ring is a burst that it will have taken in a moment. */
Test(load_true, a_ring_that_is_full_once_lifts_nothing)
{
	double before;

	for (unsigned b = 0; b < BUCKETS; b++)
		m.rate[b] = 1000;
	run(10);
	before = load.workers[1].demand;
	m.worker[1].ring_full += 5000;
	run(1);
	cr_expect_float_eq(load.workers[1].demand, before, 0.1 * before);
}
