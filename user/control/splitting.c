// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/splitting.h"

#define CALM 0.5 /* cores */
/* A flow above a core that has so much of its bucket: the rest is not worth it. Below, most of the
 * bucket is others', and a saturated worker's load is a guess. */
#define DOMINANT 0.5

enum sl_split_advice sl_split_advise(double load, const struct sl_elephant *known)
{
	double share;

	if (!known || !known->flows)
		return SL_SPLIT_UNKNOWN;
	share = known->flow[0].share / 1000.0;
	if (known->flows < 2 || (share >= DOMINANT && load * share > 1))
		return SL_SPLIT_ONE_FLOW;
	return SL_SPLIT_WORTH;
}

bool sl_split_over(struct sl_splitting *s, unsigned split, double load, uint64_t now_ns,
		   uint64_t hold_ns)
{
	uint64_t *since = &s->calm_ns[split];

	if (load >= CALM)
		*since = 0;
	else if (!*since)
		*since = now_ns;
	return *since && now_ns - *since >= hold_ns;
}

void sl_split_forget(struct sl_splitting *s, unsigned split)
{
	s->calm_ns[split] = 0;
}
