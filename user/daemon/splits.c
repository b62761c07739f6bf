// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bucket above a core that is not mostly one flow is split into parts, which the planner then
 * spreads like any bucket; when the load is gone it is made whole again. The daemon stores wishes
 * only, the dataplane carries them out.
 */
#include "daemon/log.h"
#include "daemon/served.h"
#include "platform/elephant.h"
#include "platform/rpc.h"

static bool wish(struct served *s, uint32_t bucket, enum sl_row_mode mode)
{
	uint64_t *at = &s->inst->rows[bucket], old = __atomic_load_n(at, __ATOMIC_RELAXED), word;
	struct sl_row row;

	__builtin_memcpy(&row, &old, sizeof(row));
	row.mode = (uint8_t)mode;
	__builtin_memcpy(&word, &row, sizeof(word));
	if (!__atomic_compare_exchange_n(at, &old, word, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return false;
	sl_rpc_wake(s->inst->name);
	return true;
}

static bool room_for_one(const struct sl_instance *inst)
{
	for (unsigned k = 0; k < inst->control->splits; k++)
		if (!__atomic_load_n(&inst->control->split[k], __ATOMIC_RELAXED))
			return true;
	return false;
}

/* The elephant that was reported, once: if it is refused, or comes back, it is left alone. */
static void split(struct served *s)
{
	const int b = s->reported_elephant;
	struct sl_elephant flows;
	double load;

	if (b < 0 || (uint32_t)b >= s->inst->hash_buckets || s->split_asked ||
	    sl_tick_pinned(s->tick, (uint32_t)b) || !room_for_one(s->inst) ||
	    !sl_elephant_read(s->inst, (uint32_t)b, &flows))
		return;
	load = (double)sl_tick_load(s->tick)->buckets[b].load;
	if (sl_split_advise(load, &flows) != SL_SPLIT_WORTH || !wish(s, (uint32_t)b, SL_ROW_SPLIT))
		return;
	s->split_asked = true;
	log_line(LOG_NOTICE, "%s: bucket %d is split into %d parts: it is more than one flow",
		 s->inst->name, b, SL_SPLIT_PARTS);
}

static double parts_load(const struct served *s, uint32_t first)
{
	double load = 0;

	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++)
		load += (double)sl_tick_load(s->tick)->buckets[first + i].load;
	return load;
}

static void merge(struct served *s, unsigned k, uint32_t bucket, uint64_t now_ns)
{
	const uint32_t first = s->inst->hash_buckets + k * SL_SPLIT_PARTS;
	const double load = parts_load(s, first);

	if (!s->buckets[bucket].absent || sl_tick_pinned(s->tick, bucket)) {
		sl_split_forget(&s->splitting, k);
		return;
	}
	if (!sl_split_over(&s->splitting, k, load, now_ns, s->balance.split_hold_ns) ||
	    !wish(s, bucket, SL_ROW_WORKER))
		return;
	sl_split_forget(&s->splitting, k);
	log_line(LOG_NOTICE, "%s: bucket %u becomes whole again: its parts need %.2f cores",
		 s->inst->name, bucket, load);
}

void served_splits(struct served *s, uint64_t now_ns)
{
	if (s->paused || !s->balance.enabled || !s->balance.split)
		return;
	split(s);
	for (unsigned k = 0; k < SL_SPLITS; k++) {
		const uint32_t b =
			__atomic_load_n(&s->inst->control->split[k], __ATOMIC_ACQUIRE) - 1;

		if (b < s->inst->hash_buckets)
			merge(s, k, b, now_ns);
		else
			sl_split_forget(&s->splitting, k);
	}
}
