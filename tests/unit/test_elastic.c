// SPDX-License-Identifier: GPL-2.0-or-later
/* Which workers are awake, by itself and under the whole control loop. */
#include <criterion/criterion.h>

#include "balance_model.h"

#define TICK (100 * MS)

static struct sl_elastic e;
static struct sl_elastic_view v;
static uint64_t now;
static struct model m;
static struct sl_tick *tick;

static void start(unsigned workers, unsigned holding, double load)
{
	e = (struct sl_elastic){.opts = {.enabled = true,
					 .target = 0.8,
					 .min_workers = 1,
					 .ahead_ns = 500 * MS,
					 .hold_ns = 1000 * MS}};
	v = (struct sl_elastic_view){.workers_n = workers, .load = load};
	for (unsigned i = 0; i < workers; i++)
		v.worker[i] = (struct sl_elastic_worker){
			.runs = true, .holds = i < holding, .cost = i < holding ? 10 + i : 0};
	now = 1000 * MS;
}

/* Workers emptied at once, as hand-overs of a tenth of a second would. */
static unsigned rounds(unsigned n)
{
	while (n--) {
		sl_elastic_run(&e, &v, now += TICK);
		for (unsigned i = 0; i < v.workers_n; i++)
			v.worker[i].holds = e.awake[i];
		e.fill = false;
	}
	return e.awake_n;
}

Test(elastic, begins_with_what_it_finds)
{
	start(8, 5, 0.5);
	cr_expect_eq(rounds(1), 5);
	cr_expect_eq(e.asleep_n, 3, "who holds nothing sleeps");
	cr_expect_eq(rounds(8), 5, "and the others stay for the hold time");
	cr_expect_eq(rounds(30), 1);
	cr_expect_eq(e.asleep_n, 7);
}

Test(elastic, wakes_all_that_are_needed_at_once)
{
	start(8, 1, 0.5);
	rounds(20);
	v.load = 4;
	sl_elastic_run(&e, &v, now += TICK);
	cr_expect_eq(e.awake_n, 5);
	cr_expect(e.fill, "the buckets are dealt anew at once");
}

/* Parts that are not in use are nobody's, and a bucket whose parts have the packets is theirs. */
Test(elastic, absent_buckets_keep_nobody_awake)
{
	struct sl_sample_bucket bucket[3] = {
		{.owner = 1, .target = 1},
		{.owner = SL_TO_NONE, .target = SL_TO_NONE, .absent = true},
		{.owner = SL_TO_PARTS, .target = SL_TO_PARTS, .absent = true}};
	struct sl_plan_bucket planned[3] = {{.worker = 1}, {.pinned = true}, {.pinned = true}};
	struct sl_plan_worker worker[2] = {{.usable = true}, {.usable = true}};
	struct sl_load_worker loads[2] = {0};
	const struct sl_load load = {.workers_n = 2, .buckets_n = 3, .workers = loads};
	const struct sl_sample sample = {.workers_n = 2, .buckets_n = 3, .buckets = bucket};

	start(2, 1, 0.1);
	sl_elastic_look(&v, &e, &load, &sample, planned, worker);
	cr_expect_not(v.worker[0].holds);
	cr_expect_not(v.worker[0].pinned);
	cr_expect_eq(v.worker[0].cost, 0);
	cr_expect(v.worker[1].holds);
}

Test(elastic, one_whose_cpu_is_idle_wakes_first_one_that_still_holds_before_it)
{
	start(4, 1, 0.5);
	for (unsigned i = 1; i < 4; i++)
		v.worker[i].other = i == 2 ? 0.1 : 0.4;
	rounds(20);
	v.load = 1.2;
	sl_elastic_run(&e, &v, now += TICK);
	cr_expect(e.awake[0] && e.awake[2] && !e.awake[1] && !e.awake[3]);
	start(4, 1, 0.5);
	rounds(20);
	v.worker[3].holds = true;
	v.load = 1.2;
	sl_elastic_run(&e, &v, now += TICK);
	cr_expect(e.awake[3]);
	cr_expect_not(e.asleep[3], "it holds a shard");
}

