// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stddef.h>

#include "control/reta_watch.h"

/* Queues that a bucket's packets may come in on: where the RETA is larger, of several entries. */
static uint64_t expected(const struct sl_reta_look *look, unsigned bucket)
{
	uint64_t queues = 0;

	for (unsigned e = bucket & (look->entries - 1); e < look->entries; e += look->buckets)
		if (look->reta[e] < SL_MAX_QUEUES)
			queues |= 1ull << look->reta[e];
	return queues;
}

static bool in_flux(const struct sl_reta_look *look, unsigned bucket)
{
	for (unsigned e = bucket & (look->entries - 1); e < look->entries; e += look->buckets)
		if (look->changed && look->changed[e])
			return true;
	return false;
}

enum sl_reta_verdict sl_reta_watch(struct sl_reta_watch *watch, const struct sl_reta_look *look,
				   uint64_t *packets, uint64_t *astray)
{
	bool follows;

	*packets = *astray = 0;
	for (unsigned b = 0; b < look->buckets; b++) {
		const uint64_t right = expected(look, b);

		if (in_flux(look, b))
			continue;
		for (unsigned q = 0; q < look->queues; q++) {
			const uint32_t n = look->count[(size_t)q * look->buckets + b];

			*packets += n;
			if (!(right & 1ull << q))
				*astray += n;
		}
	}
	watch->packets += *packets;
	watch->astray += *astray;
	if (watch->packets < SL_RETA_WATCH_PACKETS)
		return SL_RETA_UNKNOWN;
	follows = (double)watch->astray <= SL_RETA_WATCH_ASTRAY * (double)watch->packets;
	*watch = (struct sl_reta_watch){0};
	return follows ? SL_RETA_FOLLOWS : SL_RETA_ASTRAY;
}
