/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch.h - the packets in hand: all owned by this worker, in arrival order for each bucket and
 * ring.
 */
#ifndef SL_DATAPLANE_BATCH_H
#define SL_DATAPLANE_BATCH_H

#include "dataplane/internal.h"

/*
 * Put an owned packet into the batch; there is room. From here on it counts as processed for rule
 * (d): no bucket is released before the batch is carried out (handover_check() wants an empty
 * batch).
 */
static inline void batch_put(struct worker *w, unsigned ring, uint64_t addr, uint32_t len)
{
	struct sl_dataplane *dp = w->dp;
	const struct sl_home *h = &dp->home[ring];
	struct sl_packet *p = &w->packet[w->batch];
	uint8_t *data = dp->area + addr;
	const struct sl_meta *meta = (const struct sl_meta *)(data - sizeof(*meta));
	struct sl_shard *shard = shard_of(dp, meta->bucket);

	w->batch++;
	*p = (struct sl_packet){
		.data = data,
		.meta = meta,
		.tables = shard->tables,
		.len = len,
		.queue = h->queue,
		.iface = h->iface,
		.out_iface = h->iface,
		.ring = (uint16_t)ring,
		.addr = addr,
	};
	shard->ring[ring].next = meta->seq + 1;
	shard->ring[ring].valid = 1;
}

/* Carry out the verdicts: transmit, free, count. The batch is empty afterwards. */
void batch_finish(struct worker *w);

/* Free the frames and count nothing: the caller has. */
void batch_forget(struct worker *w);

#endif /* SL_DATAPLANE_BATCH_H */
