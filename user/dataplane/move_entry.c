// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/move_entry.h"

uint64_t move_entry_latest(const struct sl_instance *inst)
{
	uint64_t latest = 0;

	for (unsigned i = 0; i < SL_MOVE_LOG; i++)
		if (inst->moves[i].seq > latest)
			latest = inst->moves[i].seq;
	return latest;
}

void move_entry_write(struct sl_instance *inst, uint64_t seq, uint32_t bucket, struct sl_owner word,
		      uint64_t now)
{
	struct sl_move *m = &inst->moves[seq % SL_MOVE_LOG];

	/* readers skip an entry whose seq is 0 or changes while they copy it */
	__atomic_store_n(&m->seq, 0, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	field_store(m->asked_ns, now);
	field_store(m->ended_ns, 0);
	field_store(m->bucket, bucket);
	field_store(m->epoch, word.epoch);
	field_store(m->from, word.owner);
	field_store(m->to, word.next);
	field_store(m->parked_max, 0);
	field_store(m->rule, SL_DRAIN_NONE);
	__atomic_store_n(&m->seq, seq, __ATOMIC_RELEASE);
}
