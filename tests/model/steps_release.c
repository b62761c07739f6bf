// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The old owner's side: when is a queue drained of a bucket, and when may the bucket go? What is
 * known once stays known: the counter, F and the epochs that a rule reads only move one way, so
 * each load that makes a rule true is a step, and the release is the store of the word alone.
 */
#include <string.h>

#include "model.h"

void model_target_reached(const struct model_config *c, struct model_flow *f)
{
	f->quiet = 1;
	f->target = 0;
	if (c->mutant == MUT_D_RESYNC) {
		f->l = f->count;
		f->l_valid = 1;
	}
}

/*
 * The worker loads the producer index (acquire), and before it `settled`; joined, as settled only
 * grows. Rule (c) takes its target from such a load only, never from the cached index.
 */
static void producer_load(struct model_steps *m, const struct model_state *s, unsigned q,
			  unsigned w)
{
	const struct model_ring *r = &s->ring[q][w];
	unsigned targets = 0;
	struct model_state *t;

	for (unsigned b = 0; b < m->c->buckets && m->c->rule_c; b++) {
		const struct model_bucket *k = &s->bucket[b];
		const struct model_flow *f = &s->flow[q][b];

		if (k->owner == w && bucket_moves(k) && s->settled >= k->epoch && !f->quiet &&
		    !f->target)
			targets |= 1u << b;
	}
	if (r->published == r->seen && !targets)
		return;
	t = step_add(m, s, false, "w%u loads the producer of q%u: %u waiting%s", w, q, r->published,
		     targets ? ", settled" : "");
	for (unsigned b = 0; b < m->c->buckets; b++)
		if (targets & 1u << b) {
			struct model_flow *f = &t->flow[q][b];

			f->target = 1 + (m->c->mutant == MUT_C_CACHED ? r->seen : r->published);
			if (f->target == 1)
				model_target_reached(m->c, f);
		}
	t->ring[q][w].seen = r->published;
}

/*
 * Rule (d): loads of the epoch, F and the counter. One step: each of L == F and L == counter is
 * enough alone, and an epoch that is seen stays.
 */
static void numbers_meet(struct model_steps *m, const struct model_state *s, unsigned q, unsigned b)
{
	const struct model_flow *f = &s->flow[q][b];
	const struct model_bucket *k = &s->bucket[b];
	bool tagged = f->f_tag == k->epoch || (m->c->mutant == MUT_D_UNTAGGED && f->f_tag);
	struct model_state *t;

	if (f->quiet || s->epoch < k->epoch || !f->l_valid)
		return;
	if (f->l != f->count && !(tagged && f->l == f->f))
		return;
	t = step_add(m, s, false, "w%u: b%u is drained of q%u, L = %u meets %s", k->owner, b, q,
		     f->l, f->l == f->count ? "the counter" : "F");
	t->flow[q][b].quiet = 1;
	t->flow[q][b].target = 0;
}

static bool queues_drained(const struct model_config *c, const struct model_state *s, unsigned b)
{
	unsigned n = 0;

	for (unsigned q = 0; q < c->queues; q++)
		n += s->flow[q][b].quiet;
	return n == c->queues || c->mutant == MUT_NO_RULE || (c->mutant == MUT_ONE_QUEUE && n);
}

static bool transmissions_wait(const struct model_config *c, const struct model_state *s,
			       unsigned w, unsigned b)
{
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned i = 0; i < s->tx[q][w].len; i++)
			if (s->tx[q][w].e[i].bucket == b)
				return true;
	return false;
}

static bool turns_wait(const struct model_config *c, const struct model_state *s, unsigned w,
		       unsigned b)
{
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned i = 0; i < s->wait[q][w].len; i++)
			if (s->wait[q][w].e[i].bucket == b)
				return true;
	return false;
}

