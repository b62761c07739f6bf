// SPDX-License-Identifier: GPL-2.0-or-later
/* The event core of the simulator against what queueing theory knows, and its pieces. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/alias.h"
#include "sim/heap.h"
#include "sim/rsspp.h"
#include "sim/sim.h"

#define US 1000ULL
#define MS (1000 * US)
#define S (1000 * MS)

/* A bucket that is never released keeps the simulation waiting for ever. */
TestSuite(sim, .timeout = 120);

/* One core, one queue that holds all, Poisson arrivals. */
static struct sim_scenario one_core(double load)
{
	return (struct sim_scenario){
		.seed = 3,
		.duration_ns = 15 * S,
		.warmup_ns = 1 * S,
		.window_ns = 100 * MS,
		.cores = 1,
		.buckets = 128,
		.ring = 1 << 20,
		.batch = 1,
		.service = {.mean_ns = 10 * US, .heavy_factor = 1},
		.traffic = {.load = load, .flows = 100, .burst = 1},
		.handover = {.start_ns = 50 * US, .release_ns = 5 * US, .park = 4096},
		.balance = {.tick_min_ns = 100 * MS,
			    .tick_max_ns = 1 * S,
			    .threshold = 0.5,
			    .min_gain = 0.05,
			    .min_interval_ns = 100 * MS,
			    .smoothing_ns = 200 * MS,
			    .stuck_ns = 3 * S},
		.scale = {.target = 0.8},
		.rsspp = {.tick_ns = 100 * MS, .target = 0.8},
		.ovs = {.queues = 2,
			.sample_ns = 100 * MS,
			.samples = 6,
			.limit = 0.95,
			.gain = 0.25,
			.interval_ns = 1 * S},
	};
}

static struct sim_result *run(const struct sim_scenario *c, enum sim_policy policy)
{
	struct sim_result *r = calloc(1, sizeof(*r));

	cr_assert(r && !sim_run(c, policy, r));
	cr_expect(eq(u64, r->offered, r->processed + r->lost_ring + r->lost_park),
		  "%s: every packet is accounted for", sim_policy_name(policy));
	return r;
}

static void result_free(struct sim_result *r)
{
	sim_result_free(r);
	free(r);
}

static double wait_us(const struct sim_scenario *c)
{
	struct sim_result *r = run(c, SIM_STATIC);
	double wait = r->wait_mean / (double)US;

	result_free(r);
	return wait;
}

/* Wq = rho / (1 - rho) x service. */
Test(sim, mean_wait_of_mm1)
{
	for (double load = 0.5; load < 0.75; load += 0.1) {
		struct sim_scenario c = one_core(load);
		double want = load / (1 - load) * 10;

		c.service.distribution = SIM_EXPONENTIAL;
		cr_expect_float_eq(wait_us(&c), want, 0.02 * want, "load %.1f", load);
	}
}

/* Half of it (Pollaczek and Khinchine). */
Test(sim, mean_wait_of_md1)
{
	for (double load = 0.5; load < 0.75; load += 0.1) {
		struct sim_scenario c = one_core(load);
		double want = load / (1 - load) * 10 / 2;

		cr_expect_float_eq(wait_us(&c), want, 0.02 * want, "load %.1f", load);
	}
}

/* (1 + cv^2) / 2 of it; a lognormal's tail wants a longer run. */
Test(sim, mean_wait_of_mg1)
{
	struct sim_scenario c = one_core(0.7);
	double want = 0.7 / 0.3 * 10 * (1 + 1.5 * 1.5) / 2;

	c.service.distribution = SIM_LOGNORMAL;
	c.service.cv = 1.5;
	c.duration_ns = 30 * S;
	cr_expect_float_eq(wait_us(&c), want, 0.02 * want);
}

