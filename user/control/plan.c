// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planner: in which order its parts work, and whether what they found is worth it.
 *
 * Unusable workers are emptied first, whatever it costs. Then plan_shift() brings every worker to
 * within 1 % of the bound, with few moves; where buckets are too large for that, plan_swap()
 * exchanges them, and where there are few of them for each worker, plan_pack() assigns all afresh.
 * Workers that hold nothing but one heavy bucket are set aside and plan_rest() evens out the
 * others. At last every bucket goes home that can. Each part lowers the highest load or leaves all
 * as it was, so the work may end after any step.
 */
#include <math.h>
#include <string.h>

#include "control/plan_impl.h"

#define UNLIMITED 1e6 /* cores */

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static size_t items_size(unsigned buckets_n, unsigned workers_n)
{
	return (buckets_n + (size_t)workers_n * PLAN_GAPS) * sizeof(struct plan_item);
}

size_t sl_plan_scratch_size(unsigned buckets_n, unsigned workers_n)
{
	return align8(workers_n * sizeof(struct plan_node)) + 2 * items_size(buckets_n, workers_n) +
	       align8((size_t)workers_n * workers_n * sizeof(float)) +
	       3 * align8(buckets_n * sizeof(uint16_t));
}

static void *carve(char **mem, size_t size)
{
	void *part = *mem;

	*mem += align8(size);
	return part;
}

static void plan_init(struct plan *p, void *scratch)
{
	char *mem = scratch;
	size_t places = p->buckets_n * sizeof(*p->at);

	p->node = carve(&mem, p->workers_n * sizeof(*p->node));
	p->item = carve(&mem, items_size(p->buckets_n, p->workers_n));
	p->spare = carve(&mem, items_size(p->buckets_n, p->workers_n));
	p->share = carve(&mem, (size_t)p->workers_n * p->workers_n * sizeof(*p->share));
	p->at = carve(&mem, places);
	p->kept = carve(&mem, places);
	p->best = carve(&mem, places);
	for (unsigned w = 0; w < p->workers_n; w++) {
		const struct sl_plan_worker *k = &p->worker[w];

		p->node[w] = (struct plan_node){.load = k->other,
						.fixed = k->other,
						.heaviest = PLAN_NONE,
						.numa = k->numa,
						.usable = k->usable};
		p->usable_n += k->usable;
	}
	for (uint32_t b = 0; b < p->buckets_n; b++) {
		const struct sl_plan_bucket *k = &p->bucket[b];
		struct plan_node *n = &p->node[k->worker];

		p->at[b] = k->worker;
		n->load += k->load;
		if (k->pinned)
			n->fixed += k->load;
		else if (n->heaviest == PLAN_NONE || k->load > p->bucket[n->heaviest].load)
			n->heaviest = b;
	}
}

double plan_highest(const struct plan *p)
{
	double high = 0;

	for (unsigned w = 0; w < p->workers_n; w++)
		if (p->node[w].usable)
			high = fmax(high, p->node[w].load);
	return high;
}

void plan_reload(struct plan *p)
{
	p->changed = 0;
	for (unsigned w = 0; w < p->workers_n; w++)
		p->node[w].load = p->worker[w].other;
	for (uint32_t b = 0; b < p->buckets_n; b++) {
		p->node[p->at[b]].load += p->bucket[b].load;
		p->changed += p->at[b] != p->bucket[b].worker;
	}
}

static void empty_unusable(struct plan *p)
{
	bool any = false;

	for (unsigned w = 0; w < p->workers_n; w++) {
		struct plan_node *n = &p->node[w];

		n->source = !n->usable;
		n->limit = n->usable ? UNLIMITED : -1;
		any |= n->source && n->heaviest != PLAN_NONE;
	}
	if (any && p->usable_n)
		plan_shift(p);
}

static void find_heaviest(struct plan *p)
{
	for (unsigned w = 0; w < p->workers_n; w++)
		p->node[w].heaviest = PLAN_NONE;
	for (uint32_t b = 0; b < p->buckets_n; b++) {
		struct plan_node *n = &p->node[p->at[b]];

		if (!p->bucket[b].pinned &&
		    (n->heaviest == PLAN_NONE || p->bucket[b].load > p->bucket[n->heaviest].load))
			n->heaviest = b;
	}
}

