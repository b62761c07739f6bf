// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "dataplane/batch.h"
#include "dataplane/frames.h"
#include "dataplane/park.h"

#define FIRST_SEEN (1ull << 32)

/* See node_take(). */
static uint32_t nodes_of(const struct sl_dataplane *dp)
{
	return dp->rings * dp->park_limit + SL_BATCH;
}

uint64_t parks_memory(const struct sl_dataplane *dp)
{
	return (uint64_t)dp->inst->buckets * (dp->park_stride + sizeof(uint32_t)) +
	       (uint64_t)nodes_of(dp) * sizeof(struct sl_parked);
}

int parks_init(struct worker *w)
{
	struct sl_dataplane *dp = w->dp;
	uint32_t nodes = nodes_of(dp);

	/* calloc: untouched pages of a large table cost nothing */
	w->park = calloc(dp->inst->buckets, dp->park_stride);
	w->parked_list = malloc(dp->inst->buckets * sizeof(uint32_t));
	w->node = malloc(nodes * sizeof(*w->node));
	if (!w->park || !w->parked_list || !w->node)
		return -ENOMEM;
	for (uint32_t i = 0; i < nodes; i++)
		w->node[i].next = i + 1 < nodes ? i + 1 : SL_NIL;
	w->node_free = 0;
	w->ready_head = SL_NIL;
	w->ready_tail = SL_NIL;
	return 0;
}

void parks_free(struct worker *w)
{
	free(w->park);
	free(w->parked_list);
	free(w->node);
	w->park = NULL;
	w->parked_list = NULL;
	w->node = NULL;
}

/* F of rule (d). Release: pairs with the acquire in ring_drained_d(). */
static void announce(struct worker *w, uint32_t bucket, unsigned ring, uint32_t epoch)
{
	struct sl_shard *shard = shard_of(w->dp, bucket);
	uint64_t first = park_of(w, bucket)->first[ring];

	if (first)
		atomic_store_explicit(&shard->ring[ring].first,
				      (uint64_t)epoch << 32 | (uint32_t)first,
				      memory_order_release);
}

static void announce_all(struct worker *w, uint32_t bucket, uint32_t epoch)
{
	struct sl_park *p = park_of(w, bucket);

	for (unsigned r = 0; r < w->dp->rings; r++)
		announce(w, bucket, r, epoch);
	p->announced = epoch;
}

static void park_begin(struct worker *w, uint32_t bucket)
{
	struct sl_park *p = park_of(w, bucket);

	memset(p, 0, w->dp->park_stride);
	p->head = SL_NIL;
	p->tail = SL_NIL;
	p->listed = true;
	p->place = w->parked_buckets;
	w->parked_list[w->parked_buckets++] = bucket;
}

/* A place among the home's parked frames, so that no other worker's rings run dry. */
static bool park_reserve(struct worker *w, const struct sl_park *p, unsigned ring)
{
	struct sl_home *h = &w->dp->home[ring];

	if (p->count >= w->dp->park_bucket_limit)
		return false;
	if (atomic_fetch_add_explicit(&h->parked, 1, memory_order_relaxed) < w->dp->park_limit)
		return true;
	atomic_fetch_sub_explicit(&h->parked, 1, memory_order_relaxed);
	return false;
}

/*
 * Never out of nodes: parked packets are at most rings * park_limit by park_reserve(), and of the
 * others there is one burst at most.
 */
static uint32_t node_take(struct worker *w, unsigned ring, uint64_t addr, uint32_t len,
			  bool counted)
{
	uint32_t i = w->node_free;

	w->node_free = w->node[i].next;
	w->node[i] = (struct sl_parked){
		.addr = addr, .len = len, .next = SL_NIL, .ring = ring, .counted = counted};
	return i;
}

static struct sl_parked node_give(struct worker *w, uint32_t i)
{
	struct sl_parked k = w->node[i];

	w->node[i].next = w->node_free;
	w->node_free = i;
	if (k.counted) {
		atomic_fetch_sub_explicit(&w->dp->home[k.ring].parked, 1, memory_order_relaxed);
		stat_add(&w->stat->held, -1ull);
	}
	return k;
}

/* At the end of the bucket's park; false: no room. */
static bool park_put(struct worker *w, uint32_t bucket, unsigned ring, uint64_t addr, uint32_t len)
{
	struct sl_park *p = park_of(w, bucket);
	uint32_t i;

	if (!park_reserve(w, p, ring))
		return false;
	i = node_take(w, ring, addr, len, true);
	if (p->tail == SL_NIL)
		p->head = i;
	else
		w->node[p->tail].next = i;
	p->tail = i;
	p->count++;
	stat_add(&w->stat->parked, 1);
	stat_add(&w->stat->held, 1);
	__atomic_store_n(&w->cost[bucket].parked, p->count, __ATOMIC_RELAXED);
	return true;
}