/* M/M/1/K loses the share rho^K (1 - rho) / (1 - rho^(K+1)), K the ring and the one in service. */
Test(sim, loss_of_a_finite_ring)
{
	for (double load = 0.9; load < 1.5; load += 0.2) {
		struct sim_scenario c = one_core(load);
		struct sim_result *r;
		double want;

		c.service.distribution = SIM_EXPONENTIAL;
		c.ring = 9;
		want = pow(load, 10) * (1 - load) / (1 - pow(load, 11));
		r = run(&c, SIM_STATIC);
		cr_expect_float_eq((double)r->lost_ring / (double)r->offered, want, 0.02 * want,
				   "load %.1f", load);
		result_free(r);
	}
}

Test(sim, a_core_with_other_work_is_slower)
{
	struct sim_scenario c = one_core(0.4);
	double want = 0.8 / 0.2 * 20 / 2; /* M/D/1 at twice the service time */

	c.other = 0.5;
	cr_expect_float_eq(wait_us(&c), want, 0.02 * want);
}

static struct sim_scenario eight_cores(double load)
{
	struct sim_scenario c = one_core(load);

	c.cores = 8;
	c.buckets = 512;
	c.ring = 512;
	c.duration_ns = 3 * S;
	c.traffic.flows = 10000;
	c.traffic.zipf = 1;
	return c;
}

/* Buckets move all the time, and no packet overtakes another of its flow. */
Test(sim, moves_keep_the_order)
{
	for (enum sim_policy p = SIM_STATIC; p < SIM_POLICIES; p++) {
		struct sim_scenario c = eight_cores(0.9);
		struct sim_result *r;

		c.traffic.shift_ns = 300 * MS;
		c.batch = 8;
		r = run(&c, p);
		if (p == SIM_SPRAYER)
			cr_expect(r->reordered > 0, "spraying reorders");
		else
			cr_expect(eq(u64, r->reordered, 0), "%s", sim_policy_name(p));
		if (p == SIM_SLUICE || p == SIM_RSSPP)
			cr_expect(r->moves > 100 && r->parked > 100, "%s: %lu moves, %lu parked",
				  sim_policy_name(p), r->moves, r->parked);
		result_free(r);
	}
}

Test(sim, a_slow_hand_over_fills_the_park)
{
	struct sim_scenario c = eight_cores(0.9);
	struct sim_result *r;

	c.traffic.shift_ns = 300 * MS;
	c.handover.start_ns = 20 * MS;
	c.handover.park = 64;
	r = run(&c, SIM_SLUICE);
	cr_expect(r->lost_park > 0 && r->park_peak == 64);
	cr_expect(eq(u64, r->reordered, 0));
	result_free(r);
}

Test(sim, same_seed_same_result)
{
	struct sim_scenario c = eight_cores(0.8);
	struct sim_result *a = run(&c, SIM_SLUICE), *b = run(&c, SIM_SLUICE), *other;

	cr_expect(memcmp(&a->latency, &b->latency, sizeof(a->latency)) == 0);
	c.seed++;
	other = run(&c, SIM_SLUICE);
	cr_expect(memcmp(&a->latency, &other->latency, sizeof(a->latency)) != 0);
	result_free(a);
	result_free(b);
	result_free(other);
}

/* A burst of flows of 100 packets each, half of the time off: the offered work is what was asked.
 */
Test(sim, kinds_of_traffic_offer_the_load_asked_for)
{
	static const struct sim_size sizes[] = {{1, 90}, {100, 9}, {1000, 1}};
	struct sim_record record[1000];
	struct sim_scenario c = eight_cores(0.5), kind[6];
	struct sim_result *r;

	for (unsigned i = 0; i < 1000; i++)
		record[i] = (struct sim_record){i * i, i % 37};
	for (unsigned i = 0; i < 6; i++)
		kind[i] = c;
	kind[1].traffic.on_ns = 10 * MS;
	kind[1].traffic.off_ns = 30 * MS;
	kind[2].traffic.burst = 16;
	kind[2].traffic.even = true;
	kind[3].service.heavy_share = 0.1;
	kind[3].service.heavy_factor = 20;
	kind[4].traffic.record = record;
	kind[4].traffic.records = 1000;
	kind[5].traffic.size = sizes;
	kind[5].traffic.sizes = 3;
	kind[5].traffic.flow_rate = 1e6;
	for (unsigned i = 0; i < 6; i++) {
		double work = 0;

		r = run(&kind[i], SIM_SPRAYER);
		for (unsigned k = 0; k < r->windows; k++)
			work += r->window[k].offered / r->windows;
		cr_expect_float_eq(work, 4, i == 1 ? 0.4 : 0.1, "kind %u: %.3f cores", i, work);
		result_free(r);
	}
}

