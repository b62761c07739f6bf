// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planner's exchanges: the hottest worker gives a bucket to another and takes a lighter one,
 * or none, so that the higher load of the two falls. The lists end in gaps: a bucket for a gap is
 * a plain move.
 */
#include <math.h>
#include <string.h>

#include "control/plan_impl.h"

#define EXCHANGES 16 /* for each worker, in one go */
#define LOOK                                                                                       \
	256 /* heaviest buckets of a worker that are looked at: plan_shift() has the light ones */
#define ASK 8 /* partners, before the best exchange found so far is taken */
#define PROGRESS 32 /* an exchange takes away at least this part of what is above the target */

struct swap {
	double high; /* the higher load of the two afterwards */
	uint32_t give, take; /* positions in the two lists */
};

/* Place the item at position i where its key belongs. */
static void reorder(struct plan_item *item, unsigned n, unsigned i)
{
	struct plan_item x = item[i];

	for (; i > 0 && item[i - 1].key < x.key; i--)
		item[i] = item[i - 1];
	for (; i + 1 < n && item[i + 1].key > x.key; i++)
		item[i] = item[i + 1];
	item[i] = x;
}

static void carry_out(struct plan *p, unsigned hot, unsigned cold, const struct swap *s)
{
	struct plan_node *h = &p->node[hot], *c = &p->node[cold];
	struct plan_item *a = &p->item[h->first + s->give], *b = &p->item[c->first + s->take];
	struct plan_item give = *a;

	plan_put(p, give.bucket, cold);
	if (b->bucket != PLAN_NONE)
		plan_put(p, b->bucket, hot);
	*a = *b;
	*b = give;
	reorder(&p->item[h->first], h->n, s->give);
	reorder(&p->item[c->first], c->n, s->take);
}

static void consider(struct swap *best, double hot, double cold, double gain, uint32_t give,
		     uint32_t take)
{
	double high = fmax(hot - gain, cold + gain);

	if (gain > 0 && high < best->high)
		*best = (struct swap){high, give, take};
}

/*
 * The best exchange with this worker: both lists fall, so the one position of the other list that
 * comes next to half the difference moves on with the position in this one.
 */
static struct swap best_swap(struct plan *p, const struct plan_node *hot,
			     const struct plan_node *cold, double high)
{
	const struct plan_item *a = &p->item[hot->first], *b = &p->item[cold->first];
	struct swap best = {.high = high};
	double want = (hot->load - cold->load) / 2;
	unsigned j = 0;

	for (unsigned i = 0; i < hot->n && a[i].bucket != PLAN_NONE; i++) {
		while (j + 1 < cold->n && b[j].key > a[i].key - want)
			j++;
		consider(&best, hot->load, cold->load, a[i].key - b[j].key, i, j);
		if (j > 0)
			consider(&best, hot->load, cold->load, a[i].key - b[j - 1].key, i, j - 1);
	}
	plan_late(p, hot->n + cold->n);
	return best;
}

/* Usable workers, coldest first. */
struct ranking {
	unsigned n;
	uint16_t id[SL_MAX_WORKERS];
};

/* Place the worker at position i where its load belongs. */
static void rank(const struct plan *p, struct ranking *r, unsigned i)
{
	uint16_t id = r->id[i];
	double load = p->node[id].load;

	for (; i > 0 && p->node[r->id[i - 1]].load > load; i--)
		r->id[i] = r->id[i - 1];
	for (; i + 1 < r->n && p->node[r->id[i + 1]].load < load; i++)
		r->id[i] = r->id[i + 1];
	r->id[i] = id;
}

static bool is_near(const struct plan *p, unsigned a, unsigned b)
{
	return p->opts->any_node || p->node[a].numa == p->node[b].numa;
}

/* Ask the partners of this or of other NUMA nodes; returns the rank of the best, or `found`. */
static unsigned ask(struct plan *p, const struct ranking *r, bool near, double target,
		    struct swap *best, unsigned found)
{
	const struct plan_node *hot = &p->node[r->id[r->n - 1]];

	for (unsigned i = 0, asked = 0; i + 1 < r->n && best->high > target; i++) {
		const struct plan_node *cold = &p->node[r->id[i]];
		struct swap s;

		/* To halve the difference is the best there is, and it grows no larger. */
		if ((hot->load + cold->load) / 2 >= best->high || plan_late(p, 1) ||
		    (found < r->n && asked >= ASK))
			break;
		if (is_near(p, r->id[i], r->id[r->n - 1]) != near)
			continue;
		asked++;
		s = best_swap(p, hot, cold, best->high);
		if (s.high < best->high) {
			*best = s;
			found = i;
		}
	}
	return found;
}

/* One exchange of the hottest worker. False if none helps. */
static bool cool(struct plan *p, struct ranking *r, double target)
{
	unsigned hot = r->n - 1, found = r->n;
	double load = p->node[r->id[hot]].load;
	struct swap best = {.high = load - fmax((load - target) / PROGRESS, PLAN_EPS)};

	found = ask(p, r, true, target, &best, found);
	if (best.high > target && !p->opts->any_node)
		found = ask(p, r, false, target, &best, found);
	if (found == r->n || !plan_may_move(p, 2))
		return false;
	carry_out(p, r->id[hot], r->id[found], &best);
	rank(p, r, found);
	/* The partner may have come to stand last, and the hot one before it. */
	for (unsigned i = 0; i < r->n; i++)
		if (i + 1 < r->n && p->node[r->id[i]].load > p->node[r->id[i + 1]].load)
			rank(p, r, i + 1);
	return true;
}

static void shorten(struct plan *p, struct plan_node *n)
{
	if (n->n <= LOOK)
		return;
	n->n = LOOK;
	for (unsigned i = LOOK - PLAN_GAPS; i < LOOK; i++)
		p->item[n->first + i] = (struct plan_item){.bucket = PLAN_NONE};
}

void plan_swap(struct plan *p, double target)
{
	struct ranking r = {0};

	for (unsigned w = 0; w < p->workers_n; w++) {
		p->node[w].source = p->node[w].usable;
		if (!p->node[w].usable)
			continue;
		r.id[r.n++] = (uint16_t)w;
		rank(p, &r, r.n - 1);
	}
	plan_order(p, PLAN_BY_LOAD);
	for (unsigned w = 0; w < p->workers_n; w++)
		shorten(p, &p->node[w]);
	for (unsigned i = 0; i < EXCHANGES * r.n && p->node[r.id[r.n - 1]].load > target; i++)
		if (!cool(p, &r, target))
			return;
}
