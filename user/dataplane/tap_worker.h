/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_worker.h - the workers' side of `sluice capture` (tap.h): one load for each packet while
 * nobody captures.
 */
#ifndef SL_DATAPLANE_TAP_WORKER_H
#define SL_DATAPLANE_TAP_WORKER_H

#include "dataplane/internal.h"
#include "dataplane/tap.h"

/* Copy a packet to every capture that wants it. */
void tap_send(struct worker *w, const struct sl_packet *p, enum sl_tap_direction dir);

static inline void tap_packet(struct worker *w, const struct sl_packet *p,
			      enum sl_tap_direction dir)
{
	if (__builtin_expect(atomic_load_explicit(&w->dp->tap, memory_order_relaxed) != NULL, 0))
		tap_send(w, p, dir);
}

/*
 * Send every sample-th packet, at most snaplen bytes of it, to `fd` (dup()ed here). One capture at
 * a time: -EBUSY while another one's reader lives. Requests thread.
 */
int tap_open(struct sl_dataplane *dp, int fd, unsigned sample, unsigned snaplen,
	     struct sl_error *err);
/* Let go of a capture whose reader has gone; all = of any. Requests thread. */
void tap_reap(struct sl_dataplane *dp, bool all);

#endif /* SL_DATAPLANE_TAP_WORKER_H */
