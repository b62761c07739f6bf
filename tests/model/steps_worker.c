// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workers: take entries, process what they own, park what is on its way to them, announce the first
 * of it.
 *
 * Joined with the step in which it happens: all that touches only the worker's own memory, and
 * the shard while the worker owns it (nobody else changes owner == w). A ring's consumer index is
 * stored with each entry instead of each batch: a place that comes free later looks like a full
 * ring, and any packet may be lost to that at any time (CPU_FULL, drops).
 */
#include <string.h>

#include "model.h"

void worker_wake_up(struct model_state *s, unsigned w)
{
	if (s->worker[w].sleep == WORKER_ASLEEP) {
		s->worker[w].sleep = WORKER_AWAKE;
		s->worker[w].bell = 0;
	}
}

static void process(const struct model_config *c, struct model_state *s, unsigned q, unsigned w,
		    struct model_entry e)
{
	struct model_flow *f = &s->flow[q][e.bucket];
	struct model_tx *tx = &s->tx[q][w];
	uint8_t *last = &s->flow[q][c->wishes ? 0 : e.bucket].processed[kind_of(c, e)];

	if (s->bucket[e.bucket].owner != w)
		s->bad = MODEL_I1_FOREIGN;
	else if (c->wishes && s->flows != e.bucket)
		s->bad = MODEL_I1_FLOWS;
	else if (order_of(c, e) < *last)
		s->bad = MODEL_I2_ORDER;
	*last = order_of(c, e) + 1;
	if (!c->turns) {
		f->l = e.n + 1;
		f->l_valid = 1;
	}
	e.stamp = 0;
	if (c->tx)
		tx->e[tx->len++] = e;
	else
		s->done++;
}

/* Owned here: it is processed, or waits for its tenant's turn. */
static void accept(const struct model_config *c, struct model_state *s, unsigned q, unsigned w,
		   struct model_entry e)
{
	struct model_tx *wait = &s->wait[q][w];

	if (!c->turns) {
		process(c, s, q, w, e);
		return;
	}
	s->flow[q][e.bucket].l = e.n + 1;
	s->flow[q][e.bucket].l_valid = 1;
	e.stamp = 0;
	wait->e[wait->len++] = e;
}

/* The turn of a tenant: its first packet of a queue. Which queue's is first is not followed. */
static void steps_turn(struct model_steps *m, const struct model_state *s, unsigned q, unsigned w)
{
	const struct model_tx *wait = &s->wait[q][w];
	unsigned seen = 0;

	for (unsigned i = 0; i < wait->len; i++) {
		const struct model_entry e = wait->e[i];
		struct model_state *t;

		if (seen & 1u << kind_of(m->c, e))
			continue;
		seen |= 1u << kind_of(m->c, e);
		t = step_add(m, s, false, "w%u: the turn of b%u#%u of q%u", w, e.bucket, e.n, q);
		memmove(t->wait[q][w].e + i, wait->e + i + 1,
			(MODEL_TX - 1 - i) * sizeof(wait->e[0]));
		t->wait[q][w].len--;
		memset(&t->wait[q][w].e[t->wait[q][w].len], 0, sizeof(wait->e[0]));
		process(m->c, t, q, w, e);
	}
}

static void park_drain(const struct model_config *c, struct model_state *s, unsigned w, unsigned b)
{
	for (unsigned q = 0; q < c->queues; q++) {
		struct model_park *p = &s->park[q][w][b];
		uint8_t first = p->first;

		/* numbers that overflowed are done with too */
		if (p->listed) {
			s->flow[q][b].l = p->first + 1;
			s->flow[q][b].l_valid = 1;
		}
		for (unsigned i = 0; i < p->len; i++)
			accept(c, s, q, w,
			       (struct model_entry){.bucket = b,
						    .n = p->n[i],
						    .cpu = p->cpu[i],
						    .order = p->order[i]});
		memset(p, 0, sizeof(*p));
		if (c->mutant == MUT_D_FIRST_KEPT)
			p->first = first + 1;
	}
}

