/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * divide.h - a bucket becomes parts, or parts a bucket: what that adds to a hand-over on the side
 * of the worker that has the flows. Giver and taker are this one worker, so the protocol is that of
 * a move from a worker to itself: what comes by the new row is parked until what came by the old
 * one is processed; then the flows change shards, then the words.
 */
#ifndef SL_DATAPLANE_DIVIDE_H
#define SL_DATAPLANE_DIVIDE_H

#include "dataplane/internal.h"

/* Do packets that came by the old row still wait in this worker's parks? */
bool divide_waits(const struct worker *w, const struct sl_outgoing *out);

/*
 * Move some flows to their new shards, the rings being drained; true once all are there. A moment's
 * work each time, so that the other buckets' packets do not wait for the flows of this one.
 */
bool divide_flows(struct worker *w, const struct sl_outgoing *out);

/* The words of the parts; that of the bucket comes after them, by the caller. */
void divide_release(struct worker *w, const struct sl_outgoing *out, struct sl_owner word);

#endif /* SL_DATAPLANE_DIVIDE_H */
