// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fluid.h"

#include <stdlib.h>

/* The level rises; what is used of each resource, and how fast that grows with the level. */
struct water {
	const struct sl_fair_opts *opts;
	struct sl_fluid_user *users;
	unsigned n;
	double level;
	double used[SL_FAIR_RESOURCES], slope[SL_FAIR_RESOURCES];
	bool full[SL_FAIR_RESOURCES];
};

/* Slopes below this are what rounding leaves of sums that ended. */
#define FLAT 1e-12

/* Use of resource r for each unit of dominant share. */
static double part(const struct water *w, const struct sl_fluid_user *u, unsigned r)
{
	return u->demand[r] / w->opts->capacity[r] / u->want;
}

static void add_slope(struct water *w, const struct sl_fluid_user *u, double sign)
{
	for (unsigned r = 0; r < w->opts->resources; r++)
		w->slope[r] += sign * u->weight * part(w, u, r);
}

static void prepare(const struct sl_fair_opts *o, struct sl_fluid_user *u, double equal)
{
	u->want = 0;
	for (unsigned r = 0; r < o->resources; r++)
		u->want = fmax(u->want, u->demand[r] / o->capacity[r]);
	u->low = 0;
	u->high = u->want;
	if (o->policy == SL_POLICY_SDRF && !o->no_floor) {
		u->low = fmin(equal, u->want);
	} else if (o->policy == SL_POLICY_KARMA) {
		u->low = fmin((1 - o->borrowable) * equal, u->want);
		u->high = fmin(u->want, u->low + fmax(u->memory, 0));
	}
	u->share = u->low;
	u->state = u->high > u->low ? SL_FLUID_WAITS : SL_FLUID_DONE;
}

/* What is taken off the level. */
static double lag(const struct sl_fair_opts *o, const struct sl_fluid_user *u)
{
	return o->policy == SL_POLICY_SDRF    ? u->memory
	       : o->policy == SL_POLICY_KARMA ? -u->memory
					      : 0;
}

static int by_level(const void *a, const void *b)
{
	const struct sl_fluid_turn *x = a, *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return x->ends - y->ends;
}

static unsigned list_turns(const struct water *w, struct sl_fluid_turn *turns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++) {
		const struct sl_fluid_user *u = &w->users[i];
		const double behind = lag(w->opts, u);

		if (u->state == SL_FLUID_DONE)
			continue;
		turns[n++] = (struct sl_fluid_turn){(u->low + behind) / u->weight, i, false};
		turns[n++] = (struct sl_fluid_turn){(u->high + behind) / u->weight, i, true};
	}
	qsort(turns, n, sizeof(*turns), by_level);
	return n;
}

static void stop(struct water *w, struct sl_fluid_user *u)
{
	const double share = u->weight * w->level - lag(w->opts, u);

	u->share = fmin(fmax(share, u->low), u->high);
	u->state = SL_FLUID_DONE;
	add_slope(w, u, -1);
}

/* Resource r is full: those who need it stay where they are. */
static void stop_users(struct water *w, unsigned r)
{
	w->full[r] = true;
	for (unsigned i = 0; i < w->n; i++)
		if (w->users[i].state == SL_FLUID_RISES && w->users[i].demand[r] > 0)
			stop(w, &w->users[i]);
}

/* The resource that fills first on the way to level *next, and that level, or -1. */
static int first_full(const struct water *w, double *next)
{
	int first = -1;

	for (unsigned r = 0; r < w->opts->resources; r++) {
		const double level = w->level + fmax(1 - w->used[r], 0) / w->slope[r];

		if (!w->full[r] && w->slope[r] > FLAT && level < *next) {
			*next = level;
			first = (int)r;
		}
	}
	return first;
}

static void rise(struct water *w, double to)
{
	int full;

	do {
		double next = to;

		full = first_full(w, &next);
		for (unsigned r = 0; r < w->opts->resources; r++)
			w->used[r] += fmax(w->slope[r], 0) * (next - w->level);
		w->level = next;
		if (full >= 0)
			stop_users(w, (unsigned)full);
	} while (full >= 0);
}

static bool needs_full(const struct water *w, const struct sl_fluid_user *u)
{
	for (unsigned r = 0; r < w->opts->resources; r++)
		if (u->demand[r] > 0 && w->full[r])
			return true;
	return false;
}

static void fill(const struct sl_fair_opts *opts, struct sl_fluid_user *users, unsigned n,
		 struct sl_fluid_turn *turns)
{
	struct water w = {.opts = opts, .users = users, .n = n};
	double weights = 0;
	unsigned turns_n;

	for (unsigned i = 0; i < n; i++)
		weights += users[i].weight;
	for (unsigned i = 0; i < n; i++) {
		prepare(opts, &users[i], users[i].weight / weights);
		for (unsigned r = 0; users[i].low > 0 && r < opts->resources; r++)
			w.used[r] += users[i].low * part(&w, &users[i], r);
	}
	turns_n = list_turns(&w, turns);
	w.level = turns_n ? turns[0].level : 0;
	for (unsigned i = 0; i < turns_n; i++) {
		struct sl_fluid_user *u = &users[turns[i].user];

		rise(&w, turns[i].level);
		if (!turns[i].ends && needs_full(&w, u)) {
			u->state = SL_FLUID_DONE;
		} else if (!turns[i].ends) {
			u->state = SL_FLUID_RISES;
			add_slope(&w, u, 1);
		} else if (u->state == SL_FLUID_RISES) {
			stop(&w, u);
			u->share = u->high;
		}
	}
}

/* Each resource by itself. */
static void fill_each(const struct sl_fair_opts *opts, struct sl_fluid_user *users, unsigned n,
		      struct sl_fluid_turn *turns)
{
	struct sl_fair_opts one = {.policy = SL_POLICY_DRF, .resources = 1};

	for (unsigned r = 0; r < opts->resources; r++) {
		one.capacity[0] = opts->capacity[r];
		for (unsigned i = 0; i < n; i++)
			users[i].demand += r;
		fill(&one, users, n, turns);
		for (unsigned i = 0; i < n; i++) {
			users[i].demand -= r;
			users[i].given[r] = users[i].share * opts->capacity[r];
		}
	}
}

void sl_fluid_share(const struct sl_fair_opts *opts, struct sl_fluid_user *users, unsigned n,
		    struct sl_fluid_turn *turns)
{
	const bool each = opts->policy == SL_POLICY_MAXMIN;

	if (each)
		fill_each(opts, users, n, turns);
	else
		fill(opts, users, n, turns);
	for (unsigned i = 0; i < n; i++) {
		struct sl_fluid_user *u = &users[i];

		for (unsigned r = 0; !each && r < opts->resources; r++)
			u->given[r] = u->want > 0 ? u->demand[r] * (u->share / u->want) : 0;
		u->share = 0;
		for (unsigned r = 0; r < opts->resources; r++)
			u->share = fmax(u->share, u->given[r] / opts->capacity[r]);
	}
}
