// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/chain.h"
#include "dataplane/divide.h"
#include "dataplane/park.h"

/* Flows moved between two looks at the rings: some 20 us. */
#define FLOWS_AT_ONCE 128

static uint32_t first_part(const struct worker *w, const struct sl_outgoing *out)
{
	const struct sl_owner word = owner_load(&w->dp->inst->owners[out->bucket]);
	const uint16_t parts = out->kind == OUT_SPLIT ? word.next : word.owner;

	return part_first(w->dp->inst, parts - SL_TO_PARTS);
}

bool divide_waits(const struct worker *w, const struct sl_outgoing *out)
{
	uint32_t first;

	if (out->kind != OUT_MERGE)
		return bucket_waits(w, out->bucket);
	first = first_part(w, out);
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++)
		if (bucket_waits(w, first + i))
			return true;
	return false;
}

static uint64_t give(struct worker *w, unsigned slot, uint32_t from, uint32_t to, unsigned shift)
{
	struct sl_flow_table *table[SL_SPLIT_PARTS];
	const struct sl_flow_heirs heirs = {table, from, to, shift};
	const unsigned n = shift < 32 ? SL_SPLIT_PARTS : 1;

	for (unsigned i = 0; i < n; i++)
		table[i] = shard_of(w->dp, to + i)->tables[slot];
	return sl_flow_table_give(shard_of(w->dp, from)->tables[slot], &heirs, FLOWS_AT_ONCE);
}

static bool flows_moved(struct worker *w, const struct sl_outgoing *out, unsigned slot)
{
	const uint32_t first = first_part(w, out);

	if (!shard_of(w->dp, first)->tables[slot])
		return true;
	if (out->kind == OUT_SPLIT)
		return !give(w, slot, out->bucket, first, 32 - SL_SPLIT_SHIFT);
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++)
		if (give(w, slot, first + i, out->bucket, 32))
			return false;
	return true;
}

bool divide_flows(struct worker *w, const struct sl_outgoing *out)
{
	if (out->kind == OUT_MOVE)
		return true;
	for (unsigned s = 0; s < chain_slots(w->dp->chain); s++)
		if (!flows_moved(w, out, s))
			return false;
	return true;
}

void divide_release(struct worker *w, const struct sl_outgoing *out, struct sl_owner word)
{
	struct sl_owner part = {.owner = w->id, .next = w->id, .epoch = out->epoch};
	uint32_t first;

	if (out->kind == OUT_MOVE)
		return;
	first = part_first(w->dp->inst,
			   (out->kind == OUT_SPLIT ? word.next : word.owner) - SL_TO_PARTS);
	if (out->kind == OUT_MERGE)
		part.owner = part.next = SL_TO_NONE;
	/* release: whoever a part moves to finds its flows, and whoever sees the bucket's word,
	 * these */
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++)
		__atomic_store_n(&w->dp->inst->owners[first + i], owner_pack(part),
				 __ATOMIC_RELEASE);
}
