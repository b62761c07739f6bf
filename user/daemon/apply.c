// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's only act: rows. A row is exchanged only if it is still the one that was planned
 * with, so a bucket that somebody else moves meanwhile (the CLI, bpftool, the dataplane emptying a
 * worker) is left to them.
 */
#include "daemon/log.h"
#include "daemon/served.h"
#include "platform/rpc.h"

static bool store_row(struct sl_instance *inst, const struct sl_plan_move *m, uint32_t plan)
{
	struct sl_row row, fresh = {.worker = m->to, .epoch = plan};
	uint64_t old = __atomic_load_n(&inst->rows[m->bucket], __ATOMIC_RELAXED), word;

	__builtin_memcpy(&row, &old, sizeof(row));
	fresh.mode = row.mode;
	__builtin_memcpy(&word, &fresh, sizeof(word));
	if (row.worker != m->from || row.mode == SL_ROW_STAYS ||
	    __atomic_load_n(&inst->workers[m->to].state, __ATOMIC_RELAXED) != SL_WORKER_RUNNING)
		return false;
	/* Pairs with the volatile load of the row in XDP and in housekeeping. */
	return __atomic_compare_exchange_n(&inst->rows[m->bucket], &old, word, false,
					   __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

unsigned served_apply(struct served *s, const struct sl_plan_move *moves, unsigned n)
{
	unsigned stored = 0;

	if (!n)
		return 0;
	s->plan++;
	for (unsigned i = 0; i < n; i++)
		stored += store_row(s->inst, &moves[i], s->plan);
	s->moves += stored;
	s->moves_skipped += n - stored;
	s->plans += stored > 0;
	if (stored)
		sl_rpc_wake(s->inst->name);
	return stored;
}

void served_mark(struct served *s, uint32_t bucket, enum sl_row_mode mode)
{
	uint64_t *at = &s->inst->rows[bucket], old = __atomic_load_n(at, __ATOMIC_RELAXED), word;
	struct sl_row row;

	__builtin_memcpy(&row, &old, sizeof(row));
	if (row.mode == mode || row.mode >= SL_ROW_SPLIT)
		return;
	row.mode = (uint16_t)mode;
	__builtin_memcpy(&word, &row, sizeof(word));
	/* in vain if somebody moves it now: the next round marks it again */
	__atomic_compare_exchange_n(at, &old, word, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
