// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop, arrivals and cores. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/engine.h"

#define SAMPLE_EVERY 16 /* batches, as workers do */
#define STREAM_ENGINE 7 /* of random numbers: not those of the traffic */

void engine_at(struct sim *s, uint64_t at_ns, uint32_t what)
{
	if (s->top_done) {
		sim_heap_replace(&s->events, at_ns, what);
		s->top_done = false;
	} else if (sim_heap_push(&s->events, at_ns, what)) {
		s->error = -ENOMEM;
	}
}

/* --- cores */

/* The table that all share: its lock, and lines that another core wrote last. */
static uint64_t shared_table(struct sim *s, uint64_t at_ns)
{
	const struct sim_table *t = &s->scenario->table;
	uint64_t from = at_ns > s->lock_free_ns ? at_ns : s->lock_free_ns;
	double others = (double)(s->scenario->cores - 1) / s->scenario->cores;

	s->lock_free_ns = from + (uint64_t)t->lock_ns;
	return s->lock_free_ns + (uint64_t)(t->miss_ns * others) - at_ns;
}

static uint64_t packet_time(struct sim *s, const struct sim_packet *p, uint64_t at_ns)
{
	double ns = p->cost_ns;

	if (s->scenario->table.shared)
		ns += (double)shared_table(s, at_ns);
	return (uint64_t)(ns * s->stretch);
}

static void sample_cost(struct sim *s, uint32_t core)
{
	struct core *c = &s->core[core];
	const struct sim_packet *p;
	double overhead = s->scenario->service.overhead_ns;
	struct cost *cost;

	if (--c->sample_in)
		return;
	c->sample_in = SAMPLE_EVERY;
	p = &c->batch[(sim_random_bits(&s->random) >> 32) * c->batch_n >> 32];
	cost = &s->cost[core * s->scenario->buckets + p->bucket];
	cost->ns += p->cost_ns > overhead ? (uint64_t)(p->cost_ns - overhead) : 1;
	cost->samples++;
}

/* Fill the batch from the parks that are ready, then from the ring. */
static void core_take(struct sim *s, uint32_t core)
{
	struct core *c = &s->core[core];
	const uint32_t most = s->scenario->batch;

	c->batch_n = 0;
	while (c->batch_n < most && bucket_unpark(s, core, &c->batch[c->batch_n]))
		c->batch_n++;
	while (c->batch_n < most && c->head != c->tail) {
		const struct sim_packet *p = &c->ring[c->head++ & s->ring_mask];

		if (s->policy->spray || s->bucket[p->bucket].owner == core)
			c->batch[c->batch_n++] = *p;
		else
			bucket_park(s, p);
	}
}

void core_start(struct sim *s, uint32_t core)
{
	struct core *c = &s->core[core];
	uint64_t end = s->now_ns;

	core_take(s, core);
	c->busy = c->batch_n > 0;
	if (!c->busy)
		return;
	for (uint32_t i = 0; i < c->batch_n; i++) {
		if (measured(s, &c->batch[i]))
			s->wait_sum += end - c->batch[i].at_ns;
		end += packet_time(s, &c->batch[i], end);
	}
	c->busy_ns += end - s->now_ns;
	sample_cost(s, core);
	engine_at(s, end, WHAT(CORE_DONE, core));
}

static void core_done(struct sim *s, uint32_t core)
{
	struct core *c = &s->core[core];

	for (uint32_t i = 0; i < c->batch_n; i++) {
		measure_done(s, &c->batch[i]);
		bucket_done(s, c->batch[i].bucket);
	}
	c->done += c->batch_n;
	s->waiting -= c->batch_n;
	core_start(s, core);
}

/* --- arrivals */

static void arrive(struct sim *s, const struct sim_packet *p)
{
	struct bucket *b = &s->bucket[p->bucket];
	uint32_t to = b->row;
	struct core *c;

	if (s->policy->spray) {
		to = s->spray_next;
		s->spray_next = to + 1 < s->scenario->cores ? to + 1 : 0;
	}
	c = &s->core[to];
	b->arrived++;
	s->window_work_ns += p->cost_ns;
	if (measured(s, p))
		s->result->offered++;
	s->result->packets++;
	if (c->tail - c->head == s->scenario->ring) {
		c->ring_full++;
		measure_lost(s, p, &s->result->lost_ring);
		return;
	}
	c->ring[c->tail++ & s->ring_mask] = *p;
	s->waiting++;
	if (to == b->owner)
		b->at_owner++;
	else
		b->at_next++;
	if (!c->busy)
		core_start(s, to);
}

/* --- the loop */

