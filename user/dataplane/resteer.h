/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resteer.h - a NIC's table is about to send buckets in on another queue: their packets from there
 * wait at the owner until the old queue has none of theirs, so that none overtakes.
 *
 * Parking by ownership does not help here: the owner stays. So the owner word gets SL_OWNER_HOLD
 * before the table is written, which takes the bucket off the fast path at no cost to others; the
 * owner then processes what comes in on the old queue and parks what comes in on the new one.
 *
 * The old queue is quiet when a hardware ring's worth of packets, and one more, have come out of it
 * since, or when it gave none for a while. That a queue which looks quiet has nothing left is
 * likely, not certain, and a hold is bounded in time and packets: what comes in on the old queue
 * after a hold is counted (sl_nic_state.late).
 *
 * One round at a time: the thread that writes tables fills the items, asks, writes, tells; the rest
 * is housekeeping's.
 */
#ifndef SL_DATAPLANE_RESTEER_H
#define SL_DATAPLANE_RESTEER_H

#include "dataplane/internal.h"

#define SL_NO_RING UINT16_MAX

struct sl_resteer_item {
	uint32_t bucket;
	uint16_t from, to; /* rings; from SL_NO_RING: a queue that nobody serves */
	bool held; /* false: it moves just now, or is about to */
	bool over;
	uint32_t target; /* producer index of the owner's ring `from`, to be consumed */
	uint64_t from_count, to_count; /* XDP's counters when the hold ended */
};

int resteer_init(struct sl_dataplane *dp);
void resteer_free(struct sl_dataplane *dp);

/* --- the thread that writes tables */

/* Room for every bucket; the caller's until resteer_hold(), and after resteer_idle(). */
struct sl_resteer_item *resteer_items(struct sl_dataplane *dp);
bool resteer_idle(const struct sl_dataplane *dp);
/* Packets that the hardware ring of an interface's queues holds at most. */
void resteer_ring_size(struct sl_dataplane *dp, unsigned iface, uint32_t packets);
/* Begin to hold the first n items; the answer is in their `held`. False: the dataplane ends. */
bool resteer_hold(struct sl_dataplane *dp, unsigned n);
/* The table is written, or is not going to be. */
void resteer_written(struct sl_dataplane *dp);
uint64_t resteer_cut_short(const struct sl_dataplane *dp);

/* --- housekeeping */

/* True while a round is under way. */
bool resteer_step(struct sl_dataplane *dp, uint64_t now_ns);
/* End all holds at once: nothing comes any more. */
void resteer_end(struct sl_dataplane *dp);

/* --- workers */

/* Must packets of a held bucket from this ring wait? */
bool resteer_waits(const struct sl_dataplane *dp, uint32_t bucket, unsigned ring);
/* The park is full: order is given up rather than packets. */
void resteer_give_up(struct worker *w, uint32_t bucket);

#endif /* SL_DATAPLANE_RESTEER_H */
