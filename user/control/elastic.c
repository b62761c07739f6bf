// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/elastic.h"

#include <math.h>
#include <string.h>

/* Of a CPU that does other things all the time workers still get some. */
#define LEAST_OF_A_CPU 0.25
/* A highest load so far above the target, relative to it, is worth a worker; removing one must do
 * better, or what is removed now comes back with the next noise. */
#define ADD_ABOVE 1.10
#define REMOVE_BELOW 1.05
/* Another worker must be able to help: buckets that alone are about as heavy stay so. */
#define LUMP 1.02

static void look_at_buckets(struct sl_elastic_view *v, double target, const struct sl_load *l,
			    const struct sl_sample *s, const struct sl_plan_bucket *buckets)
{
	double pinned[SL_MAX_WORKERS] = {0};

	for (unsigned b = 0; b < s->buckets_n; b++) {
		const struct sl_plan_bucket *k = &buckets[b];
		struct sl_elastic_worker *w = &v->worker[k->worker];

		if (s->buckets[b].absent)
			continue;
		w->holds = true;
		w->cost += 1 + k->weight;
		if (s->buckets[b].owner < v->workers_n)
			v->worker[s->buckets[b].owner].holds = true;
		v->lump = fmax(v->lump, k->load);
		v->load -= fmax(0, k->load - target);
		if (k->pinned && !s->buckets[b].moving) {
			w->pinned = true;
			pinned[k->worker] += k->load;
		}
	}
	for (unsigned i = 0; i < v->workers_n; i++)
		v->lump = fmax(v->lump, pinned[i] + l->workers[i].other);
}

void sl_elastic_look(struct sl_elastic_view *v, const struct sl_elastic *e, const struct sl_load *l,
		     const struct sl_sample *s, const struct sl_plan_bucket *buckets,
		     const struct sl_plan_worker *workers)
{
	memset(v, 0, sizeof(*v));
	v->workers_n = s->workers_n;
	for (unsigned i = 0; i < s->workers_n; i++) {
		v->worker[i].runs = workers[i].usable;
		v->worker[i].softirq = l->workers[i].softirq;
		v->worker[i].other = l->workers[i].other;
		if (workers[i].usable)
			v->load += l->workers[i].demand;
	}
	look_at_buckets(v, e->opts.target, l, s, buckets);
}

/*
 * What a worker may do: the target of what softirq, which goes before it, leaves. Threads of other
 * processes take turns with it, so they take nothing but what is not theirs anyway.
 */
static double room(const struct sl_elastic *e, const struct sl_elastic_worker *w)
{
	double room = fmin(e->opts.target * (1 - w->softirq), 1 - w->other);

	return fmax(room, e->opts.target * LEAST_OF_A_CPU);
}

/* Of those awake, mean; as a share of the target. */
static double room_share(const struct sl_elastic *e, const struct sl_elastic_view *v)
{
	double sum = 0;

	for (unsigned i = 0; i < v->workers_n; i++)
		if (e->awake[i])
			sum += room(e, &v->worker[i]);
	return e->awake_n ? sum / e->awake_n / e->opts.target : 1;
}

/* One that holds buckets needs no move; then the one whose CPU has most left. */
static int pick_sleeper(const struct sl_elastic *e, const struct sl_elastic_view *v)
{
	int best = -1;

	for (unsigned i = 0; i < v->workers_n; i++) {
		const struct sl_elastic_worker *w = &v->worker[i], *k;

		if (e->awake[i] || !w->runs)
			continue;
		k = best < 0 ? NULL : &v->worker[best];
		if (!k || w->holds > k->holds || (w->holds == k->holds && w->other < k->other))
			best = (int)i;
	}
	return best;
}

static bool wake_one(struct sl_elastic *e, const struct sl_elastic_view *v)
{
	int w = pick_sleeper(e, v);

	if (w < 0)
		return false;
	e->awake[w] = true;
	e->awake_n++;
	e->fill = true;
	return true;
}

static void rest_one(struct sl_elastic *e, const struct sl_elastic_view *v)
{
	int best = -1;

	for (unsigned i = 0; i < v->workers_n; i++)
		if (e->awake[i] && !v->worker[i].pinned &&
		    (best < 0 || v->worker[i].cost <= v->worker[best].cost))
			best = (int)i;
	if (best < 0)
		return;
	e->awake[best] = false;
	e->awake_n--;
	e->fill = true;
}

static void begin(struct sl_elastic *e, const struct sl_elastic_view *v)
{
	memset(&e->scale, 0, sizeof(e->scale));
	for (unsigned i = 0; i < v->workers_n; i++)
		e->awake[i] = v->worker[i].holds;
	e->begun = true;
	e->fill = false;
}

/* Who does not run any more is not awake; who cannot be emptied is. Returns how many run. */
static unsigned keep_up(struct sl_elastic *e, const struct sl_elastic_view *v)
{
	unsigned runs = 0;

	e->awake_n = e->asleep_n = 0;
	for (unsigned i = 0; i < v->workers_n; i++) {
		const struct sl_elastic_worker *w = &v->worker[i];

		runs += w->runs;
		e->awake[i] = w->runs && (e->awake[i] || w->pinned);
		e->awake_n += e->awake[i];
		e->asleep[i] = w->runs && !e->awake[i] && !w->holds;
		e->asleep_n += e->asleep[i];
	}
	return runs;
}

void sl_elastic_run(struct sl_elastic *e, const struct sl_elastic_view *v, uint64_t now_ns)
{
	bool begins = !e->begun;
	unsigned most, wanted;

	if (begins)
		begin(e, v);
	most = keep_up(e, v);
	if (e->opts.max_workers && e->opts.max_workers < most)
		most = e->opts.max_workers;
	e->load = v->load;
	e->scale.opts = (struct sl_scale_opts){
		e->opts.target, e->opts.ahead_ns, e->opts.hold_ns,
		e->opts.min_workers < most ? e->opts.min_workers : most, most};
	wanted = sl_scale_workers(&e->scale, now_ns, v->load / room_share(e, v));
	if (begins)
		sl_scale_want(&e->scale, e->awake_n); /* they too go only after the hold time */
	else if (e->awake_n > wanted && e->awake_n > 1)
		rest_one(e, v);
	while (e->awake_n < wanted && wake_one(e, v))
		;
}

void sl_elastic_restrict(const struct sl_elastic *e, struct sl_plan_worker *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		workers[i].usable &= !e->begun || e->awake[i];
}

/* What the CPU of a worker may be used in all, of those awake the most. */
static double limit(const struct sl_elastic *e, const struct sl_elastic_view *v)
{
	double most = 0;

	for (unsigned i = 0; i < v->workers_n; i++)
		if (e->awake[i])
			most = fmax(most, v->worker[i].other + room(e, &v->worker[i]));
	return most;
}

bool sl_elastic_review(struct sl_elastic *e, const struct sl_elastic_view *v,
		       const struct sl_plan_result *plan)
{
	bool removed = false;
	double most;

	for (unsigned i = 0; i < v->workers_n; i++)
		removed |= v->worker[i].runs && v->worker[i].holds && !e->awake[i];
	most = limit(e, v) * (removed ? REMOVE_BELOW : ADD_ABOVE);
	if (plan->after <= most || plan->after <= v->lump * LUMP ||
	    e->awake_n >= e->scale.opts.most || !wake_one(e, v))
		return false;
	sl_scale_want(&e->scale, e->awake_n);
	return true;
}
