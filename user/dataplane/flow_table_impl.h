/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow_table_impl.h - inside of the flow table; shared by flow_*.c only.
 *
 * Two parts with different lives. The store holds the entries (key and value) in slabs; an entry
 * keeps its address until it ends or until an expiry sweep closes a gap, so that value pointers of
 * a batch survive the growth that later packets of the same batch cause. The index finds them: a
 * linear hash table (Litwin, VLDB 1980) of 64-byte buckets, which splits or merges one bucket for
 * one insertion or removal; there is never an old and a new table, nor an array to fill at once.
 *
 *   flow_segment.c  arrays that grow a segment at a time
 *   flow_memory.c   the byte account, allocation
 *   flow_store.c    slabs, entries
 *   flow_index.c    buckets: find, insert, remove, split, merge
 *   flow_overflow.c buckets that continue full ones
 *   flow_lookup.c   the look-ups of nf.h; making and evicting flows
 *   flow_table.c    life of a table, expiry, walking
 *   flow_give.c     flows that go to other tables
 */
#ifndef SL_DATAPLANE_FLOW_TABLE_IMPL_H
#define SL_DATAPLANE_FLOW_TABLE_IMPL_H

#include <string.h>

#include <sluice/maps.h>

#include "flow_table.h"

/*
 * A segment is what is allocated at once, and half of it is the most that is ever copied: 8 KiB of
 * buckets. Segments of 64 KiB were seen to take 40 us, most of it page faults.
 */
#define FLOW_SEGMENT_SHIFT 8
#define FLOW_SEGMENT (1u << FLOW_SEGMENT_SHIFT)

#define FLOW_BUCKET_SLOTS 7
/*
 * Splitting at 4 flows a bucket leaves 5 % of the buckets with an overflow (Poisson); merging well
 * below half of that keeps a table that breathes from splitting and merging in turn.
 */
#define FLOW_SPLIT_LOAD 4
#define FLOW_MERGE_LOAD_X2 3

/*
 * Buckets in a chain, at most: bounds every operation against keys of one hash. A flow that finds
 * its chain full is handled as if memory were full.
 */
#define FLOW_CHAIN_MAX 32

/*
 * Small slabs and arrays come from malloc(). From FLOW_MAP_BYTES on arrays are mapped, and slabs
 * from FLOW_BLOCK_FROM on, where all have the full size, lie in mapped blocks: free() in a heap of
 * many megabytes may return all of them at once, and was seen to take 1.5 ms.
 */
#define FLOW_MAP_BYTES 4096u
#define FLOW_DIRECTORY 64u /* segments in the first directory */
#define FLOW_SLAB_BYTES ((size_t)4096)
#define FLOW_SLAB_MIN 4u
#define FLOW_SLAB_MAX 128u
#define FLOW_BLOCK_FROM 6u
#define FLOW_BLOCK_SLABS 16u

/* The account changes in these chunks once a table is several times larger. */
#define FLOW_CREDIT ((size_t)4096)

/* Idle times count in ticks of 2^21 ns (2.1 ms): 31 bits hold 52 days, longer than any idle_ms. */
#define FLOW_TICK_SHIFT 21
#define FLOW_TICK_MASK 0x7fffffffu
/* An age above this is a clock read up to 137 s earlier, on another CPU: age 0. */
#define FLOW_AGE_MAX 0x7fff0000u
#define FLOW_NEVER UINT32_MAX

struct flow_entry {
	uint32_t hash;
	uint32_t stamp; /* tick << 1 | 1; 0: free */
	uint8_t data[]; /* key, padded to 8 bytes, then the value; free: struct flow_free */
};

struct flow_free {
	struct flow_entry *prev, *next;
};

/* Slots fill from 0 without gaps, on into the next bucket of the chain. */
struct flow_bucket {
	uint64_t slot[FLOW_BUCKET_SLOTS]; /* tag << 48 | address of the entry; 0: empty */
	uint32_t next; /* number of the overflow bucket that continues it; 0: none */
	uint32_t resv;
};
_Static_assert(sizeof(struct flow_bucket) == SL_CACHE_LINE, "a bucket is one cache line");

/* An array in segments. Below one segment it doubles by copying, above it gains whole segments. */
struct flow_segments {
	uint8_t *first; /* segment 0: `first_cap` elements */
	uint8_t **more; /* [i]: segment i, for i > 0 */
	void *embedded; /* where segment 0 starts: room inside the table */
	uint32_t first_cap;
	uint32_t segments; /* that are allocated, segment 0 included */
	uint32_t more_cap;
	uint16_t embedded_cap;
	uint16_t elem; /* bytes of an element */
};

