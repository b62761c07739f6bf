// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planner: hill-climbing on the highest load.
 *
 * First every bucket of an unusable worker goes to the coldest usable one. Then, as long as it
 * helps: the hottest worker gives the coldest the bucket that leaves least above the mean, or, if
 * no single bucket helps, swaps a heavier one for a lighter one. A worker that nothing can cool
 * (one elephant, or pinned load only) is set aside and the rest is evened out, so an elephant ends
 * up alone and stays where it is. Every step lowers the higher load of the two workers that it
 * touches, so it may stop after any step (max_moves, deadline) and is never worse than where it
 * began.
 */
#include <math.h>
#include <string.h>

#include <sluice/maps.h>

#include "control/plan.h"

#define NONE UINT32_MAX
#define GOOD_ENOUGH 1.01 /* a highest load within 1 % of the mean is not worth another move */
#define TIE_SHARE 0.01 /* too small to matter unless scores are equal otherwise */
#define WEIGHT_SHARE 0.1 /* the heaviest state counts as much as 10 % of what is to be moved */
#define SWAP_WIDTH 24 /* heaviest buckets of either side that are tried as pairs */
#define SWAP_WORKERS 4 /* coldest workers that are tried as partners */

struct node {
	double load; /* sum of its buckets and `other` */
	uint32_t head; /* its movable buckets with load, linked by `next` */
	bool usable;
	bool aside; /* cannot be made cooler */
};

struct plan {
	const struct sl_plan_bucket *bucket;
	unsigned buckets_n, workers_n;
	const struct sl_plan_opts *opts;
	struct node *node;
	uint32_t *next;
	uint16_t *at; /* bucket -> where it is in the plan */
	uint16_t *kept; /* bucket -> where it is after the unusable workers were emptied */
	unsigned changed; /* buckets with at != bucket.worker */
	uint64_t work;
};

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

size_t sl_plan_scratch_size(unsigned buckets_n, unsigned workers_n)
{
	return align8(workers_n * sizeof(struct node)) + align8(buckets_n * sizeof(uint32_t)) +
	       2 * align8(buckets_n * sizeof(uint16_t));
}

static void plan_init(struct plan *p, const struct sl_plan_worker *workers, void *scratch)
{
	char *mem = scratch;

	p->node = (struct node *)mem;
	mem += align8(p->workers_n * sizeof(struct node));
	p->next = (uint32_t *)mem;
	mem += align8(p->buckets_n * sizeof(uint32_t));
	p->at = (uint16_t *)mem;
	mem += align8(p->buckets_n * sizeof(uint16_t));
	p->kept = (uint16_t *)mem;
	for (unsigned w = 0; w < p->workers_n; w++)
		p->node[w] = (struct node){
			.load = workers[w].other, .head = NONE, .usable = workers[w].usable};
	for (unsigned b = 0; b < p->buckets_n; b++) {
		const struct sl_plan_bucket *k = &p->bucket[b];
		struct node *n = &p->node[k->worker];

		p->at[b] = k->worker;
		n->load += k->load;
		/* An empty bucket is worth moving only off a worker that must be emptied. */
		if (k->pinned || (n->usable && k->load <= 0))
			continue;
		p->next[b] = n->head;
		n->head = b;
	}
}

static double find_bound(const struct plan *p, const struct sl_plan_worker *workers)
{
	double sum = 0, heaviest = 0, least_other = INFINITY, bound = 0;
	unsigned usable = 0;

	for (unsigned w = 0; w < p->workers_n; w++) {
		double fixed = p->node[w].load;

		for (uint32_t b = p->node[w].head; b != NONE; b = p->next[b]) {
			fixed -= p->bucket[b].load;
			heaviest = fmax(heaviest, p->bucket[b].load);
			sum += p->bucket[b].load;
		}
		if (!p->node[w].usable)
			continue;
		usable++;
		sum += fixed;
		bound = fmax(bound, fixed);
		least_other = fmin(least_other, workers[w].other);
	}
	if (!usable)
		return 0;
	return fmax(fmax(bound, sum / usable), heaviest > 0 ? heaviest + least_other : 0);
}

static unsigned coldest(const struct plan *p, unsigned but)
{
	unsigned best = p->workers_n;

	for (unsigned w = 0; w < p->workers_n; w++)
		if (w != but && p->node[w].usable && !p->node[w].aside &&
		    (best == p->workers_n || p->node[w].load < p->node[best].load))
			best = w;
	return best;
}

static unsigned hottest(const struct plan *p)
{
	unsigned best = p->workers_n;

	for (unsigned w = 0; w < p->workers_n; w++)
		if (p->node[w].usable && !p->node[w].aside &&
		    (best == p->workers_n || p->node[w].load > p->node[best].load))
			best = w;
	return best;
}

