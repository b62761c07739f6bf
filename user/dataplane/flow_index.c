// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_index.c - the index of a flow table: linear hashing over 64-byte buckets.
 *
 * Bucket i splits into i and i + 2^k; the last bucket merges into the one it was split from. A
 * bucket that overflows continues in a chained one.
 */
#include <errno.h>

#include "flow_table_impl.h"

#define CHAIN_ENTRIES (FLOW_CHAIN_MAX * FLOW_BUCKET_SLOTS)

static struct flow_bucket *bucket_of_hash(struct sl_flow_table *t, uint32_t hash)
{
	return flow_bucket(t, flow_bucket_of(t, flow_mix(hash)));
}

struct flow_entry *flow_index_find(struct sl_flow_table *t, const void *key, uint32_t hash)
{
	uint64_t mixed = flow_mix(hash);
	struct flow_bucket *b = flow_bucket(t, flow_bucket_of(t, mixed));

	for (; b; b = b->next) {
		unsigned match = flow_bucket_match(b, flow_tag(mixed));

		for (; match; match &= match - 1) {
			struct flow_entry *e = flow_slot_entry(b->slot[__builtin_ctz(match)]);

			if (flow_entry_is(t, e, key, hash))
				return e;
		}
	}
	return NULL;
}

static struct flow_bucket *bucket_new(struct sl_flow_table *t)
{
	struct flow_bucket *b = flow_alloc(t, sizeof(*b));

	if (b)
		memset(b, 0, sizeof(*b));
	return b;
}

/* -ENOMEM: no memory for an overflow; -ENOSPC: the chain is as long as it may get. */
int flow_index_insert(struct sl_flow_table *t, struct flow_entry *e)
{
	struct flow_bucket *b = bucket_of_hash(t, e->hash);
	unsigned chain = 1, i = 0;

	for (; b->slot[FLOW_BUCKET_SLOTS - 1]; b = b->next, chain++) {
		if (b->next)
			continue;
		if (chain == FLOW_CHAIN_MAX)
			return -ENOSPC;
		b->next = bucket_new(t);
		if (!b->next)
			return -ENOMEM;
	}
	while (b->slot[i])
		i++;
	b->slot[i] = flow_slot(e);
	return 0;
}