Test(elastic, the_cheapest_to_empty_goes_one_in_a_round)
{
	start(4, 4, 3);
	v.worker[1].cost = 1;
	rounds(20);
	v.load = 0.3;
	while (e.awake_n == 4)
		sl_elastic_run(&e, &v, now += TICK);
	cr_expect_eq(e.awake_n, 3);
	cr_expect_not(e.awake[1]);
	cr_expect_eq(e.asleep_n, 0, "it is not emptied yet");
}

Test(elastic, pinned_buckets_keep_their_worker_awake)
{
	start(4, 4, 0.1);
	v.worker[2].pinned = true;
	v.worker[2].cost = 0;
	rounds(60);
	cr_expect(e.awake_n == 1 && e.awake[2]);
}

Test(elastic, least_and_most)
{
	start(8, 8, 0.1);
	e.opts.min_workers = 3;
	e.opts.max_workers = 5;
	cr_expect_eq(rounds(60), 3);
	v.load = 7;
	cr_expect_eq(rounds(1), 5);
}

Test(elastic, who_stops_is_replaced)
{
	start(4, 2, 1.5);
	cr_expect_eq(rounds(20), 2);
	v.worker[0].runs = false;
	cr_expect_eq(rounds(1), 2);
	cr_expect(!e.awake[0] && e.awake[1]);
}

/* Softirq goes before the worker; other processes only take what the target leaves. */
Test(elastic, a_cpu_that_does_other_things_is_not_a_whole_one)
{
	start(8, 8, 2.3);
	for (unsigned i = 0; i < 8; i++)
		v.worker[i].softirq = v.worker[i].other = 0.5;
	cr_expect_eq(rounds(60), 6);
	start(8, 8, 2.3);
	for (unsigned i = 0; i < 8; i++)
		v.worker[i].other = 0.5;
	cr_expect_eq(rounds(60), 5);
	start(8, 8, 2.3);
	for (unsigned i = 0; i < 8; i++)
		v.worker[i].other = 0.15;
	cr_expect_eq(rounds(60), 3);
}

Test(elastic, buckets_that_do_not_fit_get_a_worker_and_keep_it)
{
	struct sl_plan_result plan = {.after = 1};

	start(4, 2, 1.5);
	v.lump = 0.5;
	rounds(20);
	cr_assert_eq(e.awake_n, 2);
	cr_expect(sl_elastic_review(&e, &v, &plan));
	cr_expect(e.fill);
	cr_expect_eq(rounds(8), 3);
	plan.after = 0.85;
	cr_expect_not(sl_elastic_review(&e, &v, &plan), "a little above");
	plan.after = 1;
	v.lump = 1;
	cr_expect_not(sl_elastic_review(&e, &v, &plan), "nobody can help one bucket");
}

/* --- the whole loop */

static void start_loop(unsigned buckets, double load, double target)
{
	struct sl_tick_opts opts = model_opts;

	opts.elastic = (struct sl_elastic_opts){.enabled = true,
						.target = target,
						.min_workers = 1,
						.ahead_ns = 500 * MS,
						.hold_ns = 500 * MS};
	model_init(&m, buckets, 8, 3);
	model_zipf(&m, 0.4, load);
	tick = sl_tick_new(8, buckets, &opts);
	cr_assert_not_null(tick);
}

static void set_load(double was, double is)
{
	for (unsigned b = 0; b < m.buckets; b++)
		m.rate[b] *= is / was;
}

static unsigned holders(void)
{
	unsigned n = 0;

	for (unsigned w = 0; w < m.workers; w++)
		for (unsigned b = 0; b < m.buckets; b++)
			if (m.bucket[b].owner == w) {
				n++;
				break;
			}
	return n;
}

static uint64_t lost(void)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < m.workers; w++)
		sum += m.worker[w].ring_full;
	return sum;
}

