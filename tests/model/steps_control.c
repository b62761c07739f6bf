// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who decides: the daemon (or an operator) stores rows; the dataplane's housekeeping turns a row
 * that differs from its owner into a move; its grace thread settles epochs; and the dataplane as a
 * whole may die at any instant and start again.
 */
#include <string.h>

#include "model.h"

/*
 * The daemon rewrites a row once housekeeping has taken up the former one, and never back to the
 * owner that is giving the bucket away. Its look at the word and its store are one step: a word
 * that says so goes on saying so (only the move under way may end) until the row changes.
 */
static bool row_may_change(const struct model_config *c, const struct model_bucket *b, unsigned to)
{
	if (!b->moves || to == b->row || b->row == ELSEWHERE || (c->stop && to == 0))
		return false;
	if (c->mutant == MUT_MOVE_EARLY || c->mutant == MUT_ROW_BACK)
		return b->next == b->row || c->by_hand;
	return (to != b->owner || c->back) && (b->next == b->row || c->by_hand);
}

static void steps_daemon(struct model_steps *m, const struct model_state *s)
{
	if (m->c->calm && (s->restarts || s->dataplane != DP_UP))
		return;
	for (unsigned b = 0; b < m->c->buckets; b++)
		for (unsigned to = 0; to < m->c->workers; to++) {
			struct model_state *t;

			if (!row_may_change(m->c, &s->bucket[b], to) ||
			    (b == 1 && s->stays && m->c->mutant != MUT_MERGE_OPEN))
				continue;
			t = step_add(m, s, true, "daemon: row b%u = w%u", b, to);
			t->bucket[b].row = to;
			t->bucket[b].moves--;
		}
}

void round_join(const struct model_config *c, struct model_state *s, unsigned b)
{
	s->bucket[b].epoch = s->hk_epoch;
	for (unsigned q = 0; q < c->queues; q++) {
		s->flow[q][b].quiet = 0;
		s->flow[q][b].target = 0;
	}
}

static void move_begin(struct model_steps *m, struct model_state *s, unsigned b, unsigned to)
{
	struct model_bucket *k = &s->bucket[b];

	if (m->c->sleep)
		s->hk_bells |= 1u << k->owner | 1u << to;
	k->next = to;
	round_join(m->c, s, b);
	s->hk_pc = HK_WORDS;
	s->hk_bucket = 0;
	s->hk_row = 0;
}

static bool move_possible(const struct model_config *c, const struct model_bucket *b, unsigned row)
{
	if (c->mutant == MUT_MOVE_EARLY)
		return row != b->next;
	return !bucket_moves(b) && row != b->owner && row != ELSEWHERE && b->owner != ELSEWHERE;
}

/*
 * A round of housekeeping: words of some buckets, then one epoch for all of them. Joined: load of
 * the row, load of the word, and its compare-and-swap; an owned word is changed by this thread
 * only, and the row stays until the word moves (row_may_change()). Rows written by hand may change
 * in between: there the load of the row is a step of its own.
 */
static void steps_rows(struct model_steps *m, const struct model_state *s)
{
	for (unsigned b = 0; b < m->c->buckets; b++) {
		const struct model_bucket *k = &s->bucket[b];
		struct model_state *t;

		/* the same bucket is looked at once in a round */
		if (!move_possible(m->c, k, k->row) ||
		    (s->hk_pc == HK_WORDS && k->epoch == s->hk_epoch && s->hk_epoch))
			continue;
		if (m->c->by_hand) {
			t = step_add(m, s, false, "housekeeping loads row b%u = w%u", b, k->row);
			t->hk_bucket = b;
			t->hk_row = k->row;
			if (s->hk_pc == HK_IDLE)
				t->hk_epoch = s->epoch + 1;
			t->hk_pc = HK_ROW;
			continue;
		}
		t = step_add(m, s, false, "housekeeping: b%u moves w%u -> w%u, epoch %u", b,
			     k->owner, k->row, s->hk_pc == HK_IDLE ? s->epoch + 1 : s->hk_epoch);
		if (s->hk_pc == HK_IDLE)
			t->hk_epoch = s->epoch + 1;
		move_begin(m, t, b, k->row);
	}
}

static void housekeeping_idle(struct model_state *s)
{
	s->hk_pc = HK_IDLE;
	s->hk_epoch = 0;
	s->hk_bells = 0;
}

/* Seeded fault: a row that is stored between the epoch and the words joins a round that is too old
 * for it. */
