// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/batch.h"
#include "dataplane/frames.h"
#include "dataplane/tap_worker.h"
#include "dataplane/transmit.h"

void batch_finish(struct worker *w)
{
	uint64_t consumed = 0;

	for (unsigned i = 0; i < w->batch; i++) {
		struct sl_packet *p = &w->packet[i];
		unsigned ring = w->packet_ring[i];

		switch (p->verdict) {
		case SL_TX:
			tap_packet(w, p, SL_TAP_TX);
			transmit(w, p, ring);
			break;
		case SL_DROP:
			stat_add(&w->stat->nf_drop[p->reason % SL_DROP_REASONS], 1);
			frame_put(w, ring, p->addr);
			break;
		default:
			consumed++;
			frame_put(w, ring, p->addr);
		}
	}
	if (consumed)
		stat_add(&w->stat->consumed, consumed);
	w->batch = 0;
}

void batch_forget(struct worker *w)
{
	for (unsigned i = 0; i < w->batch; i++)
		frame_put(w, w->packet_ring[i], w->packet[i].addr);
	w->batch = 0;
}