static uint64_t *find_slot(struct sl_flow_table *t, struct flow_entry *e)
{
	uint64_t slot = flow_slot(e);

	for (struct flow_bucket *b = bucket_of_hash(t, e->hash); b; b = b->next) {
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
	struct flow_bucket *b = bucket_of_hash(t, e->hash), **link = NULL;
	unsigned last = FLOW_BUCKET_SLOTS - 1;

	while (b->next) {
		link = &b->next;
		b = b->next;
	}
	while (!b->slot[last])
		last--;
	*gap = b->slot[last];
	b->slot[last] = 0;
	if (last == 0 && link) {
		*link = NULL;
		flow_release(t, b, sizeof(*b));
	}
}

/* Entry `old` has moved to `e`, which bears the same hash. */
void flow_index_replace(struct sl_flow_table *t, struct flow_entry *old, struct flow_entry *e)
{
	*find_slot(t, old) = flow_slot(e);
}

/* Empty a chain: its slots to `slots`, its overflow buckets to `spare`. Returns how many slots. */
static unsigned chain_take(struct flow_bucket *b, uint64_t *slots, struct flow_bucket **spare)
{
	unsigned n = 0;
	struct flow_bucket *next;

	for (struct flow_bucket *c = b; c; c = next) {
		next = c->next;
		for (unsigned i = 0; i < FLOW_BUCKET_SLOTS && c->slot[i]; i++)
			slots[n++] = c->slot[i];
		memset(c, 0, sizeof(*c));
		if (c != b) {
			c->next = *spare;
			*spare = c;
		}
	}
	return n;
}

/* Where the next slot of a chain under construction goes. */
struct chain_end {
	struct flow_bucket *b;
	unsigned slot;
};

static void chain_put(struct chain_end *end, uint64_t slot, struct flow_bucket **spare)
{
	if (end->slot == FLOW_BUCKET_SLOTS) {
		struct flow_bucket *b = *spare;

		*spare = b->next;
		b->next = NULL;
		end->b->next = b;
		*end = (struct chain_end){b, 0};
	}
	end->b->slot[end->slot++] = slot;
}

static void spare_release(struct sl_flow_table *t, struct flow_bucket *spare)
{
	while (spare) {
		struct flow_bucket *next = spare->next;

		flow_release(t, spare, sizeof(*spare));
		spare = next;
	}
}

/*
 * Distribute a chain over its bucket and a new one. Needs no memory: k and m slots take at most one
 * bucket more than k + m do, and that one is the new bucket.
 */
static void split(struct sl_flow_table *t, struct flow_bucket *b, struct flow_bucket *upper,
		  uint32_t bit)
{
	uint64_t slots[CHAIN_ENTRIES];
	struct flow_bucket *spare = NULL;
	struct chain_end end[2] = {{b, 0}, {upper, 0}};
	unsigned n;

	for (unsigned i = 0; i < FLOW_BUCKET_SLOTS && b->slot[i]; i++)
		__builtin_prefetch(flow_slot_entry(b->slot[i]));
	n = chain_take(b, slots, &spare);
	for (unsigned i = 0; i < n; i++) {
		uint64_t mixed = flow_mix(flow_slot_entry(slots[i])->hash);

		chain_put(&end[(mixed >> 32 & bit) != 0], slots[i], &spare);
	}
	spare_release(t, spare);
}

/* After an insertion: one split if the load asks for it. Without memory the chains get longer. */
void flow_index_grow(struct sl_flow_table *t)
{
	uint32_t n = t->nbuckets;
	struct flow_bucket *upper;

	if (t->count <= (uint64_t)n * FLOW_SPLIT_LOAD || n >> 31)
		return;
	if (flow_segments_grow(t, &t->index, n + 1))
		return;

	if (n > t->mask)
		t->mask = 2 * t->mask + 1;
	upper = flow_bucket(t, n);
	memset(upper, 0, sizeof(*upper));
	split(t, flow_bucket(t, n & (t->mask >> 1)), upper, t->mask - (t->mask >> 1));
	t->nbuckets = n + 1;
}

static unsigned chain_slots(const struct flow_bucket *b, unsigned *buckets)
{
	unsigned n = 0, i = 0;

	for (; b; b = b->next, n++) {
		if (b->next)
			continue;
		while (i < FLOW_BUCKET_SLOTS && b->slot[i])
			i++;
	}
	*buckets = n;
	return (n - 1) * FLOW_BUCKET_SLOTS + i;
}

static int merge(struct sl_flow_table *t, struct flow_bucket *b, struct flow_bucket *upper)
{
	unsigned b_len, upper_len, need;
	unsigned n = chain_slots(b, &b_len) + chain_slots(upper, &upper_len);
	struct flow_bucket *spare = NULL;
	struct chain_end end = {b, 0};
	uint64_t slots[CHAIN_ENTRIES];

	if (n > CHAIN_ENTRIES)
		return -ENOSPC;
	need = (n + FLOW_BUCKET_SLOTS - 1) / FLOW_BUCKET_SLOTS;
	if (need > b_len + upper_len - 1) {
		spare = bucket_new(t);
		if (!spare)
			return -ENOMEM;
	}

	n = chain_take(b, slots, &spare);
	n += chain_take(upper, slots + n, &spare);
	for (unsigned i = 0; i < n; i++)
		chain_put(&end, slots[i], &spare);
	spare_release(t, spare);
	return 0;
}

/* After a removal: one merge if the load allows it. */
void flow_index_shrink(struct sl_flow_table *t)
{
	uint32_t n = t->nbuckets - 1;

	if (!n || 2 * t->count >= (uint64_t)t->nbuckets * FLOW_MERGE_LOAD_X2)
		return;
	if (merge(t, flow_bucket(t, n & (t->mask >> 1)), flow_bucket(t, n)))
		return;

	t->nbuckets = n;
	if (n == (t->mask >> 1) + 1)
		t->mask >>= 1;
	flow_segments_shrink(t, &t->index, n);
}
