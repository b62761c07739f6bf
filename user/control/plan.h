/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - which buckets should move. Pure: loads in, moves out; no allocation, no system call, and
 * no clock but one that the caller lends.
 *
 * Objective, in this order: the highest load of a worker, where what is within SL_PLAN_GOOD of the
 * bound counts as equal; then the cost of the moves. Among others Graham 1969 (longest first),
 * Coffman, Garey and Johnson 1978 (MULTIFIT), Martello and Toth 1990 (the bound L2).
 */
#ifndef SL_CONTROL_PLAN_H
#define SL_CONTROL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_PLAN_GOOD 1.01 /* a highest load within 1 % of the bound is not worth another move */

struct sl_plan_opts {
	double min_gain; /* least relative fall of the highest load that is worth moving, 0..1 */
	unsigned max_moves; /* in one plan; 0: no limit */
	/*
	 * When to end with the best plan so far, counted from the call; 0: when nothing more is
	 * found. In nanoseconds of `clock`, or, without one, in buckets looked at: the same input
	 * then gives the same plan on any machine. It is looked at every few thousand buckets, some
	 * ten microseconds; reading the buckets once is always done.
	 */
	uint64_t deadline;
	uint64_t (*clock)(void); /* nanoseconds, monotonic */
	double calm; /* where an elephant sets the highest load, workers below this, in cores, are
			left as uneven as they are */
	bool highest_only; /* nothing but the highest load counts: an elephant's worker may keep
			      other buckets, and workers below an elephant are left uneven */
	bool any_node; /* NUMA nodes are all the same; else a bucket leaves its node only if no
			  worker there has room */
};

/* A bucket as the planner sees it. */
struct sl_plan_bucket {
	double load; /* cores: 1.0 keeps one core busy */
	double weight; /* cost of moving it, beside 1 for the move itself: state and parked
			  traffic, >= 0 */
	uint16_t worker; /* where it is */
	bool pinned; /* must not move */
};

struct sl_plan_worker {
	double other; /* load that does not come from buckets: softirq and other work of that CPU */
	uint16_t numa; /* node of its CPU */
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
			 sum), and more where few buckets make that too low to reach */
	double cost; /* of the moves: 1 + weight each */
	int elephant; /* a bucket whose load alone exceeds a core, or -1 */
	bool late; /* the deadline ended it */
};

/*
 * Plan. `scratch` is sl_plan_scratch_size() bytes, 8-aligned, the caller's; `out` has room for
 * `buckets_n` moves. Every bucket's worker is < workers_n <= SL_MAX_WORKERS. Never worse than doing
 * nothing for the usable workers, save that unusable ones are emptied whatever it costs.
 * Deterministic without a clock. before and after are of usable workers. An elephant gets a worker
 * to itself and stays there.
 */
size_t sl_plan_scratch_size(unsigned buckets_n, unsigned workers_n);
void sl_plan(const struct sl_plan_bucket *buckets, unsigned buckets_n,
	     const struct sl_plan_worker *workers, unsigned workers_n,
	     const struct sl_plan_opts *opts, void *scratch, struct sl_plan_move *out,
	     struct sl_plan_result *result);

#endif /* SL_CONTROL_PLAN_H */
