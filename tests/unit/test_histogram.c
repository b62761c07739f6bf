// SPDX-License-Identifier: GPL-2.0-or-later
/* Quantiles of the histogram against those of the sorted values. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/histogram.h"

#define N 20000

static struct sl_histogram h;

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

Test(histogram, quantiles_are_within_a_percent)
{
	static const double q[] = {0, 0.01, 0.5, 0.95, 0.99, 0.999, 1};
	static uint64_t value[N];

	srand(1);
	for (unsigned i = 0; i < N; i++) {
		value[i] = (uint64_t)exp2(rand() % 3900 / 100.0);
		sl_histogram_add(&h, value[i]);
	}
	qsort(value, N, sizeof(value[0]), compare);
	cr_assert_eq(h.min, value[0]);
	cr_assert_eq(h.max, value[N - 1]);
	for (unsigned i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		const unsigned rank = q[i] > 0 ? (unsigned)ceil(q[i] * N) - 1 : 0;
		const double want = (double)value[rank];
		const double got = (double)sl_histogram_quantile(&h, q[i]);

		cr_assert(got >= want && got <= want * 1.01, "q %g: %g for %g", q[i], got, want);
	}
}

Test(histogram, small_values_are_exact)
{
	for (uint64_t v = 0; v < 256; v++)
		sl_histogram_add(&h, v);
	for (unsigned i = 1; i <= 256; i++)
		cr_assert_eq(sl_histogram_quantile(&h, i / 256.0), i - 1);
}

Test(histogram, edges)
{
	cr_assert_eq(sl_histogram_quantile(&h, 0.5), 0);
	sl_histogram_add(&h, UINT64_MAX);
	cr_assert_eq(sl_histogram_quantile(&h, 0.5), UINT64_MAX);
	sl_histogram_add(&h, (1ULL << SL_HISTOGRAM_VALUE_BITS) - 1);
	cr_assert_eq(sl_histogram_quantile(&h, 1), UINT64_MAX);
	sl_histogram_add(&h, 0);
	cr_assert_eq(h.min, 0);
	cr_assert_eq(sl_histogram_quantile(&h, 0), 0);
}

Test(histogram, merging_is_adding)
{
	static struct sl_histogram a, b, both;

	for (uint64_t v = 1; v < 5000; v += 3) {
		sl_histogram_add(v & 1 ? &a : &b, v * v);
		sl_histogram_add(&both, v * v);
	}
	sl_histogram_merge(&a, &b);
	cr_assert_eq(memcmp(&a, &both, sizeof(a)), 0);
	memset(&b, 0, sizeof(b));
	sl_histogram_merge(&b, &both);
	cr_assert_eq(memcmp(&b, &both, sizeof(b)), 0);
}