/* An elephant's worker gives away all else; the others may come within 1 % of the bound. */
static void set_limits(struct plan *p, double target)
{
	for (unsigned w = 0; w < p->workers_n; w++) {
		struct plan_node *n = &p->node[w];
		uint32_t b = n->heaviest;

		n->limit = target;
		if (!p->opts->highest_only && b != PLAN_NONE && p->bucket[b].load > 1)
			n->limit = fmin(target, n->fixed + p->bucket[b].load + PLAN_EPS);
		n->source = n->usable && n->load > n->limit;
	}
}

double plan_approach(struct plan *p, double target)
{
	double high = plan_highest(p), before;

	do {
		before = high;
		find_heaviest(p);
		set_limits(p, target);
		plan_shift(p);
		if (plan_highest(p) > target && !p->late)
			plan_swap(p, target);
		high = plan_highest(p);
	} while (high > target && high < before - (before - target) / 8 && !p->late);
	return high;
}

static void improve(struct plan *p)
{
	double target = p->bound * SL_PLAN_GOOD, high = plan_approach(p, target);

	if (high > target && !p->late) {
		p->bound = fmax(p->bound, plan_bound_few(p, high));
		target = fmax(target, p->bound);
		if (high > target)
			plan_pack(p, target);
	}
	if (!p->opts->highest_only && !p->late)
		plan_rest(p);
}

/* Whoever can go home does; each one may make room for another. */
static void go_home(struct plan *p)
{
	double high = fmax(plan_highest(p), p->bound * SL_PLAN_GOOD);
	bool again = true;

	while (again && !plan_late(p, p->buckets_n)) {
		again = false;
		for (uint32_t b = 0; b < p->buckets_n; b++) {
			struct plan_node *n = &p->node[p->kept[b]];

			if (p->at[b] == p->kept[b] ||
			    n->load + p->bucket[b].load > fmin(n->limit, high))
				continue;
			plan_put(p, b, p->kept[b]);
			again = true;
		}
	}
}

static bool worth_it(double before, double after, double min_gain)
{
	return before > 0 && before - after >= fmax(min_gain * before, PLAN_EPS);
}

/*
 * Is the gain worth the moves for the workers that can be helped? Those that nothing could cool
 * hide what the others gained: they do not count.
 */
static bool rest_worth_it(const struct plan *p)
{
	double load[SL_MAX_WORKERS], before = 0, after = 0;

	for (unsigned w = 0; w < p->workers_n; w++)
		load[w] = p->worker[w].other;
	for (uint32_t b = 0; b < p->buckets_n; b++)
		load[p->kept[b]] += p->bucket[b].load;
	for (unsigned w = 0; w < p->workers_n; w++) {
		const struct plan_node *n = &p->node[w];

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

	for (uint32_t b = 0; b < p->buckets_n; b++)
		if (p->bucket[b].load > 1 && (best < 0 || p->bucket[b].load > p->bucket[best].load))
			best = (int)b;
	return best;
}

static void put_moves(const struct plan *p, struct sl_plan_move *out, struct sl_plan_result *r)
{
	for (uint32_t b = 0; b < p->buckets_n; b++) {
		if (p->at[b] == p->bucket[b].worker)
			continue;
		out[r->moves++] = (struct sl_plan_move){
			.bucket = b, .from = p->bucket[b].worker, .to = p->at[b]};
		r->cost += plan_cost(p, b);
	}
}

void sl_plan(const struct sl_plan_bucket *buckets, unsigned buckets_n,
	     const struct sl_plan_worker *workers, unsigned workers_n,
	     const struct sl_plan_opts *opts, void *scratch, struct sl_plan_move *out,
	     struct sl_plan_result *result)
{
	struct plan p = {.bucket = buckets,
			 .worker = workers,
			 .buckets_n = buckets_n,
			 .workers_n = workers_n,
			 .opts = opts,
			 .start = opts->clock ? opts->clock() : 0};
	double kept_high;

	plan_init(&p, scratch);
	p.bound = plan_bound(&p);
	*result =
		(struct sl_plan_result){.before = plan_highest(&p), .elephant = find_elephant(&p)};
	empty_unusable(&p);
	memcpy(p.kept, p.at, buckets_n * sizeof(*p.kept));
	kept_high = plan_highest(&p);
	if (p.usable_n > 1)
		improve(&p);
	go_home(&p);
	result->after = plan_highest(&p);
	if (!worth_it(kept_high, result->after, opts->min_gain) && !rest_worth_it(&p)) {
		memcpy(p.at, p.kept, buckets_n * sizeof(*p.at));
		result->after = kept_high;
	}
	result->bound = p.bound;
	result->late = p.late;
	put_moves(&p, out, result);
}
