// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/karma.h"

#include <math.h>

/* What all earn when credits are raised to `level`. */
static double earned(const double *credits, const double *lent, unsigned n, double level)
{
	double sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += fmin(fmax(level - credits[i], 0), lent[i]);
	return sum;
}

void sl_karma_earn(const double *credits, double *lent, unsigned n, double amount)
{
	double low = INFINITY, high = -INFINITY, all = 0;

	for (unsigned i = 0; i < n; i++) {
		if (lent[i] <= 0)
			continue;
		all += lent[i];
		low = fmin(low, credits[i]);
		high = fmax(high, credits[i] + lent[i]);
	}
	if (all <= amount)
		return;
	/* halving an interval of doubles ends, at the latest, after as many steps as they have bits
	 */
	for (unsigned i = 0; i < 64 && earned(credits, lent, n, high) > amount; i++) {
		const double middle = low + (high - low) / 2;

		if (middle <= low || middle >= high)
			break;
		if (earned(credits, lent, n, middle) < amount)
			low = middle;
		else
			high = middle;
	}
	for (unsigned i = 0; i < n; i++)
		lent[i] = fmin(fmax(high - credits[i], 0), lent[i]);
}
