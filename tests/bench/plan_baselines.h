/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_baselines.h - what the planner is compared with, written from descriptions (RSS++: Barbette
 * et al., CoNEXT 2019, and the constants of its release). Each fills at[bucket] and returns the
 * number of moves.
 */
#ifndef TESTS_PLAN_BASELINES_H
#define TESTS_PLAN_BASELINES_H

#include "plan_instances.h"

#define RSSPP_THRESHOLD 0.02 /* IMBALANCE_THRESHOLD */
#define RSSPP_ALLOWED -0.01 /* both tolerances of the first run */
#define RSSPP_NEED 0.01 /* a destination with less is finished */
#define RSSPP_ENOUGH 0.01 /* sum of squares that ends the search */
#define RSSPP_RUNS 10
#define RSSPP_GROWTH 1.5
#define HILLCLIMB_STOP 1.02

/* Keys in a binary heap, highest first. */
struct heap_entry {
	double key;
	uint32_t id;
};

static inline void heap_down(struct heap_entry *h, unsigned n, unsigned i)
{
	struct heap_entry e = h[i];
	unsigned child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && h[child + 1].key > h[child].key)
			child++;
		if (h[child].key <= e.key)
			break;
		h[i] = h[child];
		i = child;
	}
	h[i] = e;
}

static inline void heap_make(struct heap_entry *h, unsigned n)
{
	for (unsigned i = n / 2; i-- > 0;)
		heap_down(h, n, i);
}

static inline struct heap_entry heap_take(struct heap_entry *h, unsigned *n)
{
	struct heap_entry top = h[0];

	h[0] = h[--*n];
	heap_down(h, *n, 0);
	return top;
}

static inline unsigned baseline_moves(const struct instance *in, const uint16_t *at)
{
	unsigned n = 0;

	for (unsigned b = 0; b < in->buckets; b++)
		n += at[b] != in->bucket[b].worker;
	return n;
}

/* --- RSS++ */

struct rsspp {
	const struct instance *in;
	double imbalance[SL_MAX_WORKERS]; /* target - load */
	unsigned first[SL_MAX_WORKERS], n[SL_MAX_WORKERS]; /* buckets of the overloaded ones */
	struct heap_entry *all, *run; /* each of buckets_n */
	uint16_t *at; /* of this run */
	double left_over, left_under; /* sums of what it left */
};

/* Returns the sum of squares of what is left. */
static inline double rsspp_run(struct rsspp *r, double over_allowed, double under_allowed)
{
	struct heap_entry over[SL_MAX_WORKERS], under[SL_MAX_WORKERS];
	unsigned over_n = 0, under_n = 0, left[SL_MAX_WORKERS];
	double now[SL_MAX_WORKERS], sq = 0;

	for (unsigned b = 0; b < r->in->buckets; b++)
		r->at[b] = r->in->bucket[b].worker;
	for (unsigned w = 0; w < r->in->workers; w++) {
		now[w] = r->imbalance[w];
		left[w] = r->n[w];
		if (r->n[w]) {
			memcpy(r->run + r->first[w], r->all + r->first[w],
			       r->n[w] * sizeof(*r->run));
			heap_make(r->run + r->first[w], r->n[w]);
			over[over_n++] = (struct heap_entry){-now[w], w};
		} else if (now[w] > RSSPP_THRESHOLD) {
			under[under_n++] = (struct heap_entry){now[w], w};
		}
	}
	heap_make(over, over_n);
	heap_make(under, under_n);
	while (over_n && under_n) {
		unsigned w = over[0].id;
		struct heap_entry b;

		if (over[0].key <= -over_allowed || !left[w]) {
			heap_take(over, &over_n);
			continue;
		}
		b = heap_take(r->run + r->first[w], &left[w]);
		/* If the one that needs most cannot have it, none can. */
		if (b.key >= under[0].key + under_allowed)
			continue;
		r->at[b.id] = (uint16_t)under[0].id;
		now[w] += b.key;
		now[under[0].id] -= b.key;
		over[0].key -= b.key;
		heap_down(over, over_n, 0);
		under[0].key -= b.key;
		if (under[0].key <= RSSPP_NEED)
			heap_take(under, &under_n);
		else
			heap_down(under, under_n, 0);
	}
	r->left_over = r->left_under = 0;
	for (unsigned w = 0; w < r->in->workers; w++) {
		if (!r->n[w] && r->imbalance[w] <= RSSPP_THRESHOLD)
			continue;
		sq += now[w] * now[w];
		if (r->n[w])
			r->left_over += fmax(0, -now[w]);
		else
			r->left_under += fmax(0, now[w]);
	}
	return sq;
}

