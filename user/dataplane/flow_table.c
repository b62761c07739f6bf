// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_table.c - life of a flow table, expiry of idle flows, walking.
 *
 * The sweep and the walk go from the last slab down to the first. Entries that move when a slab
 * goes (flow_store_retire) only move down, so neither can miss one that it has not seen yet.
 */
#include <errno.h>
#include <stdlib.h>

#include "flow_table_impl.h"

#define VALUE_MAX 256u

/* Slabs given back and buckets merged for so many entries swept. */
#define SWEEP_PER_SLAB 64u

#define CURSOR_SLAB (1ull << 32) /* a walk's cursor: slab * CURSOR_SLAB + 1 + slot */

static uint16_t entry_size(size_t bytes)
{
	/* Entries up to a cache line do not straddle one. */
	for (size_t size = 32; size <= SL_CACHE_LINE; size *= 2) {
		if (bytes <= size)
			return (uint16_t)size;
	}
	return (uint16_t)((bytes + 7) & ~7ul);
}

size_t sl_flow_table_header(void)
{
	return sizeof(struct sl_flow_table) + SL_CACHE_LINE; /* malloc's own, and to align it */
}

struct sl_flow_table *sl_flow_table_new(const struct sl_flow_config *config)
{
	struct sl_flow_table *t;
	size_t value_off = sizeof(struct flow_entry) + ((config->key_size + 7) & ~7ul);

	if (!config->key_size || config->key_size > SL_FLOW_KEY_MAX ||
	    config->value_size > VALUE_MAX) {
		errno = EINVAL;
		return NULL;
	}
	t = aligned_alloc(SL_CACHE_LINE, sizeof(*t));
	if (!t)
		return NULL;

	memset(t, 0, sizeof(*t));
	t->config = config;
	t->key_size = (uint16_t)config->key_size;
	t->value_size = (uint16_t)config->value_size;
	t->value_off = (uint16_t)value_off;
	if (config->tenants)
		t->tenant_off = (uint16_t)(value_off + ((config->value_size + 1) & ~1ul));
	t->stride = entry_size(config->tenants ? t->tenant_off + sizeof(uint16_t)
					       : value_off + config->value_size);
	t->idle_ticks = config->idle_ms ? flow_idle_ticks(config->idle_ms) : FLOW_NEVER;
	t->slab_max = (uint32_t)(FLOW_SLAB_BYTES / t->stride);
	if (t->slab_max > FLOW_SLAB_MAX)
		t->slab_max = FLOW_SLAB_MAX;
	t->nbuckets = 1;
	flow_segments_init(&t->index, sizeof(struct flow_bucket), &t->bucket0, 1);
	flow_segments_init(&t->overflow, sizeof(struct flow_bucket), NULL, 0);
	flow_segments_init(&t->slabs, sizeof(t->slab0[0]), t->slab0, FLOW_SLABS_EMBEDDED);
	return t;
}

static struct flow_entry *entry_at(const struct sl_flow_table *t, uint32_t slab, unsigned i)
{
	uint8_t *base = *(uint8_t **)flow_at(&t->slabs, slab);

	return (struct flow_entry *)(base + (size_t)i * t->stride);
}

void flow_end(struct sl_flow_table *t, struct flow_entry *e)
{
	flow_index_remove(t, e);
	if (t->config->flow_end)
		t->config->flow_end(t->config->self, e->data, flow_value(t, e));
	flow_count_tenant(t, e, -1);
	flow_entry_free(t, e);
	t->count--;
	flow_index_shrink(t);
}

static void end_all(struct sl_flow_table *t)
{
	for (uint32_t slab = t->nslabs; slab-- > 0;) {
		for (unsigned i = flow_slab_entries(t, slab); i-- > 0;) {
			struct flow_entry *e = entry_at(t, slab, i);

			if (e->stamp)
				flow_end(t, e);
		}
	}
}

void sl_flow_table_free(struct sl_flow_table *t)
{
	uint32_t buckets;

	if (!t)
		return;
	end_all(t);
	while (t->nslabs)
		flow_store_retire(t);
	do {
		buckets = t->nbuckets;
		flow_index_shrink(t);
	} while (t->nbuckets < buckets);
	flow_settle(t);
	free(t);
}

uint64_t sl_flow_table_count(const struct sl_flow_table *t)
{
	return t->count;
}

size_t sl_flow_table_bytes(const struct sl_flow_table *t)
{
	return t->bytes;
}

struct sl_flow_counts sl_flow_table_take_counts(struct sl_flow_table *t)
{
	struct sl_flow_counts counts = t->counts;

	t->counts = (struct sl_flow_counts){0};
	return counts;
}

/* The next entry down, from the top again behind the last. Requires a slab. */
struct flow_entry *flow_sweep_next(struct sl_flow_table *t)
{
	if (!t->sweep_slot || t->sweep_slab >= t->nslabs) {
		bool below = t->sweep_slab && t->sweep_slab <= t->nslabs;

		t->sweep_slab = (below ? t->sweep_slab : t->nslabs) - 1;
		t->sweep_slot = flow_slab_entries(t, t->sweep_slab);
	}
	return entry_at(t, t->sweep_slab, --t->sweep_slot);
}

void flow_give_back(struct sl_flow_table *t, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		if (flow_store_sparse(t))
			flow_store_retire(t);
		flow_index_shrink(t);
	}
	if (!t->nslabs && t->nbuckets == 1)
		flow_settle(t);
}

unsigned sl_flow_table_expire(struct sl_flow_table *t, uint64_t now_ns, unsigned budget)
{
	uint32_t tick = flow_tick(now_ns);
	uint64_t look = t->capacity < budget ? t->capacity : budget;
	unsigned gone = 0;

	if (t->idle_ticks == FLOW_NEVER)
		look = 0;
	for (uint64_t i = 0; i < look; i++) {
		struct flow_entry *e = flow_sweep_next(t);

		if (e->stamp && flow_age(e, tick) >= t->idle_ticks) {
			flow_end(t, e);
			gone++;
		}
	}
	t->counts.expired += gone;
	flow_give_back(t, budget / SWEEP_PER_SLAB + 1);
	return gone;
}

/* The cursor is the place of the entry seen last. */
bool sl_flow_table_walk(struct sl_flow_table *t, uint64_t *cursor, const void **key, void **value,
			uint64_t *idle_ns, uint64_t now_ns)
{
	uint32_t slab = (uint32_t)(*cursor / CURSOR_SLAB);
	unsigned left = *cursor ? (unsigned)(uint32_t)*cursor - 1 : 0;

	if (!*cursor || slab >= t->nslabs) {
		slab = t->nslabs;
		left = 0;
	}
	while (left || slab) {
		struct flow_entry *e;

		if (!left)
			left = flow_slab_entries(t, --slab);
		e = entry_at(t, slab, --left);
		if (!e->stamp)
			continue;
		*cursor = slab * CURSOR_SLAB + left + 1;
		*key = e->data;
		*value = flow_value(t, e);
		*idle_ns = (uint64_t)flow_age(e, flow_tick(now_ns)) << FLOW_TICK_SHIFT;
		return true;
	}
	*cursor = 1;
	return false;
}