static unsigned parked(const struct model_config *c, const struct model_state *s, unsigned w,
		       unsigned b)
{
	unsigned n = 0;

	for (unsigned q = 0; q < c->queues; q++)
		n += s->park[q][w][b].len;
	return n;
}

static void park_packet(const struct model_config *c, struct model_state *s, unsigned q, unsigned w,
			struct model_entry e)
{
	struct model_park *p = &s->park[q][w][e.bucket];

	if (!p->listed) {
		p->listed = 1;
		if (c->mutant == MUT_D_FIRST_KEPT && p->first)
			p->first--;
		else
			p->first = e.n;
	}
	if (parked(c, s, w, e.bucket) >= c->park) {
		s->done++;
		return;
	}
	p->n[p->len] = e.n;
	p->order[p->len] = e.order;
	p->cpu[p->len++] = e.cpu;
}

/* The packet in hand is dealt with; if its bucket is on its way here F may have to be announced
 * first. */
static void packet_done(const struct model_config *c, struct model_state *s, unsigned q, unsigned w,
			unsigned b)
{
	struct model_worker *k = &s->worker[w];
	const struct model_park *p = &s->park[q][w][b];

	k->pc = WORKER_RUNS;
	k->row_mine = 0;
	k->queue = 0;
	k->tag = 0;
	memset(&k->e, 0, sizeof(k->e));
	if (!c->rule_d || !p->listed || p->told || s->bucket[b].next != w ||
	    s->bucket[b].owner == w)
		return;
	k->pc = WORKER_ANNOUNCES;
	k->queue = q;
	k->tag = s->bucket[b].epoch;
	k->e.bucket = b;
	k->e.n = p->first;
}

static void take_owned(const struct model_config *c, struct model_state *s, unsigned q, unsigned w,
		       struct model_entry e)
{
	if (c->mutant != MUT_PARK_LATER && s->bucket[e.bucket].owner == w)
		park_drain(c, s, w, e.bucket);
	accept(c, s, q, w, e);
	packet_done(c, s, q, w, e.bucket);
}

static void stray(const struct model_config *c, struct model_state *s, unsigned q, unsigned w,
		  unsigned b)
{
	if (!c->by_hand)
		s->bad = MODEL_I3_STRAY;
	s->done++;
	packet_done(c, s, q, w, b);
}

/*
 * Rule (a): an entry stamped with the epoch of a move or newer is out of the ring of the worker
 * that moves the bucket away. Kept with the bucket instead of the ring: a stamp that old can only
 * come after the move began.
 */
static void stamp_seen(const struct model_config *c, struct model_state *s, unsigned q, unsigned w,
		       uint8_t stamp)
{
	for (unsigned b = 0; b < c->buckets; b++) {
		const struct model_bucket *k = &s->bucket[b];
		unsigned seen = stamp + (c->mutant == MUT_A_EARLIER);

		if (c->rule_a && bucket_moves(k) && seen >= k->epoch &&
		    (k->owner == w || c->mutant == MUT_A_ANY_WORKER))
			s->flow[q][b].quiet = 1;
	}
}

/* Rule (c): one entry less to go. */
static void entry_consumed(const struct model_config *c, struct model_state *s, unsigned q,
			   unsigned w)
{
	struct model_ring *r = &s->ring[q][w];

	memmove(r->e, r->e + 1, (MODEL_RING - 1) * sizeof(r->e[0]));
	r->reserved--;
	r->published--;
	r->seen--;
	for (unsigned b = 0; b < c->buckets; b++) {
		struct model_flow *f = &s->flow[q][b];

		if (s->bucket[b].owner != w || !f->target)
			continue;
		if (--f->target == 1)
			model_target_reached(c, f);
	}
}

