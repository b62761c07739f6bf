// SPDX-License-Identifier: GPL-2.0-or-later
/* An entry's buckets are those that agree with it in the bits that both tables have. */
#include <errno.h>
#include <string.h>

#include "control/reta.h"

static int power_of_two(unsigned n)
{
	return n && !(n & (n - 1));
}

static uint32_t queue_of(const struct sl_reta_plan *plan, unsigned bucket)
{
	const unsigned worker = plan->worker[bucket];

	return worker < SL_MAX_WORKERS ? plan->queue[worker] : SL_RETA_NO_QUEUE;
}

/* The load of an entry's buckets by queue. Returns their sum, that without a queue included. */
static double weigh(const struct sl_reta_plan *plan, unsigned entry, double load[SL_MAX_QUEUES])
{
	/* A larger RETA repeats the buckets: each entry has a share of one. */
	const double share =
		plan->entries > plan->buckets ? (double)plan->buckets / plan->entries : 1;
	double sum = 0;

	memset(load, 0, SL_MAX_QUEUES * sizeof(load[0]));
	for (unsigned b = entry & (plan->buckets - 1); b < plan->buckets; b += plan->entries) {
		const uint32_t queue = queue_of(plan, b);

		sum += plan->load[b] * share;
		if (queue < SL_MAX_QUEUES)
			load[queue] += plan->load[b] * share;
	}
	return sum;
}

static uint32_t heaviest(const double load[SL_MAX_QUEUES])
{
	uint32_t best = 0;

	for (uint32_t q = 1; q < SL_MAX_QUEUES; q++)
		if (load[q] > load[best])
			best = q;
	return best;
}

int sl_reta_plan(const struct sl_reta_plan *plan, uint32_t *reta, double *own)
{
	double load[SL_MAX_QUEUES], total = 0, hit = 0;
	int changed = 0;

	if (!power_of_two(plan->buckets) || !power_of_two(plan->entries))
		return -EINVAL;
	for (unsigned e = 0; e < plan->entries; e++) {
		const double sum = weigh(plan, e, load);
		const uint32_t best = heaviest(load);
		const double now = reta[e] < SL_MAX_QUEUES ? load[reta[e]] : 0;

		if (load[best] > now && load[best] - now >= plan->min_gain * sum) {
			reta[e] = best;
			changed++;
		}
		total += sum;
		hit += reta[e] < SL_MAX_QUEUES ? load[reta[e]] : 0;
	}
	*own = total > 0 ? hit / total : 1;
	return changed;
}
