// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/batch.h"
#include "dataplane/frames.h"
#include "dataplane/park.h"
#include "dataplane/receive.h"
#include "dataplane/resteer.h"

#include "compiler.h"

static void take_stray(struct worker *w, unsigned ring, uint64_t addr)
{
	stat_add(&w->stat->stray, 1);
	frame_put(w, ring, addr);
}

/*
 * How many packets ahead their lines are fetched. Not the whole batch at once: frames are 2 KB
 * apart, so that 64 stamps would share two sets of the first-level cache.
 */
#define FETCH_AHEAD 5

/* Behind whatever is ready already. */
static void take_in_order(struct worker *w, unsigned ring, uint64_t addr, uint32_t len)
{
	if (unlikely(ready_waits(w)))
		ready_push(w, ring, addr, len);
	else
		batch_put(w, ring, addr, len);
}

/* Owned here, and a NIC's table sends it to another queue: see resteer.h. */
static void take_held(struct worker *w, unsigned ring, uint64_t addr, uint32_t len,
		      const struct sl_meta *meta)
{
	/* what the move before has left is older than anything in the rings */
	if (park_waits(w, meta->bucket) && !park_of(w, meta->bucket)->held)
		park_drain(w, meta->bucket);
	if (resteer_waits(w->dp, meta->bucket, ring)) {
		if (park_hold(w, meta->bucket, ring, addr, len))
			return;
		resteer_give_up(w, meta->bucket);
		if (park_waits(w, meta->bucket))
			park_drain(w, meta->bucket);
	}
	take_in_order(w, ring, addr, len);
}

/* Not owned here: park it if the bucket is on its way to this worker. */
static void take_foreign(struct worker *w, unsigned ring, uint64_t addr, uint32_t len,
			 const struct sl_meta *meta)
{
	const struct sl_instance *inst = w->dp->inst;
	/* the row first, then the word: see park_check() */
	struct sl_row row = row_load(&inst->rows[meta->bucket]);
	struct sl_owner word = owner_load(&inst->owners[meta->bucket]);

	if (word.owner == w->id && word.next & SL_OWNER_HOLD) {
		take_held(w, ring, addr, len, meta);
	} else if (word.owner == w->id) { /* has just become ours */
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
	if (unlikely(word.next & SL_OWNER_HOLD)) {
		take_held(w, ring, addr, len, meta);
		return;
	}
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
	take_in_order(w, ring, addr, len);
}

static __noinline void take(struct worker *w, unsigned ring, uint64_t addr, uint32_t len)
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
 * A packet that comes soon: its stamp, and its first line unless nobody reads that here: then it
 * stays with the CPU that writes it next. Always inline: gcc 12 takes a function that only
 * prefetches for one without effect and drops its calls.
 */
static __always_inline void fetch(const uint8_t *data, bool blind)
{
	__builtin_prefetch(data - sizeof(struct sl_meta));
	if (!blind)
		__builtin_prefetch(data);
}

/*
 * Up to n descriptors from `idx` on, as far as they are common packets: stamped, owned here and not
 * about to leave. Returns how many; take() has all other cases. Each is asked with as little as
 * possible, and nothing here is called, so that what the loop needs stays in registers.
 */
static uint32_t take_common(struct worker *w, unsigned ring, uint32_t idx, uint32_t n,
			    uint32_t stamp, uint64_t *bytes)
{
	const struct sl_dataplane *dp = w->dp;
	const struct xsk_ring_cons *rx = &w->ring[ring].xsk.rx;
	const struct xdp_desc *descs = rx->ring;
	const uint64_t here = owner_pack((struct sl_owner){.owner = w->id, .next = w->id});
	const uint64_t *owners = dp->inst->owners, origin = dp->home[ring].origin;
	const unsigned buckets = dp->inst->buckets;
	const bool blind = dp->blind;
	uint8_t *area = dp->area;
	struct sl_packet *p = &w->packet[w->batch];
	const struct sl_meta *meta = NULL;
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < n; i++, p++) {
		const struct xdp_desc *d = &descs[(idx + i) & rx->mask];
		const uint64_t addr = d->addr + stamp;
		uint8_t *data = area + addr;
		const struct sl_meta *m = (const struct sl_meta *)(data - sizeof(*m));

		fetch(area + descs[(idx + i + FETCH_AHEAD) & rx->mask].addr, blind);
		if (unlikely(m->magic != SL_META_MAGIC || m->bucket >= buckets ||
			     !owner_is(&owners[m->bucket], here)))
			break;
		meta = m;
		batch_fill(p, shard_of(dp, m->bucket), ring, origin, data, addr, d->len - stamp);
		sum += p->len;
	}
	if (meta) {
		w->ring[ring].last_epoch = meta->epoch;
		w->ring[ring].stamped = true;
	}
	w->batch += i;
	*bytes += sum;
	return i;
}

/* n descriptors from `idx` on; returns the packets' bytes. Only take() can make packets wait. */
static uint64_t take_all(struct worker *w, unsigned ring, uint32_t idx, uint32_t n, uint32_t stamp)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d;

		if (likely(nothing_waits(w)))
			i += take_common(w, ring, idx + i, n - i, stamp, &bytes);
		if (i == n)
			break;
		d = xsk_ring_cons__rx_desc(&w->ring[ring].xsk.rx, idx + i);
		take(w, ring, d->addr + stamp, d->len - stamp);
		bytes += d->len - stamp;
	}
	return bytes;
}

static const struct sl_meta *stamp_of(const struct worker *w, const struct xdp_desc *d,
				      uint32_t stamp)
{
	return (const struct sl_meta *)(w->dp->area + d->addr + stamp) - 1;
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
	if (unlikely(w->meter.on))
		tenants_taken(w, ring, stamp_of(w, xsk_ring_cons__rx_desc(rx, idx + n - 1), stamp));
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
