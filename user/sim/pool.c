// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pool_engine.h"

static void arrive(struct pool *p, struct pool_flow *f)
{
	uint32_t server = pool_choose(p, f), core = pool_reached(p, f, server);

	p->started++;
	p->view[core].sent++;
	pool_core_take(p, core, f);
}

static void happen(struct pool *p, uint32_t what)
{
	uint32_t object = what & ((1U << POOL_WHAT_BITS) - 1);

	switch ((enum pool_happening)(what >> POOL_WHAT_BITS)) {
	case POOL_FLOW_ENDS:
		pool_flow_ends(p, object);
		break;
	case POOL_REPORT:
		pool_report(p, object);
		break;
	case POOL_REPORTED:
		pool_reported(p, object);
		break;
	case POOL_REFILL:
		pool_refill(p);
		break;
	case POOL_WINDOW:
		if (p->now_ns == p->scenario->warmup_ns)
			pool_measure_warm(p);
		else
			pool_measure_window(p);
		pool_at(p, p->now_ns + p->scenario->window_ns, what);
		break;
	}
}

static void loop(struct pool *p)
{
	const uint64_t end = p->scenario->duration_ns;
	struct pool_flow flow;
	double next = pool_traffic_next(p, &flow);

	while (!p->error) {
		uint64_t at = (uint64_t)next, due = sim_heap_due(&p->events);

		p->now_ns = at < due ? at : due;
		if (p->now_ns >= end)
			break;
		if (at < due) {
			arrive(p, &flow);
			next += pool_traffic_next(p, &flow);
		} else {
			uint32_t what = p->events.event[0].what;

			sim_heap_pop(&p->events);
			happen(p, what);
		}
	}
	p->now_ns = end;
}

static int setup(struct pool *p)
{
	const struct pool_scenario *c = p->scenario;
	int rc = sim_heap_init(&p->events, 1024);

	p->core = calloc(pool_cores(c), sizeof(*p->core));
	if (!rc && !p->core)
		rc = -ENOMEM;
	if (!rc)
		rc = pool_traffic_init(p);
	if (!rc)
		rc = pool_balancer_init(p);
	if (rc)
		return rc;
	pool_at(p, c->warmup_ns, POOL_WHAT(POOL_WINDOW, 0));
	return p->error;
}

static void teardown(struct pool *p)
{
	sim_heap_free(&p->events);
	pool_balancer_free(p);
	free(p->core);
	free(p->stream);
}

int pool_run(const struct pool_scenario *c, enum pool_policy policy, struct pool_result *r)
{
	struct pool p = {.scenario = c, .policy = policy, .result = r, .stream_free = UINT32_MAX};
	int rc;

	memset(r, 0, sizeof(*r));
	rc = setup(&p);
	if (!rc) {
		loop(&p);
		pool_measure_end(&p);
		rc = p.error;
	}
	teardown(&p);
	return rc;
}
