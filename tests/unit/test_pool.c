// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulator of servers behind a load balancer: against queueing theory, and its policies. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pool.h"

#define MS 1000000ULL
#define S (1000 * MS)

TestSuite(pool, .timeout = 120);

static struct pool_scenario requests(uint32_t servers, double load)
{
	return (struct pool_scenario){
		.seed = 1,
		.duration_ns = 30 * S,
		.warmup_ns = 5 * S,
		.window_ns = 1 * S,
		.servers = servers,
		.cores = 1,
		.fast_factor = 1,
		.entries = 128,
		.balancer = {.report_ns = 100 * MS,
			     .stale_ns = 1 * S,
			     .refill_ns = 100 * MS,
			     .fresh = 0.5,
			     .rows = 4096,
			     .cpus = 2,
			     .candidates = 8,
			     .entropies = 1,
			     .added = -1},
		.traffic = {.kind = POOL_REQUESTS,
			    .load = load,
			    .mean_ns = 10 * MS,
			    .long_factor = 1},
	};
}

static struct pool_scenario streams(double load)
{
	struct pool_scenario c = requests(4, load);

	c.duration_ns = 8 * S;
	c.warmup_ns = 3 * S;
	c.cores = 4;
	c.ring_ns = 20 * MS;
	c.balancer.report_ns = c.balancer.refill_ns = 10 * MS;
	c.balancer.told = POOL_ARRIVED;
	c.traffic = (struct pool_traffic){.kind = POOL_STREAMS,
					  .load = load,
					  .packet_ns = 20000,
					  .shape = 1.3,
					  .fewest = 4,
					  .most = 25000,
					  .lasts_ns = 500 * MS,
					  .lasts_cv = 2,
					  .fastest = 0.3};
	return c;
}

static struct pool_result *run(const struct pool_scenario *c, enum pool_policy policy)
{
	struct pool_result *r = calloc(1, sizeof(*r));

	cr_assert(r && !pool_run(c, policy, r));
	return r;
}

static double mean_ms(const struct pool_scenario *c, enum pool_policy policy)
{
	struct pool_result *r = run(c, policy);
	double mean = r->fct_mean / (double)MS;

	free(r);
	return mean;
}

static double p99_ms(const struct pool_scenario *c, enum pool_policy policy)
{
	struct pool_result *r = run(c, policy);
	double p99 = (double)sl_histogram_quantile(&r->fct, 0.99) / (double)MS;

	free(r);
	return p99;
}

/* --- queues */

/* M/M/1: service / (1 - rho). M/D/1 and M/U/1: Pollaczek and Khinchine. */
Test(pool, mean_time_of_one_queue)
{
	static const double factor[] = {
		[POOL_CONSTANT] = 1, [POOL_EXPONENTIAL] = 2, [POOL_UNIFORM] = 4 / 3.0};

	for (unsigned work = 0; work < 3; work++) {
		struct pool_scenario c = requests(1, 0.7);
		double want = 10 + 0.7 / 0.3 * 10 / 2 * factor[work], got;

		c.duration_ns = 2000 * S;
		c.balancer.report_ns = c.balancer.refill_ns = 1 * S;
		c.traffic.work = work;
		got = mean_ms(&c, POOL_HASH);
		cr_expect_float_eq(got, want, 0.04 * want, "work %u: %f for %f", work, got, want);
	}
}

/* Of hash each server is a queue for itself, whether there is one or 16, and each core too. */
Test(pool, hash_makes_independent_queues)
{
	struct pool_scenario c = requests(16, 0.7);
	double want = 10 / 0.3;

	c.duration_ns = 150 * S;
	c.traffic.work = POOL_EXPONENTIAL;
	cr_expect_float_eq(mean_ms(&c, POOL_HASH), want, 0.04 * want);
	c.servers = 4;
	c.cores = 4;
	cr_expect_float_eq(mean_ms(&c, POOL_HASH), want, 0.04 * want);
}

/* Half the servers twice as fast: hash gives the slow ones 4/3 of the load, and theory says so. */
Test(pool, fast_servers_are_fast)
{
	struct pool_scenario c = requests(8, 0.6);
	double slow = 10 / (1 - 0.9), fast = 5 / (1 - 0.45);

	c.duration_ns = 400 * S;
	c.traffic.work = POOL_EXPONENTIAL;
	c.fast_share = 0.5;
	c.fast_factor = 2;
	cr_expect_float_eq(mean_ms(&c, POOL_HASH), (slow + fast) / 2, 0.06 * (slow + fast) / 2);
	cr_expect_lt(mean_ms(&c, POOL_WRR) * 2, mean_ms(&c, POOL_RR));
}

Test(pool, the_long_ones_are_as_many_and_as_long_as_said)
{
	struct pool_scenario c = requests(64, 0.1);
	struct pool_result *r;

	c.duration_ns = 60 * S;
	c.traffic.long_share = 0.05;
	c.traffic.long_factor = 15; /* 150 ms; the others 0.25 / 0.95 of 10 ms */
	r = run(&c, POOL_RR);
	cr_expect_float_eq(r->busy, 0.1, 0.005, "%f", r->busy);
	cr_expect_float_eq((double)sl_histogram_quantile(&r->fct, 0.5), 2.6316 * MS, 0.03 * MS);
	cr_expect_float_eq((double)sl_histogram_quantile(&r->fct, 0.96), 150 * MS, 5 * MS);
	free(r);
}

/* --- streams */

