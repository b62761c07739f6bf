/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_instances.h - seeded planning problems, for bench_plan and the tests of the planner. All
 * have a mean load of 0.8 cores a worker; weights are flows / mean, as control/tick.c has them.
 */
#ifndef TESTS_PLAN_INSTANCES_H
#define TESTS_PLAN_INSTANCES_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/maps.h>

#include "control/plan.h"

#define INSTANCE_LOAD 0.8
#define INSTANCE_FLOWS 10000 /* as rsspp.md's measurement had; more for many buckets */

enum instance_kind {
	KIND_UNIFORM, /* flows of 0.5 to 1.5 times their mean, hashed to buckets */
	KIND_ZIPF_08, /* the same with means of Zipf's law */
	KIND_ZIPF_10,
	KIND_ZIPF_12,
	KIND_ZIPF_14,
	KIND_BIMODAL, /* a tenth of the buckets has ten times the load of the others */
	KIND_DRIFTING, /* was even a moment ago; then each rate changed, and some much */
	KIND_ADVERSARIAL, /* five shapes that mislead one method or another */
	KINDS
};

static const char *const instance_names[KINDS] = {
	"uniform",  "zipf 0.8", "zipf 1.0", "zipf 1.2",
	"zipf 1.4", "bimodal",	"drifting", "adversarial",
};

struct instance {
	unsigned buckets, workers;
	uint64_t rng;
	struct sl_plan_bucket *bucket;
	struct sl_plan_worker worker[SL_MAX_WORKERS];
	double *flow; /* a Zipf series that is used again */
	unsigned flows_n;
	double flow_skew;
};

static inline double instance_uniform(struct instance *in)
{
	in->rng ^= in->rng << 13;
	in->rng ^= in->rng >> 7;
	in->rng ^= in->rng << 17;
	return (double)(in->rng >> 11) / 9007199254740992.0;
}

static inline double instance_normal(struct instance *in)
{
	double u = instance_uniform(in) + 1e-12;

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * instance_uniform(in));
}

static inline unsigned instance_below(struct instance *in, unsigned n)
{
	return (unsigned)(instance_uniform(in) * n);
}

/* Equally many buckets for each worker, in a random order. */
static inline void instance_deal(struct instance *in)
{
	for (unsigned b = 0; b < in->buckets; b++)
		in->bucket[b].worker = (uint16_t)(b % in->workers);
	for (unsigned b = in->buckets - 1; b > 0; b--) {
		unsigned o = instance_below(in, b + 1);
		uint16_t t = in->bucket[b].worker;

		in->bucket[b].worker = in->bucket[o].worker;
		in->bucket[o].worker = t;
	}
}

static inline void instance_scale(struct instance *in)
{
	double sum = 0;

	for (unsigned b = 0; b < in->buckets; b++)
		sum += in->bucket[b].load;
	for (unsigned b = 0; b < in->buckets; b++)
		in->bucket[b].load *= INSTANCE_LOAD * in->workers / sum;
}

static inline void instance_flows(struct instance *in, double skew)
{
	unsigned n = in->buckets > 1024 ? 8 * in->buckets : INSTANCE_FLOWS;

	if (in->flows_n != n || in->flow_skew != skew) {
		in->flow = realloc(in->flow, n * sizeof(*in->flow));
		for (unsigned i = 0; i < n; i++)
			in->flow[i] = pow(i + 1, -skew);
		in->flows_n = n;
		in->flow_skew = skew;
	}
	for (unsigned i = 0; i < n; i++) {
		struct sl_plan_bucket *b = &in->bucket[instance_below(in, in->buckets)];

		b->load += in->flow[i] * (0.5 + instance_uniform(in));
		b->weight += (double)in->buckets / n;
	}
}

static inline void instance_bimodal(struct instance *in)
{
	for (unsigned b = 0; b < in->buckets; b++) {
		struct sl_plan_bucket *k = &in->bucket[b];

		k->load =
			(instance_uniform(in) < 0.1 ? 10 : 1) * (0.8 + 0.4 * instance_uniform(in));
		k->weight = 2 * instance_uniform(in);
	}
}

/* The coldest worker by the loads dealt so far. */
static inline unsigned instance_coldest(const struct instance *in, const double load[])
{
	unsigned best = 0;

	for (unsigned w = 1; w < in->workers; w++)
		if (load[w] < load[best])
			best = w;
	return best;
}

static inline void instance_drift(struct instance *in)
{
	double load[SL_MAX_WORKERS] = {0};

	instance_flows(in, 1.0);
	for (unsigned b = 0; b < in->buckets; b++) {
		unsigned w = instance_coldest(in, load);

		in->bucket[b].worker = (uint16_t)w;
		load[w] += in->bucket[b].load;
	}
	for (unsigned b = 0; b < in->buckets; b++) {
		in->bucket[b].load *= exp(0.3 * instance_normal(in));
		if (instance_uniform(in) < 0.02)
			in->bucket[b].load *= 8 * instance_uniform(in);
	}
}