static void epoch_first(struct model_steps *m, const struct model_state *s)
{
	unsigned found = 0, before = m->n;
	struct model_state *t;

	for (unsigned b = 0; b < m->c->buckets; b++)
		found += move_possible(m->c, &s->bucket[b], s->bucket[b].row);
	if (s->hk_pc == HK_WORDS)
		steps_rows(m, s);
	if (s->hk_pc == HK_WORDS && m->n == before) {
		t = step_add(m, s, false, "housekeeping: the round is over");
		housekeeping_idle(t);
	} else if (s->hk_pc == HK_IDLE && found) {
		t = step_add(m, s, false, "housekeeping: epoch = %u", s->epoch + 1);
		t->epoch++;
		t->hk_epoch = t->epoch;
		t->hk_pc = HK_WORDS;
	}
}

static void steps_housekeeping(struct model_steps *m, const struct model_state *s)
{
	struct model_state *t;

	if (m->c->mutant == MUT_EPOCH_FIRST) {
		epoch_first(m, s);
		return;
	}
	if (s->hk_pc == HK_IDLE || s->hk_pc == HK_WORDS)
		steps_rows(m, s);
	if (m->c->wishes)
		steps_split(m, s);
	if (s->hk_pc == HK_ROW) {
		unsigned b = s->hk_bucket;

		t = step_add(m, s, false, "housekeeping: b%u moves w%u -> w%u, epoch %u", b,
			     s->bucket[b].owner, s->hk_row, s->hk_epoch);
		move_begin(m, t, b, s->hk_row);
	} else if (s->hk_pc == HK_WORDS) {
		t = step_add(m, s, false, "housekeeping: epoch = %u", s->hk_epoch);
		t->epoch = s->hk_epoch;
		if (m->c->sleep && m->c->mutant != MUT_NO_BELL) {
			t->hk_pc = HK_BELLS;
			t->hk_epoch = 0;
		} else {
			housekeeping_idle(t);
		}
	} else if (s->hk_pc == HK_BELLS) {
		t = step_add(m, s, false, "housekeeping rings %#x", s->hk_bells);
		for (unsigned w = 0; w < m->c->workers; w++)
			if (s->hk_bells & 1u << w) {
				t->worker[w].bell = 1;
				if (t->worker[w].sleep == WORKER_ASLEEP)
					worker_wake_up(t, w);
			}
		housekeeping_idle(t);
	}
}

static bool polls_awaited(const struct model_config *c, const struct model_state *s)
{
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned k = 0; k < c->cpus; k++)
			if (s->cpu[q][k].awaited)
				return true;
	return false;
}

static void polls_await(const struct model_config *c, struct model_state *s)
{
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned k = 0; k < c->cpus; k++)
			s->cpu[q][k].awaited = s->cpu[q][k].pc != CPU_IDLE;
}

/* The grace thread, on its own: moves that begin meanwhile have later epochs and wait for the next
 * round. */
static void steps_grace(struct model_steps *m, const struct model_state *s)
{
	enum model_mutant mut = m->c->mutant;
	struct model_state *t;

	if (s->grace_pc == GRACE_IDLE && s->epoch > s->settled) {
		t = step_add(m, s, false, "grace: epoch is %u", s->epoch);
		t->grace_pc = GRACE_EPOCH;
		t->grace_epoch = s->epoch;
		if (mut == MUT_GRACE_FIRST)
			t->settled = s->epoch;
	} else if (s->grace_pc == GRACE_EPOCH) {
		t = step_add(m, s, false, "grace: waits for the polls in flight");
		t->grace_pc = GRACE_WAITS;
		if (mut != MUT_GRACE_NONE)
			polls_await(m->c, t);
	} else if (s->grace_pc == GRACE_WAITS && !polls_awaited(m->c, s)) {
		t = step_add(m, s, false, "grace: settled = %u",
			     mut == MUT_GRACE_LATE ? s->epoch : s->grace_epoch);
		t->settled = mut == MUT_GRACE_LATE ? s->epoch : s->grace_epoch;
		t->grace_pc = GRACE_IDLE;
		t->grace_epoch = 0;
	}
}

void steps_control(struct model_steps *m, const struct model_state *s)
{
	steps_daemon(m, s);
	if (s->wishes) {
		struct model_state *t =
			step_add(m, s, true, "daemon: b0 is to be %s", s->wish ? "whole" : "split");

		t->wish = !s->wish;
		t->wishes--;
	}
	if (s->dataplane != DP_UP)
		return;
	steps_housekeeping(m, s);
	if (m->c->rule_c)
		steps_grace(m, s);
}
