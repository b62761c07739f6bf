/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample.h - two readings of an instance's counters, and what happened between them.
 */
#ifndef SL_CLI_SAMPLE_H
#define SL_CLI_SAMPLE_H

#include "platform/instance.h"

#define SAMPLE_DEFAULT_NS 200000000ULL /* long enough for 1 % of a worker's rounds to be noise */
#define HEARTBEAT_STUCK_NS 3000000000ULL /* a worker refreshes it at least each second */

/* Counters at one instant. */
struct reading {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	struct sl_worker *workers; /* [max_workers] */
	uint64_t *owners; /* [buckets], struct sl_owner as words */
	uint64_t *packets, *bytes; /* [buckets], all queues and interfaces */
	struct sl_bucket_cost *cost; /* [buckets], of the owner */
};

/* A worker between two readings. */
struct worker_rate {
	double load; /* busy cycles / all cycles, 0..1 */
	double pps; /* packets taken from its rings a second */
	unsigned buckets; /* shards owned at the second reading */
	bool stuck; /* runs, and its heartbeat is older than HEARTBEAT_STUCK_NS */
	int64_t heartbeat_age_ns; /* -1: never beat */
};

/* A bucket between two readings. */
struct bucket_rate {
	double load; /* cores: packets x cycles per packet of the sampled ones / time */
	double pps;
	uint64_t packets, bytes; /* since attach */
	uint32_t flows, parked;
	struct sl_owner owner;
	struct sl_row row;
};

struct sample {
	double seconds; /* between the readings */
	struct reading before, after;
	struct worker_rate *workers; /* [max_workers] */
	struct bucket_rate *buckets; /* [buckets] */
};

/* Room for samples of `inst`. NULL: no memory. Free with sample_free(). */
struct sample *sample_new(const struct sl_instance *inst);
void sample_free(struct sample *s);

/* The latest reading becomes the earlier one and a new one is taken; rates are computed. */
void sample_take(struct sample *s, const struct sl_instance *inst);

/* Take, wait `ns`, take. NULL: no memory. */
struct sample *sample_over(const struct sl_instance *inst, uint64_t ns);

/* Rates from s->before and s->after, as sample_take() does. Pure. */
void sample_rates(struct sample *s, unsigned buckets, unsigned max_workers, uint64_t tsc_hz);

uint64_t sample_clock(void); /* CLOCK_MONOTONIC, ns */

/* One past the last worker that has run or may hold buckets. */
unsigned sample_worker_count(const struct sl_instance *inst);

/* "running", "stuck", ... for a worker at the later reading. */
const char *sample_worker_state(const struct sample *s, unsigned worker);

#endif /* SL_CLI_SAMPLE_H */
