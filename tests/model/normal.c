// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * States that no future can tell apart become one.
 *
 * Epochs: the rules compare stamps, `settled` and tags with the epochs of moves under way only, and
 * a new move gets an epoch beyond all others. So an epoch becomes its rank among those of moves
 * under way.
 *
 * Numbers of (queue, bucket): compared for order, and L = n + 1 for equality. So the values in use
 * are renumbered from 1, keeping order and which are neighbours: a gap of 2 stands for every larger
 * one. What nothing will compare any more is set to 0.
 *
 * Some mutants look at just what is forgotten here, and restarts and splits keep more than moves
 * do: see exact().
 */
#include <string.h>

#include "model.h"

struct live {
	unsigned n;
	uint8_t epoch[MODEL_BUCKETS + 1];
};

static bool exact(const struct model_config *c)
{
	return c->wishes || c->turns || c->mutant == MUT_EPOCH_FIRST || c->restarts || c->by_hand ||
	       c->mutant == MUT_GRACE_LATE || c->mutant == MUT_A_EARLIER ||
	       c->mutant == MUT_D_UNTAGGED || c->mutant == MUT_D_FIRST_KEPT;
}

static void live_add(struct live *v, uint8_t epoch)
{
	unsigned i = v->n;

	for (unsigned k = 0; k < v->n; k++)
		if (v->epoch[k] == epoch)
			return;
	for (; i && v->epoch[i - 1] > epoch; i--)
		v->epoch[i] = v->epoch[i - 1];
	v->epoch[i] = epoch;
	v->n++;
}

static uint8_t rank(const struct live *v, uint8_t epoch)
{
	unsigned i = v->n;

	while (i && v->epoch[i - 1] > epoch)
		i--;
	return i;
}

/* A stamp in (queue, worker) matters for buckets that this worker is giving away: to rule (a), and
 * its own. */
static uint8_t stamp_rank(const struct model_config *c, const struct model_state *s,
			  const struct live *v, unsigned q, unsigned w, struct model_entry e)
{
	uint8_t best = 0;

	for (unsigned b = 0; b < c->buckets; b++) {
		const struct model_bucket *k = &s->bucket[b];
		bool wanted = b == e.bucket || (c->rule_a && !s->flow[q][b].quiet);

		if (wanted && bucket_moves(k) && k->epoch <= e.stamp && k->epoch > best &&
		    (k->owner == w || w == MODEL_WORKERS || c->mutant == MUT_A_ANY_WORKER))
			best = k->epoch;
	}
	return best ? rank(v, best) : 0;
}

static void stamps(const struct model_config *c, struct model_state *s, const struct live *v,
		   unsigned q)
{
	for (unsigned k = 0; k < c->cpus; k++) {
		struct model_cpu *cpu = &s->cpu[q][k];
		bool steered = cpu->pc == CPU_FULL || cpu->pc == CPU_ROW;

		cpu->e.stamp =
			stamp_rank(c, s, v, q, steered ? cpu->worker : MODEL_WORKERS, cpu->e);
	}
	for (unsigned w = 0; w < c->workers; w++)
		for (unsigned i = 0; i < s->ring[q][w].reserved; i++) {
			struct model_entry *e = &s->ring[q][w].e[i];

			e->stamp = stamp_rank(c, s, v, q, w, *e);
		}
}

/* Will F or L of the bucket be looked at again? */
static bool numbers_over(const struct model_bucket *k)
{
	return !k->moves && k->row == k->next;
}

static void worker_epochs(struct model_state *s, const struct live *v, unsigned w)
{
	struct model_worker *k = &s->worker[w];
	const struct model_bucket *b = &s->bucket[k->e.bucket];
	bool current = bucket_moves(b) && b->epoch == k->tag;

	if (k->pc != WORKER_ANNOUNCES)
		return;
	if (numbers_over(b) && (!bucket_moves(b) || s->flow[k->queue][k->e.bucket].quiet)) {
		s->park[k->queue][w][k->e.bucket].told = 1;
		k->pc = WORKER_RUNS;
		k->queue = 0;
		memset(&k->e, 0, sizeof(k->e));
	}
	k->tag = current && k->pc == WORKER_ANNOUNCES ? rank(v, k->tag) : 0;
}

