// SPDX-License-Identifier: GPL-2.0-or-later
/* The generator's draws: the shares that were asked for, the same for the same seed. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "cli/gen/zipf.c"

#define DRAWS 2000000

static uint32_t draw(const struct sl_alias *table, uint32_t n, __u64 *state)
{
	const uint64_t r = sl_gen_random(state);
	const uint32_t column = sl_alias_column(r, n);

	return sl_alias_rank(&table[column], column, r);
}

Test(gen_zipf, shares_follow_the_law)
{
	enum { N = 1000 };
	struct sl_alias table[N];
	double sum = 0;

	cr_assert_eq(gen_zipf_build(table, N, 1.1, 0), 0);
	for (unsigned r = 1; r <= N; r++)
		sum += pow(r, -1.1);
	for (unsigned r = 0; r < N; r += 37) {
		const double want = pow(r + 1, -1.1) / sum;
		const double got = gen_zipf_share(table, N, r);

		cr_assert(fabs(got - want) < 1e-8, "rank %u: %g for %g", r, got, want);
	}
}

Test(gen_zipf, no_skew_is_uniform)
{
	enum { N = 7 };
	struct sl_alias table[N];

	cr_assert_eq(gen_zipf_build(table, N, 0, 0), 0);
	for (unsigned r = 0; r < N; r++)
		cr_assert(fabs(gen_zipf_share(table, N, r) - 1.0 / N) < 1e-8);
}

Test(gen_zipf, the_elephant_gets_its_share_and_the_others_the_rest)
{
	enum { N = 100 };
	struct sl_alias table[N];

	cr_assert_eq(gen_zipf_build(table, N, 1, 0.4), 0);
	cr_assert(fabs(gen_zipf_share(table, N, 0) - 0.4) < 1e-8);
	cr_assert(fabs(gen_zipf_share(table, N, 1) / gen_zipf_share(table, N, 2) - 2) < 1e-6);
}

Test(gen_zipf, draws_have_the_shares_of_the_table)
{
	enum { N = 50 };
	struct sl_alias table[N];
	uint32_t count[N] = {0};
	__u64 state = 42;

	cr_assert_eq(gen_zipf_build(table, N, 1.2, 0.25), 0);
	for (unsigned i = 0; i < DRAWS; i++)
		count[draw(table, N, &state)]++;
	for (unsigned r = 0; r < N; r++) {
		const double p = gen_zipf_share(table, N, r);
		const double sigma = sqrt(DRAWS * p * (1 - p));

		cr_assert(fabs(count[r] - DRAWS * p) < 5 * sigma, "rank %u: %u for %g", r, count[r],
			  DRAWS * p);
	}
}

Test(gen_zipf, a_seed_is_a_sequence)
{
	enum { N = 1000 };
	struct sl_alias table[N];
	__u64 a = 7, b = 7, c = 8;
	unsigned other = 0;

	cr_assert_eq(gen_zipf_build(table, N, 0.9, 0), 0);
	for (unsigned i = 0; i < 1000; i++) {
		const uint32_t x = draw(table, N, &a);

		cr_assert_eq(x, draw(table, N, &b));
		other += x != draw(table, N, &c);
	}
	cr_assert_gt(other, 500);
}

Test(gen_zipf, one_flow_and_none)
{
	struct sl_alias one;
	__u64 state = 1;

	cr_assert_eq(gen_zipf_build(&one, 1, 1, 0), 0);
	cr_assert_eq(draw(&one, 1, &state), 0);
	cr_assert_eq(gen_zipf_build(&one, 0, 1, 0), -EINVAL);
}

Test(gen_zipf, a_shift_keeps_every_flow_once)
{
	enum { N = 97 };
	unsigned seen[N] = {0};

	for (uint32_t r = 0; r < N; r++)
		seen[sl_gen_shifted(r, 60, N)]++;
	for (unsigned i = 0; i < N; i++)
		cr_assert_eq(seen[i], 1);
}
