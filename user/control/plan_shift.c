// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planner's main step: what is above the limit of a hot worker goes to cold ones, at the least
 * cost. Buckets with much load for their state go first; the last one of a worker is the cheapest
 * that is enough.
 */
#include <math.h>

#include "control/plan_heap.h"
#include "control/plan_impl.h"

#define NODES 16 /* NUMA nodes told apart */
#define AHEAD 8 /* buckets that are fetched before their turn */

/* The hot by what is above their limit; the cold of each NUMA node by what is below. */
struct sides {
	unsigned nodes;
	struct plan_heap hot, cold[NODES];
};

static unsigned side_of(const struct plan *p, unsigned w)
{
	return p->opts->any_node ? 0 : p->node[w].numa % NODES;
}

static void sides_init(const struct plan *p, struct sides *s)
{
	s->hot.n = s->nodes = 0;
	for (unsigned i = 0; i < NODES; i++)
		s->cold[i].n = 0;
	for (unsigned w = 0; w < p->workers_n; w++)
		s->nodes = side_of(p, w) >= s->nodes ? side_of(p, w) + 1 : s->nodes;
	for (unsigned w = 0; w < p->workers_n; w++) {
		const struct plan_node *n = &p->node[w];

		if (n->source)
			plan_heap_push(&s->hot, w, n->load - n->limit);
		else if (n->usable && !n->aside && n->load < n->limit)
			plan_heap_push(&s->cold[side_of(p, w)], w, n->limit - n->load);
	}
}

static struct plan_heap *roomiest(struct sides *s)
{
	struct plan_heap *best = NULL;

	for (unsigned i = 0; i < s->nodes; i++)
		if (s->cold[i].n && (!best || s->cold[i].key[0] > best->key[0]))
			best = &s->cold[i];
	return best;
}

/* Of the list from `first` on, the cheapest bucket that is enough; of equals, the smallest. */
static uint32_t pick_last(struct plan *p, const struct plan_node *n, double surplus, double room)
{
	const struct plan_item *item = &p->item[n->first];
	uint32_t best = item[0].bucket, i = 0;
	double best_score = INFINITY;

	/* An item with load >= surplus costs at least surplus / key. */
	for (; i < n->n && (i == 0 || surplus / item[i].key <= best_score); i++) {
		uint32_t b = item[i].bucket;
		double load = p->bucket[b].load, score;

		if (load < surplus || load > room)
			continue;
		score = plan_cost(p, b) + (load - surplus) / room;
		if (score < best_score) {
			best_score = score;
			best = b;
		}
	}
	plan_late(p, i);
	return best;
}

/* The bucket of w to move next; PLAN_NONE if none fits anywhere. */
static uint32_t pick(struct plan *p, unsigned w, double room)
{
	struct plan_node *n = &p->node[w];
	double surplus = n->load - n->limit;

	/* What does not fit now fits never: rooms only shrink. */
	for (; n->n; n->first++, n->n--) {
		uint32_t b = p->item[n->first].bucket;
		double load = p->bucket[b].load;

		if (n->n > AHEAD)
			__builtin_prefetch(&p->bucket[p->item[n->first + AHEAD].bucket]);
		if (load > room || (load > 1 && n->usable && b == n->heaviest))
			continue;
		if (n->usable && load >= surplus)
			return pick_last(p, n, surplus, room);
		n->first++;
		n->n--;
		return b;
	}
	return PLAN_NONE;
}

static void settle_cold(const struct plan *p, struct plan_heap *cold)
{
	const struct plan_node *n = &p->node[cold->id[0]];

	cold->key[0] = n->limit - n->load;
	plan_heap_settle(cold);
}

void plan_shift(struct plan *p)
{
	struct sides s;
	struct plan_heap *cold;

	sides_init(p, &s);
	if (s.hot.n)
		plan_order(p, PLAN_BY_VALUE);
	while (s.hot.n && (cold = roomiest(&s)) && plan_may_move(p, 1) && !plan_late(p, 1)) {
		unsigned w = s.hot.id[0];
		struct plan_heap *near = &s.cold[side_of(p, w)];
		uint32_t b = pick(p, w, cold->key[0]);

		if (b == PLAN_NONE) {
			plan_heap_pop(&s.hot);
			continue;
		}
		if (near->n && near->key[0] >= p->bucket[b].load)
			cold = near;
		plan_put(p, b, cold->id[0]);
		settle_cold(p, cold);
		s.hot.key[0] = p->node[w].load - p->node[w].limit;
		if (s.hot.key[0] <= 0)
			plan_heap_pop(&s.hot);
		else
			plan_heap_settle(&s.hot);
	}
}
