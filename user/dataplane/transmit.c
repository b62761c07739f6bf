// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <time.h>

#include <sluice/cycles.h>

#include "dataplane/frames.h"
#include "dataplane/transmit.h"

/* All that one batch waits for full TX rings (a peer that stopped its queue); then packets drop. */
#define TX_WAIT_PER_SECOND 100 /* 10 ms */
#define TX_NAP_NS 10000
#define KICKS_PER_ROUND 4
#define ETH_OVERHEAD (14 + 8) /* header and two VLAN tags do not count against the MTU */

static void drop(struct worker *w, const struct sl_packet *p, unsigned ring, enum sl_drop reason)
{
	stat_add(&w->stat->nf_drop[reason], 1);
	frame_put(w, ring, p->addr);
}

static bool tx_empty(const struct sl_worker_ring *r)
{
	return __atomic_load_n(r->xsk.tx.consumer, __ATOMIC_ACQUIRE) == r->xsk.tx.cached_prod;
}

static bool tx_full(const struct sl_worker_ring *r)
{
	return r->xsk.tx.cached_prod - __atomic_load_n(r->xsk.tx.consumer, __ATOMIC_ACQUIRE) ==
	       r->xsk.tx.size;
}

/* One system call. True while the kernel goes on taking. */
static bool kick(struct sl_worker_ring *r)
{
	int ret;

	if (tx_empty(r)) {
		r->tx_dirty = false;
		r->tx_down = false;
		r->tx_stuck = false;
		return false;
	}
	ret = sl_xsk_kick(&r->xsk);
	r->tx_down = ret && ret != -EAGAIN;
	r->tx_dirty = !tx_empty(r);
	r->tx_stuck &= tx_full(r);
	return r->tx_dirty && !r->tx_down;
}

/*
 * The TX ring is full: give the kernel time. The waits of a batch are bounded together, and an
 * output that was waited for in vain costs nothing until transmit_flush() finds it taking again.
 */
static bool tx_make_room(struct worker *w, unsigned out, uint32_t *idx)
{
	struct sl_worker_ring *r = &w->ring[out];
	const struct timespec nap = {.tv_nsec = TX_NAP_NS};

	if (r->tx_stuck)
		return false;
	if (!w->tx_until)
		w->tx_until = sl_cycles() + w->dp->tsc_hz / TX_WAIT_PER_SECOND;
	for (;;) {
		kick(r);
		frames_complete(w, out);
		if (xsk_ring_prod__reserve(&r->xsk.tx, 1, idx) == 1)
			return true;
		if (r->tx_down || (int64_t)(w->tx_until - sl_cycles()) <= 0)
			break;
		nanosleep(&nap, NULL);
	}
	r->tx_stuck = true;
	return false;
}

/* The ring of interface `iface` that stands for queue `queue`. */
static unsigned out_ring(const struct sl_dataplane *dp, unsigned iface, unsigned queue)
{
	unsigned n = atomic_load_explicit(&dp->iface_active[iface], memory_order_acquire);

	return dp->iface_base[iface] + (queue < n ? queue : queue % n);
}

void transmit(struct worker *w, struct sl_packet *p, unsigned ring)
{
	struct sl_dataplane *dp = w->dp;
	struct xdp_desc *desc;
	struct sl_worker_ring *r;
	unsigned out;
	uint32_t idx;

	if (p->out_iface >= dp->inst->ifaces) {
		drop(w, p, ring, SL_DROP_NO_IFACE);
		return;
	}
	if (p->len > atomic_load_explicit(&dp->iface_mtu[p->out_iface], memory_order_relaxed) +
			     ETH_OVERHEAD) {
		drop(w, p, ring, SL_DROP_TOO_LONG);
		return;
	}
	out = out_ring(dp, p->out_iface, p->queue);
	r = &w->ring[out];
	if (!r->open ||
	    (xsk_ring_prod__reserve(&r->xsk.tx, 1, &idx) != 1 && !tx_make_room(w, out, &idx))) {
		drop(w, p, ring, SL_DROP_TX_FULL);
		return;
	}
	desc = xsk_ring_prod__tx_desc(&r->xsk.tx, idx);
	desc->addr = (uint64_t)(p->data - dp->area);
	desc->len = p->len;
	desc->options = 0;
	xsk_ring_prod__submit(&r->xsk.tx, 1);
	r->tx_dirty = true;
	atomic_fetch_add_explicit(&dp->home[out].in_flight, 1, memory_order_relaxed);
	stat_add(&w->stat->forwarded, 1);
	stat_add(&w->stat->tx_bytes, p->len);
}

void transmit_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->dp->rings; i++) {
		struct sl_worker_ring *r = &w->ring[i];

		for (int k = 0; r->tx_dirty && k < KICKS_PER_ROUND; k++)
			if (!kick(r))
				break;
		if (r->open)
			frames_complete(w, i);
	}
	w->tx_until = 0;
}

bool transmit_taken(struct worker *w)
{
	bool all = true;

	for (unsigned i = 0; i < w->dp->rings; i++) {
		struct sl_worker_ring *r = &w->ring[i];

		if (r->tx_dirty)
			kick(r);
		all &= !r->tx_dirty || r->tx_down;
	}
	return all;
}
