/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * park.h - packets that reached a worker before their shard did. They wait in arrival order until
 * the old owner lets go, within bounds for each queue and each bucket; an overflow is counted.
 */
#ifndef SL_DATAPLANE_PARK_H
#define SL_DATAPLANE_PARK_H

#include "dataplane/internal.h"

/* Bytes that parks_init() takes. */
uint64_t parks_memory(const struct sl_dataplane *dp);
int parks_init(struct worker *w);
void parks_free(struct worker *w);

/*
 * Park a packet of `bucket` that came from `ring` with number `seq`. `word` is the owner word just
 * loaded. Where the bounds forbid it the packet is dropped and counted; its number still counts as
 * seen.
 */
void park_packet(struct worker *w, uint32_t bucket, unsigned ring, uint32_t seq, uint64_t addr,
		 uint32_t len, struct sl_owner word);

/* Park a packet of a bucket that is owned here, and held. False: no room, the packet is the
 * caller's. */
bool park_hold(struct worker *w, uint32_t bucket, unsigned ring, uint64_t addr, uint32_t len);

/*
 * Look at every park: announce first packets of moves that have begun, make ready what has become
 * this worker's own, drop what has become stray. True if any of them changed.
 */
bool parks_check(struct worker *w);

/*
 * The packets of `bucket`, which this worker owns now, become ready: they go into the next batches,
 * oldest first, before anything else that the rings hold.
 */
void park_drain(struct worker *w, uint32_t bucket);

static inline bool park_waits(const struct worker *w, uint32_t bucket)
{
	return w->parked_buckets && park_of(w, bucket)->listed;
}

/* Packets of the bucket are here and not in the batch. */
static inline bool bucket_waits(const struct worker *w, uint32_t bucket)
{
	return park_waits(w, bucket) || w->queues.of_bucket[bucket];
}

static inline bool ready_waits(const struct worker *w)
{
	return w->ready_head != SL_NIL;
}

/* A packet that must stay behind the ready ones. There is a node: SL_BATCH are kept for this. */
void ready_push(struct worker *w, unsigned ring, uint64_t addr, uint32_t len);

/* Move ready packets into the batch until one of them is full or empty. */
void ready_to_batch(struct worker *w);

#endif /* SL_DATAPLANE_PARK_H */
