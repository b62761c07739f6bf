// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A state as a string of bits, without what the configuration cannot reach. One description serves
 * both ways. The queues are alike in everything, so the one with the smaller string goes first:
 * states that differ by the queues' names are one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define NUMBER 4 /* bits of a packet's number */
#define EPOCH 3

struct bits {
	uint64_t w[MODEL_KEY + 1];
	unsigned pos;
	bool reads;
};

static void __attribute__((noreturn)) does_not_fit(const char *what)
{
	fprintf(stderr, "model: %s has not enough bits\n", what);
	abort();
}

static inline void field(struct bits *s, uint8_t *value, unsigned width)
{
	unsigned i = s->pos / 64, shift = s->pos % 64;

	s->pos += width;
	if (s->pos > MODEL_KEY * 64)
		does_not_fit("a packed state");
	if (s->reads) {
		uint64_t v = s->w[i] >> shift;

		if (shift + width > 64)
			v |= s->w[i + 1] << (64 - shift);
		*value = v & ((1u << width) - 1);
		return;
	}
	if (*value >> width)
		does_not_fit("a field");
	s->w[i] |= (uint64_t)*value << shift;
	if (shift + width > 64)
		s->w[i + 1] |= (uint64_t)*value >> (64 - shift);
}

static void entry_bits(const struct model_config *c, struct bits *s, struct model_entry *e,
		       bool stamped)
{
	if (c->buckets > 1)
		field(s, &e->bucket, 1);
	field(s, &e->n, NUMBER);
	if (stamped)
		field(s, &e->stamp, EPOCH);
	if (c->wishes)
		field(s, &e->order, NUMBER);
	if (c->cpus > 1)
		field(s, &e->cpu, 1);
}

static void bucket_bits(const struct model_config *c, struct bits *s, struct model_bucket *b)
{
	field(s, &b->row, 2);
	field(s, &b->owner, 2);
	field(s, &b->next, 2);
	field(s, &b->epoch, EPOCH);
	field(s, &b->moves, 2);
}

static void common_bits(const struct model_config *c, struct bits *s, struct model_state *m)
{
	for (unsigned b = 0; b < c->buckets; b++)
		bucket_bits(c, s, &m->bucket[b]);
	field(s, &m->epoch, EPOCH);
	field(s, &m->settled, EPOCH);
	field(s, &m->hk_pc, 3);
	field(s, &m->hk_epoch, EPOCH);
	if (c->by_hand) {
		field(s, &m->hk_bucket, 1);
		field(s, &m->hk_row, 2);
	}
	field(s, &m->hk_bells, 3);
	field(s, &m->grace_pc, 2);
	field(s, &m->grace_epoch, EPOCH);
	field(s, &m->left, 4);
	field(s, &m->done, 4);
	field(s, &m->bad, 4);
	if (c->wishes) {
		field(s, &m->wish, 1);
		field(s, &m->wishes, 2);
		field(s, &m->stays, 1);
		field(s, &m->flows, 1);
	}
	if (c->restarts) {
		field(s, &m->dataplane, 2);
		field(s, &m->restarts, 1);
	}
	for (unsigned w = 0; w < c->workers; w++) {
		field(s, &m->worker[w].pc, 2);
		if (c->sleep) {
			field(s, &m->worker[w].sleep, 2);
			field(s, &m->worker[w].bell, 1);
		}
		if (c->stop)
			field(s, &m->worker[w].stopped, 1);
	}
}

static void cpu_bits(const struct model_config *c, struct bits *s, struct model_cpu *k,
		     unsigned cpu)
{
	field(s, &k->pc, 4);
	if (k->pc == CPU_IDLE)
		return;
	field(s, &k->awaited, 1);
	if (k->pc != CPU_POLL && k->pc != CPU_FLUSH) {
		entry_bits(c, s, &k->e, true);
		if (s->reads)
			k->e.cpu = cpu;
	}
	if (k->pc == CPU_FULL || k->pc == CPU_ROW || k->pc == CPU_PART_ROW)
		field(s, &k->worker, 2);
	if (c->cpus > 1)
		return;
	field(s, &k->flushes, 2);
	for (unsigned i = 0; i < k->flushes; i++)
		field(s, &k->flush[i], 2);
}

static void park_bits(const struct model_config *c, struct bits *s, struct model_park *p)
{
	field(s, &p->listed, 1);
	if (c->mutant == MUT_D_FIRST_KEPT || (p->listed && c->rule_d))
		field(s, &p->first, NUMBER);
	if (!p->listed)
		return;
	field(s, &p->told, 1);
	field(s, &p->len, 3);
	for (unsigned i = 0; i < p->len; i++) {
		field(s, &p->n[i], NUMBER);
		if (c->cpus > 1)
			field(s, &p->cpu[i], 1);
		if (c->wishes)
			field(s, &p->order[i], NUMBER);
	}
}

