/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - a discrete-event simulation of servers behind a load balancer: flows arrive, the
 * balancer chooses a server for each by the rows that control/lb_select.h deals, or by the core
 * that it would reach, from loads as old as the servers' reports; RSS takes it to one of the
 * server's cores. No clock and no system call: the same scenario and seed give the same result.
 */
#ifndef SL_SIM_POOL_H
#define SL_SIM_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "control/histogram.h"

#define POOL_SERVERS_MAX 1024
#define POOL_CORES_MAX 4096 /* of all servers */
#define POOL_CPUS_MAX 64

enum pool_policy {
	POOL_HASH, /* the flow's hash modulo the servers */
	POOL_MAGLEV,
	POOL_RR, /* weights unknown */
	POOL_WRR,
	POOL_AWRR,
	POOL_LEAST, /* levels what is to come */
	POOL_LEAST_STALE, /* all to the least loaded until the next report */
	POOL_POW2,
	POOL_CORE, /* CrossRSS */
	POOL_POLICIES
};

/* What flows are. */
enum pool_kind {
	POOL_REQUESTS, /* work that a core does from end to end, one after another */
	POOL_STREAMS, /* packets at a constant rate; what overruns a core's ring is lost */
};

enum pool_work { POOL_CONSTANT, POOL_EXPONENTIAL, POOL_UNIFORM };

/* What servers report of a core. */
enum pool_told {
	POOL_BUSY, /* share of the time that it worked */
	POOL_ARRIVED, /* work that reached it, done or lost */
};

struct pool_traffic {
	unsigned kind; /* enum pool_kind */
	double load; /* work that arrives / what all cores can do */
	/* requests: of `mean_ns` on average, those `long_share` of them `long_factor` times it */
	double mean_ns;
	unsigned work; /* enum pool_work */
	double long_share, long_factor;
	/* streams: packets by a Pareto distribution cut off at `most` */
	double packet_ns; /* work of a packet */
	double shape, fewest, most;
	double lasts_ns, lasts_cv; /* a flow, lognormal, whatever its size ... */
	double fastest; /* ... but that it takes no larger share of a core */
};

struct pool_balancer {
	uint64_t report_ns; /* a server's reports: means over such a time, each at its own moment */
	uint64_t delay_ns; /* of a report */
	unsigned told; /* enum pool_told */
	uint64_t stale_ns; /* older reports say nothing */
	uint64_t refill_ns; /* of rows */
	double fresh; /* share of a report in the load: 1, or an exponential mean */
	double alpha; /* of AWRR */
	uint32_t rows; /* a power of two */
	uint32_t cpus; /* each goes through the rows for itself */
	uint32_t candidates; /* servers that POOL_CORE compares */
	uint32_t entropies; /* and of each so many outer headers, of which it writes one */
	double added; /* POOL_CORE: share of a core that a flow is taken to add; below 0: estimated
		       */
};

struct pool_scenario {
	uint64_t seed;
	uint64_t duration_ns;
	uint64_t warmup_ns; /* flows that arrive earlier are not measured */
	uint64_t window_ns; /* of the variances */
	uint32_t servers, cores; /* cores of each */
	double fast_share, fast_factor; /* this share of the servers is so many times as fast */
	uint32_t entries; /* of a server's indirection table; a power of two */
	uint64_t ring_ns; /* streams: work that may wait for a core */
	struct pool_balancer balancer;
	struct pool_traffic traffic;
};

/* Of what arrived behind the warm-up. */
struct pool_result {
	uint64_t flows;
	struct sl_histogram fct; /* requests: from arrival until done, ns */
	double fct_mean;
	/* Mean over windows of the variance of load / mean load. */
	double variance_cores, variance_servers;
	double offered, done, lost; /* streams: work, ns of a core of speed 1 */
	double busy; /* mean over cores, share of the time */
	double busiest; /* the same of the core that has most */
};

const char *pool_policy_name(enum pool_policy p);

/* Simulate. 0 or -ENOMEM. The scenario is trusted: its reader has checked it. */
int pool_run(const struct pool_scenario *c, enum pool_policy policy, struct pool_result *r);

#endif /* SL_SIM_POOL_H */
