/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool_engine.h - the state of a simulation of servers behind a load balancer. */
#ifndef SL_SIM_POOL_ENGINE_H
#define SL_SIM_POOL_ENGINE_H

#include "control/lb_flow.h"
#include "control/lb_select.h"
#include "sim/heap.h"
#include "sim/pool.h"
#include "sim/random.h"

/* What happens: in the upper bits of an event's word, the object below. */
enum pool_happening { POOL_FLOW_ENDS, POOL_REPORT, POOL_REPORTED, POOL_REFILL, POOL_WINDOW };
#define POOL_WHAT_BITS 28
#define POOL_WHAT(happening, object) ((uint32_t)(happening) << POOL_WHAT_BITS | (object))

/* Work is in ns of this core. */
struct pool_core {
	uint64_t at_ns; /* of what follows */
	double rate; /* streams: work that arrives, of the time */
	double waiting; /* work */
	double arrived, done, lost; /* work, all along */
	uint32_t flows; /* in hand */
	double window_arrived, warm_arrived, warm_done, warm_lost;
	double reported; /* work that it has reported, all along */
};

/* What the balancer knows of a core. */
struct pool_view {
	double load, told; /* smoothed; the latest report */
	uint32_t sent, sent_before; /* flows between the latest reports */
	uint32_t added; /* flows that it sent since, in sixteenths; halved by each report */
};

struct pool_server {
	uint64_t told_ns; /* when its latest report was made; SL_LB_NEVER_TOLD */
	double speed;
	uint32_t weight;
	uint32_t hash; /* Toeplitz of its address */
};

/* Where a stream ends. */
struct pool_stream {
	uint32_t core, next_free;
	double rate;
};

struct pool_flow {
	uint64_t hash; /* the balancer's */
	uint32_t toeplitz; /* of the client's end, at the servers' NICs */
	double work, rate; /* in ns of a core of speed 1; share of one */
};

struct pool {
	const struct pool_scenario *scenario;
	enum pool_policy policy;
	struct pool_result *result;
	uint64_t now_ns;
	int error;
	struct sim_heap events;
	struct sim_random arrivals, flows, noise;
	double gap_ns; /* mean time between flows */
	struct pool_server *server;
	struct pool_core *core; /* [server * cores + core] */
	struct pool_view *view;
	double *in_flight; /* [core]: a report on its way */
	uint8_t *table; /* [server * entries + entry]: its core */
	struct pool_stream *stream;
	uint32_t streams, stream_free;
	/* the balancer's */
	struct sl_lb_member *member;
	uint16_t *row;
	void *scratch;
	uint32_t turn[POOL_CPUS_MAX];
	uint64_t refills, started, refill_started;
	double connections; /* that start between two refills, a mean */
	struct sl_lb_flow flow;
	double added; /* share of a core that a flow is taken to add */
	double windows, variance_cores, variance_servers, fct_sum;
};

static inline uint32_t pool_cores(const struct pool_scenario *c)
{
	return c->servers * c->cores;
}

/* --- pool_core.c */
/* Bring a core up to now. */
void pool_core_advance(struct pool *p, uint32_t core);
void pool_core_take(struct pool *p, uint32_t core, const struct pool_flow *f);
void pool_flow_ends(struct pool *p, uint32_t object);
void pool_at(struct pool *p, uint64_t at_ns, uint32_t what);

/* --- pool_traffic.c */
int pool_traffic_init(struct pool *p);
/* The next flow, and the time until the one after it. */
double pool_traffic_next(struct pool *p, struct pool_flow *f);

/* --- pool_balancer.c */
int pool_balancer_init(struct pool *p);
void pool_balancer_free(struct pool *p);
void pool_report(struct pool *p, uint32_t server);
void pool_reported(struct pool *p, uint32_t server);
void pool_refill(struct pool *p);
/* The server for a flow; the flow's hash may be another then (balancer.entropies). */
uint32_t pool_choose(struct pool *p, struct pool_flow *f);
/* The core that it reaches there, among all servers'. */
static inline uint32_t pool_reached(const struct pool *p, const struct pool_flow *f,
				    uint32_t server)
{
	const struct pool_scenario *c = p->scenario;
	uint32_t entry = (f->toeplitz ^ p->server[server].hash) & (c->entries - 1);

	return server * c->cores + p->table[server * c->entries + entry];
}

/* --- pool_measure.c */
void pool_measure_flow(struct pool *p, uint64_t fct_ns);
void pool_measure_warm(struct pool *p);
void pool_measure_window(struct pool *p);
void pool_measure_end(struct pool *p);

#endif /* SL_SIM_POOL_ENGINE_H */
