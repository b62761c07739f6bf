// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/frames.h"

#define COMPLETE_BATCH 64

uint64_t frames_memory(const struct sl_dataplane *dp)
{
	return (uint64_t)dp->rings * dp->frames *
	       (dp->frame_size + sizeof(uint64_t)); /* and spare */
}

uint64_t caches_memory(const struct sl_dataplane *dp)
{
	return dp->rings * (sizeof(struct sl_cache) + dp->frames * sizeof(uint64_t));
}

int frames_init(struct sl_dataplane *dp, struct sl_error *err)
{
	dp->area_size = (size_t)dp->rings * dp->frames * dp->frame_size;
	dp->area = sl_area_map(dp->area_size);
	if (!dp->area)
		return sl_error_set(
			err, -ENOMEM,
			"no memory for %zu MiB of frames: lower --ring, --park or --max-workers",
			dp->area_size >> 20);
	for (unsigned i = 0; i < dp->rings; i++) {
		atomic_flag_clear(&dp->home[i].fill_lock);
		atomic_flag_clear(&dp->home[i].comp_lock);
	}
	return 0;
}

void frames_free(struct sl_dataplane *dp)
{
	if (dp->area)
		sl_area_unmap(dp->area, dp->area_size);
	dp->area = NULL;
}

void home_init(struct sl_dataplane *dp, unsigned ring, unsigned iface, unsigned queue)
{
	struct sl_home *h = &dp->home[ring];
	const struct sl_packet blank = {.queue = (uint16_t)queue,
					.iface = (uint8_t)iface,
					.out_iface = (uint8_t)iface,
					.verdict = SL_NEXT,
					.ring = (uint16_t)ring};

	h->iface = (uint8_t)iface;
	h->queue = (uint16_t)queue;
	memcpy(&h->origin, (const uint8_t *)&blank + SL_PACKET_ORIGIN, sizeof(h->origin));
}

int home_open(struct sl_dataplane *dp, unsigned ring, struct sl_error *err)
{
	struct sl_home *h = &dp->home[ring];
	uint64_t base = (uint64_t)ring * dp->frames * dp->frame_size;
	int ret;

	ret = sl_xsk_umem_open(&h->umem, dp->inst->iface[h->iface].name, h->queue, dp->area,
			       dp->area_size, &dp->xsk_opts, err);
	if (ret)
		return ret;
	h->spare = malloc(dp->frames * sizeof(*h->spare));
	if (!h->spare) {
		sl_xsk_umem_close(&h->umem);
		return sl_error_set(err, -ENOMEM, "no memory for the list of spare frames");
	}
	for (uint32_t i = 0; i < dp->frames; i++)
		h->spare[i] = base + (uint64_t)(dp->frames - 1 - i) * dp->frame_size;
	atomic_store(&h->spare_n, dp->frames);
	h->open = true;
	frames_top_up(dp, ring);
	return 0;
}

void home_close(struct sl_dataplane *dp, unsigned ring)
{
	struct sl_home *h = &dp->home[ring];

	if (!h->open)
		return;
	sl_xsk_umem_close(&h->umem);
	free(h->spare);
	h->spare = NULL;
	h->spare_n = 0;
	h->open = false;
}

int caches_init(struct worker *w)
{
	struct sl_dataplane *dp = w->dp;

	w->cache = calloc(dp->rings, sizeof(*w->cache));
	if (!w->cache)
		return -ENOMEM;
	for (unsigned i = 0; i < dp->rings; i++) {
		w->cache[i].addr = malloc(dp->frames * sizeof(uint64_t));
		if (!w->cache[i].addr)
			return -ENOMEM;
	}
	return 0;
}

void caches_free(struct worker *w)
{
	for (unsigned i = 0; w->cache && i < w->dp->rings; i++)
		free(w->cache[i].addr);
	free(w->cache);
	w->cache = NULL;
}

/* How many frames the fill ring lacks. The kernel's index is up to a NAPI poll behind. */
static uint32_t fill_lack(const struct sl_dataplane *dp, const struct sl_home *h)
{
	uint32_t level =
		h->umem.fill.cached_prod - __atomic_load_n(h->umem.fill.consumer, __ATOMIC_ACQUIRE);

	return level < dp->fill_target ? dp->fill_target - level : 0;
}

/*
 * Under fill_lock: the fill ring gets what it lacks, the frames used last first, the rest is spare.
 * So as few frames as possible go round, and their cache lines and TLB entries are warm.
 */
