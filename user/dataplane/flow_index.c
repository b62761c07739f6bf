// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_index.c - the index of a flow table: linear hashing over 64-byte buckets.
 *
 * Bucket i splits into i and i + 2^k; the last bucket merges into the one it was split from. A
 * bucket that overflows continues in one of flow_overflow.c.
 */
#include <errno.h>

#include "flow_table_impl.h"

static struct flow_bucket *bucket_of_hash(struct sl_flow_table *t, uint32_t hash)
{
	return flow_bucket(t, flow_bucket_of(t, flow_mix(hash)));
}

struct flow_entry *flow_index_find(struct sl_flow_table *t, const void *key, uint32_t hash)
{
	uint64_t mixed = flow_mix(hash);
	struct flow_bucket *b = flow_bucket(t, flow_bucket_of(t, mixed));

	for (; b; b = flow_next(t, b)) {
		unsigned match = flow_bucket_match(b, flow_tag(mixed));

		for (; match; match &= match - 1) {
			struct flow_entry *e = flow_slot_entry(b->slot[__builtin_ctz(match)]);

			if (flow_entry_is(t, e, key, hash))
				return e;
		}
	}
	return NULL;
}

/* -ENOMEM: no memory for an overflow; -ENOSPC: the chain is as long as it may get. */
int flow_index_insert(struct sl_flow_table *t, struct flow_entry *e)
{
	struct flow_bucket *b = bucket_of_hash(t, e->hash);
	unsigned chain = 1, i = 0;

	for (; b->next; b = flow_next(t, b))
		chain++;
	if (b->slot[FLOW_BUCKET_SLOTS - 1]) {
		uint32_t next;

		if (chain == FLOW_CHAIN_MAX)
			return -ENOSPC;
		next = flow_overflow_new(t);
		if (!next)
			return -ENOMEM;
		/* Making it may have moved the chain's end. */
		b = bucket_of_hash(t, e->hash);
		while (b->next)
			b = flow_next(t, b);
		b->next = next;
		b = flow_next(t, b);
	}
	while (b->slot[i])
		i++;
	b->slot[i] = flow_slot(e);
	return 0;
}

static uint64_t *find_slot(struct sl_flow_table *t, struct flow_entry *e)
{
	uint64_t slot = flow_slot(e);

	for (struct flow_bucket *b = bucket_of_hash(t, e->hash); b; b = flow_next(t, b)) {
		for (unsigned i = 0; i < FLOW_BUCKET_SLOTS; i++) {
			if (b->slot[i] == slot)
				return &b->slot[i];
		}
	}
	__builtin_unreachable(); /* every live entry is in the index */
}

/* The last entry of the chain fills the gap. */
void flow_index_remove(struct sl_flow_table *t, struct flow_entry *e)
{
	uint64_t *gap = find_slot(t, e);
	struct flow_bucket *b = bucket_of_hash(t, e->hash), *before = NULL;
	unsigned last = FLOW_BUCKET_SLOTS - 1;

	while (b->next) {
		before = b;
		b = flow_next(t, b);
	}
	while (!b->slot[last])
		last--;
	*gap = b->slot[last];
	b->slot[last] = 0;
	if (last == 0 && before) {
		uint32_t empty = before->next;

		before->next = 0;
		flow_overflow_free(t, empty);
	}
}

/* Entry `old` has moved to `e`, which bears the same hash. */
void flow_index_replace(struct sl_flow_table *t, struct flow_entry *old, struct flow_entry *e)
{
	*find_slot(t, old) = flow_slot(e);
}

/* A chain taken apart: its slots, and its overflow buckets for use anew. */
struct chain {
	uint64_t slots[FLOW_CHAIN_MAX * FLOW_BUCKET_SLOTS];
	uint32_t spare[FLOW_CHAIN_MAX + 1]; /* of two chains, and one new */
	unsigned n, spares;
};

static void chain_take(struct sl_flow_table *t, struct chain *c, struct flow_bucket *b)
{
	uint32_t next;

	do {
		for (unsigned i = 0; i < FLOW_BUCKET_SLOTS && b->slot[i]; i++)
			c->slots[c->n++] = b->slot[i];
		next = b->next;
		memset(b, 0, sizeof(*b));
		if (next) {
			c->spare[c->spares++] = next;
			b = flow_overflow(t, next);
		}
	} while (next);
}

