// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/pool_engine.h"

void pool_measure_flow(struct pool *p, uint64_t fct_ns)
{
	if (p->now_ns < p->scenario->warmup_ns)
		return;
	p->result->flows++;
	p->fct_sum += (double)fct_ns;
	if (p->scenario->traffic.kind == POOL_REQUESTS)
		sl_histogram_add(&p->result->fct, fct_ns);
}

void pool_measure_warm(struct pool *p)
{
	for (uint32_t i = 0; i < pool_cores(p->scenario); i++) {
		struct pool_core *c = &p->core[i];

		pool_core_advance(p, i);
		c->warm_arrived = c->window_arrived = c->arrived;
		c->warm_done = c->done;
		c->warm_lost = c->lost;
	}
}

/* Of load / mean load. */
static double variance(double sum, double squares, double n)
{
	double mean = sum / n;

	return mean > 0 ? (squares / n - mean * mean) / (mean * mean) : 0;
}

/* Work that arrived in the window, as a share of what the core can do. */
void pool_measure_window(struct pool *p)
{
	const struct pool_scenario *c = p->scenario;
	double sum = 0, cores = 0, servers = 0;

	for (uint32_t s = 0; s < c->servers; s++) {
		double of_server = 0;

		for (uint32_t k = s * c->cores; k < (s + 1) * c->cores; k++) {
			double work;

			pool_core_advance(p, k);
			work = p->core[k].arrived - p->core[k].window_arrived;
			p->core[k].window_arrived = p->core[k].arrived;
			of_server += work;
			cores += work * work;
		}
		sum += of_server;
		servers += of_server * of_server;
	}
	if (p->now_ns <= c->warmup_ns)
		return;
	p->windows++;
	p->variance_cores += variance(sum, cores, pool_cores(c));
	p->variance_servers += variance(sum, servers, c->servers);
}

void pool_measure_end(struct pool *p)
{
	const struct pool_scenario *c = p->scenario;
	struct pool_result *r = p->result;
	double time = (double)(c->duration_ns - c->warmup_ns);

	for (uint32_t i = 0; i < pool_cores(c); i++) {
		const struct pool_core *k = &p->core[i];
		double speed = p->server[i / c->cores].speed, busy;

		pool_core_advance(p, i);
		busy = (k->done - k->warm_done) / time;
		r->offered += (k->arrived - k->warm_arrived) * speed;
		r->done += (k->done - k->warm_done) * speed;
		r->lost += (k->lost - k->warm_lost) * speed;
		r->busy += busy / pool_cores(c);
		r->busiest = busy > r->busiest ? busy : r->busiest;
	}
	r->fct_mean = r->flows ? p->fct_sum / (double)r->flows : 0;
	r->variance_cores = p->windows > 0 ? p->variance_cores / p->windows : 0;
	r->variance_servers = p->windows > 0 ? p->variance_servers / p->windows : 0;
}
