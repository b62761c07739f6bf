// SPDX-License-Identifier: GPL-2.0-or-later
/* What cores do with the flows that reach them. */
#include <errno.h>
#include <stdlib.h>

#include "sim/pool_engine.h"

#define NO_STREAM UINT32_MAX

void pool_at(struct pool *p, uint64_t at_ns, uint32_t what)
{
	if (sim_heap_push(&p->events, at_ns, what))
		p->error = -ENOMEM;
}

/* A fluid: more than the core can do fills its ring and then is lost; less of it empties it. */
void pool_core_advance(struct pool *p, uint32_t core)
{
	struct pool_core *c = &p->core[core];
	double dt = (double)(p->now_ns - c->at_ns), in = c->rate * dt, all = c->waiting + in;
	double done = all < dt ? all : dt, ring = (double)p->scenario->ring_ns;

	c->at_ns = p->now_ns;
	c->arrived += in;
	c->done += done;
	c->waiting = all - done;
	if (p->scenario->traffic.kind == POOL_STREAMS && c->waiting > ring) {
		c->lost += c->waiting - ring;
		c->waiting = ring;
	}
}

/* All at once into a queue without end, first come, first served. */
static void take_request(struct pool *p, uint32_t core, double work)
{
	struct pool_core *c = &p->core[core];
	uint64_t fct;

	c->arrived += work;
	c->waiting += work;
	fct = (uint64_t)c->waiting;
	pool_measure_flow(p, fct);
	pool_at(p, p->now_ns + fct, POOL_WHAT(POOL_FLOW_ENDS, core));
}

static uint32_t stream_new(struct pool *p)
{
	uint32_t s = p->stream_free;

	if (s == NO_STREAM || s >= p->streams) {
		uint32_t n = p->streams ? 2 * p->streams : 1024;
		struct pool_stream *more = realloc(p->stream, n * sizeof(*more));

		if (!more) {
			p->error = -ENOMEM;
			return NO_STREAM;
		}
		for (uint32_t i = p->streams; i < n; i++)
			more[i].next_free = i + 1 < n ? i + 1 : NO_STREAM;
		s = p->streams;
		p->stream = more;
		p->streams = n;
	}
	p->stream_free = p->stream[s].next_free;
	return s;
}

static void take_stream(struct pool *p, uint32_t core, const struct pool_flow *f, double speed)
{
	uint32_t s = stream_new(p);

	if (s == NO_STREAM)
		return;
	p->stream[s] = (struct pool_stream){.core = core, .rate = f->rate / speed};
	p->core[core].rate += p->stream[s].rate;
	pool_measure_flow(p, 0);
	pool_at(p, p->now_ns + (uint64_t)(f->work / f->rate), POOL_WHAT(POOL_FLOW_ENDS, s));
}

void pool_core_take(struct pool *p, uint32_t core, const struct pool_flow *f)
{
	double speed = p->server[core / p->scenario->cores].speed;

	pool_core_advance(p, core);
	p->core[core].flows++;
	if (p->scenario->traffic.kind == POOL_REQUESTS)
		take_request(p, core, f->work / speed);
	else
		take_stream(p, core, f, speed);
}

void pool_flow_ends(struct pool *p, uint32_t object)
{
	bool stream = p->scenario->traffic.kind == POOL_STREAMS;
	struct pool_core *c = &p->core[stream ? p->stream[object].core : object];

	if (stream) {
		pool_core_advance(p, p->stream[object].core);
		c->rate -= p->stream[object].rate;
		p->stream[object].next_free = p->stream_free;
		p->stream_free = object;
	}
	if (!--c->flows)
		c->rate = 0; /* what rounding left */
}
