/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shard.h - the flow state of the buckets. A shard has exactly one owner at any instant (the owner
 * word); it moves by that word alone, nothing is copied.
 */
#ifndef SL_DATAPLANE_SHARD_H
#define SL_DATAPLANE_SHARD_H

#include "dataplane/internal.h"

/* Bytes that shards_init() takes. */
uint64_t shards_memory(const struct sl_dataplane *dp);

/* All shards, each with an empty table for every NF of the chain that keeps flows. */
int shards_init(struct sl_dataplane *dp);
/* Ends every flow (flow_end). No worker runs any more. */
void shards_free(struct sl_dataplane *dp);

/*
 * Look after the shards that this worker owns, a few at a time: forget idle flows, publish counts.
 * Called between batches; does nothing until the next step is due.
 */
void shards_sweep(struct worker *w, uint64_t cycles);

/* The same for all shards at once, before a sleep. */
void shards_sweep_all(struct worker *w);

#endif /* SL_DATAPLANE_SHARD_H */
