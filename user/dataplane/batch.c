// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/batch.h"
#include "dataplane/frames.h"
#include "dataplane/tap_worker.h"
#include "dataplane/transmit.h"

/* A packet that does not just go home. */
static void carry_out(struct worker *w, struct sl_packet *p)
{
	if (p->verdict == SL_TX) {
		tap_packet(w, p, SL_TAP_TX);
		transmit(w, p, p->ring);
		return;
	}
	stat_add(&w->stat->nf_drop[p->reason % SL_DROP_REASONS], 1);
	frame_put(w, p->ring, p->addr);
}

/* The packets from `i` on that came from the same ring as the first. Returns where they end. */
static unsigned finish_ring(struct worker *w, unsigned i, uint64_t *consumed)
{
	const unsigned ring = w->packet[i].ring, end = w->batch;
	const uint64_t mask = ~(uint64_t)(w->dp->frame_size - 1);
	struct sl_cache *c = &w->cache[ring];
	uint64_t *home = c->addr + c->n;
	uint32_t n = 0;

	for (; i < end && w->packet[i].ring == ring; i++) {
		struct sl_packet *p = &w->packet[i];

		if (p->verdict != SL_TX && p->verdict != SL_DROP) {
			home[n++] = p->addr & mask;
			continue;
		}
		c->n += n;
		w->cached += n;
		*consumed += n;
		n = 0;
		carry_out(w, p);
		home = c->addr + c->n;
	}
	c->n += n;
	w->cached += n;
	*consumed += n;
	return i;
}

void batch_finish(struct worker *w)
{
	uint64_t consumed = 0;

	for (unsigned i = 0; i < w->batch;)
		i = finish_ring(w, i, &consumed);
	if (consumed)
		stat_add(&w->stat->consumed, consumed);
	w->batch = 0;
}

void batch_forget(struct worker *w)
{
	for (unsigned i = 0; i < w->batch; i++)
		frame_put(w, w->packet[i].ring, w->packet[i].addr);
	w->batch = 0;
}
