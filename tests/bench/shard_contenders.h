/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shard_contenders.h - the flow tables that bench_shard compares, behind one interface.
 *
 * Each look-up ends as an NF's does: the flow's packet counter goes up and its idle time starts
 * anew. In a shared table another thread may do the same to the same flow at the same time, so the
 * counter goes up under the stripe's lock, or atomically.
 */
#ifndef SHARD_CONTENDERS_H
#define SHARD_CONTENDERS_H

#include <stdatomic.h>
#include <stdlib.h>

#define _LGPL_SOURCE /* liburcu's inline read side: its fastest */
#define RCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>

#include "dataplane/flow_table_impl.h"
#include "shard_stream.h"

struct flow_value {
	uint64_t packets;
};

/* Ours: one table a shard, no lock; a batch at a time. */
struct sharded {
	struct sl_flow_budget budget;
	struct sl_flow_config config;
	struct sl_flow_table *table[SHARDS];
};

static void tables_open(struct sl_flow_budget *budget, struct sl_flow_config *config,
			struct sl_flow_table **table, unsigned n)
{
	*budget = (struct sl_flow_budget){.limit = 1ull << 40};
	*config = (struct sl_flow_config){.key_size = sizeof(struct sl_flow_key),
					  .value_size = sizeof(struct flow_value),
					  .idle_ms = 60000,
					  .budget = budget};
	for (unsigned i = 0; i < n; i++) {
		table[i] = sl_flow_table_new(config);
		if (!table[i])
			abort();
	}
}

static unsigned sharded_batch(struct sharded *s, const struct stream_batch *b, uint64_t now)
{
	struct sl_flow_table *table[SL_BATCH];
	void *value[SL_BATCH];
	unsigned found = 0;

	for (unsigned i = 0; i < SL_BATCH; i++)
		table[i] = s->table[b->hash[i] % SHARDS];
	sl_flow_lookup_batch(table, b->keys, b->hash, SL_BATCH, now, 0, value);
	for (unsigned i = 0; i < SL_BATCH; i++) {
		if (value[i]) {
			((struct flow_value *)value[i])->packets++;
			found++;
		}
	}
	return found;
}

/*
 * The same table shared: as many stripes as there are shards, each with a spinlock. Whoever does
 * not hold the lock may not read a bucket (it may be split just now), so the stages of the batch
 * take the lock each time. `unlocked` leaves that out of the stages before the last: not safe once
 * the table changes, here an upper bound for what a cleverer locking could reach.
 */
struct stripe {
	atomic_uint lock;
	struct sl_flow_table *table;
} SL_LINE;

struct striped {
	struct sl_flow_budget budget;
	struct sl_flow_config config;
	struct stripe stripe[SHARDS];
};

/* Pairs with the release in stripe_unlock(). */
static inline void stripe_lock(struct stripe *s, bool locked)
{
	while (locked && atomic_exchange_explicit(&s->lock, 1, memory_order_acquire)) {
		while (atomic_load_explicit(&s->lock, memory_order_relaxed))
			__builtin_ia32_pause();
	}
}

/* Pairs with the acquire in stripe_lock(). */
static inline void stripe_unlock(struct stripe *s, bool locked)
{
	if (locked)
		atomic_store_explicit(&s->lock, 0, memory_order_release);
}

/* GCC takes a function that only prefetches for one without effect, and drops its calls. */
static inline __attribute__((always_inline)) void stripe_prefetch_bucket(const struct stripe *s,
									 uint32_t hash)
{
	__builtin_prefetch(flow_bucket(s->table, flow_bucket_of(s->table, flow_mix(hash))));
}

static inline __attribute__((always_inline)) void stripe_prefetch_entry(const struct stripe *s,
									uint32_t hash)
{
	uint64_t mixed = flow_mix(hash);
	const struct flow_bucket *b = flow_bucket(s->table, flow_bucket_of(s->table, mixed));
	unsigned match = flow_bucket_match(b, flow_tag(mixed));

	if (match)
		__builtin_prefetch(flow_slot_entry(b->slot[__builtin_ctz(match)]), 1);
}

