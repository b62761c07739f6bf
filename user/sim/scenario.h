/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scenario.h - what is simulated. Times are nanoseconds, rates packets a second, shares 0..1.
 * docs/sluice-sim.5 says what each setting means; the reader of scenarios checks the ranges.
 */
#ifndef SL_SIM_SCENARIO_H
#define SL_SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "control/tick.h"

#define SIM_CORES_MAX SL_MAX_WORKERS
#define SIM_NS_PER_S 1e9

enum sim_policy {
	SIM_STATIC, /* the first table for ever */
	SIM_SLUICE, /* user/control */
	SIM_RSSPP, /* RSS++ as published, with the faults of its release mended */
	SIM_SPRAYER, /* packets in turn to all cores */
	SIM_OVS, /* Open vSwitch's: whole queues move, rarely */
	SIM_POLICIES
};

enum sim_distribution { SIM_CONSTANT, SIM_EXPONENTIAL, SIM_LOGNORMAL };

/* What a packet costs. */
struct sim_service {
	double mean_ns; /* of an ordinary flow's packets */
	unsigned distribution; /* enum sim_distribution */
	double cv; /* of SIM_LOGNORMAL: deviation / mean */
	double overhead_ns; /* of it outside the network functions: cost samples do not see it */
	double heavy_share; /* of the flows cost ... */
	double heavy_factor; /* ... so many times as much */
};

/* Flow tables: one for each bucket, or one that all cores share behind a lock. */
struct sim_table {
	bool shared;
	double lock_ns; /* while one core holds the lock the others wait */
	double miss_ns; /* a line that another core wrote last must be fetched */
};

/* One packet of a capture. */
struct sim_record {
	uint64_t at_ns; /* from the first one */
	uint32_t flow;
};

/* Flows of a size, from a flow-size file. */
struct sim_size {
	uint64_t packets;
	double weight;
};

struct sim_traffic {
	double load; /* cores' worth of work / cores; 0: by `rate` */
	double rate;
	uint32_t flows;
	double zipf;
	uint32_t elephants; /* the first flows ... */
	double elephant_share; /* ... have this share of the packets in equal parts */
	uint64_t shift_ns; /* every so often other flows are the hot ones; 0: never */
	uint64_t on_ns, off_ns; /* mean times that a flow sends and pauses; on 0: it never pauses */
	uint32_t burst; /* packets that arrive at once */
	bool even; /* equal gaps, not those of a Poisson process */
	uint64_t sine_ns; /* period of the rate; 0: constant */
	double sine_low; /* the least rate / the highest */
	/* A capture in place of all that, repeated. Borrowed. */
	const struct sim_record *record;
	uint32_t records;
	/* Or flows that come, send `size` packets at `flow_rate`, and go. Borrowed. */
	const struct sim_size *size;
	uint32_t sizes;
	double flow_rate;
};

struct sim_handover {
	uint64_t start_ns; /* from the stored row until the old owner knows */
	uint64_t release_ns; /* from its last packet of the bucket until the new owner knows */
	uint32_t park; /* packets that may wait in all; half of it of one bucket */
};

/* RSS++'s constants are in rsspp.c; these are what its scripts set. */
struct sim_rsspp_opts {
	uint64_t tick_ns;
	double target; /* utilisation that its scaling aims at */
};

struct sim_ovs_opts {
	uint32_t queues; /* of each core, that the buckets are spread over */
	uint64_t sample_ns;
	uint32_t samples; /* above the limit, in a row, before it looks for a better plan */
	double limit; /* load of a core */
	double gain; /* least fall of the variance */
	uint64_t interval_ns; /* between two changes */
};

struct sim_scale_opts {
	bool enabled; /* cores come and go, with Sluice's rule and with RSS++'s */
	double target; /* utilisation */
	uint64_t ahead_ns, hold_ns; /* of struct sl_elastic_opts; RSS++'s rule has no such */
};

struct sim_scenario {
	uint64_t seed;
	uint64_t duration_ns;
	uint64_t warmup_ns; /* packets that arrive earlier are not measured */
	uint64_t window_ns; /* of the imbalance and of the time series */
	uint32_t cores, buckets;
	uint32_t ring; /* packets that wait for a core */
	uint32_t batch; /* packets that a core takes at a time, and sends when all are done */
	double first_share; /* of the packets that the first table gives core 0; 0: even */
	double other; /* share of every core that something else takes */
	struct sim_service service;
	struct sim_table table;
	struct sim_traffic traffic;
	struct sim_handover handover;
	struct sl_tick_opts balance;
	struct sim_scale_opts scale;
	struct sim_rsspp_opts rsspp;
	struct sim_ovs_opts ovs;
};

#endif /* SL_SIM_SCENARIO_H */