/*
 * An entry is taken: load of the owner word, and for a foreign bucket of the row. The two are one
 * step: where the bucket becomes the worker's own in between, the word is loaded again after the
 * row, unless that would say nothing new (next == w stays so until owner == w, and then the park is
 * drained).
 */
void steps_take(struct model_steps *m, const struct model_state *s, unsigned q, unsigned w)
{
	const struct model_config *c = m->c;
	struct model_entry e = s->ring[q][w].e[0];
	const struct model_bucket *b = &s->bucket[e.bucket];
	struct model_state *t = step_add(m, s, false, "w%u takes b%u#%u of q%u, stamped %u: %s", w,
					 e.bucket, e.n, q, e.stamp,
					 b->owner == w	? "processes"
					 : b->next == w ? "parks"
							: "looks at the row");

	entry_consumed(c, t, q, w);
	if (b->owner == w && bucket_moves(b) && e.stamp >= b->epoch && c->mutant != MUT_ROW_BACK &&
	    c->mutant != MUT_MOVE_EARLY) {
		/* steered here after its row named another: the row was taken back, what is parked
		 * is older */
		stray(c, t, q, w, e.bucket);
	} else if (b->owner == w || c->mutant == MUT_NO_OWNER_CHECK) {
		take_owned(c, t, q, w, e);
	} else if (b->next == w) {
		park_packet(c, t, q, w, e);
		packet_done(c, t, q, w, e.bucket);
	} else {
		t->worker[w].pc = c->mutant == MUT_WORD_FIRST ? WORKER_ROW : WORKER_WORD;
		t->worker[w].queue = q;
		t->worker[w].row_mine = c->mutant != MUT_WORD_FIRST && b->row == w;
		t->worker[w].e = e;
		t->worker[w].e.stamp = 0;
	}
	stamp_seen(c, t, q, w, e.stamp);
}

/* The packet of a foreign bucket in hand, its row known: load of the owner word. */
static void take_foreign(struct model_steps *m, const struct model_state *s, unsigned w)
{
	const struct model_worker *k = &s->worker[w];
	const struct model_bucket *b = &s->bucket[k->e.bucket];
	struct model_entry e = k->e;
	bool late = k->pc == WORKER_ROW;
	bool mine = late ? b->row == w : k->row_mine || b->next == w;
	struct model_state *t;

	t = step_add(m, s, false, "w%u has b%u#%u of q%u: word w%u -> w%u, row %s", w, e.bucket,
		     e.n, k->queue, b->owner, b->next, mine ? "mine" : "another's");
	if (!late && b->owner == w) {
		take_owned(m->c, t, k->queue, w, e);
	} else if (mine) {
		park_packet(m->c, t, k->queue, w, e);
		packet_done(m->c, t, k->queue, w, e.bucket);
	} else {
		stray(m->c, t, k->queue, w, e.bucket);
	}
}

/* F, in the shard though B does not own it: a word of its own. */
static void announce(struct model_steps *m, const struct model_state *s, unsigned w)
{
	const struct model_worker *k = &s->worker[w];
	unsigned b = k->e.bucket, q = k->queue;
	struct model_state *t = step_add(m, s, false, "w%u announces F = #%u of b%u, q%u, epoch %u",
					 w, k->e.n, b, q, k->tag);

	t->flow[q][b].f = k->e.n;
	t->flow[q][b].f_tag = k->tag;
	t->park[q][w][b].told = 1;
	packet_done(m->c, t, q, w, b);
}

/* Looks at one park: becomes owner, sees the move begin, or finds that nobody will hand the bucket
 * over. */
