/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fluid.h - shares of divisible resources, all at once: what a rate allocator gives to each user.
 * Pure; O(n log n + resources * n), no allocation.
 *
 * A user takes resources in the proportions of its demand (but under max-min, which looks at each
 * resource by itself). Its dominant share is
 *
 *	s = min(want, max(floor, weight * level - memory))
 *
 * with a level common to all that rises until a resource is full; users that need that one stay
 * where they are, the others go on. DRF: no floor, no memory. SDRF: the floor is the equal share,
 *the memory the dominant commitment. Karma: the floor is the guaranteed share, the memory the
 *credits with a minus, and nobody gets more than floor plus credits. DRFQ's long-run shares are
 *DRF's.
 */
#ifndef SL_CONTROL_FLUID_H
#define SL_CONTROL_FLUID_H

#include <math.h>

#include <sluice/fair.h>

struct sl_fluid_user {
	const double *demand; /* what it would use, >= 0, finite; one for each resource */
	double *given; /* out, likewise */
	double weight; /* > 0 */
	double memory; /* SDRF: dominant commitment; Karma: credits; shares */
	double share; /* out: dominant */
	/* work space */
	double want, low, high;
	enum { SL_FLUID_WAITS, SL_FLUID_RISES, SL_FLUID_DONE } state;
};

/* Where a user's share begins or ends to follow the level. */
struct sl_fluid_turn {
	double level;
	unsigned user;
	bool ends;
};

/* `turns` has room for 2 * n. */
void sl_fluid_share(const struct sl_fair_opts *opts, struct sl_fluid_user *users, unsigned n,
		    struct sl_fluid_turn *turns);

/* A commitment after `seconds` with `share` of a resource of which `equal` is the equal share. */
static inline double sl_fluid_commitment(double commitment, double share, double equal,
					 double half_life, double seconds)
{
	const double over = share > equal ? share - equal : 0;

	return over + (commitment - over) * exp2(-seconds / half_life);
}

#endif /* SL_CONTROL_FLUID_H */