static inline unsigned striped_batch(struct striped *t, const struct stream_batch *b, uint64_t now,
				     bool locked)
{
	struct stripe *stripe[SL_BATCH];
	unsigned found = 0;

	for (unsigned i = 0; i < SL_BATCH; i++) {
		stripe[i] = &t->stripe[b->hash[i] % SHARDS];
		__builtin_prefetch(stripe[i], 1);
	}
	for (unsigned i = 0; i < SL_BATCH; i++)
		__builtin_prefetch(stripe[i]->table);
	for (unsigned i = 0; i < SL_BATCH; i++) {
		stripe_lock(stripe[i], locked);
		stripe_prefetch_bucket(stripe[i], b->hash[i]);
		stripe_unlock(stripe[i], locked);
	}
	for (unsigned i = 0; i < SL_BATCH; i++) {
		stripe_lock(stripe[i], locked);
		stripe_prefetch_entry(stripe[i], b->hash[i]);
		stripe_unlock(stripe[i], locked);
	}
	for (unsigned i = 0; i < SL_BATCH; i++) {
		struct flow_value *value;

		stripe_lock(stripe[i], true);
		value = sl_flow_lookup(stripe[i]->table, b->keys[i], b->hash[i], now, 0);
		if (value) {
			value->packets++;
			found++;
		}
		stripe_unlock(stripe[i], true);
	}
	return found;
}

/*
 * liburcu's lock-free hash table, QSBR flavour (no cost for readers but one call a batch), with as
 * many buckets as flows. Its interface tells no address before the look-up is done, so there is
 * nothing to prefetch; what overlaps is up to the processor.
 */
struct lfht_flow {
	struct cds_lfht_node node;
	struct sl_flow_key key;
	_Atomic uint32_t packets, stamp;
};
_Static_assert(sizeof(struct lfht_flow) == SL_CACHE_LINE, "a flow is one cache line");

static int lfht_match(struct cds_lfht_node *node, const void *key)
{
	const uint8_t *a = (const uint8_t *)&caa_container_of(node, struct lfht_flow, node)->key;
	const uint8_t *b = key;

	return ((flow_word(a) ^ flow_word(b)) | (flow_word(a + 8) ^ flow_word(b + 8)) |
		(flow_word(a + 16) ^ flow_word(b + 16)) | (flow_word(a + 24) ^ flow_word(b + 24)) |
		(flow_word(a + 32) ^ flow_word(b + 32))) == 0;
}

static void lfht_add(struct cds_lfht *ht, const struct sl_flow_key *key, uint32_t hash)
{
	struct lfht_flow *f = aligned_alloc(SL_CACHE_LINE, sizeof(*f));

	if (!f)
		abort();
	memset(f, 0, sizeof(*f));
	cds_lfht_node_init(&f->node);
	f->key = *key;
	cds_lfht_add(ht, hash, &f->node);
}

static unsigned lfht_batch(struct cds_lfht *ht, const struct stream_batch *b, uint64_t now)
{
	uint32_t tick = flow_tick(now);
	unsigned found = 0;

	urcu_qsbr_read_lock();
	for (unsigned i = 0; i < SL_BATCH; i++) {
		struct cds_lfht_iter iter;
		struct cds_lfht_node *node;
		struct lfht_flow *f;

		cds_lfht_lookup(ht, b->hash[i], lfht_match, b->keys[i], &iter);
		node = cds_lfht_iter_get_node(&iter);
		if (!node)
			continue;
		f = caa_container_of(node, struct lfht_flow, node);
		atomic_fetch_add_explicit(&f->packets, 1, memory_order_relaxed);
		if (atomic_load_explicit(&f->stamp, memory_order_relaxed) != tick)
			atomic_store_explicit(&f->stamp, tick, memory_order_relaxed);
		found++;
	}
	urcu_qsbr_read_unlock();
	urcu_qsbr_quiescent_state();
	return found;
}

#endif /* SHARD_CONTENDERS_H */