static void happen(struct sim *s, uint32_t what)
{
	uint32_t object = what & ((1U << WHAT_BITS) - 1);

	switch ((enum sim_happening)(what >> WHAT_BITS)) {
	case CORE_DONE:
		core_done(s, object);
		break;
	case MOVE_STARTS:
		move_starts(s, object);
		break;
	case MOVE_ENDS:
		move_ends(s, object);
		break;
	case CONTROL:
		engine_at(s, s->now_ns + s->policy->tick(s), what);
		break;
	case WINDOW:
		measure_window(s);
		engine_at(s, s->now_ns + s->scenario->window_ns, what);
		break;
	}
}

/* Packets arrive until the duration is over; then what waits is done. */
static void loop(struct sim *s)
{
	const uint64_t end = s->scenario->duration_ns;
	struct sim_packet next;
	bool over = false;

	sim_source_next(&s->source, &next);
	while (!s->error && (!over || s->waiting)) {
		if (!over && next.at_ns >= end) {
			over = true;
			s->now_ns = end;
			measure_end(s);
		} else if (!over && next.at_ns <= sim_heap_due(&s->events)) {
			s->now_ns = next.at_ns;
			arrive(s, &next);
			sim_source_next(&s->source, &next);
		} else {
			uint32_t what = s->events.event[0].what;

			s->now_ns = s->events.event[0].at_ns;
			s->top_done = true;
			happen(s, what);
			if (s->top_done)
				sim_heap_pop(&s->events);
			s->top_done = false;
		}
	}
}

static int cores_init(struct sim *s)
{
	const struct sim_scenario *c = s->scenario;
	uint32_t room = 1;

	while (room < c->ring)
		room *= 2;
	s->ring_mask = room - 1;
	s->stretch = 1 / (1 - c->other);
	s->core = calloc(c->cores, sizeof(*s->core));
	s->cost = calloc((size_t)c->cores * c->buckets, sizeof(*s->cost));
	if (!s->core || !s->cost)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->cores; i++) {
		struct core *k = &s->core[i];

		*k = (struct core){.ring = calloc(room, sizeof(*k->ring)),
				   .batch = calloc(c->batch, sizeof(*k->batch)),
				   .usable = true,
				   .ready_first = NONE,
				   .sample_in = 1 + i % SAMPLE_EVERY};
		if (!k->ring || !k->batch)
			return -ENOMEM;
	}
	return 0;
}

static int setup(struct sim *s)
{
	int rc = sim_heap_init(&s->events, 1024);

	sim_random_init(&s->random, s->scenario->seed, STREAM_ENGINE);
	if (!rc)
		rc = sim_source_init(&s->source, s->scenario);
	if (!rc)
		rc = cores_init(s);
	if (!rc)
		rc = sim_park_init(s);
	if (!rc)
		rc = measure_init(s);
	if (!rc)
		rc = table_init(s);
	if (!rc && s->policy->init)
		rc = s->policy->init(s);
	if (rc)
		return rc;
	engine_at(s, s->scenario->window_ns, WHAT(WINDOW, 0));
	if (s->policy->tick)
		engine_at(s, 0, WHAT(CONTROL, 0));
	return s->error;
}

static void teardown(struct sim *s)
{
	for (uint32_t i = 0; s->core && i < s->scenario->cores; i++) {
		free(s->core[i].ring);
		free(s->core[i].batch);
	}
	free(s->core);
	free(s->bucket);
	free(s->cost);
	free(s->order);
	free(s->park);
	sim_heap_free(&s->events);
	sim_source_free(&s->source);
}

static const struct policy policies[SIM_POLICIES] = {
	[SIM_STATIC] = {.name = "static"},
	[SIM_SPRAYER] = {.name = "sprayer", .spray = true},
};

static const struct policy *policy_of(enum sim_policy p)
{
	switch (p) {
	case SIM_SLUICE:
		return &policy_sluice;
	case SIM_RSSPP:
		return &policy_rsspp;
	case SIM_OVS:
		return &policy_ovs;
	default:
		return &policies[p];
	}
}

const char *sim_policy_name(enum sim_policy p)
{
	return policy_of(p)->name;
}

int sim_run(const struct sim_scenario *c, enum sim_policy policy, struct sim_result *r)
{
	struct sim s = {.scenario = c, .policy = policy_of(policy), .result = r};
	int rc;

	memset(r, 0, sizeof(*r));
	rc = setup(&s);
	if (!rc) {
		loop(&s);
		measure_means(&s);
		rc = s.error;
	}
	if (s.policy->fini)
		s.policy->fini(&s);
	teardown(&s);
	if (rc)
		sim_result_free(r);
	return rc;
}

void sim_result_free(struct sim_result *r)
{
	free(r->window);
	r->window = NULL;
	r->windows = 0;
}
