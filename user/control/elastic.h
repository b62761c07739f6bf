/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elastic.h - which workers are awake: as few as hold the target utilisation. Pure. scale.h says
 * how many; this says which, and what the planner's answer makes of it: buckets come in lumps, so
 * the sum may fit where the buckets do not. A worker is put to sleep by leaving it out of the plan,
 * which empties it; it sleeps once its last shard is handed over.
 */
#ifndef SL_CONTROL_ELASTIC_H
#define SL_CONTROL_ELASTIC_H

#include "control/load.h"
#include "control/plan.h"
#include "control/scale.h"

struct sl_elastic_opts {
	bool enabled;
	double target; /* utilisation of a worker that is awake, 0..1 */
	unsigned min_workers, max_workers; /* awake; max 0: all that run */
	uint64_t ahead_ns, hold_ns; /* of struct sl_scale_opts */
};

/* A worker as a round found it. */
struct sl_elastic_worker {
	bool runs; /* may be given buckets */
	bool pinned; /* a bucket of it must not move */
	bool holds; /* a shard is its, or a row names it */
	double softirq, other; /* what its CPU does besides, cores: `other` is all of it */
	double cost; /* of emptying it: the planner's weights */
};

struct sl_elastic_view {
	unsigned workers_n;
	double load; /* of all buckets, cores; of one no more than a worker can take */
	double lump; /* what no worker more helps: the heaviest bucket, the heaviest pinned ones */
	struct sl_elastic_worker worker[SL_MAX_WORKERS];
};

/* All zero but `opts` is a new one; so is one whose `begun` is cleared. */
struct sl_elastic {
	struct sl_elastic_opts opts;
	struct sl_scale scale;
	bool begun;
	bool fill; /* the set changed: plan at once, whatever the thresholds say */
	unsigned awake_n;
	bool awake[SL_MAX_WORKERS]; /* may hold buckets */
	bool asleep[SL_MAX_WORKERS]; /* runs, and its last shard is handed over */
	unsigned asleep_n;
	double load; /* of the latest round, cores */
};

/* Fill the view from what a round knows. `workers` are usable as if all were awake. */
void sl_elastic_look(struct sl_elastic_view *v, const struct sl_elastic *e, const struct sl_load *l,
		     const struct sl_sample *s, const struct sl_plan_bucket *buckets,
		     const struct sl_plan_worker *workers);

/*
 * Decide who is awake. The first call takes over what it finds: who holds no bucket sleeps. Workers
 * are added as needed, and removed one in a round: the one whose buckets are the cheapest to move.
 */
void sl_elastic_run(struct sl_elastic *e, const struct sl_elastic_view *v, uint64_t now_ns);

/* Workers asleep, or about to be, are not usable. */
void sl_elastic_restrict(const struct sl_elastic *e, struct sl_plan_worker *workers, unsigned n);

/*
 * What the planner makes of it. True: the buckets do not fit the workers that are awake, one more
 * is from now on, plan again.
 */
bool sl_elastic_review(struct sl_elastic *e, const struct sl_elastic_view *v,
		       const struct sl_plan_result *plan);

#endif /* SL_CONTROL_ELASTIC_H */