/* Overloaded: above the threshold and with more than one bucket that is not empty. */
static inline void rsspp_sort_out(struct rsspp *r)
{
	double load[SL_MAX_WORKERS] = {0}, mean = 0;
	unsigned filled[SL_MAX_WORKERS] = {0}, at = 0;

	for (unsigned b = 0; b < r->in->buckets; b++) {
		load[r->in->bucket[b].worker] += r->in->bucket[b].load;
		filled[r->in->bucket[b].worker] += r->in->bucket[b].load > 0;
		mean += r->in->bucket[b].load / r->in->workers;
	}
	for (unsigned w = 0; w < r->in->workers; w++) {
		r->imbalance[w] = mean - load[w];
		r->first[w] = at;
		if (r->imbalance[w] < -RSSPP_THRESHOLD && filled[w] > 1)
			at += filled[w];
	}
	for (unsigned b = 0; b < r->in->buckets; b++) {
		const struct sl_plan_bucket *k = &r->in->bucket[b];
		unsigned w = k->worker;

		if (k->load > 0 && r->imbalance[w] < -RSSPP_THRESHOLD && filled[w] > 1)
			r->all[r->first[w] + r->n[w]++] = (struct heap_entry){k->load, b};
	}
}

/*
 * RSS++'s greedy with its constants; two faults of the release are mended: the best of the runs is
 * remembered and is what is carried out.
 */
static inline unsigned baseline_rsspp(const struct instance *in, uint16_t *at)
{
	struct rsspp r = {.in = in};
	double sq, best, over, under, bottom = 0, top = 1;
	size_t size = in->buckets * sizeof(*at);
	bool growing = true;

	r.all = malloc(in->buckets * sizeof(*r.all));
	r.run = malloc(in->buckets * sizeof(*r.run));
	r.at = malloc(size);
	rsspp_sort_out(&r);
	best = rsspp_run(&r, RSSPP_ALLOWED, RSSPP_ALLOWED);
	memcpy(at, r.at, size);
	over = r.left_over;
	under = r.left_under;
	for (unsigned i = 1; i < RSSPP_RUNS && best >= RSSPP_ENOUGH; i++) {
		double m = growing ? top : (bottom + top) / 2;

		sq = rsspp_run(&r, m * over, m * under);
		if (growing) {
			growing = sq <= best;
			top *= growing ? RSSPP_GROWTH : 1;
		} else if (sq <= best) {
			bottom = m;
		} else {
			top = m;
		}
		if (sq < best) {
			best = sq;
			memcpy(at, r.at, size);
		}
		if (!growing && (top - bottom) / top < 0.01)
			break;
	}
	free(r.all);
	free(r.run);
	free(r.at);
	return baseline_moves(in, at);
}

/* --- hill climb */

/*
 * Move from the hottest to the coldest worker the one bucket closest to the smaller of surplus and
 * deficit, until the highest is within 2 % of the mean or no bucket helps.
 */
static inline unsigned baseline_hillclimb(const struct instance *in, uint16_t *at)
{
	double load[SL_MAX_WORKERS] = {0}, mean = 0;
	uint32_t head[SL_MAX_WORKERS], *next = malloc(in->buckets * sizeof(*next));

	memset(head, 0xff, sizeof(head));
	for (uint32_t b = 0; b < in->buckets; b++) {
		at[b] = in->bucket[b].worker;
		load[at[b]] += in->bucket[b].load;
		mean += in->bucket[b].load / in->workers;
		next[b] = head[at[b]];
		head[at[b]] = b;
	}
	for (unsigned step = 0; step < 4 * in->buckets; step++) {
		unsigned hot = 0, cold = 0;
		uint32_t *best = NULL, b;
		double want, miss = INFINITY;

		for (unsigned w = 1; w < in->workers; w++) {
			hot = load[w] > load[hot] ? w : hot;
			cold = load[w] < load[cold] ? w : cold;
		}
		if (load[hot] <= mean * HILLCLIMB_STOP)
			break;
		want = fmin(load[hot] - mean, mean - load[cold]);
		for (uint32_t *l = &head[hot]; *l != UINT32_MAX; l = &next[*l]) {
			double k = in->bucket[*l].load;

			if (k > 0 && k < load[hot] - load[cold] && fabs(k - want) < miss) {
				miss = fabs(k - want);
				best = l;
			}
		}
		if (!best)
			break;
		b = *best;
		*best = next[b];
		next[b] = head[cold];
		head[cold] = b;
		load[hot] -= in->bucket[b].load;
		load[cold] += in->bucket[b].load;
		at[b] = (uint16_t)cold;
	}
	free(next);
	return baseline_moves(in, at);
}

/* --- longest first, from scratch */

static inline unsigned baseline_longest(const struct instance *in, uint16_t *at)
{
	struct heap_entry *all = malloc(in->buckets * sizeof(*all)), cold[SL_MAX_WORKERS];
	unsigned n = in->buckets;

	for (uint32_t b = 0; b < in->buckets; b++)
		all[b] = (struct heap_entry){in->bucket[b].load, b};
	for (unsigned w = 0; w < in->workers; w++)
		cold[w] = (struct heap_entry){0, w};
	heap_make(all, n);
	while (n) {
		struct heap_entry b = heap_take(all, &n);

		at[b.id] = (uint16_t)cold[0].id;
		cold[0].key -= b.key;
		heap_down(cold, in->workers, 0);
	}
	free(all);
	return baseline_moves(in, at);
}

#endif /* TESTS_PLAN_BASELINES_H */