void steps_park(struct model_steps *m, const struct model_state *s, unsigned w, unsigned b)
{
	const struct model_bucket *k = &s->bucket[b];
	struct model_state *t;

	if (!worker_parks(m->c, s, w, b))
		return;
	if (k->owner == w) {
		t = step_add(m, s, false, "w%u drains its park of b%u", w, b);
		park_drain(m->c, t, w, b);
		return;
	}
	for (unsigned q = 0; q < m->c->queues && k->next == w && m->c->rule_d; q++)
		if (s->park[q][w][b].listed && !s->park[q][w][b].told) {
			t = step_add(m, s, false, "w%u sees b%u move to it, has #%u of q%u", w, b,
				     s->park[q][w][b].first, q);
			packet_done(m->c, t, q, w, b);
		}
	/*
	 * The row was loaded before the word, when it named another worker too: without rows
	 * written by hand that cannot be, and by hand one more load changes only which packets are
	 * strays.
	 */
	if (k->next != w && k->row != w && m->c->mutant != MUT_STRAY_KEPT) {
		t = step_add(m, s, false, "w%u drops its park of b%u: stray", w, b);
		for (unsigned q = 0; q < m->c->queues; q++) {
			t->done += s->park[q][w][b].len;
			memset(&t->park[q][w][b], 0, sizeof(struct model_park));
		}
		if (!m->c->by_hand)
			t->bad = MODEL_I3_STRAY;
	}
}

static bool must_stay_awake(const struct model_config *c, const struct model_state *s, unsigned w)
{
	for (unsigned b = 0; b < c->buckets; b++) {
		const struct model_bucket *k = &s->bucket[b];

		if (c->mutant != MUT_SLEEP_PARK && worker_parks(c, s, w, b))
			return true;
		if (c->mutant != MUT_SLEEP_PENDING && k->owner == w && bucket_moves(k))
			return true;
	}
	for (unsigned q = 0; q < c->queues; q++)
		if (s->ring[q][w].seen || s->tx[q][w].len || s->wait[q][w].len)
			return true;
	return false;
}

/* Sleeping is two steps: the last look, and poll(), which returns at once for a packet or a rung
 * eventfd. */
static void steps_sleep(struct model_steps *m, const struct model_state *s, unsigned w)
{
	const struct model_worker *k = &s->worker[w];
	bool waits = k->bell;
	struct model_state *t;

	if (k->sleep == WORKER_AWAKE) {
		if (k->pc != WORKER_RUNS || must_stay_awake(m->c, s, w))
			return;
		t = step_add(m, s, false, "w%u finds nothing to do", w);
		t->worker[w].sleep = WORKER_DROWSY;
	} else if (k->sleep == WORKER_DROWSY) {
		for (unsigned q = 0; q < m->c->queues; q++)
			waits |= s->ring[q][w].published != 0;
		t = step_add(m, s, false, "w%u %s", w, waits ? "goes on" : "sleeps");
		t->worker[w].sleep = waits ? WORKER_AWAKE : WORKER_ASLEEP;
		t->worker[w].bell = 0;
	}
}

static void steps_one(struct model_steps *m, const struct model_state *s, unsigned w)
{
	for (unsigned b = 0; b < m->c->buckets; b++)
		steps_park(m, s, w, b);
	for (unsigned q = 0; q < m->c->queues; q++)
		if (s->ring[q][w].seen)
			steps_take(m, s, q, w);
	for (unsigned q = 0; q < m->c->queues && m->c->turns; q++)
		steps_turn(m, s, q, w);
	steps_release(m, s, w);
}

void steps_worker(struct model_steps *m, const struct model_state *s)
{
	if (s->dataplane != DP_UP)
		return;
	for (unsigned w = 0; w < m->c->workers; w++) {
		const struct model_worker *k = &s->worker[w];

		if (k->stopped)
			continue;
		if (k->sleep == WORKER_AWAKE) {
			if (k->pc == WORKER_ANNOUNCES)
				announce(m, s, w);
			else if (k->pc != WORKER_RUNS)
				take_foreign(m, s, w);
			else
				steps_one(m, s, w);
		}
		if (m->c->sleep)
			steps_sleep(m, s, w);
	}
}
