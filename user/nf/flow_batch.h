/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow_batch.h - the flows of a batch's packets, looked up together. */
#ifndef SL_NF_FLOW_BATCH_H
#define SL_NF_FLOW_BATCH_H

#include <sluice/nf.h>

/* Entry i is of packet of[i]; values[i] is its flow's, or NULL: no room, which the table counts. */
struct flow_batch {
	unsigned n;
	unsigned of[SL_BATCH];
	bool reversed[SL_BATCH]; /* from the second end to the first */
	void *values[SL_BATCH];
	struct sl_flow_table *tables[SL_BATCH];
	struct sl_flow_key key[SL_BATCH];
	const void *keys[SL_BATCH];
	uint32_t hashes[SL_BATCH];
};

/* Packet i of the batch, if it has a flow. */
static inline void flow_batch_add(struct flow_batch *b, const struct sl_nf_ctx *ctx,
				  const struct sl_packet *pkt, unsigned i)
{
	unsigned m = b->n;

	if (sl_packet_flow_key(pkt, &b->key[m], &b->reversed[m]))
		return;
	b->tables[m] = pkt->tables[ctx->slot];
	b->keys[m] = &b->key[m];
	b->hashes[m] = pkt->meta->hash;
	b->of[m] = i;
	b->n++;
}

/* Find the flows of all that were added, and make those that are not there. */
static inline void flow_batch_make(struct flow_batch *b, const struct sl_nf_ctx *ctx)
{
	if (b->n)
		sl_flow_lookup_batch(b->tables, b->keys, b->hashes, b->n, ctx->now_ns, 1,
				     b->values);
}

#endif /* SL_NF_FLOW_BATCH_H */
