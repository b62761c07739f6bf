// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * live_tree.c - the first of an order by a tournament that stays up to date as x falls.
 *
 * Each inner node holds the winner of its two sides and `until`, an x: as long as x has not fallen
 * to it, the winner cannot have changed. The loser's priority never falls below the line it is on
 * now, so the winner stays ahead until one of its own lines meets that one. Every node also has the
 * highest such x below it, so a look visits only nodes whose time has come. Those are played again
 * with the priorities at that x, so a crossing that is computed a little early costs time only.
 */
#include <math.h>
#include <stdlib.h>

#include "control/order_internal.h"

/* A few units in the last place of a sum of two. */
#define ROUNDING 1e-15

struct node {
	double until; /* this node or one below is to be played again below this x */
	unsigned winner;
};

struct live_tree {
	unsigned leaves; /* a power of two; node i has sides 2i and 2i+1, member u is leaves + u */
	unsigned members;
	struct node *node;
};

struct live_tree *live_tree_new(unsigned n)
{
	struct live_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->members = n;
	for (t->leaves = ORDER_LANES; t->leaves < n; t->leaves *= 2)
		;
	t->node = malloc(sizeof(*t->node) * t->leaves);
	if (!t->node) {
		free(t);
		return NULL;
	}
	live_tree_reset(t);
	return t;
}

void live_tree_free(struct live_tree *t)
{
	if (!t)
		return;
	free(t->node);
	free(t);
}

void live_tree_reset(struct live_tree *t)
{
	for (unsigned i = 0; i < t->leaves; i++)
		t->node[i].until = INFINITY;
}

/* The path to the root is to be played again. It is, at the next look, once for all that changed.
 */
void live_tree_touch(struct live_tree *t, unsigned u)
{
	for (unsigned i = (t->leaves + u) / 2; i && t->node[i].until != INFINITY; i /= 2)
		t->node[i].until = INFINITY;
}

/* The line of u that is highest at x. */
static void top_line(const struct sl_order *o, unsigned u, double x, double *a, double *b)
{
	const double *line = order_line(o, u);

	*a = line[0];
	*b = line[ORDER_LANES];
	for (unsigned l = 1; l < o->lines; l++) {
		line += (size_t)2 * ORDER_LANES;
		if (line[0] + line[ORDER_LANES] * x > *a + *b * x) {
			*a = line[0];
			*b = line[ORDER_LANES];
		}
	}
}

/*
 * The highest x, that of now at most, from which on the order of the two may be another; the loser
 * is on line (a, b). What lies within rounding of a tie may turn at any x.
 */
static double meets(const struct sl_order *o, unsigned winner, double a, double b, double x)
{
	const double *line = order_line(o, winner);
	double until = -INFINITY;

	for (unsigned l = 0; l < o->lines; l++, line += (size_t)2 * ORDER_LANES) {
		const double slope = b - line[ORDER_LANES], ahead = a - line[0];
		const double rounding = ROUNDING * (fabs(a) + fabs(line[0]) +
						    (fabs(b) + fabs(line[ORDER_LANES])) * x);
		double meet = -INFINITY;

		/* values that do not change, or change alike to the bit */
		if (slope == 0 && (b == 0 || ahead == 0))
			continue;
		if (slope > 0)
			meet = (rounding - ahead) / slope;
		else if (ahead + slope * x <= rounding)
			meet = x;
		if (meet > until)
			until = meet;
	}
	return until < x ? until : x;
}

static unsigned winner_of(const struct live_tree *t, unsigned i)
{
	return i >= t->leaves ? i - t->leaves : t->node[i].winner;
}

/* Who wins node i at x, and until when as far as this node goes. */
static double play(struct live_tree *t, const struct sl_order *o, unsigned i, double x)
{
	unsigned winner = winner_of(t, 2 * i), loser = winner_of(t, 2 * i + 1);
	double a, b;

	t->node[i].winner = winner;
	if (loser >= t->members)
		return -INFINITY;
	if (order_value(o, loser, x) < order_value(o, winner, x)) {
		t->node[i].winner = loser;
		loser = winner;
		winner = t->node[i].winner;
	}
	top_line(o, loser, x, &a, &b);
	if (a == INFINITY)
		return -INFINITY;
	return meets(o, winner, a, b, x);
}

/* Bring node i up to date at x. Depth is the logarithm of the members. */
static double refresh(struct live_tree *t, const struct sl_order *o, unsigned i, double x)
{
	double until;

	for (unsigned side = 2 * i; side <= 2 * i + 1; side++)
		if (side < t->leaves && t->node[side].until > x)
			refresh(t, o, side, x);
	until = play(t, o, i, x);
	for (unsigned side = 2 * i; side <= 2 * i + 1; side++)
		if (side < t->leaves && t->node[side].until > until)
			until = t->node[side].until;
	t->node[i].until = until;
	return until;
}

int live_tree_first(struct live_tree *t, const struct sl_order *o, double x)
{
	unsigned first;

	if (t->node[1].until > x)
		refresh(t, o, 1, x);
	first = t->node[1].winner;
	return *order_line(o, first) < INFINITY ? (int)first : -1;
}