static void fill_locked(struct sl_dataplane *dp, struct sl_home *h, struct sl_cache *c)
{
	uint32_t spare = atomic_load_explicit(&h->spare_n, memory_order_relaxed);
	uint32_t n = fill_lack(dp, h), idx;

	if (n > c->n + spare)
		n = c->n + spare;
	/* a failed reserve only means "later": xsk_flush publishes RX before it releases fill
	 * entries */
	if (n && xsk_ring_prod__reserve(&h->umem.fill, n, &idx) == n) {
		for (uint32_t i = 0; i < n; i++)
			*xsk_ring_prod__fill_addr(&h->umem.fill, idx + i) =
				c->n ? c->addr[--c->n] : h->spare[--spare];
		xsk_ring_prod__submit(&h->umem.fill, n);
	}
	while (c->n)
		h->spare[spare++] = c->addr[--c->n];
	atomic_store_explicit(&h->spare_n, spare, memory_order_relaxed);
}

static void fill(struct worker *w, struct sl_home *h, struct sl_cache *c)
{
	if (atomic_flag_test_and_set_explicit(&h->fill_lock, memory_order_acquire))
		return;
	w->cached -= c->n;
	fill_locked(w->dp, h, c);
	c->taken = false;
	/* Pairs with the acquire above in the next holder: the ring's cached indexes are handed
	 * over. */
	atomic_flag_clear_explicit(&h->fill_lock, memory_order_release);
}

void frames_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->dp->rings; i++)
		if (w->cache[i].n || w->cache[i].taken)
			fill(w, &w->dp->home[i], &w->cache[i]);
	atomic_store_explicit(&w->cached_shown, w->cached, memory_order_relaxed);
}

void frames_top_up(struct sl_dataplane *dp, unsigned ring)
{
	struct sl_home *h = &dp->home[ring];
	struct sl_cache none = {0};

	if (atomic_flag_test_and_set_explicit(&h->fill_lock, memory_order_acquire))
		return; /* a worker is at it */
	fill_locked(dp, h, &none);
	atomic_flag_clear_explicit(&h->fill_lock, memory_order_release);
}

void frames_complete(struct worker *w, unsigned ring)
{
	struct sl_dataplane *dp = w->dp;
	struct sl_home *h = &dp->home[ring];
	/* frames * frame_size is no power of two, so the home is found by the frame's number in a
	 * table-free way: homes are few and in address order */
	uint64_t span = (uint64_t)dp->frames * dp->frame_size;
	uint32_t idx, n, total = 0;

	if (!atomic_load_explicit(&h->in_flight, memory_order_relaxed) ||
	    atomic_flag_test_and_set_explicit(&h->comp_lock, memory_order_acquire))
		return;
	while ((n = xsk_ring_cons__peek(&h->umem.comp, COMPLETE_BATCH, &idx))) {
		for (uint32_t i = 0; i < n; i++) {
			uint64_t addr = *xsk_ring_cons__comp_addr(&h->umem.comp, idx + i);
			unsigned home = ring;

			if (addr - home * span >= span)
				home = (unsigned)(addr / span);
			frame_put(w, home, addr);
		}
		xsk_ring_cons__release(&h->umem.comp, n);
		total += n;
	}
	/* Pairs with the acquire above in the next holder. */
	atomic_flag_clear_explicit(&h->comp_lock, memory_order_release);
	if (total)
		atomic_fetch_sub_explicit(&h->in_flight, total, memory_order_relaxed);
}

void frames_count(const struct sl_dataplane *dp, struct sl_frame_count *count)
{
	*count = (struct sl_frame_count){0};
	for (unsigned i = 0; i < dp->workers_max; i++)
		count->cached +=
			atomic_load_explicit(&dp->worker[i].cached_shown, memory_order_relaxed);
	for (unsigned r = 0; r < dp->rings; r++) {
		const struct sl_home *h = &dp->home[r];

		if (!h->open)
			continue;
		count->total += dp->frames;
		count->fill += __atomic_load_n(h->umem.fill.producer, __ATOMIC_ACQUIRE) -
			       __atomic_load_n(h->umem.fill.consumer, __ATOMIC_ACQUIRE);
		count->cached += atomic_load_explicit(&h->spare_n, memory_order_relaxed);
		count->parked += atomic_load_explicit(&h->parked, memory_order_relaxed);
		count->tx += atomic_load_explicit(&h->in_flight, memory_order_relaxed);
		for (unsigned i = 0; i < dp->workers_max; i++) {
			const struct sl_worker_ring *wr = &dp->worker[i].ring[r];

			if (wr->open)
				count->rx +=
					__atomic_load_n(wr->xsk.rx.producer, __ATOMIC_ACQUIRE) -
					__atomic_load_n(wr->xsk.rx.consumer, __ATOMIC_ACQUIRE);
		}
	}
}
