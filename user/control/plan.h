/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - which buckets should move. Pure: loads in, moves out; no clock, no allocation, no system
 * call.
 */
#ifndef SL_CONTROL_PLAN_H
#define SL_CONTROL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_plan_opts {
	double min_gain; /* least relative fall of the highest load that is worth moving, 0..1 */
	unsigned max_moves; /* in one plan; 0: no limit */
	uint64_t deadline; /* work units (bucket visits), not time: the planner knows no clock; 0:
			      none */
};

/* A bucket as the planner sees it. */
struct sl_plan_bucket {
	double load; /* cores: 1.0 keeps one core busy */
	double weight; /* cost of moving it: state and parked traffic, >= 0 */
	uint16_t worker; /* where it is */
	bool pinned; /* must not move */
};

struct sl_plan_worker {
	double other; /* load that does not come from buckets: softirq and other work of that CPU */
	bool usable; /* may be given buckets; an unusable one is emptied */
};

struct sl_plan_move {
	uint32_t bucket;
	uint16_t from, to;
};

struct sl_plan_result {
	unsigned moves;
	double before, after; /* highest load */
	double bound; /* no assignment can be better: max(mean, heaviest bucket, heaviest pinned
			 sum) */
	int elephant; /* a bucket whose load alone exceeds a core, or -1 */
};

/*
 * Plan. `scratch` is sl_plan_scratch_size() bytes, 8-aligned, the caller's; `out` has room for
 * `buckets_n` moves. Every bucket's worker is < workers_n <= SL_MAX_WORKERS. Never worse than doing
 * nothing for the usable workers, save that unusable ones are emptied whatever it costs.
 * Deterministic. before and after are of usable workers.
 */
size_t sl_plan_scratch_size(unsigned buckets_n, unsigned workers_n);
void sl_plan(const struct sl_plan_bucket *buckets, unsigned buckets_n,
	     const struct sl_plan_worker *workers, unsigned workers_n,
	     const struct sl_plan_opts *opts, void *scratch, struct sl_plan_move *out,
	     struct sl_plan_result *result);

#endif /* SL_CONTROL_PLAN_H */
