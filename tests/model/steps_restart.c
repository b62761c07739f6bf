// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The dataplane is killed at any instant and started again. Its sockets leave their slots, and what
 * its rings, parks and TX rings held is counted `abandoned`. Polls in flight go on across all of
 * it.
 */
#include <string.h>

#include "model.h"

static void abandon(const struct model_config *c, struct model_state *s)
{
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned w = 0; w < c->workers; w++) {
			s->done += s->ring[q][w].reserved + s->tx[q][w].len;
			for (unsigned b = 0; b < c->buckets; b++)
				s->done += s->park[q][w][b].len;
		}
	for (unsigned w = 0; w < c->workers; w++)
		s->done += s->worker[w].pc == WORKER_WORD || s->worker[w].pc == WORKER_ROW;
	memset(s->ring, 0, sizeof(s->ring));
	memset(s->tx, 0, sizeof(s->tx));
	memset(s->park, 0, sizeof(s->park));
	memset(s->worker, 0, sizeof(s->worker));
}

static void die(const struct model_config *c, struct model_state *s)
{
	abandon(c, s);
	s->dataplane = DP_DOWN;
	s->restarts--;
	s->hk_pc = HK_IDLE;
	s->hk_bucket = s->hk_row = s->hk_epoch = s->hk_bells = 0;
	s->grace_pc = GRACE_IDLE;
	s->grace_epoch = 0;
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned k = 0; k < c->cpus; k++) {
			struct model_cpu *cpu = &s->cpu[q][k];

			/* publishing to a socket that is gone shows nobody anything */
			cpu->awaited = 0;
			cpu->flushes = 0;
			memset(cpu->flush, 0, sizeof(cpu->flush));
			if (cpu->pc == CPU_FLUSH || cpu->pc == CPU_POLL)
				memset(cpu, 0, sizeof(*cpu));
		}
}

/* L is only right if nothing was numbered yet: packets in flight have numbers that nobody knows. */
static void flows_settle(const struct model_config *c, struct model_state *s)
{
	bool believe = c->mutant == MUT_D_STALE_L;

	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned b = 0; b < c->buckets; b++) {
			struct model_flow *f = &s->flow[q][b];

			f->l = believe ? f->count : 0;
			f->l_valid = believe || !f->count;
			f->f = f->f_tag = f->quiet = f->target = 0;
		}
}

/*
 * Before any socket is in its slot: words owned by their rows' workers, under a new epoch beyond
 * all others. Buckets are joined: no two of them are read together.
 */
static void settle(const struct model_config *c, struct model_state *s)
{
	uint8_t epoch = s->epoch;

	for (unsigned b = 0; b < c->buckets; b++)
		if (s->bucket[b].epoch > epoch)
			epoch = s->bucket[b].epoch;
	epoch++;
	if (c->mutant == MUT_EPOCH_RESET)
		epoch = 0;
	flows_settle(c, s);
	for (unsigned b = 0; b < c->buckets; b++) {
		s->bucket[b].owner = s->bucket[b].row;
		s->bucket[b].next = s->bucket[b].row;
		s->bucket[b].epoch = epoch;
	}
	s->epoch = epoch;
	if (c->mutant == MUT_EPOCH_RESET)
		s->settled = 0;
	s->dataplane = DP_SETTLED;
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned k = 0; k < c->cpus; k++)
			s->cpu[q][k].awaited = s->cpu[q][k].pc != CPU_IDLE && c->start_grace;
}

void steps_restart(struct model_steps *m, const struct model_state *s)
{
	struct model_state *t;

	if (s->dataplane == DP_UP && s->restarts) {
		t = step_add(m, s, true, "the dataplane is killed");
		die(m->c, t);
	} else if (s->dataplane == DP_DOWN) {
		t = step_add(m, s, true, "a new dataplane settles the words");
		settle(m->c, t);
	} else if (s->dataplane == DP_SETTLED) {
		for (unsigned q = 0; q < m->c->queues; q++)
			for (unsigned k = 0; k < m->c->cpus; k++)
				if (s->cpu[q][k].awaited)
					return;
		t = step_add(m, s, false, "its sockets are in their slots");
		t->dataplane = DP_UP;
	}
}