Test(pool, streams_offer_the_load_asked_for_and_all_is_accounted_for)
{
	for (double load = 0.5; load < 1.6; load += 0.5) {
		struct pool_scenario c = streams(load);
		double all = 16.0 * 6 * S;
		struct pool_result *r;

		c.traffic.most = 1000; /* a tail would want a longer run */
		c.warmup_ns = 2 * S;
		r = run(&c, POOL_CORE);
		cr_expect_float_eq(r->offered / all, load, 0.02 * load, "%f", r->offered / all);
		/* at most a full ring each is neither */
		cr_expect_float_eq(r->offered, r->done + r->lost, 16.0 * 20 * MS);
		if (load > 1)
			cr_expect_float_eq(r->done / all, 1, 0.001, "%f", r->done / all);
		if (load < 1)
			cr_expect_eq(r->lost, 0);
		free(r);
	}
}

/* --- policies */

Test(pool, the_same_seed_gives_the_same_and_policies_the_same_traffic)
{
	struct pool_scenario c = requests(8, 0.7);
	struct pool_result *first, *again, *other;

	c.duration_ns = 10 * S;
	for (enum pool_policy p = 0; p < POOL_POLICIES; p++) {
		struct pool_scenario d = c;

		d.seed++;
		first = run(&c, p);
		again = run(&c, p);
		other = run(&d, p);
		cr_expect_eq(memcmp(first, again, sizeof(*first)), 0, "%s", pool_policy_name(p));
		cr_expect_neq(first->fct_mean, other->fct_mean, "%s", pool_policy_name(p));
		free(again);
		again = run(&c, POOL_HASH);
		cr_expect_eq(first->flows, again->flows, "%s", pool_policy_name(p));
		cr_expect_eq(first->offered, again->offered, "%s", pool_policy_name(p));
		free(first);
		free(again);
		free(other);
	}
}

Test(pool, turns_beat_hashes_at_high_load)
{
	struct pool_scenario c = requests(64, 0.85);
	double hash;

	c.traffic.work = POOL_UNIFORM;
	hash = p99_ms(&c, POOL_HASH);
	cr_expect_geq(hash, 2.5 * p99_ms(&c, POOL_RR));
	cr_expect_geq(hash, 2 * p99_ms(&c, POOL_AWRR));
}

/* A twentieth of the requests is 15 times as long. */
Test(pool, loads_help_and_stale_ones_taken_for_true_hurt)
{
	struct pool_scenario c = requests(32, 0.8);
	double rr, awrr, pow2, stale, least;

	c.traffic.long_share = 0.05;
	c.traffic.long_factor = 15;
	rr = p99_ms(&c, POOL_RR);
	awrr = p99_ms(&c, POOL_AWRR);
	pow2 = p99_ms(&c, POOL_POW2);
	least = p99_ms(&c, POOL_LEAST);
	stale = p99_ms(&c, POOL_LEAST_STALE);
	cr_expect(awrr < rr && pow2 < rr && rr < stale, "awrr %f, pow2 %f, rr %f, stale %f", awrr,
		  pow2, rr, stale);
	cr_expect_lt(2 * least, stale, "what it adds itself counted: %f", least);
}

/* Reports that come too late say nothing. */
Test(pool, stale_reports_leave_turns_and_hashes)
{
	struct pool_scenario c = requests(16, 0.8);
	double rr;

	c.duration_ns = 10 * S;
	c.balancer.stale_ns = 1;
	c.balancer.delay_ns = 2;
	c.balancer.report_ns = 99 * MS;
	rr = p99_ms(&c, POOL_RR);
	cr_expect_float_eq(p99_ms(&c, POOL_AWRR), rr, 0.05 * rr);
	cr_expect_float_eq(p99_ms(&c, POOL_LEAST), rr, 0.05 * rr);
	cr_expect_eq(p99_ms(&c, POOL_CORE), p99_ms(&c, POOL_MAGLEV), "and of cores the hash's row");
}

static double core_variance(const struct pool_scenario *c, enum pool_policy policy)
{
	struct pool_result *r = run(c, policy);
	double v = r->variance_cores;

	free(r);
	return v;
}

Test(pool, the_core_that_a_flow_reaches_is_known)
{
	struct pool_scenario c = streams(0.75);
	double rr = core_variance(&c, POOL_RR), core = core_variance(&c, POOL_CORE);

	cr_expect_geq(rr, 12 * core, "rr %g, core %g", rr, core); /* a short run */
	/* late reports: what it adds itself is the only guard against a herd */
	c.balancer.report_ns = 200 * MS;
	c.balancer.added = 0;
	core = core_variance(&c, POOL_CORE);
	c.balancer.added = -1;
	cr_expect_lt(core_variance(&c, POOL_CORE), core);
}

/* When all cores are busy all the time, only what was lost tells them apart. */
Test(pool, reports_of_what_arrived_tell_full_cores_apart)
{
	struct pool_scenario c = streams(1.1);
	double arrived = core_variance(&c, POOL_CORE);

	c.balancer.told = POOL_BUSY;
	cr_expect_lt(2 * arrived, core_variance(&c, POOL_CORE));
}

/* Of one server a flow's hash leaves no choice; who writes the outer header has it. */
Test(pool, a_flow_is_aimed_at_a_core_of_one_server)
{
	struct pool_scenario c = streams(0.6);
	double own, aimed;

	c.servers = 1;
	own = core_variance(&c, POOL_CORE);
	cr_expect_float_eq(own, core_variance(&c, POOL_HASH), 1e-9);
	c.balancer.entropies = 16;
	aimed = core_variance(&c, POOL_CORE);
	cr_expect_lt(10 * aimed, own, "%.6f aimed, %.6f by its own hash", aimed, own);
}