static void flow_bits(const struct model_config *c, struct bits *s, struct model_flow *f)
{
	field(s, &f->count, NUMBER);
	field(s, &f->l, NUMBER);
	field(s, &f->quiet, 1);
	if (c->rule_c)
		field(s, &f->target, 3);
	if (c->restarts)
		field(s, &f->l_valid, 1);
	else
		f->l_valid = 1;
	if (c->rule_d) {
		field(s, &f->f_tag, EPOCH);
		if (f->f_tag)
			field(s, &f->f, NUMBER);
	}
	for (unsigned k = 0; k < kinds(c); k++) {
		field(s, &f->processed[k], NUMBER);
		if (c->tx)
			field(s, &f->wired[k], NUMBER);
	}
}

static void ring_bits(const struct model_config *c, struct bits *s, struct model_ring *r)
{
	field(s, &r->reserved, 3);
	if (!r->reserved)
		return;
	field(s, &r->published, 3);
	field(s, &r->seen, 3);
	for (unsigned i = 0; i < r->reserved; i++)
		entry_bits(c, s, &r->e[i], true);
}

static void worker_bits(const struct model_config *c, struct bits *s, struct model_worker *k,
			unsigned q)
{
	uint8_t here = k->queue == q;

	if (k->pc == WORKER_RUNS)
		return;
	field(s, &here, 1);
	if (!here)
		return;
	k->queue = q;
	entry_bits(c, s, &k->e, false);
	if (k->pc == WORKER_ANNOUNCES)
		field(s, &k->tag, EPOCH);
	else
		field(s, &k->row_mine, 1);
}

static void tx_bits(const struct model_config *c, struct bits *s, struct model_tx *tx)
{
	field(s, &tx->len, 4);
	for (unsigned i = 0; i < tx->len; i++)
		entry_bits(c, s, &tx->e[i], false);
}

static void queue_bits(const struct model_config *c, struct bits *s, struct model_state *m,
		       unsigned q)
{
	for (unsigned k = 0; k < c->cpus; k++)
		cpu_bits(c, s, &m->cpu[q][k], k);
	for (unsigned b = 0; b < c->buckets; b++)
		flow_bits(c, s, &m->flow[q][b]);
	for (unsigned w = 0; w < c->workers; w++) {
		ring_bits(c, s, &m->ring[q][w]);
		for (unsigned b = 0; b < c->buckets; b++)
			park_bits(c, s, &m->park[q][w][b]);
		worker_bits(c, s, &m->worker[w], q);
		if (c->tx)
			tx_bits(c, s, &m->tx[q][w]);
		if (c->turns)
			tx_bits(c, s, &m->wait[q][w]);
	}
}

static int bits_compare(const struct bits *a, const struct bits *b)
{
	if (a->pos != b->pos)
		return a->pos < b->pos ? -1 : 1;
	return memcmp(a->w, b->w, sizeof(a->w));
}

static void bits_append(struct bits *to, const struct bits *from)
{
	unsigned shift = to->pos % 64, words = (from->pos + 63) / 64;

	for (unsigned i = 0; i < words; i++) {
		unsigned at = to->pos / 64 + i;

		to->w[at] |= from->w[i] << shift;
		if (shift && at < MODEL_KEY)
			to->w[at + 1] |= from->w[i] >> (64 - shift);
	}
	to->pos += from->pos;
	if (to->pos > MODEL_KEY * 64)
		abort();
}

bool model_pack(const struct model_config *c, const struct model_state *s, struct model_key *key,
		unsigned *words)
{
	struct model_state m = *s; /* the description is for both ways, so it takes no const */
	struct bits all = {0}, queue[MODEL_QUEUES] = {0};
	bool swap = false;

	common_bits(c, &all, &m);
	for (unsigned q = 0; q < c->queues; q++)
		queue_bits(c, &queue[q], &m, q);
	if (c->queues == 2)
		swap = bits_compare(&queue[0], &queue[1]) > 0;
	for (unsigned q = 0; q < c->queues; q++)
		bits_append(&all, &queue[swap ? 1 - q : q]);
	memcpy(key->w, all.w, sizeof(key->w));
	*words = (all.pos + 63) / 64;
	return swap;
}

void model_unpack(const struct model_config *c, const struct model_key *key, struct model_state *s)
{
	struct bits all = {.reads = true};

	memcpy(all.w, key->w, sizeof(key->w));
	memset(s, 0, sizeof(*s));
	common_bits(c, &all, s);
	for (unsigned w = 0; w < c->workers; w++)
		s->worker[w].queue = s->worker[w].pc == WORKER_RUNS ? 0 : MODEL_QUEUES;
	for (unsigned q = 0; q < c->queues; q++)
		queue_bits(c, &all, s, q);
}
