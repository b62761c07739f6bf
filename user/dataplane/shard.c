// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "dataplane/chain.h"
#include "dataplane/shard.h"

/*
 * A step looks at 64 buckets and at most 16 flows in each; steps are a quarter of a millisecond
 * apart at least: 1,024 buckets are seen every 4 ms at a cost below 1 % of a core.
 */
#define SWEEP_BUCKETS 64
#define SWEEP_FLOWS 16
#define SWEEP_PER_SECOND 4000
#define SWEEP_FLOWS_IDLE 4096

uint64_t shards_memory(const struct sl_dataplane *dp)
{
	uint64_t bucket = dp->shard_stride + chain_shard_bytes(dp->chain);

	for (unsigned s = 0; s < chain_slots(dp->chain); s++)
		if (chain_nf(dp->chain, s)->key_size)
			bucket += sl_flow_table_header();
	return bucket * dp->inst->buckets;
}

int shards_init(struct sl_dataplane *dp)
{
	unsigned slots = chain_slots(dp->chain);

	dp->shards = aligned_alloc(SL_CACHE_LINE, dp->shard_stride * dp->inst->buckets);
	if (!dp->shards)
		return -ENOMEM;
	memset(dp->shards, 0, dp->shard_stride * dp->inst->buckets);
	for (uint32_t b = 0; b < dp->inst->buckets; b++)
		for (unsigned s = 0; s < slots; s++) {
			if (!dp->flow_config[s].key_size)
				continue;
			shard_of(dp, b)->tables[s] = sl_flow_table_new(&dp->flow_config[s]);
			if (!shard_of(dp, b)->tables[s])
				return -ENOMEM;
		}
	return 0;
}

void shards_free(struct sl_dataplane *dp)
{
	for (uint32_t b = 0; dp->shards && b < dp->inst->buckets; b++)
		for (unsigned s = 0; s < SL_CHAIN_MAX; s++)
			if (shard_of(dp, b)->tables[s])
				sl_flow_table_free(shard_of(dp, b)->tables[s]);
	free(dp->shards);
	dp->shards = NULL;
}

static void publish_counts(struct worker *w, struct sl_flow_table *t)
{
	struct sl_flow_counts c = sl_flow_table_take_counts(t);

	if (c.refused)
		stat_add(&w->stat->flow_refused, c.refused);
	if (c.evicted)
		stat_add(&w->stat->flow_evicted, c.evicted);
	if (c.expired)
		stat_add(&w->stat->flow_expired, c.expired);
}

/* Owned by this worker: nobody else may look into the tables. */
static void sweep_shard(struct worker *w, uint32_t bucket, unsigned flows)
{
	struct sl_shard *shard = shard_of(w->dp, bucket);
	uint64_t count = 0;

	for (unsigned s = 0; s < chain_slots(w->dp->chain); s++) {
		struct sl_flow_table *t = shard->tables[s];

		if (!t)
			continue;
		sl_flow_table_expire(t, w->now_ns, flows);
		publish_counts(w, t);
		count += sl_flow_table_count(t);
	}
	if (w->cost[bucket].flows != count)
		__atomic_store_n(&w->cost[bucket].flows, (__u32)count, __ATOMIC_RELAXED);
	w->sweep_owned++;
	w->sweep_flows += count;
}

static void sweep(struct worker *w, uint32_t buckets, unsigned flows)
{
	const uint64_t *owners = w->dp->inst->owners;

	for (uint32_t i = 0; i < buckets; i++) {
		if (owner_load(&owners[w->sweep_bucket]).owner == w->id)
			sweep_shard(w, w->sweep_bucket, flows);
		else if (w->cost[w->sweep_bucket].flows)
			__atomic_store_n(&w->cost[w->sweep_bucket].flows, 0, __ATOMIC_RELAXED);
		if (++w->sweep_bucket < w->dp->inst->buckets)
			continue;
		__atomic_store_n(&w->stat->buckets, w->sweep_owned, __ATOMIC_RELAXED);
		stat_set(&w->stat->flows, w->sweep_flows);
		w->sweep_bucket = 0;
		w->sweep_owned = 0;
		w->sweep_flows = 0;
	}
}

void shards_sweep(struct worker *w, uint64_t cycles)
{
	if ((int64_t)(cycles - w->sweep_next) < 0)
		return;
	w->sweep_next = cycles + w->dp->tsc_hz / SWEEP_PER_SECOND;
	sweep(w, SWEEP_BUCKETS, SWEEP_FLOWS);
}

void shards_sweep_all(struct worker *w)
{
	w->sweep_bucket = 0;
	w->sweep_owned = 0;
	w->sweep_flows = 0;
	sweep(w, w->dp->inst->buckets, SWEEP_FLOWS_IDLE);
}