static void flow_epochs(const struct model_config *c, struct model_state *s, const struct live *v,
			unsigned q, unsigned b)
{
	const struct model_bucket *k = &s->bucket[b];
	struct model_flow *f = &s->flow[q][b];
	bool over = numbers_over(k) && (!bucket_moves(k) || f->quiet);

	if (f->quiet || !bucket_moves(k))
		f->target = 0;
	if (!c->rule_d || !bucket_moves(k) || f->f_tag != k->epoch || f->quiet)
		f->f = f->f_tag = 0;
	else
		f->f_tag = rank(v, f->f_tag);
	for (unsigned w = 0; w < c->workers; w++) {
		struct model_park *p = &s->park[q][w][b];

		if (!c->rule_d || !p->listed || k->owner == w || k->next != w)
			p->told = 0;
		else if (over)
			p->told = 1;
	}
}

/* The newest epoch of which a move has a queue that rule (c) may still have to drain. */
static uint8_t epoch_wanted(const struct model_config *c, const struct model_state *s)
{
	uint8_t newest = 0;

	for (unsigned b = 0; b < c->buckets; b++)
		for (unsigned q = 0; q < c->queues; q++)
			if (bucket_moves(&s->bucket[b]) && !s->flow[q][b].quiet &&
			    !s->flow[q][b].target && s->bucket[b].epoch > newest)
				newest = s->bucket[b].epoch;
	return newest;
}

/*
 * A grace period that nobody waits for any more counts as over. That lets a later one begin sooner
 * than it could, but not end sooner: it waits for the same polls.
 */
static void grace_unwanted(const struct model_config *c, struct model_state *s)
{
	if (s->settled < epoch_wanted(c, s) &&
	    (s->grace_pc == GRACE_IDLE || s->grace_epoch > s->settled))
		return;
	if (s->settled >= epoch_wanted(c, s))
		s->settled = s->epoch;
	s->grace_pc = GRACE_IDLE;
	s->grace_epoch = 0;
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned k = 0; k < c->cpus; k++)
			s->cpu[q][k].awaited = 0;
}

static void epochs(const struct model_config *c, struct model_state *s)
{
	struct live v = {0};

	for (unsigned b = 0; b < c->buckets; b++)
		if (bucket_moves(&s->bucket[b]))
			live_add(&v, s->bucket[b].epoch);
	if (s->hk_epoch)
		live_add(&v, s->hk_epoch);
	for (unsigned q = 0; q < c->queues; q++) {
		stamps(c, s, &v, q);
		for (unsigned b = 0; b < c->buckets; b++)
			flow_epochs(c, s, &v, q, b);
	}
	for (unsigned w = 0; w < c->workers; w++)
		worker_epochs(s, &v, w);
	s->epoch = rank(&v, s->epoch);
	s->hk_epoch = rank(&v, s->hk_epoch);
	s->settled = rank(&v, s->settled);
	s->grace_epoch = rank(&v, s->grace_epoch);
	for (unsigned b = 0; b < c->buckets; b++)
		s->bucket[b].epoch = bucket_moves(&s->bucket[b]) ? rank(&v, s->bucket[b].epoch) : 0;
	if (c->rule_c)
		grace_unwanted(c, s);
}

/* The numbers of one (queue, bucket) that are in use. */
struct numbers {
	uint32_t used; /* values that are neighbours of others or not */
	uint32_t sent; /* values in TX rings: only their order counts */
	uint32_t waiting[MODEL_CPUS]; /* not yet processed, by the CPU that brought them */
	unsigned n;
	uint8_t *ref[64];
};

static inline void use(struct numbers *v, uint8_t *ref)
{
	v->ref[v->n++] = ref;
	v->used |= 1u << *ref;
}

static void use_packet(struct numbers *v, uint8_t *ref, unsigned cpu)
{
	use(v, ref);
	v->waiting[cpu] |= 1u << *ref;
}

static void use_park(const struct model_config *c, struct model_state *s, struct numbers *v,
		     struct model_park *p, unsigned w, unsigned b, bool alive)
{
	bool first = p->listed && alive && !((p->told || s->bucket[b].owner == w) && p->len);

