/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_rig.h - random loads for tests of the planner, and a run of it. */
#ifndef TESTS_PLAN_RIG_H
#define TESTS_PLAN_RIG_H

#include <math.h>
#include <stdlib.h>

#include <sluice/maps.h>

#include "control/plan.h"

#define BUCKETS 1024
#define WORKERS 16

static struct sl_plan_bucket bucket[BUCKETS];
static struct sl_plan_worker worker[WORKERS];
static struct sl_plan_move out[BUCKETS];
static uint64_t rng;

static inline double uniform(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (double)(rng >> 11) / 9007199254740992.0;
}

static inline void zipf(unsigned buckets, unsigned workers, double skew, double total)
{
	double sum = 0;

	for (unsigned b = 0; b < buckets; b++) {
		bucket[b] = (struct sl_plan_bucket){.load = 1 / pow(b + 1, skew),
						    .weight = uniform() * 3,
						    .worker = (uint16_t)(uniform() * workers)};
		sum += bucket[b].load;
	}
	for (unsigned b = 0; b < buckets; b++)
		bucket[b].load *= total / sum;
	for (unsigned w = 0; w < workers; w++)
		worker[w] = (struct sl_plan_worker){.usable = true};
}

static inline struct sl_plan_result run(unsigned buckets, unsigned workers,
					struct sl_plan_opts opts)
{
	struct sl_plan_result r;
	void *scratch = malloc(sl_plan_scratch_size(buckets, workers));

	sl_plan(bucket, buckets, worker, workers, &opts, scratch, out, &r);
	free(scratch);
	return r;
}

/* Highest load of usable workers, counted independently of the planner. */
static inline double highest(unsigned buckets, unsigned workers)
{
	double load[WORKERS] = {0}, high = 0;

	for (unsigned b = 0; b < buckets; b++)
		load[bucket[b].worker] += bucket[b].load;
	for (unsigned w = 0; w < workers; w++)
		if (worker[w].usable)
			high = fmax(high, load[w] + worker[w].other);
	return high;
}

#endif /* TESTS_PLAN_RIG_H */