/* 2m+1 jobs for which longest-first is 4/3 of the optimum (Graham 1969); the others are dust. */
static inline void shape_graham(struct instance *in)
{
	unsigned m = in->workers, n = 2 * m + 1 < in->buckets ? 2 * m + 1 : in->buckets;

	for (unsigned i = 0; i < n; i++)
		in->bucket[i].load = i < 2 * m ? 2 * m - 1 - i / 2 : m;
	for (unsigned b = n; b < in->buckets; b++)
		in->bucket[b].load = 1e-4;
}

/* Equal buckets that cannot be shared out equally. */
static inline void shape_remainder(struct instance *in)
{
	unsigned each = in->buckets / in->workers, n = each > 1 ? (each / 2) * in->workers + 1 : 1;

	for (unsigned b = 0; b < in->buckets; b++)
		in->bucket[b].load = b < n ? 1 : 0;
}

/* All on the first worker: the others have just come. */
static inline void shape_newcomers(struct instance *in)
{
	for (unsigned b = 0; b < in->buckets; b++) {
		in->bucket[b].load = 0.5 + instance_uniform(in);
		in->bucket[b].worker = 0;
	}
}

/* Cut from equal wholes: the optimum is the mean, and nothing says which belong together. */
static inline void shape_cuts(struct instance *in)
{
	unsigned each = in->buckets / in->workers;

	for (unsigned b = 0; b < in->buckets; b++)
		in->bucket[b].load = 0;
	for (unsigned w = 0; w < in->workers; w++) {
		double left = 1;

		for (unsigned i = 0; i < each; i++) {
			double part = i + 1 == each
					      ? left
					      : left / (each - i) * (0.5 + instance_uniform(in));

			in->bucket[i * in->workers + w].load = part;
			left -= part;
		}
	}
}

/* Elephants above the mean, some of them together, among dust. */
static inline void shape_elephants(struct instance *in)
{
	unsigned n = 1 + in->workers / 4;

	for (unsigned b = 0; b < in->buckets; b++)
		in->bucket[b].load =
			(b < n ? 1.2 : 0) + 0.5 * in->workers / in->buckets * instance_uniform(in);
	for (unsigned b = 0; b < n; b++)
		in->bucket[b].worker = (uint16_t)(b / 2);
}

static inline void instance_adversarial(struct instance *in, unsigned seed)
{
	static void (*const shape[])(struct instance *) = {
		shape_graham, shape_remainder, shape_newcomers, shape_cuts, shape_elephants};

	shape[seed % 5](in);
}

static inline void instance_make(struct instance *in, unsigned buckets, unsigned workers,
				 enum instance_kind kind, unsigned seed)
{
	static const double skew[KINDS] = {[KIND_ZIPF_08] = 0.8,
					   [KIND_ZIPF_10] = 1.0,
					   [KIND_ZIPF_12] = 1.2,
					   [KIND_ZIPF_14] = 1.4};

	in->buckets = buckets;
	in->workers = workers;
	in->rng = (seed + 1) * 0x9e3779b97f4a7c15ULL ^ (uint64_t)kind << 40 ^
		  (uint64_t)buckets << 20 ^ workers;
	memset(in->bucket, 0, buckets * sizeof(*in->bucket));
	for (unsigned w = 0; w < workers; w++)
		in->worker[w] = (struct sl_plan_worker){.usable = true};
	instance_deal(in);
	if (kind == KIND_BIMODAL)
		instance_bimodal(in);
	else if (kind == KIND_DRIFTING)
		instance_drift(in);
	else if (kind == KIND_ADVERSARIAL)
		instance_adversarial(in, seed);
	else
		instance_flows(in, skew[kind]);
	instance_scale(in);
}

/* max(mean, heaviest bucket). */
static inline double instance_bound(const struct instance *in)
{
	double heaviest = 0;

	for (unsigned b = 0; b < in->buckets; b++)
		heaviest = fmax(heaviest, in->bucket[b].load);
	return fmax(INSTANCE_LOAD, heaviest);
}

static inline double instance_highest(const struct instance *in, const uint16_t *at)
{
	double load[SL_MAX_WORKERS] = {0}, high = 0;

	for (unsigned b = 0; b < in->buckets; b++)
		load[at[b]] += in->bucket[b].load;
	for (unsigned w = 0; w < in->workers; w++)
		high = fmax(high, load[w]);
	return high;
}

#endif /* TESTS_PLAN_INSTANCES_H */
