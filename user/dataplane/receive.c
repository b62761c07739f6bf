// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/batch.h"
#include "dataplane/frames.h"
#include "dataplane/park.h"
#include "dataplane/receive.h"

#include "compiler.h"

static void take_stray(struct worker *w, unsigned ring, uint64_t addr)
{
	stat_add(&w->stat->stray, 1);
	frame_put(w, ring, addr);
}

/* Not owned here: park it if the bucket is on its way to this worker. */
static void take_foreign(struct worker *w, unsigned ring, uint64_t addr, uint32_t len,
			 const struct sl_meta *meta)
{
	const struct sl_instance *inst = w->dp->inst;
	/* the row first, then the word: see park_check() */
	struct sl_row row = row_load(&inst->rows[meta->bucket]);
	struct sl_owner word = owner_load(&inst->owners[meta->bucket]);

	if (word.owner == w->id) { /* has just become ours */
		if (park_waits(w, meta->bucket))
			park_drain(w, meta->bucket);
		ready_push(w, ring, addr, len);
	} else if (word.next == w->id || row.worker == w->id) {
		park_packet(w, meta->bucket, ring, meta->seq, addr, len, word);
	} else {
		take_stray(w, ring, addr);
	}
}

static void take_owned(struct worker *w, unsigned ring, uint64_t addr, uint32_t len,
		       const struct sl_meta *meta, struct sl_owner word)
{
	/*
	 * Moving away, and steered after the row said so: somebody wrote the row back by hand. What
	 * waits at the new owner is older than this packet, so it must not overtake.
	 */
	if (unlikely(word.next != w->id) && epoch_reached(meta->epoch, word.epoch)) {
		take_stray(w, ring, addr);
		return;
	}
	if (unlikely(park_waits(w, meta->bucket)))
		park_drain(w, meta->bucket);
	if (unlikely(ready_waits(w)))
		ready_push(w, ring, addr, len);
	else
		batch_put(w, ring, addr, len);
}

static void take(struct worker *w, unsigned ring, uint64_t addr, uint32_t len)
{
	struct sl_dataplane *dp = w->dp;
	struct sl_worker_ring *r = &w->ring[ring];
	const struct sl_meta *meta = (const struct sl_meta *)(dp->area + addr - sizeof(*meta));
	struct sl_owner word;

	if (unlikely(meta->magic != SL_META_MAGIC || meta->bucket >= dp->inst->buckets)) {
		stat_add(&w->stat->nf_drop[SL_DROP_MALFORMED], 1);
		frame_put(w, ring, addr);
		return;
	}
	r->last_epoch = meta->epoch;
	r->stamped = true;
	word = owner_load(&dp->inst->owners[meta->bucket]);
	if (likely(word.owner == w->id))
		take_owned(w, ring, addr, len, meta, word);
	else
		take_foreign(w, ring, addr, len, meta);
}

/* Nothing waits that packets from the rings would have to stay behind. */
static bool nothing_waits(const struct worker *w)
{
	return !w->parked_buckets && !ready_waits(w);
}

/*
 * n descriptors from `idx` on; returns the packets' bytes. What is asked of the common packet, one
 * that is stamped, owned here and not about to leave, is asked with as little as possible; take()
 * has all the cases. Only take() can make packets wait.
 */
static uint64_t take_all(struct worker *w, unsigned ring, uint32_t idx, uint32_t n, uint32_t stamp)
{
	struct sl_dataplane *dp = w->dp;
	struct sl_worker_ring *r = &w->ring[ring];
	const unsigned id = w->id, buckets = dp->inst->buckets;
	const uint64_t *owners = dp->inst->owners;
	const struct sl_meta *latest = NULL;
	bool clear = nothing_waits(w);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&r->xsk.rx, idx + i);
		const uint64_t addr = d->addr + stamp;
		const uint32_t len = d->len - stamp;
		const struct sl_meta *meta =
			(const struct sl_meta *)(dp->area + addr - sizeof(*meta));

		bytes += len;
		if (likely(clear && meta->magic == SL_META_MAGIC && meta->bucket < buckets &&
			   owner_stays(&owners[meta->bucket], id))) {
			latest = meta;
			batch_put(w, ring, addr, len);
			continue;
		}
		take(w, ring, addr, len);
		latest = NULL;
		clear = nothing_waits(w);
	}
	if (latest) {
		r->last_epoch = latest->epoch;
		r->stamped = true;
	}
	return bytes;
}

static unsigned receive_ring(struct worker *w, unsigned ring)
{
	struct sl_worker_ring *r = &w->ring[ring];
	struct xsk_ring_cons *rx = &r->xsk.rx;
	unsigned room = w->max - w->batch;
	/* from here on the stamp lies in front of the packet, wherever XDP put it */
	uint32_t stamp = w->dp->inband ? sizeof(struct sl_meta) : 0;
	uint32_t idx, n, fill;
	uint64_t bytes;

	n = xsk_ring_cons__peek(rx, room, &idx);
	if (!n)
		return 0;
	w->cache[ring].taken = true;
	fill = n == room ? n + (__atomic_load_n(rx->producer, __ATOMIC_RELAXED) - rx->cached_cons)
			 : n;
	if (fill > w->stat->ring_fill)
		__atomic_store_n(&w->stat->ring_fill, fill, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(rx, idx + i);

		__builtin_prefetch(w->dp->area + d->addr - sizeof(struct sl_meta));
		/* a line that nobody reads here stays with the CPU that writes it next */
		if (!w->dp->blind)
			__builtin_prefetch(w->dp->area + d->addr);
	}
	bytes = take_all(w, ring, idx, n, stamp);
	stat_add(&w->stat->rx_packets, n);
	stat_add(&w->stat->rx_bytes, bytes);
	xsk_ring_cons__release(rx, n);
	return n;
}

unsigned receive_batch(struct worker *w)
{
	struct sl_dataplane *dp = w->dp;

	ready_to_batch(w);
	if (w->stat->ring_fill)
		__atomic_store_n(&w->stat->ring_fill, 0, __ATOMIC_RELAXED);
	for (unsigned k = 0, i = w->next_ring; k < dp->rings; k++) {
		/* what becomes ready in a ring must be processed before anything behind it */
		if (w->batch == w->max || ready_waits(w))
			break;
		if (w->ring[i].open &&
		    atomic_load_explicit(&dp->home[i].active, memory_order_acquire))
			receive_ring(w, i);
		if (++i == dp->rings)
			i = 0;
	}
	if (++w->next_ring >= dp->rings)
		w->next_ring = 0;
	ready_to_batch(w);
	return w->batch;
}

bool receive_waits(const struct worker *w)
{
	for (unsigned i = 0; i < w->dp->rings; i++) {
		const struct xsk_ring_cons *rx = &w->ring[i].xsk.rx;

		if (w->ring[i].open &&
		    __atomic_load_n(rx->producer, __ATOMIC_ACQUIRE) != rx->cached_cons)
			return true;
	}
	return false;
}
