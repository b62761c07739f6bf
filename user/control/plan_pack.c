// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planner's last resort, where buckets are few and large: everything is assigned afresh, the
 * longest first (Graham 1969), and first fit at shrinking capacities (MULTIFIT: Coffman, Garey and
 * Johnson 1978), each improved by the other steps. Which worker is which is then chosen so that
 * most of it stays.
 */
#include <math.h>
#include <string.h>

#include "control/plan_heap.h"
#include "control/plan_impl.h"

#define MOST 64 /* buckets for a worker that are assigned afresh; the lighter ones stay */
#define FIRST_FIT 16 /* with more of them longest-first is as good */
#define FITS 7 /* capacities tried, as in MULTIFIT's analysis */

static bool packs(const struct plan *p, uint32_t b)
{
	const struct sl_plan_bucket *k = &p->bucket[b];

	return !k->pinned && k->load > 0 && k->load >= p->least && p->node[p->at[b]].usable;
}

/* The buckets to assign, heaviest first. */
static unsigned gather(struct plan *p)
{
	unsigned n = 0;

	for (uint32_t b = 0; b < p->buckets_n; b++)
		if (packs(p, b))
			p->item[n++] = (struct plan_item){(float)p->bucket[b].load, b};
	plan_sort(p, n);
	return n;
}

/* Leave only what stays. */
static void unload(struct plan *p)
{
	for (unsigned w = 0; w < p->workers_n; w++)
		p->node[w].load = p->worker[w].other;
	for (uint32_t b = 0; b < p->buckets_n; b++)
		if (!packs(p, b))
			p->node[p->at[b]].load += p->bucket[b].load;
	for (unsigned w = 0; w < p->workers_n; w++)
		p->node[w].light = p->node[w].load;
}

static void place(struct plan *p, uint32_t b, unsigned w)
{
	p->at[b] = (uint16_t)w;
	p->node[w].load += p->bucket[b].load;
}

static bool longest_first(struct plan *p, unsigned n)
{
	struct plan_heap cold = {0};

	unload(p);
	for (unsigned w = 0; w < p->workers_n; w++)
		if (p->node[w].usable)
			plan_heap_push(&cold, w, -p->node[w].load);
	for (unsigned i = 0; i < n && !plan_late(p, 1); i++) {
		place(p, p->item[i].bucket, cold.id[0]);
		cold.key[0] = -p->node[cold.id[0]].load;
		plan_heap_settle(&cold);
	}
	return !p->late;
}

static bool first_fit(struct plan *p, unsigned n, double size)
{
	unload(p);
	for (unsigned i = 0; i < n && !plan_late(p, p->workers_n); i++) {
		double load = p->bucket[p->item[i].bucket].load;
		unsigned w = 0;

		while (w < p->workers_n && (!p->node[w].usable || p->node[w].load + load > size))
			w++;
		if (w == p->workers_n)
			return false;
		place(p, p->item[i].bucket, w);
	}
	return !p->late;
}

/* First fit at shrinking capacities, until nothing smaller was found to work. */
static bool multifit(struct plan *p, unsigned n, double high)
{
	double low = p->bound, size = high;
	bool found = false;

	for (unsigned i = 0; i < FITS && !p->late; i++) {
		double middle = (low + high) / 2;

		if (first_fit(p, n, middle)) {
			size = high = middle;
			found = true;
		} else {
			low = middle;
		}
	}
	return found && first_fit(p, n, size);
}

/* What bin and worker have in common, the most first. Returns how many pairs there are. */
static unsigned pair_up(struct plan *p)
{
	unsigned m = p->workers_n, n = 0;

	memset(p->share, 0, (size_t)m * m * sizeof(*p->share));
	for (uint32_t b = 0; b < p->buckets_n; b++)
		if (packs(p, b))
			p->share[p->at[b] * m + p->kept[b]] += (float)plan_cost(p, b);
	for (uint32_t bin = 0; bin < m; bin++)
		for (uint32_t w = 0; w < m; w++)
			if (p->share[bin * m + w] > 0)
				p->item[n++] = (struct plan_item){p->share[bin * m + w],
								  bin * SL_MAX_WORKERS + w};
	plan_sort(p, n);
	return n;
}

static bool suits(const struct plan *p, unsigned bin, unsigned w, double high)
{
	const struct plan_node *n = p->node;

	return n[w].usable && n[w].light + n[bin].load - n[bin].light <= high + PLAN_EPS;
}

/* bin -> worker, so that much stays where it is; false if the leftovers do not suit. */
static bool match(struct plan *p, uint16_t of_bin[], double high)
{
	bool taken[SL_MAX_WORKERS] = {false};
	unsigned m = p->workers_n, n = pair_up(p);

	for (unsigned i = 0; i < m; i++)
		of_bin[i] = (uint16_t)m;
	for (unsigned i = 0; i < n; i++) {
		unsigned bin = p->item[i].bucket / SL_MAX_WORKERS;
		unsigned w = p->item[i].bucket % SL_MAX_WORKERS;

		if (of_bin[bin] < m || taken[w] || !suits(p, bin, w, high))
			continue;
		of_bin[bin] = (uint16_t)w;
		taken[w] = true;
	}
	for (unsigned bin = 0, w; bin < m; bin++) {
		if (of_bin[bin] < m || !p->node[bin].usable)
			continue;
		for (w = 0; w < m && (taken[w] || !suits(p, bin, w, high)); w++)
			;
		if (w == m)
			return false;
		of_bin[bin] = (uint16_t)w;
		taken[w] = true;
	}
	return true;
}

static void relabel(struct plan *p)
{
	uint16_t of_bin[SL_MAX_WORKERS];

	if (!match(p, of_bin, plan_highest(p)))
		return;
	for (uint32_t b = 0; b < p->buckets_n; b++)
		if (packs(p, b))
			p->at[b] = of_bin[p->at[b]];
	plan_reload(p);
}

/* Improve what is in p->at; keep it in p->best if that pays. Returns the best highest load. */
static double settle(struct plan *p, double target, double high)
{
	double found;

	plan_reload(p);
	found = plan_approach(p, target);
	if (found >= high * (1 - fmax(p->opts->min_gain, PLAN_EPS)))
		return high;
	relabel(p);
	if (!plan_may_move(p, 0))
		return high;
	memcpy(p->best, p->at, p->buckets_n * sizeof(*p->at));
	return found;
}

/* Of that many buckets the heaviest are assigned afresh. */
static void choose(struct plan *p, unsigned most)
{
	unsigned n;

	p->least = 0;
	n = gather(p);
	if (n > most)
		p->least = p->bucket[p->item[most - 1].bucket].load;
}

void plan_pack(struct plan *p, double target)
{
	double high = plan_highest(p);

	memcpy(p->best, p->at, p->buckets_n * sizeof(*p->at));
	choose(p, MOST * p->usable_n);
	if (longest_first(p, gather(p)))
		high = settle(p, target, high);
	choose(p, FIRST_FIT * p->usable_n);
	if (high > target && multifit(p, gather(p), high))
		settle(p, target, high);
	memcpy(p->at, p->best, p->buckets_n * sizeof(*p->at));
	plan_reload(p);
}