void park_packet(struct worker *w, uint32_t bucket, unsigned ring, uint32_t seq, uint64_t addr,
		 uint32_t len, struct sl_owner word)
{
	struct sl_park *p = park_of(w, bucket);

	if (!p->listed)
		park_begin(w, bucket);
	if (!p->first[ring]) {
		p->first[ring] = FIRST_SEEN | seq;
		if (p->announced)
			announce(w, bucket, ring, p->announced);
	}
	if (!p->announced && word.next == w->id && word.owner != w->id)
		announce_all(w, bucket, word.epoch);
	if (!park_put(w, bucket, ring, addr, len)) {
		stat_add(&w->stat->park_overflow, 1);
		frame_put(w, ring, addr);
	}
}

bool park_hold(struct worker *w, uint32_t bucket, unsigned ring, uint64_t addr, uint32_t len)
{
	struct sl_park *p = park_of(w, bucket);

	if (!p->listed) {
		park_begin(w, bucket);
		p->held = true;
	}
	return park_put(w, bucket, ring, addr, len);
}

static void park_end(struct worker *w, uint32_t bucket)
{
	struct sl_park *p = park_of(w, bucket);
	uint32_t last;

	p->listed = false;
	__atomic_store_n(&w->cost[bucket].parked, 0, __ATOMIC_RELAXED);
	last = w->parked_list[--w->parked_buckets];
	w->parked_list[p->place] = last;
	park_of(w, last)->place = p->place;
}

void park_drain(struct worker *w, uint32_t bucket)
{
	struct sl_park *p = park_of(w, bucket);
	struct sl_shard *shard = shard_of(w->dp, bucket);
	struct sl_move *log = shard_log(w->dp, bucket);

	/*
	 * Packets that overflowed were numbered too, and are done with. The parked ones set L to
	 * their own numbers when they are processed; for a ring whose packets all overflowed the
	 * first one does.
	 */
	for (unsigned r = 0; r < w->dp->rings; r++)
		if (p->first[r])
			shard->ring[r].last = shard_last((uint32_t)p->first[r]);
	/* housekeeping may have started the bucket's next move already */
	if (!p->held && field_load(log->bucket) == bucket && field_load(log->to) == w->id)
		field_store(log->parked_max, p->count);
	park_end(w, bucket);
	if (p->head == SL_NIL)
		return;
	if (w->ready_tail == SL_NIL)
		w->ready_head = p->head;
	else
		w->node[w->ready_tail].next = p->head;
	w->ready_tail = p->tail;
}

void ready_push(struct worker *w, unsigned ring, uint64_t addr, uint32_t len)
{
	uint32_t i = node_take(w, ring, addr, len, false);

	if (w->ready_tail == SL_NIL)
		w->ready_head = i;
	else
		w->node[w->ready_tail].next = i;
	w->ready_tail = i;
}

void ready_to_batch(struct worker *w)
{
	while (w->ready_head != SL_NIL && w->batch < w->max) {
		uint32_t i = w->ready_head;
		struct sl_parked k;

		w->ready_head = w->node[i].next;
		if (w->ready_head == SL_NIL)
			w->ready_tail = SL_NIL;
		k = node_give(w, i);
		batch_put(w, k.ring, k.addr, k.len);
	}
}

/* Rows written by hand, twice and fast: nobody will ever give this bucket to this worker. */
static void park_stray(struct worker *w, uint32_t bucket)
{
	struct sl_park *p = park_of(w, bucket);

	park_end(w, bucket);
	for (uint32_t i = p->head, next; i != SL_NIL; i = next) {
		struct sl_parked k;

		next = w->node[i].next;
		k = node_give(w, i);
		stat_add(&w->stat->stray, 1);
		frame_put(w, k.ring, k.addr);
	}
}

static bool park_check(struct worker *w, uint32_t bucket)
{
	struct sl_park *p = park_of(w, bucket);
	/* the row first: a stale row and a fresh word never look stray by mistake */
	struct sl_row row = row_load(&w->dp->inst->rows[bucket]);
	struct sl_owner word = owner_load(&w->dp->inst->owners[bucket]);

	if (word.owner == w->id) {
		if (p->held && word.next & SL_OWNER_HOLD)
			return false;
		park_drain(w, bucket);
		return true;
	}
	if (word.next == w->id) {
		if (p->announced == word.epoch)
			return false;
		announce_all(w, bucket, word.epoch);
		return true;
	}
	/* a worker that is to leave its loop gets no more buckets: a row written to it now is
	 * refused */
	if (row.worker == w->id && !atomic_load_explicit(&w->quit, memory_order_acquire))
		return false;
	park_stray(w, bucket);
	return true;
}

bool parks_check(struct worker *w)
{
	bool changed = false;

	/* backwards: an ended park is replaced by the last one of the list */
	for (uint32_t i = w->parked_buckets; i-- > 0;)
		changed |= park_check(w, w->parked_list[i]);
	return changed;
}