static void release(struct model_steps *m, const struct model_state *s, unsigned w, unsigned b)
{
	struct model_state *t;

	if (!queues_drained(m->c, s, b))
		return;
	if (m->c->mutant != MUT_PARK_LEFT && worker_parks(m->c, s, w, b))
		return;
	if (m->c->mutant != MUT_TX_PENDING && transmissions_wait(m->c, s, w, b))
		return;
	if (m->c->mutant != MUT_TURNS_LEFT && turns_wait(m->c, s, w, b))
		return;
	t = step_add(m, s, false, "w%u releases b%u to w%u", w, b, s->bucket[b].next);
	t->bucket[b].owner = t->bucket[b].next;
	for (unsigned q = 0; q < m->c->queues; q++) {
		t->flow[q][b].quiet = 0;
		t->flow[q][b].target = 0;
	}
}

/*
 * The flows change shards, and then the words, one after the other: the part's first. A bucket that
 * is split is drained itself, one that becomes whole is drained of its part.
 */
static void steps_divide(struct model_steps *m, const struct model_state *s, unsigned w)
{
	const struct model_bucket *whole = &s->bucket[0], *part = &s->bucket[1];
	bool splits = whole->owner == w && whole->next == ELSEWHERE && whole->row == ELSEWHERE;
	bool merges = bucket_merges(m->c, s) && whole->next == w;
	const unsigned from = merges;
	struct model_state *t;

	if (!splits && !merges)
		return;
	if (s->flows == from) {
		if (!queues_drained(m->c, s, from) || worker_parks(m->c, s, w, from) ||
		    turns_wait(m->c, s, w, from) || transmissions_wait(m->c, s, w, from))
			return;
		t = step_add(m, s, false, "w%u moves the flows of b%u, and the part's word", w,
			     from);
		t->flows = !from;
		t->bucket[1].owner = t->bucket[1].next = splits ? w : ELSEWHERE;
	} else if (splits || part->owner == ELSEWHERE) {
		t = step_add(m, s, false, "w%u: the word of b0", w);
		t->bucket[0].owner = t->bucket[0].next;
	} else {
		return;
	}
	for (unsigned q = 0; q < m->c->queues; q++) {
		t->flow[q][from].quiet = 0;
		t->flow[q][from].target = 0;
	}
}

/* Worker 0 leaves when nothing names it; whatever its sockets still held would be gone. */
static void steps_stop(struct model_steps *m, const struct model_state *s)
{
	bool early = m->c->mutant == MUT_STOP_EARLY;
	struct model_state *t;

	for (unsigned b = 0; b < m->c->buckets; b++) {
		const struct model_bucket *k = &s->bucket[b];

		if (k->row == 0 || k->next == 0 || (k->owner == 0 && !early) ||
		    worker_parks(m->c, s, 0, b))
			return;
	}
	t = step_add(m, s, false, "w0 leaves");
	t->worker[0].stopped = 1;
	for (unsigned q = 0; q < m->c->queues; q++)
		if (s->ring[q][0].reserved || s->wait[q][0].len)
			t->bad = MODEL_I3_UNCOUNTED;
}

void steps_release(struct model_steps *m, const struct model_state *s, unsigned w)
{
	for (unsigned q = 0; q < m->c->queues; q++)
		producer_load(m, s, q, w);
	for (unsigned b = 0; b < m->c->buckets; b++) {
		if (s->bucket[b].owner != w || !bucket_moves(&s->bucket[b]) ||
		    (m->c->wishes && b == 1 && s->bucket[b].next == ELSEWHERE &&
		     m->c->mutant != MUT_MERGE_D))
			continue;
		for (unsigned q = 0; q < m->c->queues && m->c->rule_d; q++)
			numbers_meet(m, s, q, b);
		if (!m->c->wishes || s->bucket[b].next != ELSEWHERE)
			release(m, s, w, b);
	}
	if (m->c->wishes)
		steps_divide(m, s, w);
	if (m->c->stop && w == 0)
		steps_stop(m, s);
}