Test(sim, heap_sorts)
{
	struct sim_heap h;
	uint64_t last = 0, x = 88172645463325252ULL;

	cr_assert(sim_heap_init(&h, 2) == 0);
	for (unsigned i = 0; i < 10000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sim_heap_push(&h, x % 1000, i);
		if (i % 3 == 2)
			sim_heap_replace(&h, h.event[0].at_ns + x % 50, i);
	}
	for (uint32_t order = 0; h.n; sim_heap_pop(&h)) {
		cr_assert(h.event[0].at_ns >= last);
		if (h.event[0].at_ns == last)
			cr_assert(h.event[0].order > order, "the same instant: in turn");
		last = h.event[0].at_ns;
		order = h.event[0].order;
	}
	sim_heap_free(&h);
}

Test(sim, alias_draws_by_weight)
{
	double weight[64], sum = 0;
	unsigned drawn[64] = {0};
	struct sim_random r;
	struct sim_alias *a;

	for (unsigned i = 0; i < 64; i++)
		sum += weight[i] = i % 5 ? 1.0 / (1 + (i * 7) % 64) : 0;
	a = sim_alias_new(weight, 64);
	sim_random_init(&r, 1, 1);
	for (unsigned i = 0; i < 1000000; i++)
		drawn[sim_alias_draw(a, 64, &r)]++;
	for (unsigned i = 0; i < 64; i++) {
		double want = weight[i] / sum * 1e6;

		cr_expect_float_eq(drawn[i], want, 5 * sqrt(want + 1), "%u", i);
	}
	free(a);
}

static double highest(const struct rsspp_bucket *b, uint32_t n)
{
	double load[8] = {0}, most = 0;

	for (uint32_t i = 0; i < n; i++)
		load[b[i].to == RSSPP_STAYS ? b[i].core : b[i].to] += b[i].load;
	for (unsigned i = 0; i < 8; i++)
		most = fmax(most, load[i]);
	return most;
}

/* The research page's case: 128 buckets of 10,000 Zipf flows on 8 cores, about 1.4 to 0.85. */
Test(sim, rsspp_levels)
{
	struct rsspp_bucket bucket[128] = {0};
	struct rsspp_core core[8] = {0};
	double before, sum = 0;

	for (unsigned f = 0; f < 10000; f++) {
		bucket[sim_hash(3, f) % 128].load += 1.0 / (f + 1);
		sum += 1.0 / (f + 1);
	}
	for (unsigned b = 0; b < 128; b++) {
		bucket[b].load *= 6.4 / sum;
		bucket[b].core = b % 8;
		bucket[b].to = RSSPP_STAYS;
		core[b % 8].load += bucket[b].load;
		core[b % 8].active = true;
	}
	before = highest(bucket, 128);
	cr_assert(rsspp_level(core, 8, bucket, 128) == 0);
	cr_expect(before > 1.1 && highest(bucket, 128) < 0.88, "%.3f to %.3f", before,
		  highest(bucket, 128));
}

Test(sim, rsspp_empties_a_core_onto_the_least_loaded)
{
	struct rsspp_bucket bucket[4] = {{0.1, 0, RSSPP_STAYS},
					 {0.4, 0, RSSPP_STAYS},
					 {0.1, 0, RSSPP_STAYS},
					 {0.1, 0, RSSPP_STAYS}};
	struct rsspp_core core[3] = {{.load = 0.7}, {.active = true}, {.active = true}};

	rsspp_empty(core, 3, bucket, 4, 0);
	cr_expect_float_eq(core[1].load, 0.4, 1e-9, "the biggest alone");
	cr_expect_float_eq(core[2].load, 0.3, 1e-9);
}
