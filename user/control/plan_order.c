// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner's lists: the buckets of each worker, heaviest first. One radix sort for all of them.
 */
#include <string.h>

#include "control/plan_impl.h"

#define DIGITS 4
#define VALUES 256
#define FEW 32 /* insertion is faster up to here */

/* Loads are not negative, so their bits order as they do; inverted, the highest comes first. */
static uint32_t radix_key(float key)
{
	uint32_t bits;

	memcpy(&bits, &key, sizeof(bits));
	return ~bits;
}

static void insertion_sort(struct plan_item *a, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct plan_item x = a[i];
		unsigned j = i;

		for (; j > 0 && a[j - 1].key < x.key; j--)
			a[j] = a[j - 1];
		a[j] = x;
	}
}

/* Stable. Returns where the result is: `a` or `b`. */
static struct plan_item *radix_sort(struct plan_item *a, struct plan_item *b, unsigned n)
{
	uint32_t count[DIGITS][VALUES] = {0};

	for (unsigned i = 0; i < n; i++) {
		uint32_t k = radix_key(a[i].key);

		for (unsigned d = 0; d < DIGITS; d++)
			count[d][k >> (8 * d) & (VALUES - 1)]++;
	}
	for (unsigned d = 0; d < DIGITS; d++) {
		struct plan_item *from = a;
		uint32_t at = 0;

		if (count[d][radix_key(a[0].key) >> (8 * d) & (VALUES - 1)] == n)
			continue; /* the same in all */
		for (unsigned v = 0; v < VALUES; v++) {
			uint32_t c = count[d][v];

			count[d][v] = at;
			at += c;
		}
		for (unsigned i = 0; i < n; i++)
			b[count[d][radix_key(a[i].key) >> (8 * d) & (VALUES - 1)]++] = a[i];
		a = b;
		b = from;
	}
	return a;
}

static unsigned collect(struct plan *p, enum plan_order by)
{
	unsigned n = 0;

	for (unsigned w = 0; w < p->workers_n; w++)
		p->node[w].n = 0;
	for (uint32_t b = 0; b < p->buckets_n; b++) {
		const struct sl_plan_bucket *k = &p->bucket[b];
		struct plan_node *node = &p->node[p->at[b]];

		if (!node->source || k->pinned || (k->load <= 0 && node->usable))
			continue;
		p->item[n++] = (struct plan_item){
			.key = (float)(by == PLAN_BY_LOAD ? k->load : k->load / (1 + k->weight)),
			.bucket = b};
		node->n++;
	}
	return n;
}

struct plan_item *plan_sort(struct plan *p, unsigned n)
{
	struct plan_item *sorted = p->item;

	plan_late(p, p->buckets_n + (uint64_t)DIGITS * n);
	if (n <= FEW)
		insertion_sort(sorted, n);
	else
		sorted = radix_sort(p->item, p->spare, n);
	if (sorted == p->spare)
		p->spare = p->item;
	return p->item = sorted;
}

void plan_order(struct plan *p, enum plan_order by)
{
	unsigned n = collect(p, by), gaps = by == PLAN_BY_LOAD ? PLAN_GAPS : 0;
	struct plan_item *from = plan_sort(p, n), *to = p->spare;
	uint32_t at = 0;

	for (unsigned w = 0; w < p->workers_n; w++) {
		struct plan_node *node = &p->node[w];

		node->first = at;
		at += node->n;
		for (unsigned g = 0; g < gaps && node->source; g++)
			to[at++] = (struct plan_item){.bucket = PLAN_NONE};
		node->n = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		struct plan_node *node = &p->node[p->at[from[i].bucket]];

		to[node->first + node->n++] = from[i];
	}
	for (unsigned w = 0; w < p->workers_n && gaps; w++)
		p->node[w].n += p->node[w].source ? gaps : 0;
	p->item = to;
	p->spare = from;
}