/* Highest load of usable workers. */
static double highest(const struct plan *p)
{
	double high = 0;

	for (unsigned w = 0; w < p->workers_n; w++)
		if (p->node[w].usable)
			high = fmax(high, p->node[w].load);
	return high;
}

static void move(struct plan *p, uint32_t b, unsigned to)
{
	unsigned from = p->at[b];
	uint32_t *link = &p->node[from].head;

	while (*link != b) {
		link = &p->next[*link];
		p->work++;
	}
	*link = p->next[b];
	p->next[b] = p->node[to].head;
	p->node[to].head = b;
	p->node[from].load -= p->bucket[b].load;
	p->node[to].load += p->bucket[b].load;
	p->changed += (to != p->bucket[b].worker) - (from != p->bucket[b].worker);
	p->at[b] = (uint16_t)to;
}

static bool may_go_on(const struct plan *p, unsigned moves)
{
	return (!p->opts->max_moves || p->changed + moves <= p->opts->max_moves) &&
	       (!p->opts->deadline || p->work < p->opts->deadline);
}

static void empty_unusable(struct plan *p)
{
	for (unsigned w = 0; w < p->workers_n; w++) {
		if (p->node[w].usable)
			continue;
		while (p->node[w].head != NONE && may_go_on(p, 1)) {
			uint32_t best = p->node[w].head;
			unsigned to = coldest(p, w);

			if (to == p->workers_n)
				return;
			/* Heaviest first: the small ones fill the gaps. */
			for (uint32_t b = best; b != NONE; b = p->next[b], p->work++)
				if (p->bucket[b].load > p->bucket[best].load)
					best = b;
			move(p, best, to);
		}
	}
}

/*
 * What of the two workers' load would still be above the mean after moving `load`; of equals, the
 * one closest to min(surplus, deficit), which leaves both on the right side.
 */
static double score(double load, double weight, double surplus, double deficit)
{
	double want = fmin(surplus, deficit);

	return fmax(surplus - load, 0) + fmax(load - deficit, 0) + TIE_SHARE * fabs(load - want) +
	       WEIGHT_SHARE * want * weight / (1 + weight);
}

/* The bucket of `from` that is best moved to a worker `room` cooler. NONE if none helps. */
static uint32_t best_bucket(struct plan *p, unsigned from, double surplus, double deficit)
{
	/* Not by a hair: what the next sample undoes is no gain. */
	double room = (surplus + deficit) * 0.98, best_score = INFINITY;
	uint32_t best = NONE;

	for (uint32_t b = p->node[from].head; b != NONE; b = p->next[b], p->work++) {
		double load = p->bucket[b].load, s;

		if (load <= 0 || load >= room)
			continue;
		s = score(load, p->bucket[b].weight, surplus, deficit);
		if (s < best_score) {
			best_score = s;
			best = b;
		}
	}
	return best;
}

/* The heaviest buckets of a worker, heaviest first. */
static unsigned pick_heaviest(struct plan *p, unsigned w, uint32_t out[SWAP_WIDTH])
{
	unsigned n = 0, i;

	for (uint32_t b = p->node[w].head; b != NONE; b = p->next[b], p->work++) {
		double load = p->bucket[b].load;

		if (n == SWAP_WIDTH && load <= p->bucket[out[n - 1]].load)
			continue;
		i = n < SWAP_WIDTH ? n++ : n - 1;
		for (; i > 0 && p->bucket[out[i - 1]].load < load; i--)
			out[i] = out[i - 1];
		out[i] = b;
	}
	return n;
}

static bool try_swap(struct plan *p, unsigned from, unsigned to, double mean)
{
	double room = p->node[from].load - p->node[to].load;
	double want = fmin(p->node[from].load - mean, mean - p->node[to].load);
	double best_score = INFINITY;
	uint32_t mine[SWAP_WIDTH], theirs[SWAP_WIDTH], give = NONE, take = NONE;
	unsigned mine_n = pick_heaviest(p, from, mine), theirs_n = pick_heaviest(p, to, theirs);

	/* A swap is two moves: it must pay for both. */
	for (unsigned i = 0; i < mine_n; i++)
		for (unsigned j = 0; j < theirs_n; j++, p->work++) {
			double gain = p->bucket[mine[i]].load - p->bucket[theirs[j]].load;

			if (gain <= 0.02 * p->node[from].load || gain >= room * 0.98 ||
			    fabs(gain - want) >= best_score)
				continue;
			best_score = fabs(gain - want);
			give = mine[i];
			take = theirs[j];
		}
	if (give == NONE)
		return false;
	move(p, give, to);
	move(p, take, from);
	return true;
}

