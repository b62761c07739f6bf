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
/*
 * A hand-over waits so long for an output that takes nothing. Far beyond what a driver needs, or a
 * pause frame asks for (3 ms at 10 Gbit/s, IEEE 802.3 31B).
 */
#define TX_LATE_PER_SECOND 5 /* 200 ms */
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

/* What buckets that have gone left behind is with the kernel: their new owners may send here. */
static void owe_nothing(struct worker *w, unsigned out)
{
	if (!w->ring[out].tx_owed)
		return;
	w->ring[out].tx_owed = 0;
	atomic_fetch_sub_explicit(&w->dp->home[out].tx_owed, 1, memory_order_relaxed);
}

/* How far the kernel has come. */
static void look(struct worker *w, unsigned out)
{
	struct sl_worker_ring *r = &w->ring[out];
	uint32_t consumer = __atomic_load_n(r->xsk.tx.consumer, __ATOMIC_ACQUIRE);

	r->tx_dirty = consumer != r->xsk.tx.cached_prod;
	if (!r->tx_dirty)
		r->tx_since = 0;
	else if (!r->tx_since || consumer != r->tx_seen)
		r->tx_since = sl_cycles();
	r->tx_seen = consumer;
	r->tx_stuck &= tx_full(r);
	if ((int32_t)(consumer - r->tx_due) >= 0)
		owe_nothing(w, out);
}

/* One system call. True while the kernel goes on taking. */
static bool kick(struct worker *w, unsigned out)
{
	struct sl_worker_ring *r = &w->ring[out];
	int ret = tx_empty(r) ? 0 : sl_xsk_kick(&r->xsk);

	r->tx_down = ret && ret != -EAGAIN;
	look(w, out);
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
		kick(w, out);
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

/*
 * Others have given buckets away while this output took nothing: what this worker sent now could
 * overtake what it still owes. The load is of a line that a transmission writes anyway.
 */
static bool tx_barred(const struct worker *w, unsigned out)
{
	return atomic_load_explicit(&w->dp->home[out].tx_owed, memory_order_relaxed) !=
	       w->ring[out].tx_owed;
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
	if (!r->open || tx_barred(w, out) ||
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
			if (!kick(w, i))
				break;
		if (r->open)
			frames_complete(w, i);
	}
	w->tx_until = 0;
}

/* The kernel takes nothing and may never again. */
static bool tx_late(const struct worker *w, const struct sl_worker_ring *r)
{
	return r->tx_down || sl_cycles() - r->tx_since > w->dp->tsc_hz / TX_LATE_PER_SECOND;
}

static void owe(struct worker *w, unsigned out)
{
	struct sl_worker_ring *r = &w->ring[out];

	r->tx_due = r->xsk.tx.cached_prod;
	if (r->tx_owed)
		return;
	r->tx_owed = 1;
	/* whoever gets a bucket sees this through the release of its owner word */
	atomic_fetch_add_explicit(&w->dp->home[out].tx_owed, 1, memory_order_relaxed);
}

bool transmit_taken(struct worker *w)
{
	for (unsigned i = 0; i < w->dp->rings; i++) {
		if (w->ring[i].tx_dirty)
			kick(w, i);
		if (w->ring[i].tx_dirty && !tx_late(w, &w->ring[i]))
			return false;
	}
	for (unsigned i = 0; i < w->dp->rings; i++)
		if (w->ring[i].tx_dirty)
			owe(w, i);
	return true;
}

void transmit_forgive(struct worker *w)
{
	for (unsigned i = 0; i < w->dp->rings; i++)
		owe_nothing(w, i);
}
