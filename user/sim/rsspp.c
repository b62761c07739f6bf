// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/rsspp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As released. */
#define THRESHOLD 0.02 /* a core's distance from the mean load that counts */
#define ENOUGH 0.01 /* sum of squared distances that is not worth another try */
#define RUNS 10
#define STRICT -0.01 /* tolerances of the first try */
#define GROWTH 1.5

struct problem {
	const struct rsspp_core *core;
	uint32_t cores, buckets;
	struct rsspp_bucket *bucket;
	double *distance; /* [core]: load above the mean, or below it if negative; 0: not in it */
	double *left; /* [core]: the same while a try goes on */
	uint32_t *queue; /* buckets by core, biggest first */
	uint32_t *first, *next; /* [cores + 1], [cores]: into queue */
	uint32_t *to, *best; /* [bucket] */
};

static int problem_init(struct problem *p)
{
	p->distance = calloc(p->cores, sizeof(*p->distance));
	p->left = calloc(p->cores, sizeof(*p->left));
	p->first = calloc(p->cores + 1, sizeof(*p->first));
	p->next = calloc(p->cores, sizeof(*p->next));
	p->queue = calloc(p->buckets, sizeof(*p->queue));
	p->to = calloc(p->buckets, sizeof(*p->to));
	p->best = calloc(p->buckets, sizeof(*p->best));
	return p->distance && p->left && p->first && p->next && p->queue && p->to && p->best
		       ? 0
		       : -ENOMEM;
}

static void problem_free(struct problem *p)
{
	free(p->distance);
	free(p->left);
	free(p->first);
	free(p->next);
	free(p->queue);
	free(p->to);
	free(p->best);
}

static int by_core(const void *a, const void *b, void *ctx)
{
	const struct rsspp_bucket *bucket = ctx;
	const struct rsspp_bucket *x = &bucket[*(const uint32_t *)a];
	const struct rsspp_bucket *y = &bucket[*(const uint32_t *)b];

	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	if (x->load != y->load)
		return x->load > y->load ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Queues of the buckets, and which cores take part. */
static void classify(struct problem *p)
{
	double sum = 0;
	uint32_t active = 0, n = 0;

	for (uint32_t b = 0; b < p->buckets; b++)
		if (p->bucket[b].load > 0)
			p->queue[n++] = b;
	qsort_r(p->queue, n, sizeof(*p->queue), by_core, p->bucket);
	for (uint32_t i = 0; i < n; i++)
		p->first[p->bucket[p->queue[i]].core + 1] = i + 1;
	for (uint32_t c = 0; c < p->cores; c++) {
		if (p->first[c + 1] < p->first[c])
			p->first[c + 1] = p->first[c];
		sum += p->core[c].active ? p->core[c].load : 0;
		active += p->core[c].active;
	}
	for (uint32_t c = 0; c < p->cores; c++) {
		double d = p->core[c].load - sum / active;
		bool several = p->first[c + 1] - p->first[c] > 1;

		if (p->core[c].active && !p->core[c].rests &&
		    (d < -THRESHOLD || (d > THRESHOLD && several)))
			p->distance[c] = d;
	}
}

/* The core with the most to give (sign 1) or the most room (sign -1); NONE if none is open. */
static uint32_t farthest(const struct problem *p, const bool *open, double sign)
{
	uint32_t found = RSSPP_STAYS;

	for (uint32_t c = 0; c < p->cores; c++)
		if (open[c] && p->distance[c] * sign > 0 &&
		    (found == RSSPP_STAYS || p->left[c] * sign > p->left[found] * sign))
			found = c;
	return found;
}

/* One greedy try: the biggest bucket of the most loaded core to the one with the most room. */
static double try_once(struct problem *p, bool *open, double over, double under)
{
	double squares = 0;
	uint32_t from, to;

	memcpy(p->left, p->distance, p->cores * sizeof(*p->left));
	memcpy(p->next, p->first, p->cores * sizeof(*p->next));
	memset(p->to, 0xff, p->buckets * sizeof(*p->to));
	for (uint32_t c = 0; c < p->cores; c++)
		open[c] = true;
	while ((from = farthest(p, open, 1)) != RSSPP_STAYS) {
		uint32_t b;

		if (p->left[from] <= -over || p->next[from] == p->first[from + 1]) {
			open[from] = false;
			continue;
		}
		to = farthest(p, open, -1);
		if (to == RSSPP_STAYS)
			break;
		b = p->queue[p->next[from]++];
		if (p->bucket[b].load >= -p->left[to] + under)
			continue;
		p->to[b] = to;
		p->left[from] -= p->bucket[b].load;
		p->left[to] += p->bucket[b].load;
		if (-p->left[to] <= ENOUGH)
			open[to] = false;
	}
	for (uint32_t c = 0; c < p->cores; c++)
		squares += p->left[c] * p->left[c];
	return squares;
}

static bool keep_better(struct problem *p, double squares, double *least)
{
	if (squares > *least)
		return false;
	*least = squares;
	memcpy(p->best, p->to, p->buckets * sizeof(*p->to));
	return true;
}

/* Both tolerances together: from what the first try left over, growing while that helps, then
 * halving the way back. */
static void line_search(struct problem *p, bool *open)
{
	double over = 0, under = 0, low = 0, high = 1, least = INFINITY, squares;

	squares = try_once(p, open, STRICT, STRICT);
	keep_better(p, squares, &least);
	if (squares < ENOUGH)
		return;
	for (uint32_t c = 0; c < p->cores; c++) {
		over += p->left[c] > 0 ? p->left[c] : 0;
		under += p->left[c] < 0 ? -p->left[c] : 0;
	}
	for (unsigned run = 1, growing = 1; run < RUNS && high - low > 0.01 && least >= ENOUGH;
	     run++) {
		double m = growing ? high : (low + high) / 2;
		bool better = keep_better(p, try_once(p, open, over * m, under * m), &least);

		if (growing && better) {
			low = high;
			high *= GROWTH;
		} else if (growing) {
			growing = 0;
		} else if (better) {
			low = m;
		} else {
			high = m;
		}
	}
}

int rsspp_level(const struct rsspp_core *core, uint32_t cores, struct rsspp_bucket *bucket,
		uint32_t buckets)
{
	struct problem p = {.core = core, .cores = cores, .bucket = bucket, .buckets = buckets};
	bool *open = calloc(cores, sizeof(*open));
	int rc = problem_init(&p);

	if (!open)
		rc = -ENOMEM;
	if (!rc) {
		classify(&p);
		line_search(&p, open);
		for (uint32_t b = 0; b < buckets; b++)
			bucket[b].to = p.best[b];
	}
	problem_free(&p);
	free(open);
	return rc;
}

void rsspp_empty(struct rsspp_core *core, uint32_t cores, struct rsspp_bucket *bucket,
		 uint32_t buckets, uint32_t from)
{
	for (;;) {
		uint32_t b = RSSPP_STAYS, to = RSSPP_STAYS;

		for (uint32_t i = 0; i < buckets; i++)
			if (bucket[i].core == from && bucket[i].to == RSSPP_STAYS &&
			    (b == RSSPP_STAYS || bucket[i].load > bucket[b].load))
				b = i;
		for (uint32_t c = 0; c < cores; c++)
			if (core[c].active && c != from &&
			    (to == RSSPP_STAYS || core[c].load < core[to].load))
				to = c;
		if (b == RSSPP_STAYS || to == RSSPP_STAYS)
			return;
		bucket[b].to = to;
		core[to].load += bucket[b].load;
	}
}