static void teardown(void)
{
	sl_tick_free(tick);
	tick = NULL;
}

TestSuite(elastic_loop, .fini = teardown);

/* A day in 40 seconds: from 0.4 to 5.6 cores and back. */
Test(elastic_loop, a_day_takes_little_more_than_it_needs_and_loses_nothing)
{
	double was = 3, awake = 0, needed = 0, highest = 0;

	start_loop(512, was, 0.8);
	model_run_for(&m, tick, 3000 * MS);
	for (unsigned i = 0; i < 400; i++) {
		double load = 3 + 2.6 * sin(i * 2 * 3.14159265 / 400);

		set_load(was, load);
		was = load;
		model_run_for(&m, tick, TICK);
		awake += holders();
		needed += ceil(load / 0.8);
		highest = fmax(highest, model_highest(&m));
	}
	cr_expect_leq(awake, 1.15 * needed, "%.2f", awake / needed);
	cr_expect_lt(highest, 0.95, "%.2f", highest);
	cr_expect_eq(lost(), 0);
}

Test(elastic_loop, a_low_target_is_held_though_the_threshold_is_higher)
{
	start_loop(512, 0.65, 0.2);
	model_run_for(&m, tick, 6000 * MS);
	cr_expect_eq(holders(), 4);
	cr_expect_leq(model_highest(&m), 0.2);
	cr_expect_eq(sl_tick_elastic(tick)->asleep_n, 4);
	/* as much load, but a third of it now in one worker's buckets */
	for (unsigned b = 0, w = m.bucket[0].owner; b < 512; b++)
		m.rate[b] *= m.bucket[b].owner == w ? 1.8 : 0.73;
	cr_assert_gt(model_highest(&m), 0.25);
	model_run_for(&m, tick, 3000 * MS);
	cr_expect_leq(model_highest(&m), 0.21, "%.3f", model_highest(&m));
}

/* Three buckets of 0.5 need three workers, though two would do by the sum. */
Test(elastic_loop, lumps)
{
	start_loop(64, 1, 0.8);
	for (unsigned b = 0; b < 64; b++)
		m.rate[b] = b < 3 ? 0.5 * MODEL_HZ / m.cost[b] : 0;
	model_run_for(&m, tick, 4000 * MS);
	m.moves = 0;
	model_run_for(&m, tick, 8000 * MS);
	cr_expect_eq(holders(), 3);
	cr_expect_eq(m.moves, 0, "and nothing goes to and fro");
}

/* A bucket that is more than a worker counts for one: no second helps it. */
Test(elastic_loop, an_elephant_takes_one_worker)
{
	start_loop(64, 1, 0.8);
	for (unsigned b = 0; b < 64; b++)
		m.rate[b] = (b ? 0.5 / 63 : 1.5) * MODEL_HZ / m.cost[b];
	model_run_for(&m, tick, 8000 * MS);
	cr_expect_eq(holders(), 2);
}

Test(elastic_loop, nobody_sleeps_when_it_ends_and_a_pause_of_it_takes_over)
{
	struct sl_tick_opts opts = model_opts;

	start_loop(512, 0.4, 0.8); /* below the threshold: nothing else would spread it */
	model_run_for(&m, tick, 5000 * MS);
	cr_expect_eq(holders(), 1);
	sl_tick_restart(tick);
	model_run_for(&m, tick, TICK);
	cr_expect_eq(holders(), 1);
	cr_expect_eq(sl_tick_elastic(tick)->asleep_n, 7);
	sl_tick_configure(tick, &opts);
	model_run_for(&m, tick, 3 * TICK);
	cr_expect_eq(holders(), 8);
}

Test(elastic_loop, the_loop_stays_fast_while_somebody_sleeps)
{
	start_loop(512, 0.3, 0.8);
	model_run_for(&m, tick, 8000 * MS);
	cr_expect_eq(model_tick(&m, tick).next_ns, TICK);
}
