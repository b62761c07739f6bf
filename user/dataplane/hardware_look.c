// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "dataplane/hardware_internal.h"

#define LOAD_SHARE 0.5 /* of a look in the smoothed load */

static const volatile struct sl_bucket_stats *stats(const struct hw_iface *f, unsigned queue)
{
	const struct sl_instance *inst = f->dp->inst;

	return &inst->iface[f->index].bucket_stats[(size_t)queue * inst->buckets];
}

/* By difference, modulo 2^32; the first look only begins. */
static void count(struct hw_iface *f)
{
	const unsigned buckets = f->dp->inst->hash_buckets;

	for (unsigned q = 0; q < f->queues; q++) {
		uint32_t *seen = &f->seen[(size_t)q * buckets], *n = &f->count[(size_t)q * buckets];
		const volatile struct sl_bucket_stats *now = stats(f, q);

		for (unsigned b = 0; b < buckets; b++) {
			const uint32_t packets = (uint32_t)now[b].packets;

			n[b] = packets - seen[b];
			seen[b] = packets;
		}
	}
}

static void follow_load(struct hw_iface *f)
{
	const unsigned buckets = f->dp->inst->hash_buckets;

	for (unsigned b = 0; b < buckets; b++) {
		double sum = 0;

		for (unsigned q = 0; q < f->queues; q++)
			sum += f->count[(size_t)q * buckets + b];
		f->load[b] += LOAD_SHARE * (sum - f->load[b]);
	}
}

enum sl_reta_verdict hw_look(struct hw_iface *f)
{
	const struct sl_reta_look look = {.buckets = f->dp->inst->hash_buckets,
					  .entries = f->nic.rss.entries,
					  .reta = f->nic.rss.reta,
					  .count = f->count,
					  .queues = f->queues,
					  .changed = f->changed};
	uint64_t packets, astray;
	enum sl_reta_verdict verdict;

	count(f);
	follow_load(f);
	verdict = sl_reta_watch(&f->watch, &look, &packets, &astray);
	stat_add(&f->shown->packets, packets);
	stat_add(&f->shown->astray, astray);
	memset(f->changed, 0, sizeof(f->changed));
	return verdict;
}

static uint64_t counted(const struct hw_iface *f, unsigned ring, uint32_t bucket)
{
	return stats(f, f->dp->home[ring].queue)[bucket].packets;
}

void hw_count_late(struct hw_iface *f)
{
	const struct sl_resteer_item *k = resteer_items(f->dp);

	for (unsigned i = 0; i < f->items; i++, k++) {
		/* As long as none came in on the new queue none was overtaken. */
		if (!k->held || k->from == SL_NO_RING ||
		    counted(f, k->to, k->bucket) == k->to_count)
			continue;
		stat_add(&f->shown->late, counted(f, k->from, k->bucket) - k->from_count);
	}
	f->items = 0;
	__atomic_store_n(&f->shown->cut_short, (uint32_t)resteer_cut_short(f->dp),
			 __ATOMIC_RELAXED);
}
