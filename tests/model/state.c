// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

void model_start(const struct model_config *c, struct model_state *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned b = 0; b < c->buckets; b++) {
		s->bucket[b].row = c->owner[b];
		s->bucket[b].owner = c->owner[b];
		s->bucket[b].next = c->owner[b];
		s->bucket[b].moves = c->moves[b];
		/* the counters are 0, so L is right */
		for (unsigned q = 0; q < c->queues; q++)
			s->flow[q][b].l_valid = 1;
	}
	s->wishes = c->wishes;
	if (c->wishes)
		s->bucket[1].row = s->bucket[1].owner = s->bucket[1].next = ELSEWHERE;
	s->left = c->packets;
	s->restarts = c->restarts;
	/* what is started again has moved buckets before */
	s->epoch = c->restarts ? 2 : 0;
	s->settled = s->epoch;
}

const char *model_bad_name(enum model_bad bad)
{
	static const char *const name[] = {
		[MODEL_OK] = "holds",
		[MODEL_I1_FOREIGN] = "I1: processed by a worker that does not own the bucket",
		[MODEL_I1_FLOWS] = "I1: processed while its flow lies in another shard",
		[MODEL_I2_ORDER] = "I2: processed out of order",
		[MODEL_I2_WIRE] = "I2: left out of order",
		[MODEL_I3_STRAY] = "I3: at a worker that has nothing to do with the bucket",
		[MODEL_I3_UNCOUNTED] = "I3: lost without a counter",
		[MODEL_I4_MOVE] = "I4: a move never ends",
		[MODEL_I4_STUCK] = "I4: packets are never processed",
	};

	return name[bad];
}

struct model_state *step_add(struct model_steps *m, const struct model_state *s, bool outside,
			     const char *fmt, ...)
{
	struct model_next *next = &m->next[m->n++];
	va_list ap;

	next->s = *s;
	next->outside = outside;
	if (m->labels) {
		va_start(ap, fmt);
		vsnprintf(next->label, sizeof(next->label), fmt, ap);
		va_end(ap);
	}
	return &next->s;
}

void model_steps(struct model_steps *m, const struct model_state *s)
{
	m->n = 0;
	if (steps_local(m, s))
		return;
	steps_xdp(m, s);
	steps_control(m, s);
	steps_restart(m, s);
	steps_worker(m, s);
}

static bool worker_holds(const struct model_config *c, const struct model_state *s, unsigned q,
			 unsigned w)
{
	if (s->ring[q][w].reserved || s->tx[q][w].len || s->wait[q][w].len)
		return true;
	for (unsigned b = 0; b < c->buckets; b++)
		if (s->park[q][w][b].len)
			return true;
	return false;
}

enum model_bad model_end(const struct model_config *c, const struct model_state *s)
{
	if (s->dataplane != DP_UP)
		return MODEL_OK; /* nobody has started it again */
	for (unsigned b = 0; b < c->buckets; b++)
		if (bucket_moves(&s->bucket[b]) || s->bucket[b].row != s->bucket[b].owner)
			return MODEL_I4_MOVE;
	if (c->wishes && s->wish != (s->bucket[0].owner == ELSEWHERE))
		return MODEL_I4_MOVE;
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned w = 0; w < c->workers; w++)
			if (worker_holds(c, s, q, w))
				return MODEL_I4_STUCK;
	if (s->done != c->packets - s->left)
		return MODEL_I3_UNCOUNTED;
	return MODEL_OK;
}
