/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * splitting.h - when a bucket is worth splitting into parts, and when it may be whole again. Pure.
 */
#ifndef SL_CONTROL_SPLITTING_H
#define SL_CONTROL_SPLITTING_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/maps.h>

enum sl_split_advice {
	SL_SPLIT_UNKNOWN, /* of which flows it consists is not known yet */
	SL_SPLIT_ONE_FLOW, /* most of it is one flow that is above a core, or there is no other */
	SL_SPLIT_WORTH,
};

/* About a bucket that needs `load` cores, more than one; `known`: its flows, or NULL. */
enum sl_split_advice sl_split_advise(double load, const struct sl_elephant *known);

/* Zeroed is a new one. */
struct sl_splitting {
	uint64_t calm_ns[SL_SPLITS]; /* since when its parts need little; 0: they do not */
};

/*
 * The parts of a split need `load` cores now. True: for `hold_ns` they have needed less than half a
 * core together, so that the bucket would have to more than double before it is an elephant again.
 */
bool sl_split_over(struct sl_splitting *s, unsigned split, double load, uint64_t now_ns,
		   uint64_t hold_ns);
/* The split is not in use, or another one's now. */
void sl_split_forget(struct sl_splitting *s, unsigned split);

#endif /* SL_CONTROL_SPLITTING_H */
