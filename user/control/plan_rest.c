// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planner's afterthought: where heavy buckets set the highest load, all else could stay right
 * below it. The other workers are evened out among themselves, more loosely, since it does not
 * lower the highest load.
 */
#include <math.h>

#include "control/plan_impl.h"

#define LOOSE 1.03 /* more than a plan's 1 %: it is worth less */

/* The heaviest thing that a worker holds and that stays whole. */
static void find_floors(const struct plan *p, double floor[])
{
	for (uint32_t b = 0; b < p->buckets_n; b++)
		if (!p->bucket[b].pinned)
			floor[p->at[b]] = fmax(floor[p->at[b]], p->bucket[b].load);
	for (unsigned w = 0; w < p->workers_n; w++)
		floor[w] += p->node[w].fixed;
}

/* Set aside who cannot come down to the mean of the others. Returns that mean; 0: nobody is. */
static double set_aside(struct plan *p, const double floor[])
{
	double sum = 0, mean;
	unsigned n = p->usable_n;
	bool again = true, any = false;

	for (unsigned w = 0; w < p->workers_n; w++) {
		p->node[w].aside = false;
		sum += p->node[w].usable ? p->node[w].load : 0;
	}
	for (mean = sum / n; again && n > 1;) {
		again = false;
		for (unsigned w = 0; w < p->workers_n && n > 1; w++) {
			struct plan_node *k = &p->node[w];

			if (!k->usable || k->aside || floor[w] <= mean * SL_PLAN_GOOD)
				continue;
			k->aside = again = any = true;
			sum -= k->load;
			n--;
		}
		mean = sum / n;
	}
	return any ? mean : 0;
}

void plan_rest(struct plan *p)
{
	double floor[SL_MAX_WORKERS] = {0}, mean;
	bool any = false;

	find_floors(p, floor);
	mean = set_aside(p, floor);
	if (mean <= 0 || plan_late(p, p->buckets_n))
		return;
	for (unsigned w = 0; w < p->workers_n; w++) {
		struct plan_node *n = &p->node[w];

		n->limit = n->aside ? n->load : fmax(fmax(mean, floor[w]) * LOOSE, p->opts->calm);
		n->source = n->usable && n->load > n->limit;
		any |= n->source;
	}
	if (any)
		plan_shift(p);
}
