// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/reta.h"
#include "dataplane/hardware_internal.h"

/* An entry of several buckets is not written for less: a write holds packets back. */
#define MIN_GAIN 0.1

static bool settled(const struct sl_dataplane *dp, uint32_t bucket)
{
	const struct sl_row row = row_load(&dp->inst->rows[bucket]);
	const struct sl_owner word = owner_load(&dp->inst->owners[bucket]);

	return word.owner == word.next && row.worker == word.owner && !to_parts(word.owner);
}

/* Buckets of an entry: those that agree with it in the bits that both tables have. */
#define for_each_bucket_of(b, entry, buckets, entries)                                             \
	for (uint32_t b = (entry) & ((buckets)-1); b < (buckets); b += (entries))

static bool entry_settled(const struct hw_iface *f, unsigned entry)
{
	for_each_bucket_of (b, entry, f->dp->inst->hash_buckets, f->nic.rss.entries)
		if (!settled(f->dp, b))
			return false;
	return true;
}

/* Of a split bucket the owner of its first part: its entry stays, see settled(). */
static uint16_t main_owner(const struct sl_dataplane *dp, uint32_t b)
{
	const uint16_t owner = owner_load(&dp->inst->owners[b]).owner;
	uint16_t part;

	if (!to_parts(owner))
		return owner;
	part = owner_load(&dp->inst->owners[part_first(dp->inst, owner - SL_TO_PARTS)]).owner;
	return part < SL_MAX_WORKERS ? part : 0;
}

/* What the table should be, into f->want. */
static int plan(struct hw_iface *f)
{
	const struct sl_dataplane *dp = f->dp;
	uint16_t *worker = malloc(dp->inst->hash_buckets * sizeof(*worker));
	uint64_t own[SL_MAX_WORKERS];
	double share;
	int rc;

	if (!worker)
		return -ENOMEM;
	for (uint32_t b = 0; b < dp->inst->hash_buckets; b++)
		worker[b] = main_owner(dp, b);
	sl_reta_own(own, atomic_load(&dp->workers_now), f->queues);
	memcpy(f->want, f->nic.rss.reta, sizeof(f->want));
	rc = sl_reta_plan(&(struct sl_reta_plan){.buckets = dp->inst->hash_buckets,
						 .entries = f->nic.rss.entries,
						 .worker = worker,
						 .load = f->load,
						 .own = own,
						 .min_gain = MIN_GAIN},
			  f->want, &share);
	free(worker);
	if (rc >= 0)
		__atomic_store_n(&f->shown->own, (uint16_t)(1000 * share + 0.5), __ATOMIC_RELAXED);
	return rc;
}

static uint16_t ring_of(const struct hw_iface *f, uint32_t queue)
{
	return queue < f->queues ? (uint16_t)(f->dp->iface_base[f->index] + queue) : SL_NO_RING;
}

/*
 * The changes that can be held, as items. An entry whose buckets are on the move stays for now; and
 * where the NIC's table is the larger one, so does the second entry of a bucket: it has one hold.
 */
static unsigned list_items(struct hw_iface *f)
{
	const unsigned buckets = f->dp->inst->hash_buckets, entries = f->nic.rss.entries;
	struct sl_resteer_item *item = resteer_items(f->dp);
	uint32_t taken[SL_MAX_BUCKETS / 32] = {0};
	unsigned n = 0;

	for (unsigned e = 0; e < entries; e++) {
		const uint32_t first = e & (buckets - 1);

		if (f->want[e] == f->nic.rss.reta[e])
			continue;
		if (taken[first / 32] & 1u << first % 32 || !entry_settled(f, e)) {
			f->want[e] = f->nic.rss.reta[e];
			continue;
		}
		taken[first / 32] |= 1u << first % 32;
		for_each_bucket_of (b, e, buckets, entries)
			item[n++] = (struct sl_resteer_item){.bucket = b,
							     .from = ring_of(f, f->nic.rss.reta[e]),
							     .to = ring_of(f, f->want[e])};
	}
	return n;
}

/* An entry of which not every bucket could be held is not written. How many are left. */
static unsigned drop_unheld(struct hw_iface *f, unsigned n)
{
	const unsigned entries = f->nic.rss.entries, buckets = f->dp->inst->hash_buckets;
	const struct sl_resteer_item *item = resteer_items(f->dp);
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (item[i].held)
			continue;
		for (unsigned e = item[i].bucket & (entries - 1); e < entries; e += buckets)
			f->want[e] = f->nic.rss.reta[e];
	}
	for (unsigned e = 0; e < entries; e++) {
		f->changed[e] = f->want[e] != f->nic.rss.reta[e];
		left += f->changed[e];
	}
	return left;
}

static int write_held(struct hw_iface *f, unsigned n)
{
	int rc;

	if (!resteer_hold(f->dp, n))
		return 0;
	rc = drop_unheld(f, n) ? sl_nic_write(&f->nic, f->want, false) : 0;
	resteer_written(f->dp);
	f->items = n;
	if (rc > 0) {
		stat_add(&f->shown->writes, 1);
		stat_add(&f->shown->written, (uint64_t)rc);
	}
	return rc;
}

int hw_follow(struct hw_iface *f)
{
	unsigned n;
	int rc;

	if (!resteer_idle(f->dp))
		return 0;
	rc = plan(f);
	if (rc <= 0)
		return rc;
	n = list_items(f);
	return n ? write_held(f, n) : 0;
}
