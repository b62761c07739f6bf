// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The balancer: reports come in, rows are dealt anew, and a flow gets a row's server, or the one
 * whose core it would reach that has least to do, as bpf/lb_core.h finds it.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/pool_engine.h"

#define NOBODY SL_LB_NO_SERVER
#define STREAM_TABLES 32 /* of random numbers: not those of the traffic */
#define WEIGHT 16 /* of a server of speed 1 */
#define ADDED_FLOW 16 /* as XDP counts: a flow, halved by each report, is gone after the fifth */
#define CPU_APART 40503u /* rows between the places where two CPUs begin, as in XDP */
#define RECENT 0.2 /* weight of the latest in running means */

static const char *const names[POOL_POLICIES] = {"hash",  "maglev",	 "rr",	 "wrr", "awrr",
						 "least", "least-stale", "pow2", "core"};

static const enum sl_lb_select selects[POOL_POLICIES] = {
	[POOL_HASH] = SL_LB_BY_HASH,	     [POOL_MAGLEV] = SL_LB_BY_HASH,
	[POOL_RR] = SL_LB_BY_TURN,	     [POOL_WRR] = SL_LB_BY_TURN,
	[POOL_AWRR] = SL_LB_BY_AWRR,	     [POOL_LEAST] = SL_LB_BY_LEAST,
	[POOL_LEAST_STALE] = SL_LB_BY_LEAST, [POOL_POW2] = SL_LB_BY_POWER_OF_TWO,
	[POOL_CORE] = SL_LB_BY_CORE,
};

const char *pool_policy_name(enum pool_policy p)
{
	return names[p];
}

static void shuffle(uint8_t *table, uint32_t n, struct sim_random *r)
{
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t k = (uint32_t)((sim_random_bits(r) >> 32) * (i + 1) >> 32);
		uint8_t entry = table[i];

		table[i] = table[k];
		table[k] = entry;
	}
}

static void servers_init(struct pool *p)
{
	const struct pool_scenario *c = p->scenario;
	struct sim_random r;

	sim_random_init(&r, c->seed, STREAM_TABLES);
	for (uint32_t s = 0; s < c->servers; s++) {
		struct pool_server *v = &p->server[s];
		uint8_t *table = &p->table[s * c->entries];

		v->speed = (double)s < c->fast_share * c->servers ? c->fast_factor : 1;
		v->weight = (uint32_t)(WEIGHT * v->speed + 0.5);
		v->told_ns = SL_LB_NEVER_TOLD;
		v->hash = (uint32_t)(sim_random_bits(&r) >> 32);
		for (uint32_t i = 0; i < c->entries; i++)
			table[i] = (uint8_t)(i % c->cores);
		shuffle(table, c->entries, &r);
		p->member[s].server =
			(struct sl_maglev_server){.name = sim_hash(77, s),
						  .weight = p->policy == POOL_RR ? 1 : v->weight,
						  .id = (uint16_t)s};
	}
}

int pool_balancer_init(struct pool *p)
{
	const struct pool_scenario *c = p->scenario;

	p->server = calloc(c->servers, sizeof(*p->server));
	p->view = calloc(pool_cores(c), sizeof(*p->view));
	p->in_flight = calloc(pool_cores(c), sizeof(*p->in_flight));
	p->table = calloc((size_t)c->servers * c->entries, 1);
	p->member = calloc(c->servers, sizeof(*p->member));
	p->row = calloc(c->balancer.rows, sizeof(*p->row));
	p->scratch = malloc(sl_lb_fill_scratch(c->servers));
	if (!p->server || !p->view || !p->in_flight || !p->table || !p->member || !p->row ||
	    !p->scratch)
		return -ENOMEM;
	servers_init(p);
	for (uint32_t i = 0; i < POOL_CPUS_MAX; i++)
		p->turn[i] = i * CPU_APART;
	pool_refill(p);
	for (uint32_t s = 0; s < c->servers; s++)
		pool_at(p, (uint64_t)((double)c->balancer.report_ns * sim_random_unit(&p->noise)),
			POOL_WHAT(POOL_REPORT, s));
	return 0;
}

void pool_balancer_free(struct pool *p)
{
	free(p->server);
	free(p->view);
	free(p->in_flight);
	free(p->table);
	free(p->member);
	free(p->row);
	free(p->scratch);
}

/* --- reports */

void pool_report(struct pool *p, uint32_t server)
{
	const struct pool_scenario *c = p->scenario;
	const struct pool_balancer *b = &c->balancer;

	for (uint32_t i = server * c->cores; i < (server + 1) * c->cores; i++) {
		struct pool_core *k = &p->core[i];
		double work;

		pool_core_advance(p, i);
		work = b->told == POOL_BUSY ? k->done : k->arrived;
		p->in_flight[i] = (work - k->reported) / (double)b->report_ns;
		k->reported = work;
	}
	pool_at(p, p->now_ns + b->delay_ns, POOL_WHAT(POOL_REPORTED, server));
	pool_at(p, p->now_ns + b->report_ns, POOL_WHAT(POOL_REPORT, server));
}