	for (unsigned i = 0; i < p->len; i++)
		use_packet(v, &p->n[i], p->cpu[i]);
	if (first)
		use(v, &p->first);
	else
		p->first = 0;
}

static void use_packets(const struct model_config *c, struct model_state *s, struct numbers *v,
			unsigned q, unsigned b, bool alive)
{
	for (unsigned k = 0; k < c->cpus; k++)
		if ((s->cpu[q][k].pc == CPU_COUNTED || s->cpu[q][k].pc == CPU_FULL) &&
		    s->cpu[q][k].e.bucket == b)
			use_packet(v, &s->cpu[q][k].e.n, k);
	for (unsigned w = 0; w < c->workers; w++) {
		struct model_ring *r = &s->ring[q][w];
		struct model_worker *k = &s->worker[w];

		for (unsigned i = 0; i < r->reserved; i++)
			if (r->e[i].bucket == b)
				use_packet(v, &r->e[i].n, r->e[i].cpu);
		use_park(c, s, v, &s->park[q][w][b], w, b, alive);
		if (k->queue != q || k->e.bucket != b)
			continue;
		if (k->pc == WORKER_ANNOUNCES)
			use(v, &k->e.n);
		else if (k->pc != WORKER_RUNS)
			use_packet(v, &k->e.n, k->e.cpu);
	}
}

static void use_sent(const struct model_config *c, struct model_state *s, struct numbers *v,
		     unsigned q, unsigned b, uint32_t sent[MODEL_CPUS])
{
	for (unsigned w = 0; w < c->workers; w++)
		for (unsigned i = 0; i < s->tx[q][w].len; i++) {
			struct model_entry *e = &s->tx[q][w].e[i];

			if (e->bucket != b)
				continue;
			v->ref[v->n++] = &e->n;
			v->sent |= 1u << e->n;
			sent[e->cpu] |= 1u << e->n;
		}
}

/* The last number that went by can only be overtaken if an older packet is still on its way. */
static void use_last(struct numbers *v, uint8_t *last, uint32_t waiting)
{
	if (waiting & ((1u << *last) - 1))
		use(v, last);
	else
		*last = 0;
}

static void renumber(struct numbers *v, bool neighbours)
{
	unsigned out = 0, prev = 0;
	uint8_t map[32] = {0};

	for (uint32_t all = v->used | v->sent; all; all &= all - 1) {
		unsigned i = __builtin_ctz(all);

		if (!out)
			out = 1;
		else
			out += i - prev > 1 && neighbours && v->used & 1u << prev ? 2 : 1;
		map[i] = out;
		prev = i;
	}
	for (unsigned i = 0; i < v->n; i++)
		*v->ref[i] = map[*v->ref[i]];
}

static void flow_numbers(const struct model_config *c, struct model_state *s, unsigned q,
			 unsigned b)
{
	const struct model_bucket *k = &s->bucket[b];
	struct model_flow *f = &s->flow[q][b];
	bool alive = c->rule_d && !(numbers_over(k) && (!bucket_moves(k) || f->quiet));
	uint32_t sent[MODEL_CPUS] = {0};
	struct numbers v;

	v.used = v.sent = v.n = 0; /* ref[] is large and filled as it is used */
	memset(v.waiting, 0, sizeof(v.waiting));
	use_packets(c, s, &v, q, b, alive);
	use_sent(c, s, &v, q, b, sent);
	use(&v, &f->count);
	if (f->f_tag)
		use(&v, &f->f);
	for (unsigned i = 0; i < c->cpus; i++) {
		use_last(&v, &f->processed[i], v.waiting[i]);
		use_last(&v, &f->wired[i], v.waiting[i] | sent[i]);
	}
	/* an L below everything in use meets nothing until it is set anew */
	if (alive && v.used & ((2u << f->l) - 1))
		use(&v, &f->l);
	else
		f->l = 0;
	renumber(&v, alive);
}

void model_normalise(const struct model_config *c, struct model_state *s)
{
	if (exact(c))
		return;
	epochs(c, s);
	for (unsigned q = 0; q < c->queues; q++)
		for (unsigned b = 0; b < c->buckets; b++)
			flow_numbers(c, s, q, b);
}
