/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traffic.h - the packets of a scenario, in order of time. They depend on the scenario alone, so
 * every policy meets the same ones.
 */
#ifndef SL_SIM_TRAFFIC_H
#define SL_SIM_TRAFFIC_H

#include "sim/alias.h"
#include "sim/heap.h"
#include "sim/scenario.h"

struct sim_packet {
	uint64_t at_ns; /* arrival */
	uint32_t flow;
	uint32_t seq; /* of the flow */
	uint32_t bucket;
	uint32_t cost_ns;
};

struct sim_flow {
	uint32_t bucket;
	uint32_t seq; /* of its next packet */
	uint32_t left; /* packets it will still send; only of flows that end */
	float factor; /* of the cost */
	uint64_t toggle_ns; /* when it pauses or goes on; bit 0: it sends */
};

struct sim_source {
	const struct sim_scenario *scenario;
	struct sim_random random, cost_random;
	struct sim_flow *flow;
	uint32_t flows;
	struct sim_alias *alias;
	double mean_factor; /* of the packets */
	double rate; /* packets a second, the highest of a sine */
	double gap_ns; /* mean, at `rate`; of the process that is thinned, if flows pause */
	double wave; /* the rate now / rate */
	uint64_t wave_until_ns;
	double clock_ns; /* of the latest arrival */
	uint32_t burst_left;
	uint32_t shift, shift_step;
	uint64_t next_shift_ns;
	/* a capture */
	uint32_t next;
	double stretch; /* capture's time -> ours */
	double loop_ns; /* when this repetition began */
	/* flows that end: their next packets */
	struct sim_heap heap;
	uint32_t *unused;
	uint32_t unused_n;
	double next_flow_ns, flow_gap_ns;
};

/* 0 or -errno: -ENOMEM; -EINVAL a capture without packets or a duration. */
int sim_source_init(struct sim_source *s, const struct sim_scenario *scenario);
void sim_source_free(struct sim_source *s);

/* The next packet; its seq is that of its flow. */
void sim_source_next(struct sim_source *s, struct sim_packet *p);

/* The share of the packets that each bucket gets in a phase of shifting traffic, or at all; of
 * traffic by flows and ranks, not of captures or flow sizes. */
void sim_source_shares(const struct sim_source *s, unsigned phase, double *share);

/* How many phases the scenario has. */
unsigned sim_source_phases(const struct sim_source *s);

#endif /* SL_SIM_TRAFFIC_H */
