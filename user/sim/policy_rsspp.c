// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RSS++ as a policy: a core's load is its share of useful cycles, smoothed, a bucket's is the
 * core's by packets. Cores saturated together are ranked by their rings ("cyclesqueue").
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/engine.h"
#include "sim/rsspp.h"

/* As released. */
#define EWMA 0.5
#define SATURATED 0.98
#define QUEUE_SHARE 0.10
#define ADD_ABOVE 0.1 /* cores of work too much */
#define PROTECT 0.05

struct rsspp {
	double *load; /* [core]: smoothed */
	uint64_t *busy; /* [core]: at the last tick */
	uint64_t *done; /* [bucket] */
	struct rsspp_core *core;
	struct rsspp_bucket *bucket;
	bool *given; /* [core]: got buckets at the last tick */
	double *packets; /* [core] */
	uint32_t active; /* cores 0 .. active - 1 are in use, when cores scale */
	uint64_t last_ns;
};

static void fini(struct sim *s)
{
	struct rsspp *r = s->policy_state;

	if (!r)
		return;
	free(r->load);
	free(r->busy);
	free(r->done);
	free(r->core);
	free(r->bucket);
	free(r->given);
	free(r->packets);
	free(r);
	s->policy_state = NULL;
}

static int init(struct sim *s)
{
	uint32_t cores = s->scenario->cores, buckets = s->scenario->buckets;
	struct rsspp *r = s->policy_state = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->load = calloc(cores, sizeof(*r->load));
	r->busy = calloc(cores, sizeof(*r->busy));
	r->done = calloc(buckets, sizeof(*r->done));
	r->core = calloc(cores, sizeof(*r->core));
	r->bucket = calloc(buckets, sizeof(*r->bucket));
	r->given = calloc(cores, sizeof(*r->given));
	r->packets = calloc(cores, sizeof(*r->packets));
	return r->load && r->busy && r->done && r->core && r->bucket && r->given && r->packets
		       ? 0
		       : -ENOMEM;
}

/* Shares of the cycles of the last tick, of the smoothed sum; no core above 1. */
static void core_loads(struct sim *s, struct rsspp *r, double ns)
{
	uint32_t cores = s->scenario->cores, saturated = 0;
	double busy = 0, sum = 0, most = 1;

	for (uint32_t i = 0; i < cores; i++) {
		double share = fmin((double)(s->core[i].busy_ns - r->busy[i]) / ns, 1);

		r->core[i].load = share;
		r->busy[i] = s->core[i].busy_ns;
		r->load[i] = r->last_ns ? r->load[i] + (share - r->load[i]) * EWMA : share;
		busy += share;
		sum += r->load[i];
		saturated += r->load[i] > SATURATED;
	}
	for (uint32_t i = 0; i < cores; i++) {
		r->core[i].load *= busy > 0 ? sum / busy : 0;
		most = fmax(most, r->core[i].load);
	}
	for (uint32_t i = 0; i < cores; i++) {
		double fill = (double)(s->core[i].tail - s->core[i].head) / s->scenario->ring;

		r->core[i].load /= most;
		if (saturated > 1)
			r->core[i].load += (fill - r->core[i].load) * QUEUE_SHARE;
		r->core[i].active = s->core[i].usable;
		r->core[i].rests = r->given[i];
		r->given[i] = false;
	}
}

/* By packets that its core has done. A bucket that moves is left alone. */
static void bucket_loads(struct sim *s, struct rsspp *r)
{
	for (uint32_t i = 0; i < s->scenario->cores; i++)
		r->packets[i] = 0;
	for (uint32_t i = 0; i < s->scenario->buckets; i++) {
		const struct bucket *b = &s->bucket[i];

		r->bucket[i] = (struct rsspp_bucket){
			.load = (double)(b->done - r->done[i]), .core = b->row, .to = RSSPP_STAYS};
		r->done[i] = b->done;
		r->packets[b->row] += r->bucket[i].load;
	}
	for (uint32_t i = 0; i < s->scenario->buckets; i++) {
		struct rsspp_bucket *k = &r->bucket[i];

		if (k->load > 0)
			k->load *= r->core[k->core].load / r->packets[k->core];
		if (s->bucket[i].row != s->bucket[i].owner)
			k->load = 0;
	}
}

static void apply(struct sim *s, struct rsspp *r)
{
	for (uint32_t i = 0; i < s->scenario->buckets; i++)
		if (r->bucket[i].to != RSSPP_STAYS && bucket_move(s, i, r->bucket[i].to))
			r->given[r->bucket[i].to] = true;
}

static void remove_least(struct sim *s, struct rsspp *r)
{
	uint32_t least = RSSPP_STAYS;

	for (uint32_t i = 0; i < s->scenario->cores; i++)
		if (r->core[i].active &&
		    (least == RSSPP_STAYS || r->core[i].load <= r->core[least].load))
			least = i;
	r->core[least].active = false;
	core_set_usable(s, least, false);
}

static void add_one(struct sim *s, struct rsspp *r)
{
	for (uint32_t i = 0; i < s->scenario->cores; i++) {
		if (s->core[i].usable)
			continue;
		core_set_usable(s, i, true);
		r->core[i].active = true;
		return;
	}
}

/* The published rule: a core at a time, in at once, out only with a margin. */
static void scale(struct sim *s, struct rsspp *r)
{
	double target = s->scenario->rsspp.target, spare = 0, most = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->scenario->cores; i++) {
		if (!r->core[i].active)
			continue;
		n++;
		spare += target - r->core[i].load;
		most = fmax(most, r->core[i].load);
	}
	if (spare < -ADD_ABOVE)
		add_one(s, r);
	else if (n > 1 && spare > 1 + (1 - target) + (n + 1) * fmax(PROTECT, most - target))
		remove_least(s, r);
}

/* A core that is not in use any more gives all it has; what moved late meets this again. */
static bool empty_unused(struct sim *s, struct rsspp *r)
{
	bool any = false;

	for (uint32_t i = 0; i < s->scenario->cores; i++)
		if (!s->core[i].usable && s->core[i].held) {
			rsspp_empty(r->core, s->scenario->cores, r->bucket, s->scenario->buckets,
				    i);
			any = true;
		}
	return any;
}

static uint64_t tick(struct sim *s)
{
	struct rsspp *r = s->policy_state;
	uint64_t wait = s->scenario->rsspp.tick_ns;

	if (!s->now_ns)
		return wait;
	core_loads(s, r, (double)(s->now_ns - r->last_ns));
	bucket_loads(s, r);
	if (s->scenario->scale.enabled)
		scale(s, r);
	if (!empty_unused(s, r) &&
	    rsspp_level(r->core, s->scenario->cores, r->bucket, s->scenario->buckets))
		s->error = -ENOMEM;
	apply(s, r);
	r->last_ns = s->now_ns;
	return wait;
}

const struct policy policy_rsspp = {"rsspp", .init = init, .tick = tick, .fini = fini};
