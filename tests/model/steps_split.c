// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Housekeeping splits bucket 0 into one part, bucket 1, and makes it whole again. With one part or
 * with sixteen, each flow has one; gathering several is moves of theirs, so it is left out.
 *
 * Stores that nobody can tell apart are one step: row and word of a part that no row leads to.
 */
#include "model.h"

static void round_begin(struct model_state *s)
{
	if (s->hk_pc == HK_IDLE)
		s->hk_epoch = s->epoch + 1;
}

static bool rests(const struct model_bucket *b)
{
	return b->owner == b->next && b->row == b->owner;
}

/* The part is ready: its row leads to the bucket's owner, whose it is about to become. */
static void part_ready(const struct model_config *c, struct model_state *s)
{
	const unsigned owner = s->bucket[0].owner;

	s->bucket[1].row = owner;
	s->bucket[1].next = owner;
	if (c->mutant == MUT_PART_OWNED)
		s->bucket[1].owner = owner;
	round_join(c, s, 1);
}

static void split_begin(struct model_steps *m, const struct model_state *s)
{
	struct model_state *t;

	if (!s->wish || !rests(&s->bucket[0]) || s->bucket[0].owner == ELSEWHERE ||
	    s->bucket[1].row != ELSEWHERE)
		return;
	t = step_add(m, s, false, "housekeeping: b0 w%u -> part", s->bucket[0].owner);
	round_begin(t);
	t->hk_pc = HK_SPLIT;
	if (m->c->mutant == MUT_PART_UNREADY)
		t->bucket[0].row = ELSEWHERE;
	else
		part_ready(m->c, t);
	t->bucket[0].next = ELSEWHERE;
	round_join(m->c, t, 0);
}

static void split_row(struct model_steps *m, const struct model_state *s)
{
	struct model_state *t =
		step_add(m, s, false, "housekeeping: row b0 = part, epoch %u", s->hk_epoch);

	if (m->c->mutant == MUT_PART_UNREADY)
		part_ready(m->c, t);
	t->bucket[0].row = ELSEWHERE;
	t->hk_pc = HK_WORDS;
}

/* The part rests, and is told to stay; a row that was just written is carried out before. */
static void part_stay(struct model_steps *m, const struct model_state *s)
{
	const struct model_bucket *part = &s->bucket[1];
	struct model_state *t;

	if (s->stays || part->owner != part->next || part->owner == ELSEWHERE ||
	    (part->row != part->owner && m->c->mutant != MUT_MERGE_FORCE))
		return;
	t = step_add(m, s, false, "housekeeping: the part stays at w%u", part->owner);
	t->bucket[1].row = part->owner;
	t->stays = 1;
}

static void merge_begin(struct model_steps *m, const struct model_state *s)
{
	const struct model_bucket *part = &s->bucket[1];
	struct model_state *t;

	if (s->wish || !rests(&s->bucket[0]) || s->bucket[0].owner != ELSEWHERE)
		return;
	part_stay(m, s);
	if (!s->stays || part->owner != part->next || part->row != part->owner)
		return;
	t = step_add(m, s, false, "housekeeping: row b0 = w%u", part->owner);
	round_begin(t);
	t->hk_pc = HK_GATHERED;
	if (m->c->mutant == MUT_MERGE_EPOCH)
		t->epoch = t->hk_epoch;
	else
		t->bucket[0].row = part->owner;
}

static void merge_words(struct model_steps *m, const struct model_state *s)
{
	struct model_state *t;

	if (s->hk_pc == HK_GATHERED) {
		t = step_add(m, s, false, "housekeeping: the part leaves w%u for nobody, epoch %u",
			     s->bucket[1].owner, s->hk_epoch);
		t->bucket[1].next = ELSEWHERE;
		round_join(m->c, t, 1);
		t->hk_pc = HK_MERGE;
	} else {
		t = step_add(m, s, false, "housekeeping: b0 part -> w%u, epoch %u",
			     s->bucket[1].owner, s->hk_epoch);
		t->bucket[0].next = s->bucket[1].owner;
		round_join(m->c, t, 0);
		t->bucket[0].row = s->bucket[1].owner;
		t->hk_pc = HK_WORDS;
	}
}

/* After the end the part can serve again; after a change of mind it may move again. */
static void part_free(struct model_steps *m, const struct model_state *s)
{
	struct model_state *t;

	if (!s->stays || !rests(&s->bucket[0]) || (s->bucket[0].owner == ELSEWHERE && !s->wish))
		return;
	t = step_add(m, s, false, "housekeeping: the part is free");
	t->stays = 0;
	if (s->bucket[0].owner != ELSEWHERE)
		t->bucket[1].row = ELSEWHERE;
}

void steps_split(struct model_steps *m, const struct model_state *s)
{
	switch (s->hk_pc) {
	case HK_IDLE:
	case HK_WORDS:
		part_free(m, s);
		split_begin(m, s);
		merge_begin(m, s);
		break;
	case HK_SPLIT:
		split_row(m, s);
		break;
	case HK_GATHERED:
	case HK_MERGE:
		merge_words(m, s);
		break;
	}
}
