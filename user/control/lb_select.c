// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/lb_select.h"

#include "control/turn.h"

/* The mean server's weight in a turn: what rounding may take from the lightest is a thousandth. */
#define FINE 65536.0

/* What of the scratch is whose. */
struct parts {
	double *load; /* of each member; as old as allowed */
	struct sl_maglev_server *dealt;
	void *rest;
};

static struct parts part(void *scratch, unsigned n)
{
	struct parts p = {.load = scratch};

	p.dealt = (struct sl_maglev_server *)(p.load + (n ? n : 1));
	p.rest = p.dealt + (n ? n : 1);
	return p;
}

size_t sl_lb_fill_scratch(unsigned n)
{
	return (n ? n : 1) * (sizeof(double) + sizeof(struct sl_maglev_server)) +
	       sl_maglev_scratch(n);
}

bool sl_lb_select_by_load(enum sl_lb_select policy)
{
	return policy == SL_LB_BY_AWRR || policy == SL_LB_BY_LEAST ||
	       policy == SL_LB_BY_POWER_OF_TWO;
}

/* --- loads */

static bool fresh(const struct sl_lb_member *m, const struct sl_lb_fill_opts *opts)
{
	return m->age_ns != SL_LB_NEVER_TOLD && m->age_ns <= opts->stale_ns && m->load >= 0;
}

/* Loads into `load`; returns their mean. A server that does not tell is no better than others. */
static double loads(const struct sl_lb_member *members, unsigned n,
		    const struct sl_lb_fill_opts *opts, double *load)
{
	double sum = 0, weight = 0, mean;

	for (unsigned i = 0; i < n; i++)
		if (fresh(&members[i], opts)) {
			sum += members[i].load * members[i].server.weight;
			weight += members[i].server.weight;
		}
	mean = weight > 0 ? sum / weight : 0;
	for (unsigned i = 0; i < n; i++)
		load[i] = fresh(&members[i], opts) ? members[i].load : mean;
	return mean;
}

/* --- policies by weights: each makes them of loads, then it is a matter of turns */

static double awrr(double load, double mean, double alpha)
{
	double against = (1 - alpha) * load + alpha * mean;
	double w = against > 0 ? SL_LB_AWRR_MEAN * mean / against : SL_LB_AWRR_MAX;

	if (!(mean > 0))
		return SL_LB_AWRR_MEAN; /* nobody has anything to do */
	return w < SL_LB_AWRR_MIN ? SL_LB_AWRR_MIN : w > SL_LB_AWRR_MAX ? SL_LB_AWRR_MAX : w;
}

static double least_of(const double *load, unsigned n)
{
	double least = load[0];

	for (unsigned i = 1; i < n; i++)
		if (load[i] < least)
			least = load[i];
	return least;
}

/*
 * The level that the connections fill the members up to: those below it take (level - load) times
 * their weight. Each pass takes out whom the last one's level left above.
 */
static double level_of(const struct sl_lb_member *m, const double *load, unsigned n, double water)
{
	double level = 1e300, before;

	do {
		double weight = 0, sum = water;

		before = level;
		for (unsigned i = 0; i < n; i++)
			if (load[i] < before) {
				weight += m[i].server.weight;
				sum += load[i] * m[i].server.weight;
			}
		level = sum / weight;
	} while (level < before);
	return before;
}

static double mean_weight(const struct sl_lb_member *m, unsigned n)
{
	double sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += m[i].server.weight;
	return sum / n;
}

/* The share of the connections that a member takes, whatever its unit. */
static void least(const struct sl_lb_member *m, unsigned n, const struct sl_lb_fill_opts *opts,
		  double *load)
{
	double water = opts->connections * opts->added * mean_weight(m, n);
	double lowest = least_of(load, n), level = water > 0 ? level_of(m, load, n, water) : lowest;

	for (unsigned i = 0; i < n; i++) {
		double below = level - load[i];

		/* water that rounding swallows fills nobody */
		if (!(level > lowest))
			below = load[i] > lowest ? 0 : 1;
		load[i] = below > 0 ? below * m[i].server.weight : 0;
	}
}

/* Whole weights of `share`, of mean FINE. Who has a share has a weight. */
static void to_weights(const double *share, unsigned n, struct sl_maglev_server *dealt)
{
	double sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += share[i];
	for (unsigned i = 0; i < n; i++)
		dealt[i].weight = share[i] > 0 ? 1 + (uint32_t)(share[i] / sum * n * FINE) : 0;
}

static void weights(enum sl_lb_select policy, const struct sl_lb_member *members, unsigned n,
		    const struct sl_lb_fill_opts *opts, struct parts *p)
{
	double mean;

	for (unsigned i = 0; i < n; i++)
		p->dealt[i] = members[i].server;
	if (!n || !sl_lb_select_by_load(policy))
		return;
	mean = loads(members, n, opts, p->load);
	if (policy == SL_LB_BY_AWRR)
		for (unsigned i = 0; i < n; i++)
			p->load[i] = awrr(p->load[i], mean, opts->alpha) * members[i].server.weight;
	else
		least(members, n, opts, p->load);
	to_weights(p->load, n, p->dealt);
}

/* --- power of two choices */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* The member whose part of the line of all weights holds `at`. `end`: where each part ends. */
static unsigned holder(const uint64_t *end, unsigned n, uint64_t at)
{
	unsigned first = 0, last = n - 1;

	while (first < last) {
		unsigned middle = (first + last) / 2;

		if (at < end[middle])
			last = middle;
		else
			first = middle + 1;
	}
	return first;
}

/* Two members by weight: the second as if drawn again and again until it is another. */
static void draw_two(const uint64_t *end, unsigned n, uint64_t bits, unsigned *one, unsigned *two)
{
	uint64_t from, width, at;

	*one = holder(end, n, (bits >> 32) * end[n - 1] >> 32);
	from = *one ? end[*one - 1] : 0;
	width = end[*one] - from;
	at = (bits & UINT32_MAX) * (end[n - 1] - width) >> 32;
	*two = n > 1 ? holder(end, n, at < from ? at : at + width) : *one;
}

static void power_of_two(const struct sl_lb_member *members, unsigned n,
			 const struct sl_lb_fill_opts *opts, uint16_t *row, unsigned rows,
			 struct parts *p)
{
	uint64_t *end = p->rest, sum = 0, state = opts->seed;
	unsigned one, two;

	loads(members, n, opts, p->load);
	for (unsigned i = 0; i < n; i++)
		end[i] = sum += members[i].server.weight;
	for (unsigned r = 0; r < rows; r++) {
		draw_two(end, n, random_next(&state), &one, &two);
		row[r] = members[p->load[two] < p->load[one] ? two : one].server.id;
	}
}

void sl_lb_fill(enum sl_lb_select policy, const struct sl_lb_member *members, unsigned n,
		const struct sl_lb_fill_opts *opts, uint16_t *row, unsigned rows, uint16_t nobody,
		void *scratch)
{
	struct parts p = part(scratch, n);

	if (policy == SL_LB_BY_POWER_OF_TWO && n) {
		power_of_two(members, n, opts, row, rows, &p);
		return;
	}
	weights(policy, members, n, opts, &p);
	if (policy == SL_LB_BY_HASH || policy == SL_LB_BY_CORE)
		sl_maglev_fill(p.dealt, n, row, rows, nobody, p.rest);
	else
		sl_turn_fill(p.dealt, n, row, rows, nobody, p.rest);
}
