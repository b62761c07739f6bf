/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim.h - a discrete-event simulation of one instance: arrivals, cores with finite rings, the
 * indirection table, hand-overs with parking, and the control loop of user/control, driven as the
 * daemon drives it. No clock and no system call: the same scenario and seed give the same result.
 */
#ifndef SL_SIM_SIM_H
#define SL_SIM_SIM_H

#include "control/histogram.h"
#include "sim/scenario.h"

/* One window of the time series. */
struct sim_window {
	uint64_t end_ns;
	double offered; /* cores' worth of work that arrived / time */
	double busiest; /* the highest busy share of a core */
	double imbalance; /* (most - fewest) / fewest packets of the cores awake */
	uint32_t awake; /* cores */
	uint64_t lost;
};

/* Of the packets that arrived behind the warm-up. */
struct sim_result {
	uint64_t offered, processed, lost_ring, lost_park;
	uint64_t reordered; /* finished behind a later packet of their flow */
	uint64_t parked;
	uint64_t moves; /* of buckets, all along */
	uint64_t park_peak;
	double awake; /* mean number of cores that may have work */
	double needed; /* mean of ceil(work offered in a window / target), at least one core */
	uint32_t awake_peak;
	double imbalance; /* median over windows */
	double busy[SIM_CORES_MAX]; /* share of the time */
	struct sl_histogram latency; /* ns */
	double latency_mean, wait_mean; /* ns; the wait ends when the core takes the packet */
	uint64_t packets; /* simulated, warm-up included: what the run has cost */
	struct sim_window *window;
	uint32_t windows;
};

const char *sim_policy_name(enum sim_policy p);

/*
 * Simulate. 0, and sim_result_free() it; -ENOMEM, -EINVAL for a capture without a duration. The
 * scenario is trusted: its reader has checked it.
 */
int sim_run(const struct sim_scenario *c, enum sim_policy policy, struct sim_result *r);
void sim_result_free(struct sim_result *r);

#endif /* SL_SIM_SIM_H */
