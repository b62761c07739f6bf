// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * No ping-pong: ten simulated minutes of stationary, skewed, noisy load, through the real estimate,
 * planner and hysteresis.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "balance_model.h"

#define MINUTE (60000 * MS)
#define MINUTES 10
#define LAST 3 /* of them, without a move */

static struct model m;
static double base[MODEL_BUCKETS];

/* Beside Poisson's, every bucket's rate wanders by a tenth from round to round. */
static void jitter(double share)
{
	for (unsigned b = 0; b < m.buckets; b++)
		m.rate[b] = base[b] * (1 + share * (2 * model_uniform(&m) - 1));
}

/* Fills moves[minute]. */
static void ten_minutes(unsigned buckets, unsigned workers, double skew, uint64_t seed,
			unsigned moves[MINUTES])
{
	struct sl_tick *tick = sl_tick_new(workers, buckets, &model_opts);
	uint64_t begin;

	cr_assert_not_null(tick);
	model_init(&m, buckets, workers, seed);
	model_zipf(&m, skew, 0.75 * workers);
	memcpy(base, m.rate, sizeof(base));
	begin = m.now_ns;
	memset(moves, 0, MINUTES * sizeof(*moves));
	while (m.now_ns - begin < MINUTES * MINUTE) {
		unsigned minute = (unsigned)((m.now_ns - begin) / MINUTE);

		jitter(0.1);
		moves[minute] += model_tick(&m, tick).moves_n;
	}
	sl_tick_free(tick);
}

static void expect_calm(unsigned buckets, unsigned workers, double skew)
{
	unsigned first = 0, later = 0, last = 0;

	for (uint64_t seed = 1; seed <= 4; seed++) {
		unsigned moves[MINUTES];

		ten_minutes(buckets, workers, skew, seed, moves);
		first += moves[0];
		for (unsigned i = 1; i < MINUTES; i++)
			later += moves[i];
		for (unsigned i = MINUTES - LAST; i < MINUTES; i++)
			last += moves[i];
	}
	cr_expect_gt(first, 0, "there was something to balance");
	cr_expect_leq(later, first / 10, "%u x %u, Zipf %.1f: %u moves, %u after the first minute",
		      buckets, workers, skew, first, later);
	cr_expect_eq(last, 0, "%u x %u, Zipf %.1f: %u moves in the last minutes", buckets, workers,
		     skew, last);
}

TestSuite(calm, .timeout = 60);

Test(calm, zipf_on_four_workers)
{
	expect_calm(256, 4, 0.9);
	expect_calm(256, 4, 1.2);
}

Test(calm, zipf_on_eight_workers)
{
	expect_calm(1024, 8, 0.9);
	expect_calm(1024, 8, 1.1);
}