#define FLOW_SLABS_EMBEDDED 4

struct sl_flow_table {
	/* What a look-up reads: one line. */
	struct flow_segments index SL_LINE;
	uint32_t nbuckets;
	uint32_t mask; /* smallest 2^k - 1 >= nbuckets - 1 */
	uint16_t key_size, value_off, value_size;
	uint16_t stride; /* bytes of an entry */
	uint16_t tenant_off; /* of an entry: its tenant (uint16_t); 0: there is none */
	uint32_t idle_ticks; /* an age that is idle too long for certain; FLOW_NEVER */

	/* What making and ending a flow reads. */
	uint64_t count SL_LINE;
	const struct sl_flow_config *config;
	struct flow_entry *free_list;
	struct flow_segments overflow; /* of buckets */
	uint32_t overflows;
	uint64_t capacity; /* entries in all slabs */
	struct flow_segments slabs; /* of struct flow_entry *: first entry of each slab */
	uint32_t nslabs;
	uint32_t slab_max; /* entries of a large slab */
	uint32_t sweep_slab, sweep_slot; /* the expiry sweep goes down from here */
	bool heir; /* takes a flow that was charged elsewhere: the limit is not asked */
	size_t bytes; /* charged to the budget, credit included */
	size_t credit; /* of these, not in use */
	struct sl_flow_counts counts;
	struct flow_entry *slab0[FLOW_SLABS_EMBEDDED];

	struct flow_bucket bucket0 SL_LINE; /* all the index of a small table */
};

_Static_assert(offsetof(struct sl_flow_table, count) == SL_CACHE_LINE, "one line for look-ups");

/* Pointers handed out in this call, which eviction must leave alone. */
struct flow_batch {
	struct sl_flow_table *const *tables;
	void **values;
	unsigned n;
	uint32_t tick;
};

/* flow_segment.c: 0, or -ENOMEM with nothing changed. Shrinking always succeeds. */
void flow_segments_init(struct flow_segments *s, uint16_t elem, void *embedded, uint16_t cap);
int flow_segments_grow(struct sl_flow_table *t, struct flow_segments *s, uint32_t n);
void flow_segments_shrink(struct sl_flow_table *t, struct flow_segments *s, uint32_t n);

/* flow_memory.c */
bool flow_charge(struct sl_flow_table *t, size_t bytes);
void flow_uncharge(struct sl_flow_table *t, size_t bytes);
void *flow_map(size_t bytes);
void flow_unmap(void *p, size_t bytes);
void flow_drop_pages(void *p, size_t bytes);
void *flow_alloc(struct sl_flow_table *t, size_t bytes);
void flow_release(struct sl_flow_table *t, void *p, size_t bytes);
void flow_settle(struct sl_flow_table *t);

/* flow_store.c */
unsigned flow_slab_entries(const struct sl_flow_table *t, uint32_t slab);
struct flow_entry *flow_entry_new(struct sl_flow_table *t);
void flow_entry_free(struct sl_flow_table *t, struct flow_entry *e);
bool flow_store_sparse(const struct sl_flow_table *t);
void flow_store_retire(struct sl_flow_table *t);

/* flow_index.c */
struct flow_entry *flow_index_find(struct sl_flow_table *t, const void *key, uint32_t hash);
int flow_index_insert(struct sl_flow_table *t, struct flow_entry *e);
void flow_index_remove(struct sl_flow_table *t, struct flow_entry *e);
void flow_index_replace(struct sl_flow_table *t, struct flow_entry *old, struct flow_entry *e);
void flow_index_grow(struct sl_flow_table *t);
void flow_index_shrink(struct sl_flow_table *t);

/* flow_overflow.c */
uint32_t flow_overflow_new(struct sl_flow_table *t);
void flow_overflow_free(struct sl_flow_table *t, uint32_t i);

/* flow_table.c: the flow's end: out of the index, flow_end called, the entry free. */
void flow_end(struct sl_flow_table *t, struct flow_entry *e);
/* The next entry of the sweep, live or not; there is a slab. */
struct flow_entry *flow_sweep_next(struct sl_flow_table *t);
/* Memory that is not needed any more, in so many steps. */
void flow_give_back(struct sl_flow_table *t, unsigned steps);

static inline void *flow_at(const struct flow_segments *s, uint32_t i)
{
	if (i < FLOW_SEGMENT)
		return s->first + (size_t)i * s->elem;
	return s->more[i >> FLOW_SEGMENT_SHIFT] + (size_t)(i & (FLOW_SEGMENT - 1)) * s->elem;
}