void pool_reported(struct pool *p, uint32_t server)
{
	const struct pool_scenario *c = p->scenario;

	bool first = p->server[server].told_ns == SL_LB_NEVER_TOLD;

	p->server[server].told_ns = p->now_ns - c->balancer.delay_ns;
	for (uint32_t i = server * c->cores; i < (server + 1) * c->cores; i++) {
		struct pool_view *v = &p->view[i];
		double now = p->in_flight[i];

		if (!first)
			sl_lb_flow_observe(&p->flow, v->told, now, v->sent, v->sent_before);
		v->load += (first ? 1 : c->balancer.fresh) * (now - v->load);
		v->told = now;
		v->sent_before = v->sent;
		v->sent = 0;
		v->added /= 2;
	}
	p->added = c->balancer.added < 0 ? sl_lb_flow_added(&p->flow) : c->balancer.added;
}

/* --- rows */

static void members(struct pool *p)
{
	const struct pool_scenario *c = p->scenario;

	for (uint32_t s = 0; s < c->servers; s++) {
		struct sl_lb_member *m = &p->member[s];
		uint64_t told = p->server[s].told_ns;

		m->load = 0;
		for (uint32_t i = 0; i < c->cores; i++)
			m->load += p->view[s * c->cores + i].load / c->cores;
		m->age_ns = told == SL_LB_NEVER_TOLD ? told : p->now_ns - told;
	}
}

void pool_refill(struct pool *p)
{
	const struct pool_scenario *c = p->scenario;
	struct sl_lb_fill_opts opts = {.stale_ns = c->balancer.stale_ns,
				       .alpha = c->balancer.alpha,
				       .seed = sim_hash(c->seed, p->refills)};

	p->connections += (p->refills ? RECENT : 1) *
			  ((double)(p->started - p->refill_started) - p->connections);
	p->refill_started = p->started;
	if (p->policy == POOL_LEAST) {
		opts.connections = p->connections;
		opts.added = p->added / c->cores;
	}
	if (!p->refills || sl_lb_select_by_load(selects[p->policy])) {
		members(p);
		sl_lb_fill(selects[p->policy], p->member, c->servers, &opts, p->row,
			   c->balancer.rows, NOBODY, p->scratch);
	}
	p->refills++;
	pool_at(p, p->now_ns + c->balancer.refill_ns, POOL_WHAT(POOL_REFILL, 0));
}

/* --- flows */

static uint32_t next_row(struct pool *p, const struct pool_flow *f)
{
	uint32_t cpu = (uint32_t)((f->hash >> 40) % p->scenario->balancer.cpus);

	return p->row[p->turn[cpu]++ & (p->scenario->balancer.rows - 1)];
}

static uint32_t hashed_row(const struct pool *p, const struct pool_flow *f)
{
	return p->row[f->hash & (p->scenario->balancer.rows - 1)];
}

/* The i-th of those to be compared: all in turn if they are few, else servers of rows. */
static uint32_t candidate(const struct pool *p, const struct pool_flow *f, uint32_t i)
{
	const struct pool_scenario *c = p->scenario;

	if (c->servers <= c->balancer.candidates)
		return ((uint32_t)((f->hash >> 48) * c->servers >> 16) + i) % c->servers;
	return p->row[((uint32_t)f->hash + i * ((uint32_t)(f->hash >> 20) | 1)) &
		      (c->balancer.rows - 1)];
}

static double view_load(const struct pool *p, uint32_t core)
{
	const struct pool_view *v = &p->view[core];

	return v->load + v->added * p->added / ADDED_FLOW;
}

static bool told(const struct pool *p, uint32_t server)
{
	uint64_t at = p->server[server].told_ns;

	return at != SL_LB_NEVER_TOLD && p->now_ns - at <= p->scenario->balancer.stale_ns;
}

/* With the i-th outer header. */
static struct pool_flow aimed(const struct pool_flow *f, uint32_t i)
{
	struct pool_flow other = *f;

	other.toeplitz ^= i * 0x9e3779b1u; /* odd, so no two agree in those that choose an entry */
	return other;
}

static uint32_t by_core(struct pool *p, struct pool_flow *f)
{
	const struct pool_scenario *c = p->scenario;
	uint32_t n = c->servers < c->balancer.candidates ? c->servers : c->balancer.candidates;
	uint32_t server = hashed_row(p, f), best = UINT32_MAX;
	struct pool_flow taken = *f;
	double least = 0;

	if (!told(p, server))
		return server;
	for (uint32_t i = 0; i < n * c->balancer.entropies; i++) {
		struct pool_flow as = aimed(f, i % c->balancer.entropies);
		uint32_t s = candidate(p, f, i / c->balancer.entropies);
		uint32_t core = pool_reached(p, &as, s);

		if (!told(p, s) || (best != UINT32_MAX && view_load(p, core) >= least))
			continue;
		least = view_load(p, core);
		best = core;
		server = s;
		taken = as;
	}
	if (best != UINT32_MAX)
		p->view[best].added += ADDED_FLOW;
	*f = taken;
	return server;
}

uint32_t pool_choose(struct pool *p, struct pool_flow *f)
{
	switch (p->policy) {
	case POOL_HASH:
		return (uint32_t)((f->hash >> 32) * p->scenario->servers >> 32);
	case POOL_MAGLEV:
		return hashed_row(p, f);
	case POOL_CORE:
		return by_core(p, f);
	default:
		return next_row(p, f);
	}
}
