/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_impl.h - what the files of the planner share. plan.c says in which order they work.
 */
#ifndef SL_CONTROL_PLAN_IMPL_H
#define SL_CONTROL_PLAN_IMPL_H

#include <sluice/maps.h>

#include "control/plan.h"

#define PLAN_NONE UINT32_MAX
#define PLAN_GAPS 8 /* places a worker has for more buckets than it began with, in plan_swap() */
#define PLAN_EPS 1e-9

/* A bucket in an ordered list. */
struct plan_item {
	float key; /* what it is ordered by, highest first */
	uint32_t bucket; /* PLAN_NONE: a gap, with key 0 */
};

struct plan_node {
	double load; /* now: its buckets and `fixed` */
	double fixed; /* what cannot leave: other and pinned */
	double light; /* what plan_pack() leaves where it is */
	double limit; /* plan_shift() brings the load down to this, or not above it */
	uint32_t heaviest; /* of its movable buckets, as plan_approach() found them */
	uint32_t first, n; /* its part of plan.item */
	uint16_t numa;
	bool usable;
	bool source; /* plan_order() lists its buckets */
	bool aside; /* neither gives nor takes now */
};

struct plan {
	const struct sl_plan_bucket *bucket;
	const struct sl_plan_worker *worker;
	const struct sl_plan_opts *opts;
	unsigned buckets_n, workers_n, usable_n;
	struct plan_node *node;
	struct plan_item *item; /* the ordered lists, one behind the other */
	struct plan_item *spare; /* of the same size, for sorting */
	float *share; /* worker x worker, for plan_pack() */
	uint16_t *at; /* bucket -> where it is in the plan */
	uint16_t *kept; /* bucket -> where it is if nothing but unusable workers is changed */
	uint16_t *best; /* bucket -> where it is in the best plan so far */
	unsigned changed; /* buckets with at != bucket.worker */
	double bound;
	double least; /* load of a bucket that plan_pack() assigns afresh */
	uint64_t start, work, look; /* the deadline's */
	bool late;
};

static inline double plan_cost(const struct plan *p, uint32_t b)
{
	return 1 + p->bucket[b].weight;
}

/* Count work; true once the deadline is over. */
static inline bool plan_late(struct plan *p, uint64_t visits)
{
	p->work += visits;
	if (!p->opts->deadline || p->late)
		return p->late;
	if (!p->opts->clock)
		return p->late = p->work >= p->opts->deadline;
	if (p->work < p->look)
		return false;
	p->look = p->work + 4096;
	return p->late = p->opts->clock() - p->start >= p->opts->deadline;
}

static inline bool plan_may_move(struct plan *p, unsigned moves)
{
	return !p->opts->max_moves || p->changed + moves <= p->opts->max_moves;
}

/* Put a bucket elsewhere. Lists are the caller's. */
static inline void plan_put(struct plan *p, uint32_t b, unsigned to)
{
	unsigned from = p->at[b], home = p->bucket[b].worker;

	p->node[from].load -= p->bucket[b].load;
	p->node[to].load += p->bucket[b].load;
	p->changed += (to != home);
	p->changed -= (from != home);
	p->at[b] = (uint16_t)to;
}

/* plan.c: highest load of usable workers; loads and `changed` afresh from `at`. */
double plan_highest(const struct plan *p);
void plan_reload(struct plan *p);
/* Bring the highest load down to the target, or near. Returns it. */
double plan_approach(struct plan *p, double target);

/* plan_order.c: list the movable buckets of every source in its part of plan.item. */
enum plan_order {
	PLAN_BY_VALUE, /* load for the cost of moving it; those without load too where it is
			  unusable */
	PLAN_BY_LOAD, /* load; PLAN_GAPS gaps behind them */
};
void plan_order(struct plan *p, enum plan_order by);
/* Sort the first n of plan.item, highest key first; plan.item is the result, plan.spare is free. */
struct plan_item *plan_sort(struct plan *p, unsigned n);

/*
 * plan_shift.c: from each source, hottest first, what brings it down to its limit at least cost, to
 * the coldest worker that is not above its own.
 */
void plan_shift(struct plan *p);

/* plan_swap.c: exchange buckets of the hottest worker until it is at or below the target. */
void plan_swap(struct plan *p, double target);

/* plan_bound.c */
double plan_bound(const struct plan *p);
/* A higher bound, at most `high`, where there are few buckets for each worker. */
double plan_bound_few(struct plan *p, double high);

/* plan_pack.c: assign everything afresh, and keep that if it is better. */
void plan_pack(struct plan *p, double target);

/* plan_rest.c: even out the workers that the heaviest buckets leave. */
void plan_rest(struct plan *p);

#endif /* SL_CONTROL_PLAN_IMPL_H */
