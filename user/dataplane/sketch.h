/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sketch.h - which flows of a bucket take the most time: Space-Saving (Metwally, Agrawal, El Abbadi
 * 2005) over sampled packets, weighted by the cycles that they took. A flow with more than
 * 1 / SL_SKETCH_FLOWS of the time is never missed, and none is rated lower than it is.
 */
#ifndef SL_DATAPLANE_SKETCH_H
#define SL_DATAPLANE_SKETCH_H

#include <stdint.h>

#include <sluice/maps.h>
#include <sluice/nf.h>

#define SL_SKETCH_FLOWS 16

struct sl_sketch {
	uint32_t bucket; /* plus 1; 0: none */
	uint32_t samples;
	uint64_t total; /* cycles */
	struct sl_sketch_flow {
		struct sl_flow_key key;
		uint64_t cycles; /* 0: free */
	} flow[SL_SKETCH_FLOWS];
};

/* Count a packet; another bucket than before starts anew. */
void sketch_add(struct sl_sketch *s, uint32_t bucket, const struct sl_flow_key *key,
		uint64_t cycles);
/* The heaviest flows, into everything of `out` but seq. */
void sketch_top(const struct sl_sketch *s, struct sl_elephant *out);

#endif /* SL_DATAPLANE_SKETCH_H */