static bool swap_with_cold(struct plan *p, unsigned hot, double mean)
{
	bool hidden[SWAP_WORKERS] = {false};
	unsigned partner[SWAP_WORKERS], n = 0;
	bool done = false;

	while (!done && n < SWAP_WORKERS && may_go_on(p, 2)) {
		unsigned to = coldest(p, hot);

		if (to == p->workers_n || p->node[to].load >= mean)
			break;
		done = try_swap(p, hot, to, mean);
		partner[n] = to;
		hidden[n++] = true;
		p->node[to].aside = true; /* for the next look at the coldest */
	}
	for (unsigned i = 0; i < n; i++)
		if (hidden[i])
			p->node[partner[i]].aside = false;
	return done;
}

static double mean_load(const struct plan *p)
{
	double sum = 0;
	unsigned n = 0;

	for (unsigned w = 0; w < p->workers_n; w++)
		if (p->node[w].usable && !p->node[w].aside) {
			sum += p->node[w].load;
			n++;
		}
	return n ? sum / n : 0;
}

/* One step down. False if the hottest worker cannot be made cooler. */
static bool step(struct plan *p, unsigned hot)
{
	unsigned cold = coldest(p, hot);
	double mean = mean_load(p);
	uint32_t b;

	if (cold == p->workers_n)
		return false;
	b = best_bucket(p, hot, p->node[hot].load - mean, mean - p->node[cold].load);
	if (b != NONE) {
		move(p, b, cold);
		return true;
	}
	return swap_with_cold(p, hot, mean);
}

static void climb(struct plan *p)
{
	/* Each step lowers a maximum; the count only guards against a cycle of roundings. */
	for (unsigned i = 0; i < 4 * p->buckets_n + p->workers_n && may_go_on(p, 1); i++) {
		unsigned hot = hottest(p);

		if (hot == p->workers_n || p->node[hot].load <= mean_load(p) * GOOD_ENOUGH)
			return;
		if (!step(p, hot))
			p->node[hot].aside = true;
	}
}

static bool worth_it(double before, double after, double min_gain)
{
	return before > 0 && before - after >= fmax(min_gain * before, 1e-9);
}

/*
 * Is the gain worth the moves for the workers that can be helped? Those that nothing could cool
 * hide what the others gained: they do not count.
 */
static bool rest_worth_it(const struct plan *p, const struct sl_plan_worker *workers)
{
	double load[SL_MAX_WORKERS], before = 0, after = 0;

	for (unsigned w = 0; w < p->workers_n; w++)
		load[w] = workers[w].other;
	for (unsigned b = 0; b < p->buckets_n; b++)
		load[p->kept[b]] += p->bucket[b].load;
	for (unsigned w = 0; w < p->workers_n; w++) {
		const struct node *n = &p->node[w];

		if (!n->usable ||
		    (n->aside && fabs(n->load - load[w]) <= p->opts->min_gain * load[w]))
			continue;
		before = fmax(before, load[w]);
		after = fmax(after, n->load);
	}
	return worth_it(before, after, p->opts->min_gain);
}

static int find_elephant(const struct plan *p)
{
	int best = -1;

	for (unsigned b = 0; b < p->buckets_n; b++)
		if (p->bucket[b].load > 1 && (best < 0 || p->bucket[b].load > p->bucket[best].load))
			best = (int)b;
	return best;
}

void sl_plan(const struct sl_plan_bucket *buckets, unsigned buckets_n,
	     const struct sl_plan_worker *workers, unsigned workers_n,
	     const struct sl_plan_opts *opts, void *scratch, struct sl_plan_move *out,
	     struct sl_plan_result *result)
{
	struct plan p = {
		.bucket = buckets, .buckets_n = buckets_n, .workers_n = workers_n, .opts = opts};
	double kept_high, after;

	plan_init(&p, workers, scratch);
	*result = (struct sl_plan_result){.before = highest(&p),
					  .bound = find_bound(&p, workers),
					  .elephant = find_elephant(&p)};
	empty_unusable(&p);
	memcpy(p.kept, p.at, buckets_n * sizeof(*p.kept));
	kept_high = highest(&p);
	climb(&p);
	after = highest(&p);
	if (!worth_it(kept_high, after, opts->min_gain) && !rest_worth_it(&p, workers)) {
		memcpy(p.at, p.kept, buckets_n * sizeof(*p.at));
		after = kept_high;
	}
	result->after = after;
	for (unsigned b = 0; b < buckets_n; b++)
		if (p.at[b] != buckets[b].worker)
			out[result->moves++] = (struct sl_plan_move){
				.bucket = b, .from = buckets[b].worker, .to = p.at[b]};
}
