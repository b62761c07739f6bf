/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - the state of a simulation. A packet goes to the ring of the core that its bucket's row
 * names; a core takes packets in order; one of a bucket that is on its way here is parked until the
 * old owner has done all it had.
 */
#ifndef SL_SIM_ENGINE_H
#define SL_SIM_ENGINE_H

#include "sim/sim.h"
#include "sim/traffic.h"

#define NO_CORE UINT32_MAX
#define NONE UINT32_MAX

/* What happens: in the upper bits of an event's word, the object below. */
enum sim_happening { CORE_DONE, MOVE_STARTS, MOVE_ENDS, CONTROL, WINDOW };
#define WHAT_BITS 28
#define WHAT(happening, object) ((uint32_t)(happening) << WHAT_BITS | (object))

struct bucket {
	uint32_t row; /* where its packets are sent */
	uint32_t owner; /* who has its flow tables; not the row's while it moves */
	uint32_t at_owner, at_next; /* packets in rings, parks and batches */
	uint32_t park_first, park_last; /* nodes, NONE: empty */
	uint32_t parked;
	uint32_t ready_next; /* behind it in the list of parks that a core may drain */
	bool started, ending;
	uint32_t flows;
	uint64_t arrived, done; /* packets, all along */
};

struct park_node {
	struct sim_packet packet;
	uint32_t next;
};

struct core {
	struct sim_packet *ring;
	uint32_t head, tail; /* taken, filled: count on, masked on use */
	struct sim_packet *batch;
	uint32_t batch_n;
	bool busy;
	bool usable; /* may be given buckets */
	uint32_t held; /* buckets that it owns or that are on their way to it */
	uint32_t ready_first, ready_last;
	uint64_t busy_ns, ring_full, done;
	uint32_t sample_in;
	uint64_t window_done, window_busy_ns, warm_busy_ns;
};

/* Samples of a bucket's cost at a core. */
struct cost {
	uint64_t ns;
	uint32_t samples;
};

/* The last packet of a flow that was done. */
struct order {
	uint32_t seq, bucket;
};

struct sim;

/* What a policy does beside letting things be. */
struct policy {
	const char *name;
	bool spray; /* packets go to all cores in turn */
	/* Before the first packet. 0 or -ENOMEM. May be NULL, as may all below. */
	int (*init)(struct sim *s);
	/* Look and move; returns the time until the next call. */
	uint64_t (*tick)(struct sim *s);
	void (*fini)(struct sim *s);
};

extern const struct policy policy_sluice, policy_rsspp, policy_ovs;

struct sim {
	const struct sim_scenario *scenario;
	const struct policy *policy;
	void *policy_state;
	struct sim_result *result;
	struct sim_source source;
	struct sim_random random;
	struct sim_heap events;
	uint64_t now_ns;
	int error; /* of an event that could not be stored */
	bool top_done; /* the first event happens: the next one to be stored may take its place */
	struct core *core;
	struct bucket *bucket;
	struct cost *cost; /* [core * buckets + bucket] */
	struct order *order; /* [flow] */
	uint32_t orders;
	uint32_t ring_mask;
	double stretch; /* what the rest of a core's time makes of a packet's cost */
	uint32_t spray_next;
	struct park_node *park;
	uint32_t park_free, parked;
	uint64_t lock_free_ns; /* of the shared table */
	uint32_t awake;
	uint64_t awake_since_ns;
	double awake_ns; /* integral behind the warm-up */
	double window_work_ns;
	uint64_t window_lost, latency_sum, wait_sum, windows_room;
	uint32_t waiting; /* packets not yet done */
};

/* --- engine.c */
void engine_at(struct sim *s, uint64_t at_ns, uint32_t what);
/* A core without work takes the next batch, if there is any. */
void core_start(struct sim *s, uint32_t core);

/* --- handover.c */
/* Store a row, as the daemon does: refused while the bucket moves, or to a core that is not usable.
 */
bool bucket_move(struct sim *s, uint32_t bucket, uint32_t to);
void move_starts(struct sim *s, uint32_t bucket);
void move_ends(struct sim *s, uint32_t bucket);
/* A packet of the bucket was done by its owner. */
void bucket_done(struct sim *s, uint32_t bucket);
/* A core met a packet of a bucket that it does not own yet. */
void bucket_park(struct sim *s, const struct sim_packet *p);
/* The next packet of the parks that the core may drain. False: there is none. */
bool bucket_unpark(struct sim *s, uint32_t core, struct sim_packet *p);
void core_set_usable(struct sim *s, uint32_t core, bool usable);
int sim_park_init(struct sim *s);

/* --- measure.c */
int measure_init(struct sim *s);
void measure_lost(struct sim *s, const struct sim_packet *p, uint64_t *counter);
void measure_done(struct sim *s, const struct sim_packet *p);
void measure_awake(struct sim *s, int change);
void measure_window(struct sim *s);
void measure_end(struct sim *s);
void measure_means(struct sim *s);
static inline bool measured(const struct sim *s, const struct sim_packet *p)
{
	return p->at_ns >= s->scenario->warmup_ns;
}

/* --- table.c: the first table */
int table_init(struct sim *s);

#endif /* SL_SIM_ENGINE_H */
