/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover.h - a bucket's shard moves from one worker to another: the old owner's side.
 *
 * The protocol, and why it is right, is in docs/architecture.md; tests/model explores it
 * exhaustively.
 */
#ifndef SL_DATAPLANE_HANDOVER_H
#define SL_DATAPLANE_HANDOVER_H

#include "dataplane/internal.h"

/* Bytes that handover_init() takes. */
uint64_t handover_memory(const struct sl_dataplane *dp);
int handover_init(struct worker *w);
void handover_free(struct worker *w);

/* Housekeeping: hand a moving bucket to its owner. There is always room. */
void handover_post(struct worker *w, uint32_t bucket);

/*
 * Take new moves out of the inbox and release every bucket whose rings are drained. Call it with an
 * empty batch and nothing ready only. True if a bucket went.
 */
bool handover_check(struct worker *w);

static inline bool handover_pending(const struct worker *w)
{
	return w->outgoing_n || atomic_load_explicit(&w->inbox.tail, memory_order_acquire) !=
					atomic_load_explicit(&w->inbox.head, memory_order_relaxed);
}

#endif /* SL_DATAPLANE_HANDOVER_H */
