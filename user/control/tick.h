/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tick.h - one round of the control loop: a sample in, moves and the time of the next round out.
 * Pure: no clock but a lent one, no system call, no allocation after sl_tick_new(). The daemon and
 *a simulator drive it alike:
 *
 *	sl_tick_run(t, &sample, &result);
 *	... store result.moves as rows, sleep result.next_ns ...
 *
 * Hysteresis: nothing moves below the threshold, for less than the minimum gain, sooner than the
 * minimum interval, or on the word of a single interval unless the gain is large. A bucket whose
 * move is under way is not touched.
 */
#ifndef SL_CONTROL_TICK_H
#define SL_CONTROL_TICK_H

#include "control/elastic.h"
#include "control/load.h"
#include "control/plan.h"

struct sl_tick_opts {
	uint64_t tick_min_ns, tick_max_ns;
	double threshold, min_gain;
	uint64_t min_interval_ns;
	unsigned max_moves;
	uint64_t plan_ns; /* a plan's deadline, by `clock` */
	uint64_t (*clock)(void); /* NULL: a fixed amount of work instead, the same on any machine */
	bool any_node; /* NUMA nodes are all the same */
	uint64_t smoothing_ns;
	uint64_t stuck_ns;
	struct sl_elastic_opts elastic;
};

/* Why the round ended as it did. */
enum sl_tick_verdict {
	SL_TICK_LEARNING, /* no full interval yet */
	SL_TICK_NO_WORKERS, /* nobody runs */
	SL_TICK_CALM, /* the highest load is below the threshold */
	SL_TICK_EVEN, /* no plan gains enough */
	SL_TICK_WAITING, /* a gain must last one more interval, or the minimum interval is not over
			  */
	SL_TICK_MOVED,
	SL_TICK_VERDICTS
};
const char *sl_tick_verdict_name(enum sl_tick_verdict v);

struct sl_tick_result {
	enum sl_tick_verdict verdict;
	const struct sl_plan_move *moves; /* valid until the next call */
	unsigned moves_n;
	uint64_t next_ns; /* until the next round */
	struct sl_plan_result plan;
	unsigned stuck_n; /* workers with load and no heartbeat: their buckets stay put */
	uint16_t stuck[SL_MAX_WORKERS];
};

struct sl_tick;

/* NULL on no memory. The options are copied. */
struct sl_tick *sl_tick_new(unsigned workers_n, unsigned buckets_n,
			    const struct sl_tick_opts *opts);
void sl_tick_free(struct sl_tick *t);
/* New options; what was learnt stays. */
void sl_tick_configure(struct sl_tick *t, const struct sl_tick_opts *opts);
/* Pinned buckets never move. */
void sl_tick_pin(struct sl_tick *t, uint32_t bucket, bool pinned);
bool sl_tick_pinned(const struct sl_tick *t, uint32_t bucket);
/* The NUMA node of a worker's CPU; 0 at first. */
void sl_tick_numa(struct sl_tick *t, unsigned worker, uint16_t node);

/* Take a sample and decide. */
void sl_tick_run(struct sl_tick *t, const struct sl_sample *s, struct sl_tick_result *r);
/*
 * Decide on `s` now, by the loads learnt so far and without hysteresis (any gain counts). Changes
 * nothing that a later round looks at, so it serves a dry run as well as "balance now".
 */
void sl_tick_plan_now(struct sl_tick *t, const struct sl_sample *s, struct sl_tick_result *r);
/* The moves of the latest call were stored at now_ns: the minimum interval starts. */
void sl_tick_applied(struct sl_tick *t, uint64_t now_ns);

/* The dataplane is another one: who is awake is found out anew. What was learnt of loads stays. */
void sl_tick_restart(struct sl_tick *t);

/* Who is awake, for showing. */
const struct sl_elastic *sl_tick_elastic(const struct sl_tick *t);
/* The loads, for showing. */
const struct sl_load *sl_tick_load(const struct sl_tick *t);

#endif /* SL_CONTROL_TICK_H */
