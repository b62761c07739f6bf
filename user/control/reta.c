// SPDX-License-Identifier: GPL-2.0-or-later
/* An entry's buckets are those that agree with it in the bits that both tables have. */
#include <errno.h>
#include <string.h>

#include "control/reta.h"

static int power_of_two(unsigned n)
{
	return n && !(n & (n - 1));
}

void sl_reta_own(uint64_t own[SL_MAX_WORKERS], unsigned workers, unsigned queues)
{
	memset(own, 0, SL_MAX_WORKERS * sizeof(own[0]));
	for (unsigned i = 0; workers && queues && (i < workers || i < queues); i++)
		own[i % workers] |= 1ull << (i % queues);
}

static uint64_t own_queues(const struct sl_reta_plan *plan, unsigned bucket)
{
	const unsigned worker = plan->worker[bucket];

	return worker < SL_MAX_WORKERS ? plan->own[worker] : 0;
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
		sum += plan->load[b] * share;
		for (uint64_t left = own_queues(plan, b); left; left &= left - 1)
			load[__builtin_ctzll(left)] += plan->load[b] * share;
	}
	return sum;
}

/* Of queues that suit alike, the one that has less. */
static uint32_t heaviest(const double load[SL_MAX_QUEUES], const double taken[SL_MAX_QUEUES])
{
	uint32_t best = 0;

	for (uint32_t q = 1; q < SL_MAX_QUEUES; q++)
		if (load[q] > load[best] || (load[q] == load[best] && taken[q] < taken[best]))
			best = q;
	return best;
}

int sl_reta_plan(const struct sl_reta_plan *plan, uint32_t *reta, double *own)
{
	double load[SL_MAX_QUEUES], taken[SL_MAX_QUEUES] = {0}, total = 0, hit = 0;
	int changed = 0;

	if (!power_of_two(plan->buckets) || !power_of_two(plan->entries))
		return -EINVAL;
	for (unsigned e = 0; e < plan->entries; e++) {
		const double sum = weigh(plan, e, load);
		const uint32_t best = heaviest(load, taken);
		const double now = reta[e] < SL_MAX_QUEUES ? load[reta[e]] : 0;

		if (load[best] > now && load[best] - now >= plan->min_gain * sum) {
			reta[e] = best;
			changed++;
		}
		total += sum;
		if (reta[e] >= SL_MAX_QUEUES)
			continue;
		hit += load[reta[e]];
		taken[reta[e]] += sum;
	}
	*own = total > 0 ? hit / total : 1;
	return changed;
}