/*
 * All hashes of a shard agree in the bits that chose its bucket: the low 7 to 16. A multiplication
 * (Knuth's, by 2^64 / golden ratio) spreads the others over the upper half, which has the index in
 * its low bits and the tag in its high ones.
 */
static inline uint64_t flow_mix(uint32_t hash)
{
	return hash * 0x9e3779b97f4a7c15ull;
}

static inline uint64_t flow_tag(uint64_t mixed)
{
	return (mixed | 1ull << 48) & 0xffffull << 48; /* never 0: 0 is an empty slot */
}

static inline uint32_t flow_bucket_of(const struct sl_flow_table *t, uint64_t mixed)
{
	uint32_t b = (uint32_t)(mixed >> 32) & t->mask;

	return b < t->nbuckets ? b : b & (t->mask >> 1);
}

static inline struct flow_bucket *flow_bucket(const struct sl_flow_table *t, uint32_t b)
{
	if (b < FLOW_SEGMENT)
		return (struct flow_bucket *)t->index.first + b;
	return (struct flow_bucket *)t->index.more[b >> FLOW_SEGMENT_SHIFT] +
	       (b & (FLOW_SEGMENT - 1));
}

static inline struct flow_bucket *flow_overflow(const struct sl_flow_table *t, uint32_t i)
{
	return flow_at(&t->overflow, i - 1);
}

static inline struct flow_bucket *flow_next(const struct sl_flow_table *t,
					    const struct flow_bucket *b)
{
	return b->next ? flow_overflow(t, b->next) : NULL;
}

static inline struct flow_entry *flow_slot_entry(uint64_t slot)
{
	return (struct flow_entry *)(uintptr_t)(slot & 0xffffffffffffull);
}

static inline uint64_t flow_slot(const struct flow_entry *e)
{
	return flow_tag(flow_mix(e->hash)) | (uintptr_t)e;
}

/* Bit i is set if slot i bears the tag. */
static inline unsigned flow_bucket_match(const struct flow_bucket *b, uint64_t tag)
{
	unsigned match = 0;

#pragma GCC unroll 7
	for (unsigned i = 0; i < FLOW_BUCKET_SLOTS; i++)
		match |= (unsigned)(((b->slot[i] ^ tag) >> 48) == 0) << i;
	return match;
}

static inline uint64_t flow_word(const void *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline bool flow_entry_is(const struct sl_flow_table *t, const struct flow_entry *e,
				 const void *key, uint32_t hash)
{
	const uint8_t *a = e->data, *b = key;

	if (e->hash != hash)
		return false;
	if (t->key_size != SL_FLOW_KEY_MAX)
		return memcmp(a, b, t->key_size) == 0;
	return ((flow_word(a) ^ flow_word(b)) | (flow_word(a + 8) ^ flow_word(b + 8)) |
		(flow_word(a + 16) ^ flow_word(b + 16)) | (flow_word(a + 24) ^ flow_word(b + 24)) |
		(flow_word(a + 32) ^ flow_word(b + 32))) == 0;
}

static inline void *flow_value(const struct sl_flow_table *t, struct flow_entry *e)
{
	return (uint8_t *)e + t->value_off;
}

static inline uint16_t *flow_tenant(const struct sl_flow_table *t, const struct flow_entry *e)
{
	return (uint16_t *)((uintptr_t)e + t->tenant_off);
}

static inline void flow_count_tenant(const struct sl_flow_table *t, const struct flow_entry *e,
				     int flows)
{
	if (t->tenant_off)
		t->config->tenants->count(*flow_tenant(t, e), flows, flows * (int64_t)t->stride);
}

static inline uint32_t flow_tick(uint64_t now_ns)
{
	return (uint32_t)(now_ns >> FLOW_TICK_SHIFT) & FLOW_TICK_MASK;
}

/*
 * An entry's tick is its time rounded down, and so is the sweep's: a difference of d ticks is more
 * than d - 1 ticks of time.
 */
static inline uint32_t flow_idle_ticks(uint32_t ms)
{
	return (uint32_t)((ms * 1000000ull + (1u << FLOW_TICK_SHIFT) - 1) >> FLOW_TICK_SHIFT) + 1;
}

static inline uint32_t flow_age(const struct flow_entry *e, uint32_t tick)
{
	uint32_t age = (tick - (e->stamp >> 1)) & FLOW_TICK_MASK;

	return age > FLOW_AGE_MAX ? 0 : age;
}

static inline void flow_touch(struct flow_entry *e, uint32_t tick)
{
	e->stamp = tick << 1 | 1;
}

#endif /* SL_DATAPLANE_FLOW_TABLE_IMPL_H */
