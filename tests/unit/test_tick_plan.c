// SPDX-License-Identifier: GPL-2.0-or-later
/* What the control loop tells the planner: the cost of a move, NUMA nodes, the deadline. */
#include <criterion/criterion.h>

#include "balance_model.h"

static struct model m;
static struct sl_tick *tick;

static void start(unsigned buckets, unsigned workers, uint64_t seed)
{
	model_init(&m, buckets, workers, seed);
	tick = sl_tick_new(workers, buckets, &model_opts);
	cr_assert_not_null(tick);
}

static void teardown(void)
{
	sl_tick_free(tick);
}

TestSuite(tick_plan, .fini = teardown);

/*
 * Buckets 0, 4, 8, 12 of worker 0 have 0.1 each, 2, 6, 10, 14 have 0.095 and cost less to move.
 * The loads are learnt before any may. Returns how many of the cheaper ones go to worker 1.
 */
static unsigned cheaper_moved(double cost, uint32_t flows)
{
	struct sl_tick_opts opts = model_opts;
	unsigned n = 0;

	start(64, 2, 4);
	opts.threshold = 2;
	sl_tick_configure(tick, &opts);
	for (unsigned b = 0; b < 16; b += 2) {
		bool cheap = b % 4;

		m.cost[b] = cheap ? cost : 20000;
		m.rate[b] = (cheap ? 0.095 : 0.1) * MODEL_HZ / m.cost[b];
		m.bucket[b].flows = cheap ? flows : 1000;
	}
	model_run_for(&m, tick, 2000 * MS);
	cr_assert_eq(m.moves, 0);
	sl_tick_configure(tick, &model_opts);
	model_run_for(&m, tick, 2000 * MS);
	cr_expect_eq(m.moves, 4);
	for (unsigned b = 2; b < 16; b += 4)
		n += m.bucket[b].target == 1;
	sl_tick_free(tick);
	tick = NULL;
	return n;
}

Test(tick_plan, less_state_and_fewer_packets_go_first)
{
	cr_expect_geq(cheaper_moved(20000, 10), 3, "few flows");
	cr_expect_geq(cheaper_moved(200000, 1000), 3, "few dear packets, not many cheap ones");
}

/* Worker 0 has 0.96 in 16 buckets, 3 has 0.8 in one. Returns how many go to worker 2. */
static unsigned sent_far(bool any_node)
{
	struct sl_tick_opts opts = model_opts;
	unsigned far = 0;

	opts.any_node = any_node;
	start(64, 4, 4);
	sl_tick_configure(tick, &opts);
	sl_tick_numa(tick, 2, 1);
	sl_tick_numa(tick, 3, 1);
	for (unsigned b = 0; b < 64; b += 4)
		m.rate[b] = 0.06 * MODEL_HZ / m.cost[b];
	m.rate[3] = 0.8 * MODEL_HZ / m.cost[3];
	model_run_for(&m, tick, 3000 * MS);
	for (unsigned b = 0; b < 64; b += 4)
		far += m.bucket[b].target == 2;
	sl_tick_free(tick);
	tick = NULL;
	return far;
}

Test(tick_plan, buckets_stay_on_their_numa_node)
{
	cr_expect_eq(sent_far(false), 0);
	cr_expect_gt(sent_far(true), 0);
}

static uint64_t late_clock(void)
{
	static uint64_t now;

	return now += 1000;
}

Test(tick_plan, plan_ends_by_the_clock_it_is_given)
{
	struct sl_tick_opts opts = model_opts;
	struct sl_tick_result r;
	struct sl_sample s;

	start(256, 4, 4);
	model_zipf(&m, 1, 3);
	model_run_for(&m, tick, 300 * MS);
	for (unsigned i = 0; i < 2; i++) {
		opts.clock = late_clock;
		opts.plan_ns = i ? 1000000000 : 1;
		sl_tick_configure(tick, &opts);
		for (unsigned b = 0; b < 256; b++)
			m.bucket[b].owner = m.bucket[b].target = 0;
		s = model_sample(&m);
		sl_tick_plan_now(tick, &s, &r);
		cr_expect_eq(r.plan.late, !i);
		cr_expect_eq(r.moves_n > 0, i);
	}
}
