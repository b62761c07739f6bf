/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rsspp.h - RSS++'s choice of moves, written from its description: Barbette, Katsikas, Maguire,
 * Kostic, "RSS++: load and state-aware receive side scaling", CoNEXT 2019, with the constants of
 * its release. Three faults of the release are mended: the best of its tries is kept, not the last;
 * a core that goes gives its buckets to the least loaded, biggest first, and what those carry
 * already counts.
 */
#ifndef SL_SIM_RSSPP_H
#define SL_SIM_RSSPP_H

#include <stdbool.h>
#include <stdint.h>

#define RSSPP_STAYS UINT32_MAX

struct rsspp_core {
	double load;
	bool active; /* may have buckets */
	bool rests; /* was given buckets a tick ago: not looked at now */
};

struct rsspp_bucket {
	double load; /* 0: had no packet, stays */
	uint32_t core;
	uint32_t to; /* out: RSSPP_STAYS, or the core it moves to */
};

/* Level the loads of the active cores. 0 or -ENOMEM. */
int rsspp_level(const struct rsspp_core *core, uint32_t cores, struct rsspp_bucket *bucket,
		uint32_t buckets);

/* Spread the buckets of core `from` over the active cores. */
void rsspp_empty(struct rsspp_core *core, uint32_t cores, struct rsspp_bucket *bucket,
		 uint32_t buckets, uint32_t from);

#endif /* SL_SIM_RSSPP_H */
