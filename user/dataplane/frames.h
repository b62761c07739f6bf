/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames.h - where frames are, and how they get home.
 *
 * One mapping holds all frames; every home (an interface's queue) registers it whole as its UMEM,
 * so a frame received on one ring can be sent on any other without a copy. Conservation, at every
 * quiet point: fill + kernel + RX rings + parked + caches + spare + TX in flight = rings x frames.
 *
 * A fill ring is kept at its target, which one stalled worker's RX ring cannot drain; whoever
 * receives makes up at once for what it, parks and TX hold, from the spare frames, a stack. (Should
 * several stall within a burst, housekeeping does.)
 *
 * A fill or completion ring has one user at a time: whoever gets its flag. The flag is tried and
 * never spun on; what could not be put back waits in the worker's cache, which has room for all
 * frames of the home.
 */
#ifndef SL_DATAPLANE_FRAMES_H
#define SL_DATAPLANE_FRAMES_H

#include "dataplane/internal.h"

/* Bytes that frames_init() takes, and caches_init() for each worker. */
uint64_t frames_memory(const struct sl_dataplane *dp);
uint64_t caches_memory(const struct sl_dataplane *dp);

/* Map the area and number the homes. Frames per home and sizes are in dp. */
int frames_init(struct sl_dataplane *dp, struct sl_error *err);
void frames_free(struct sl_dataplane *dp);

/* Say which interface (index in the instance) and queue the home is of. */
void home_init(struct sl_dataplane *dp, unsigned ring, unsigned iface, unsigned queue);

/* Register the area for the home's queue and fill its fill ring. */
int home_open(struct sl_dataplane *dp, unsigned ring, struct sl_error *err);
void home_close(struct sl_dataplane *dp, unsigned ring);

/* The worker's caches: room for every frame of every home. */
int caches_init(struct worker *w);
void caches_free(struct worker *w);

/* A frame of the home `ring` is free. Any address inside the frame. */
static inline void frame_put(struct worker *w, unsigned ring, uint64_t addr)
{
	struct sl_cache *c = &w->cache[ring];

	c->addr[c->n++] = addr & ~(uint64_t)(w->dp->frame_size - 1);
	w->cached++;
}

/* Put cached frames back into their fill rings, and what these lack, as far as the flags are free.
 */
void frames_flush(struct worker *w);

/* Give the ring's fill ring what it lacks: for workers that get no packets because it is empty. */
void frames_top_up(struct sl_dataplane *dp, unsigned ring);

/* Take what the kernel has sent on `ring` off its completion ring, into the caches. */
void frames_complete(struct worker *w, unsigned ring);

/* Where all frames are; exact when nothing moves. */
struct sl_frame_count {
	uint64_t total, fill, rx, parked, cached, tx;
};
void frames_count(const struct sl_dataplane *dp, struct sl_frame_count *count);

#endif /* SL_DATAPLANE_FRAMES_H */
