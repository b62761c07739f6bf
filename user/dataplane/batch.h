/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch.h - the packets in hand: all owned by this worker, in arrival order for each bucket and
 * ring.
 */
#ifndef SL_DATAPLANE_BATCH_H
#define SL_DATAPLANE_BATCH_H

#include "dataplane/internal.h"

/* A packet of ring `ring`, whose home has this `origin`, at `data`. */
static inline void batch_fill(struct sl_packet *p, struct sl_shard *shard, unsigned ring,
			      uint64_t origin, uint8_t *data, uint64_t addr, uint32_t len)
{
	const struct sl_meta *meta = (const struct sl_meta *)(data - sizeof(*meta));

	p->data = data;
	p->meta = meta;
	p->tables = shard->tables;
	memcpy((uint8_t *)p + SL_PACKET_ORIGIN, &origin, sizeof(origin));
	p->addr = addr;
	p->len = len;
	shard->ring[ring].last = shard_last(meta->seq);
}

/* Again, a packet that has waited (tenant_queues.h): others of its bucket may have come since. */
static inline void batch_refill(struct worker *w, unsigned ring, uint64_t addr, uint32_t len)
{
	struct sl_dataplane *dp = w->dp;
	struct sl_packet *p = &w->packet[w->batch++];
	uint8_t *data = dp->area + addr;
	const struct sl_meta *meta = (const struct sl_meta *)(data - sizeof(*meta));
	struct sl_shard_ring *sr = &shard_of(dp, meta->bucket)->ring[ring];
	const uint64_t last = sr->last;

	batch_fill(p, shard_of(dp, meta->bucket), ring, dp->home[ring].origin, data, addr, len);
	sr->last = last;
}

/*
 * Put an owned packet into the batch; there is room. From here on it counts as processed for rule
 * (d): no bucket is released before the batch is carried out (handover_check() wants an empty
 * batch), nor while packets of it wait for their tenants' turns.
 */
static inline void batch_put(struct worker *w, unsigned ring, uint64_t addr, uint32_t len)
{
	struct sl_dataplane *dp = w->dp;
	uint8_t *data = dp->area + addr;
	const struct sl_meta *meta = (const struct sl_meta *)(data - sizeof(*meta));

	batch_fill(&w->packet[w->batch++], shard_of(dp, meta->bucket), ring, dp->home[ring].origin,
		   data, addr, len);
}

/* Carry out the verdicts: transmit, free, count. The batch is empty afterwards. */
void batch_finish(struct worker *w);

/* Free the frames and count nothing: the caller has. */
void batch_forget(struct worker *w);

#endif /* SL_DATAPLANE_BATCH_H */
