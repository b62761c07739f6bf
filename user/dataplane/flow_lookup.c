// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_lookup.c - looking flows up, making them, and making room for them.
 *
 * A batch goes in stages: every stage touches only lines that the stage before asked for, so the
 * cache misses of 64 look-ups overlap instead of adding up (Intel DPDK's rte_hash does the same).
 */
#include <errno.h>

#include "flow_table_impl.h"

/* What eviction looks at: enough flows to find an old one among, and a bound on the search. */
#define EVICT_SAMPLE 8
#define EVICT_BUCKETS 8

static bool batch_holds(const struct flow_batch *batch, const void *value)
{
	for (unsigned i = 0; i < batch->n; i++) {
		if (batch->values[i] == value)
			return true;
	}
	return false;
}

/* Whom a new flow may push out. */
struct claim {
	const struct flow_batch *batch;
	unsigned tenant;
	bool within; /* its tenant's part of the memory: only who is not makes way */
};

static bool may_go(const struct sl_flow_table *t, const struct flow_entry *e,
		   const struct claim *claim)
{
	const struct sl_flow_tenants *c = t->config->tenants;

	if (!c)
		return true;
	return !c->within(*flow_tenant(t, e), 0) ||
	       (!claim->within && *flow_tenant(t, e) == claim->tenant);
}

/* Adds the chain's entries that may go to `sample`, up to `max`; returns how many it now has. */
static unsigned chain_sample(const struct sl_flow_table *t, const struct flow_bucket *b,
			     const struct claim *claim, struct flow_entry **sample, unsigned n,
			     unsigned max)
{
	for (; b; b = flow_next(t, b)) {
		for (unsigned i = 0; i < FLOW_BUCKET_SLOTS && b->slot[i]; i++)
			__builtin_prefetch(flow_slot_entry(b->slot[i]));
		for (unsigned i = 0; i < FLOW_BUCKET_SLOTS && b->slot[i] && n < max; i++) {
			sample[n] = flow_slot_entry(b->slot[i]);
			n += may_go(t, sample[n], claim);
		}
	}
	return n;
}

/*
 * End the flow that is idle longest in the hash's bucket or, if that holds few, in the ones behind
 * it too. False: there is none that could go.
 */
static bool evict_one(struct sl_flow_table *t, uint32_t hash, unsigned buckets,
		      const struct claim *claim)
{
	struct flow_entry *sample[FLOW_CHAIN_MAX * FLOW_BUCKET_SLOTS], *oldest = NULL;
	uint32_t at = flow_bucket_of(t, flow_mix(hash));
	unsigned n = 0, max = sizeof(sample) / sizeof(*sample);

	for (unsigned i = 0; i < buckets && i < t->nbuckets && n < EVICT_SAMPLE; i++) {
		n = chain_sample(t, flow_bucket(t, at), claim, sample, n, max);
		at = at + 1 < t->nbuckets ? at + 1 : 0;
	}
	for (unsigned i = 0; i < n; i++) {
		const uint32_t tick = claim->batch->tick;

		if (oldest && flow_age(sample[i], tick) <= flow_age(oldest, tick))
			continue;
		if (!batch_holds(claim->batch, flow_value(t, sample[i])))
			oldest = sample[i];
	}
	if (!oldest)
		return false;

	flow_end(t, oldest);
	t->counts.evicted++;
	return true;
}

/* Room for a flow: of those who have more than their part first, then of its own tenant's. */
static bool evict(struct sl_flow_table *t, uint32_t hash, unsigned buckets,
		  const struct flow_batch *batch, unsigned tenant)
{
	const struct sl_flow_tenants *c = t->config->tenants;
	struct claim claim = {batch, tenant, c && c->within(tenant, t->stride)};

	if (claim.within && evict_one(t, hash, buckets, &claim))
		return true;
	if (t->config->budget->policy != SL_FLOW_EVICT)
		return false;
	claim.within = false;
	return evict_one(t, hash, buckets, &claim);
}

static void entry_fill(const struct sl_flow_table *t, struct flow_entry *e, const void *key,
		       uint32_t hash, uint32_t tick)
{
	e->hash = hash;
	flow_touch(e, tick);
	memset(e->data, 0, t->value_off - sizeof(*e) + t->value_size);
	memcpy(e->data, key, t->key_size);
}

static struct flow_entry *make(struct sl_flow_table *t, const void *key, uint32_t hash,
			       const struct flow_batch *batch)
{
	const unsigned tenant = t->tenant_off ? t->config->tenants->whose(hash) : 0;
	struct flow_entry *e = flow_entry_new(t);

	if (!e && evict(t, hash, EVICT_BUCKETS, batch, tenant))
		e = flow_entry_new(t);
	if (!e)
		goto refused;

	entry_fill(t, e, key, hash, batch->tick);
	if (t->tenant_off)
		*flow_tenant(t, e) = (uint16_t)tenant;
	if (flow_index_insert(t, e) &&
	    !(evict(t, hash, 1, batch, tenant) && !flow_index_insert(t, e))) {
		flow_entry_free(t, e);
		goto refused;
	}
	flow_count_tenant(t, e, 1);
	t->count++;
	t->counts.made++;
	flow_index_grow(t);
	return e;

refused:
	t->counts.refused++;
	return NULL;
}

/* The same key, maybe another tenant's by now. */
static void flow_retenant(struct sl_flow_table *t, struct flow_entry *e)
{
	if (!t->tenant_off)
		return;
	flow_count_tenant(t, e, -1);
	*flow_tenant(t, e) = (uint16_t)t->config->tenants->whose(e->hash);
	flow_count_tenant(t, e, 1);
}

/*
 * The flow has been found. If it was idle for too long and the sweep has not been here yet, it is a
 * new flow of the same key.
 */
static void *use(struct sl_flow_table *t, struct flow_entry *e, uint32_t tick, int create)
{
	if (__builtin_expect(flow_age(e, tick) >= t->idle_ticks, 0)) {
		if (!create)
			return NULL;
		if (t->config->flow_end)
			t->config->flow_end(t->config->self, e->data, flow_value(t, e));
		memset(flow_value(t, e), 0, t->value_size);
		flow_retenant(t, e);
		t->counts.expired++;
		t->counts.made++;
	}
	if (e->stamp != (tick << 1 | 1))
		flow_touch(e, tick);
	return flow_value(t, e);
}

static void *find_or_make(struct sl_flow_table *t, const void *key, uint32_t hash, int create,
			  const struct flow_batch *batch)
{
	struct flow_entry *e = flow_index_find(t, key, hash);

	if (e)
		return use(t, e, batch->tick, create);
	if (!create)
		return NULL;
	e = make(t, key, hash, batch);
	return e ? flow_value(t, e) : NULL;
}

/* Inlined early: GCC takes a function that only prefetches for one without effect, and drops it. */
static inline __attribute__((always_inline)) void prefetch_entry(const struct sl_flow_table *t,
								 const struct flow_entry *e)
{
	__builtin_prefetch(e, 1);
	if (t->stride > SL_CACHE_LINE)
		__builtin_prefetch((const uint8_t *)e + t->value_off, 1);
}

/*
 * Stages one and two: the bucket of each look-up, then the first entry with its tag. An entry stays
 * readable for the whole batch, but by stage three it may have been evicted and be another flow's:
 * so stage three compares the key, and searches anew if it differs.
 */
static void find_candidates(struct sl_flow_table *const *tables, const uint32_t *hashes, unsigned n,
			    struct flow_entry **found)
{
	const struct flow_bucket *bucket[SL_BATCH];

	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(tables[i]);
	for (unsigned i = 0; i < n; i++) {
		bucket[i] = flow_bucket(tables[i], flow_bucket_of(tables[i], flow_mix(hashes[i])));
		__builtin_prefetch(bucket[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned match = flow_bucket_match(bucket[i], flow_tag(flow_mix(hashes[i])));

		found[i] = NULL;
		if (match) {
			found[i] = flow_slot_entry(bucket[i]->slot[__builtin_ctz(match)]);
			prefetch_entry(tables[i], found[i]);
		} else if (bucket[i]->next) {
			__builtin_prefetch(flow_next(tables[i], bucket[i]));
		}
	}
}

void sl_flow_lookup_batch(struct sl_flow_table *const *tables, const void *const *keys,
			  const uint32_t *hashes, unsigned n, uint64_t now_ns, int create,
			  void **values)
{
	struct flow_batch batch = {.values = values, .tick = flow_tick(now_ns)};
	struct flow_entry *found[SL_BATCH];

	find_candidates(tables, hashes, n, found);
	for (unsigned i = 0; i < n; i++) {
		if (found[i] && flow_entry_is(tables[i], found[i], keys[i], hashes[i])) {
			values[i] = use(tables[i], found[i], batch.tick, create);
			continue;
		}
		batch.n = i;
		values[i] = find_or_make(tables[i], keys[i], hashes[i], create, &batch);
	}
}

void *sl_flow_lookup(struct sl_flow_table *table, const void *key, uint32_t hash, uint64_t now_ns,
		     int create)
{
	const struct flow_batch batch = {.tick = flow_tick(now_ns)};

	return find_or_make(table, key, hash, create, &batch);
}

void *sl_flow_peek(struct sl_flow_table *table, const void *key, uint32_t hash, uint64_t now_ns)
{
	struct flow_entry *e = flow_index_find(table, key, hash);

	return e && flow_age(e, flow_tick(now_ns)) < table->idle_ticks ? flow_value(table, e)
								       : NULL;
}

int sl_flow_remove(struct sl_flow_table *table, const void *key, uint32_t hash)
{
	struct flow_entry *e = flow_index_find(table, key, hash);

	if (!e)
		return -ENOENT;
	flow_end(table, e);
	table->counts.removed++;
	return 0;
}

/* An idle time that is shorter than the table's began earlier. */
uint32_t sl_flow_expire_in(struct sl_flow_table *table, void *value, uint64_t now_ns, uint32_t ms)
{
	struct flow_entry *e = (struct flow_entry *)((uint8_t *)value - table->value_off);
	uint32_t ticks = flow_idle_ticks(ms), tick = flow_tick(now_ns);

	if (table->idle_ticks == FLOW_NEVER)
		return UINT32_MAX;
	if (ticks < table->idle_ticks)
		tick = (tick - (table->idle_ticks - ticks)) & FLOW_TICK_MASK;
	flow_touch(e, tick);
	return ticks < table->idle_ticks ? ms : table->config->idle_ms;
}
