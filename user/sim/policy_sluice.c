// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sluice: counters are shown to user/control as the daemon shows them, and what it decides becomes
 * rows as the daemon stores them. A cycle is a nanosecond.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/engine.h"

/* The estimate takes 0 for "no sample yet". */
#define CLOCK_STARTS_NS 1000000000ULL

struct sluice {
	struct sl_tick *tick;
	struct sl_sample_worker *worker;
	struct sl_sample_bucket *bucket;
};

static void fini(struct sim *s)
{
	struct sluice *p = s->policy_state;

	if (!p)
		return;
	sl_tick_free(p->tick);
	free(p->worker);
	free(p->bucket);
	free(p);
	s->policy_state = NULL;
}

static int init(struct sim *s)
{
	const struct sim_scenario *c = s->scenario;
	struct sl_tick_opts opts = c->balance;
	struct sluice *p = s->policy_state = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	opts.elastic = (struct sl_elastic_opts){.enabled = c->scale.enabled,
						.target = c->scale.target,
						.min_workers = 1,
						.ahead_ns = c->scale.ahead_ns,
						.hold_ns = c->scale.hold_ns};
	p->tick = sl_tick_new(c->cores, c->buckets, &opts);
	p->worker = calloc(c->cores, sizeof(*p->worker));
	p->bucket = calloc(c->buckets, sizeof(*p->bucket));
	return p->tick && p->worker && p->bucket ? 0 : -ENOMEM;
}

static void sample_cores(struct sim *s, struct sluice *p, uint64_t now_ns)
{
	for (uint32_t i = 0; i < s->scenario->cores; i++) {
		const struct core *c = &s->core[i];

		p->worker[i] = (struct sl_sample_worker){
			.busy_cycles = (uint64_t)((double)c->busy_ns / s->stretch),
			.other_cycles = (uint64_t)(s->scenario->other * (double)s->now_ns),
			.packets = c->done,
			.ring_full = c->ring_full,
			.heartbeat_ns = now_ns,
			.ring_fill = c->tail - c->head,
			.state = SL_WORKER_RUNNING,
		};
	}
}

static void sample_buckets(struct sim *s, struct sluice *p)
{
	for (uint32_t i = 0; i < s->scenario->buckets; i++) {
		const struct bucket *b = &s->bucket[i];
		const struct cost *cost = &s->cost[b->owner * s->scenario->buckets + i];

		p->bucket[i] = (struct sl_sample_bucket){
			.packets = b->arrived,
			.cost_cycles = cost->ns,
			.cost_samples = cost->samples,
			.flows = b->flows,
			.owner = (uint16_t)b->owner,
			.target = (uint16_t)b->row,
			.moving = b->owner != b->row,
		};
	}
}

/* Cores asleep use nothing once they are emptied. */
static void sleep_and_wake(struct sim *s, const struct sl_elastic *e)
{
	for (uint32_t i = 0; i < s->scenario->cores; i++)
		core_set_usable(s, i, !e->begun || e->awake[i]);
}

static uint64_t tick(struct sim *s)
{
	struct sluice *p = s->policy_state;
	uint64_t now_ns = s->now_ns + CLOCK_STARTS_NS;
	struct sl_tick_result r;
	struct sl_sample sample = {.now_ns = now_ns,
				   .cycles_per_ns = 1,
				   .workers_n = s->scenario->cores,
				   .buckets_n = s->scenario->buckets,
				   .workers = p->worker,
				   .buckets = p->bucket};
	unsigned stored = 0;

	sample_cores(s, p, now_ns);
	sample_buckets(s, p);
	sl_tick_run(p->tick, &sample, &r);
	if (s->scenario->scale.enabled)
		sleep_and_wake(s, sl_tick_elastic(p->tick));
	for (unsigned i = 0; i < r.moves_n; i++)
		if (s->bucket[r.moves[i].bucket].row == r.moves[i].from)
			stored += bucket_move(s, r.moves[i].bucket, r.moves[i].to);
	if (stored)
		sl_tick_applied(p->tick, now_ns);
	return r.next_ns;
}

const struct policy policy_sluice = {"sluice", .init = init, .tick = tick, .fini = fini};