/* Where the next slot of a chain under construction goes. */
struct chain_end {
	struct flow_bucket *b;
	unsigned slot;
};

static void chain_put(struct sl_flow_table *t, struct chain_end *end, uint64_t slot,
		      struct chain *from)
{
	if (end->slot == FLOW_BUCKET_SLOTS) {
		uint32_t next = from->spare[--from->spares];

		end->b->next = next;
		*end = (struct chain_end){flow_overflow(t, next), 0};
	}
	end->b->slot[end->slot++] = slot;
}

/* Chains have no gaps: so a split leaves one overflow bucket at most, and a merge leaves none. */
static void spare_free(struct sl_flow_table *t, const struct chain *c)
{
	if (c->spares)
		flow_overflow_free(t, c->spare[0]);
}

/*
 * Distribute a chain over its bucket and a new one. Needs no memory: k and m slots take at most one
 * bucket more than k + m do, and that one is the new bucket.
 */
static void split(struct sl_flow_table *t, struct chain *c, struct flow_bucket *b,
		  struct flow_bucket *upper, uint32_t bit)
{
	struct chain_end end[2] = {{b, 0}, {upper, 0}};

	for (unsigned i = 0; i < FLOW_BUCKET_SLOTS && b->slot[i]; i++)
		__builtin_prefetch(flow_slot_entry(b->slot[i]));
	c->n = c->spares = 0;
	chain_take(t, c, b);
	for (unsigned i = 0; i < c->n; i++) {
		uint64_t mixed = flow_mix(flow_slot_entry(c->slots[i])->hash);

		chain_put(t, &end[(mixed >> 32 & bit) != 0], c->slots[i], c);
	}
}

/* After an insertion: one split if the load asks for it. Without memory the chains get longer. */
void flow_index_grow(struct sl_flow_table *t)
{
	uint32_t n = t->nbuckets;
	struct flow_bucket *upper;
	struct chain c;

	if (t->count <= (uint64_t)n * FLOW_SPLIT_LOAD || n >> 31)
		return;
	if (flow_segments_grow(t, &t->index, n + 1))
		return;

	if (n > t->mask)
		t->mask = 2 * t->mask + 1;
	upper = flow_bucket(t, n);
	memset(upper, 0, sizeof(*upper));
	split(t, &c, flow_bucket(t, n & (t->mask >> 1)), upper, t->mask - (t->mask >> 1));
	t->nbuckets = n + 1;
	spare_free(t, &c);
}

static unsigned chain_slots(const struct sl_flow_table *t, const struct flow_bucket *b,
			    unsigned *buckets)
{
	unsigned i = 0;

	for (*buckets = 1; b->next; b = flow_next(t, b))
		++*buckets;
	while (i < FLOW_BUCKET_SLOTS && b->slot[i])
		i++;
	return (*buckets - 1) * FLOW_BUCKET_SLOTS + i;
}

static int merge(struct sl_flow_table *t, struct chain *c, struct flow_bucket *b,
		 struct flow_bucket *upper)
{
	unsigned b_len, upper_len;
	unsigned n = chain_slots(t, b, &b_len) + chain_slots(t, upper, &upper_len);
	unsigned need = (n + FLOW_BUCKET_SLOTS - 1) / FLOW_BUCKET_SLOTS;
	struct chain_end end = {b, 0};

	if (need > FLOW_CHAIN_MAX)
		return -ENOSPC;
	c->n = c->spares = 0;
	if (need > b_len + upper_len - 1) {
		uint32_t spare = flow_overflow_new(t);

		if (!spare)
			return -ENOMEM;
		c->spare[c->spares++] = spare;
	}

	chain_take(t, c, b);
	chain_take(t, c, upper);
	for (unsigned i = 0; i < c->n; i++)
		chain_put(t, &end, c->slots[i], c);
	return 0;
}

/* After a removal: one merge if the load allows it. */
void flow_index_shrink(struct sl_flow_table *t)
{
	uint32_t n = t->nbuckets - 1;
	struct chain c;

	if (!n || 2 * t->count >= (uint64_t)t->nbuckets * FLOW_MERGE_LOAD_X2)
		return;
	if (merge(t, &c, flow_bucket(t, n & (t->mask >> 1)), flow_bucket(t, n)))
		return;

	t->nbuckets = n;
	if (n == (t->mask >> 1) + 1)
		t->mask >>= 1;
	spare_free(t, &c);
	flow_segments_shrink(t, &t->index, n);
}
