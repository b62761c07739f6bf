// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Partial-order reduction, as far as it is plain (ample sets of one thread's steps).
 *
 * Take a bucket that rests: owner, next and row agree and no row of it will be written. Then
 * - its owner's draining of the park and processing of the next entry only touch what the owner
 * alone looks at, and free a place in a ring, which others see as one less chance of `full`, and
 * packets may be lost anyway (drops); the entry's stamp may make rule (a) true for another bucket,
 * which enables a release and prevents nothing;
 * - XDP's counting of it is read by nobody, its row is constant, and a reservation is seen by
 * nobody. So every step of another thread, and every other step of the same thread, commutes with
 * these and leaves them possible: a run that takes them later reaches the same states as one that
 * takes them at once. Each of them uses up a packet's progress, so no cycle is made of them alone
 * and nothing is put off for ever.
 *
 * Death (restarts) commutes with nothing, splits change what rests, turns are left out for
 * simplicity, and one mutant is about the
 * order of a park and its owner.
 */
#include "model.h"

static bool cpu_local(struct model_steps *m, const struct model_state *s, unsigned q, unsigned c)
{
	const struct model_cpu *k = &s->cpu[q][c];
	const struct model_bucket *b = &s->bucket[k->e.bucket];

	if ((k->pc != CPU_EPOCH && k->pc != CPU_COUNTED) || !bucket_rests(b))
		return false;
	if (k->pc == CPU_COUNTED && s->ring[q][b->row].reserved >= m->c->ring)
		return false; /* whether there is room is for others to decide */
	steps_cpu(m, s, q, c);
	return true;
}

static bool worker_local(struct model_steps *m, const struct model_state *s, unsigned w)
{
	const struct model_worker *k = &s->worker[w];

	if (k->pc != WORKER_RUNS || k->sleep != WORKER_AWAKE || k->stopped)
		return false;
	for (unsigned b = 0; b < m->c->buckets; b++)
		if (bucket_rests(&s->bucket[b]) && s->bucket[b].owner == w &&
		    worker_parks(m->c, s, w, b)) {
			steps_park(m, s, w, b);
			return true;
		}
	for (unsigned q = 0; q < m->c->queues; q++) {
		const struct model_ring *r = &s->ring[q][w];
		const struct model_bucket *b = &s->bucket[r->e[0].bucket];

		if (r->seen && bucket_rests(b) && b->owner == w) {
			steps_take(m, s, q, w);
			return true;
		}
	}
	return false;
}

bool steps_local(struct model_steps *m, const struct model_state *s)
{
	if (m->c->restarts || m->c->wishes || m->c->turns || !m->c->drops ||
	    m->c->mutant == MUT_PARK_LATER || m->c->mutant == MUT_D_COUNT_LATE)
		return false;
	for (unsigned q = 0; q < m->c->queues; q++)
		for (unsigned c = 0; c < m->c->cpus; c++)
			if (cpu_local(m, s, q, c))
				return true;
	for (unsigned w = 0; w < m->c->workers; w++)
		if (worker_local(m, s, w))
			return true;
	return false;
}
