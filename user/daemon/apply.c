// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's only act: rows. A row is exchanged only if it is still the one that was planned
 * with, so a bucket that somebody else moves meanwhile (the CLI, bpftool, the dataplane emptying a
 * worker) is left to them.
 */
#include "daemon/log.h"
#include "daemon/served.h"
#include "platform/announce.h"
#include "platform/rpc.h"

/* Is the row still the one that was planned with? */
static bool as_planned(const struct sl_instance *inst, const struct sl_plan_move *m, uint64_t word)
{
	struct sl_row row;

	__builtin_memcpy(&row, &word, sizeof(row));
	return row.worker == m->from && row.mode != SL_ROW_STAYS &&
	       __atomic_load_n(&inst->workers[m->to].state, __ATOMIC_RELAXED) == SL_WORKER_RUNNING;
}

static bool store_row(struct sl_instance *inst, const struct sl_plan_move *m, uint32_t plan)
{
	struct sl_row row, fresh = {.worker = m->to, .epoch = plan};
	uint64_t old = __atomic_load_n(&inst->rows[m->bucket], __ATOMIC_RELAXED), word;

	if (!as_planned(inst, m, old))
		return false;
	__builtin_memcpy(&row, &old, sizeof(row));
	fresh.mode = row.mode;
	__builtin_memcpy(&word, &fresh, sizeof(word));
	/* Pairs with the volatile load of the row in XDP and in housekeeping. */
	return __atomic_compare_exchange_n(&inst->rows[m->bucket], &old, word, false,
					   __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static unsigned store(struct served *s, const struct sl_plan_move *moves, unsigned n)
{
	unsigned stored = 0;

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

/* Returns how many rows are announced, and remembers their moves. */
static unsigned announce(struct served *s, const struct sl_plan_move *moves, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t *row = &s->inst->rows[moves[i].bucket];
		const uint64_t seen = __atomic_load_n(row, __ATOMIC_RELAXED);

		if (as_planned(s->inst, &moves[i], seen) && sl_announce_row(row, seen, moves[i].to))
			s->announced[s->announced_n++] = moves[i];
	}
	s->moves_skipped += n - s->announced_n;
	s->announced_ns = sl_announce_now();
	return s->announced_n;
}

unsigned served_apply(struct served *s, const struct sl_plan_move *moves, unsigned n)
{
	served_withdraw(s);
	if (!n)
		return 0;
	if (!sl_announce_heard(s->inst->control, sl_announce_now()))
		return store(s, moves, n);
	n = announce(s, moves, n);
	if (n && s->due_ns > s->announced_ns + SL_ANNOUNCE_POLL_NS)
		s->due_ns = s->announced_ns + SL_ANNOUNCE_POLL_NS;
	return n;
}

bool served_announced(struct served *s, uint64_t now_ns)
{
	const unsigned n = s->announced_n;
	enum sl_announced state;

	if (!n)
		return false;
	state = sl_announce_state(s->inst->control, s->announced_ns, now_ns);
	if (state == SL_ANNOUNCED_WAIT)
		return true;
	s->plans_told += state == SL_ANNOUNCED_TOLD;
	s->plans_late += state == SL_ANNOUNCED_LATE;
	s->announced_n = 0;
	store(s, s->announced, n);
	return false;
}

void served_withdraw(struct served *s)
{
	for (unsigned i = 0; i < s->announced_n; i++)
		sl_announce_withdraw(&s->inst->rows[s->announced[i].bucket], s->announced[i].to);
	s->announced_n = 0;
}

void served_mark(struct served *s, uint32_t bucket, enum sl_row_mode mode)
{
	uint64_t *at = &s->inst->rows[bucket], old = __atomic_load_n(at, __ATOMIC_RELAXED), word;
	struct sl_row row;

	__builtin_memcpy(&row, &old, sizeof(row));
	if (row.mode == mode || row.mode >= SL_ROW_SPLIT)
		return;
	row.mode = (uint8_t)mode;
	__builtin_memcpy(&word, &row, sizeof(word));
	/* in vain if somebody moves it now: the next round marks it again */
	__atomic_compare_exchange_n(at, &old, word, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
