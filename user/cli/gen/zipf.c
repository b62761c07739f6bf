// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/zipf.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define CUT_ONE 4294967296.0 /* a draw of 32 bits is always below it */

/* Weights with mean 1: sum n. */
static void weigh(double *w, uint32_t n, double skew, double elephant)
{
	const uint32_t first = elephant > 0 && n > 1 ? 1 : 0;
	const double rest = first ? 1 - elephant : 1;
	double sum = 0;

	/* The smallest first, so that nothing small is lost in the sum. */
	for (uint32_t r = n; r-- > first;) {
		w[r] = pow(r - first + 1, -skew);
		sum += w[r];
	}
	for (uint32_t r = first; r < n; r++)
		w[r] *= rest * n / sum;
	if (first)
		w[0] = elephant * n;
}

static uint32_t cut_of(double weight)
{
	double cut = weight * CUT_ONE;

	return cut >= CUT_ONE - 1 ? UINT32_MAX : (uint32_t)cut;
}

/*
 * Vose's method: a column whose weight is below the mean is filled up by one above it. What is left
 * at the end is at the mean but for rounding and is its own alias.
 */
static void fill(struct sl_alias *table, double *w, uint32_t n, uint32_t *small, uint32_t *large)
{
	uint32_t smalls = 0, larges = 0;

	for (uint32_t i = n; i-- > 0;) {
		table[i] = (struct sl_alias){.cut = UINT32_MAX, .alias = i};
		if (w[i] < 1)
			small[smalls++] = i;
		else
			large[larges++] = i;
	}
	while (smalls && larges) {
		uint32_t s = small[--smalls], l = large[larges - 1];

		table[s] = (struct sl_alias){.cut = cut_of(w[s]), .alias = l};
		w[l] -= 1 - w[s];
		if (w[l] >= 1)
			continue;
		larges--;
		small[smalls++] = l;
	}
}

int gen_zipf_build(struct sl_alias *table, uint32_t n, double skew, double elephant)
{
	uint32_t *small, *large;
	double *w;
	int rc = -ENOMEM;

	if (!n)
		return -EINVAL;
	w = calloc(n, sizeof(*w));
	small = calloc(n, sizeof(*small));
	large = calloc(n, sizeof(*large));
	if (w && small && large) {
		weigh(w, n, skew, elephant);
		fill(table, w, n, small, large);
		rc = 0;
	}
	free(large);
	free(small);
	free(w);
	return rc;
}

double gen_zipf_share(const struct sl_alias *table, uint32_t n, uint32_t rank)
{
	double share = 0;

	for (uint32_t i = 0; i < n; i++) {
		double own = table[i].cut == UINT32_MAX ? 1 : table[i].cut / CUT_ONE;

		if (i == rank)
			share += own;
		if (table[i].alias == rank)
			share += 1 - own;
	}
	return share / n;
}
