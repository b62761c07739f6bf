// SPDX-License-Identifier: GPL-2.0-or-later
/* What no plan can be below. */
#include <math.h>

#include "control/plan_impl.h"

#define FEW 128 /* buckets for a worker; with more the mean is as good as reached */
#define STEPS 12 /* of the bisection: 1/4096 of the gap */
#define ROUNDED (1 - 1e-6) /* the loads are floats here */

double plan_bound(const struct plan *p)
{
	double sum = 0, heaviest = 0, least_other = INFINITY, bound = 0;

	for (unsigned w = 0; w < p->workers_n; w++) {
		const struct plan_node *n = &p->node[w];

		/* What is pinned to an unusable worker loads nobody. */
		sum += n->usable ? n->load : n->load - n->fixed;
		if (n->heaviest != PLAN_NONE)
			heaviest = fmax(heaviest, p->bucket[n->heaviest].load);
		if (!n->usable)
			continue;
		bound = fmax(bound, n->fixed);
		least_other = fmin(least_other, p->worker[w].other);
	}
	if (!p->usable_n)
		return 0;
	return fmax(fmax(bound, sum / p->usable_n), heaviest > 0 ? heaviest + least_other : 0);
}

/* Loads in descending order, and the sums of the first so many. */
struct loads {
	unsigned n;
	const struct plan_item *item;
	double *sum;
};

/*
 * Can the loads go into `bins` bins of this size? False: certainly not. That is the bound L2 of
 * Martello and Toth (1990): of those from `small` on, the ones that share a bin with no other take
 * one each, and the rest must fit by volume; for whichever `small` up to half a bin.
 */
static bool may_fit(const struct loads *l, unsigned bins, double size)
{
	unsigned half = 0, alone;

	while (half < l->n && l->item[half].key > size / 2)
		half++;
	if (half > bins)
		return false;
	alone = half;
	for (unsigned i = half; i < l->n; i++) {
		while (alone > 0 && l->item[alone - 1].key <= size - l->item[i].key)
			alone--;
		if (l->sum[i + 1] - l->sum[alone] > (bins - alone) * size)
			return false;
	}
	return true;
}

/* One worker has at least k + 1 of the heaviest k * bins + 1 buckets. */
static double pigeonhole(const struct loads *l, unsigned bins)
{
	double bound = 0;

	for (unsigned k = 1; k * bins < l->n; k++)
		bound = fmax(bound, l->sum[k * bins + 1] - l->sum[k * bins - k]);
	return bound;
}

/* What usable workers must hold, as if what is fixed to one could go anywhere. */
static unsigned gather(struct plan *p)
{
	unsigned n = 0;

	for (uint32_t b = 0; b < p->buckets_n; b++)
		if (!p->bucket[b].pinned && p->bucket[b].load > 0 && p->node[p->at[b]].usable)
			p->item[n++] = (struct plan_item){(float)p->bucket[b].load, b};
	for (unsigned w = 0; w < p->workers_n; w++)
		if (p->node[w].usable && p->node[w].fixed > 0)
			p->item[n++] = (struct plan_item){(float)p->node[w].fixed, PLAN_NONE};
	return n;
}

double plan_bound_few(struct plan *p, double high)
{
	struct loads l = {.n = gather(p)};
	double low = p->bound;

	if (l.n > FEW * p->usable_n)
		return low;
	l.item = plan_sort(p, l.n);
	l.sum = (double *)p->spare; /* as large as that */
	l.sum[0] = 0;
	for (unsigned i = 0; i < l.n; i++)
		l.sum[i + 1] = l.sum[i] + l.item[i].key;
	low = fmax(low, pigeonhole(&l, p->usable_n));
	for (unsigned i = 0; i < STEPS && low < high && !plan_late(p, l.n); i++) {
		double middle = (low + high) / 2;

		if (may_fit(&l, p->usable_n, middle))
			high = middle;
		else
			low = middle;
	}
	return low * ROUNDED;
}
