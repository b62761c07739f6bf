// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/alias.h"

#include <stdlib.h>

/*
 * One pass over the columns that want more than they have, and one over those that have less: the
 * giver gives until it has less itself, then it is the next to be filled.
 */
static void fill(struct sim_alias *a, double *w, uint32_t n)
{
	uint32_t giver = 0, taker = 0, column;

	while (giver < n && w[giver] < 1)
		giver++;
	while (taker < n && w[taker] >= 1)
		taker++;
	column = taker;
	while (giver < n && column < n) {
		a[column] = (struct sim_alias){(float)w[column], giver};
		w[giver] -= 1 - w[column];
		w[column] = 1; /* done */
		if (giver < taker && w[giver] < 1) {
			column = giver; /* it lies behind the pass: now or never */
		} else {
			do
				taker++;
			while (taker < n && w[taker] >= 1);
			column = taker;
		}
		while (giver < n && (w[giver] < 1 || a[giver].other != giver))
			giver++;
	}
}

struct sim_alias *sim_alias_new(const double *weights, uint32_t n)
{
	struct sim_alias *a = calloc(n, sizeof(*a));
	double *w = calloc(n, sizeof(*w)), sum = 0;

	if (!a || !w) {
		free(a);
		free(w);
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++)
		sum += weights[i];
	for (uint32_t i = 0; i < n; i++) {
		w[i] = weights[i] * n / sum;
		a[i] = (struct sim_alias){1, i};
	}
	fill(a, w, n);
	free(w);
	return a;
}
