/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tenant_queues.h - the order of tenants at a worker: a FIFO for each, and whose packet is next by
 * start-time fair queueing over what a packet takes of its scarcest resource (DRFQ: Ghodsi and
 * others, SIGCOMM 2012, section 5; the tags are Goyal's, SIGCOMM 1996). Where an instance has no
 * tenants packets do not come here.
 *
 * All of it is the worker's own. What waits here has left its ring but counts as in it: for XDP's
 * gate (`taken`), so that frames are never short, and for hand-over, which releases no bucket of
 * which packets wait (tenants_wait()). A flow's packets are one tenant's and keep their order; when
 * the rules change, packets that the new ones stamped stay behind all that the old ones did.
 */
#ifndef SL_DATAPLANE_TENANT_QUEUES_H
#define SL_DATAPLANE_TENANT_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/maps.h>

struct worker;
struct sl_dataplane;
struct sl_parked;

struct sl_tenant_queue {
	uint32_t head, tail, n;
	uint64_t start; /* tag of the next packet: virtual time, cycles; the last one's end if empty
			 */
};

struct sl_tenant_queues {
	struct sl_tenant_queue queue[SL_MAX_TENANTS];
	struct sl_tenant_queue late; /* stamped by other rules than what waits: comes after it */
	uint64_t backlogged; /* bit: tenant */
	uint64_t now, latest; /* virtual time; the latest end of a packet */
	uint32_t waiting; /* packets in all of them */
	uint16_t rules; /* flags of the stamps of what waits */
	struct sl_parked *node; /* [room] */
	uint32_t room, used, spare; /* nodes: all, ever used, the first of a list of free ones */
	uint32_t *of_bucket, *of_ring; /* packets that wait: [buckets], [rings] */
	uint32_t *taken; /* 1 + the ticket of the latest packet out of a ring: [rings] */
};

/* Bytes that tenant_queues_init() takes. */
uint64_t tenant_queues_memory(const struct sl_dataplane *dp);
int tenant_queues_init(struct worker *w);
void tenant_queues_free(struct worker *w);

/*
 * Receive all there is, within bounds, and make a batch of those whose turn it is: as many as take
 * a millisecond, one at least, so that who comes next does not wait long. Its length.
 */
unsigned tenant_queues_collect(struct worker *w);

/* The latest packet out of a ring has this ticket. */
void tenant_queues_taken(struct worker *w, unsigned ring, uint32_t ticket);

#endif /* SL_DATAPLANE_TENANT_QUEUES_H */
