// SPDX-License-Identifier: GPL-2.0-or-later
/* Karma as a scheduler of tasks sees it: who earns, who pays, and who comes first. */
#include "control/karma.h"
#include "fair_rig.h"

#define SECOND 1000000000ull

Test(fair_karma, karma_pays_who_lent)
{
	struct sl_fair_opts o = {
		.policy = SL_POLICY_KARMA, .resources = 1, .capacity = {1}, .borrowable = 0.5};
	const double most = 0x1p49 + 0x1p48, bit = 0x1p46;
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 2);

	sl_fair_start(f, 0, &most, 1);
	sl_fair_advance(f, 10 * SECOND);
	/* guaranteed are 1/4 each; 1/2 borrowed for ten quanta, of it 1/4 from user 1; 1/4 a
	 * quantum is free for each */
	cr_assert_float_eq(sl_fair_credits(f, 0), 10 * (0.25 - 0.5), 1e-9);
	cr_assert_float_eq(sl_fair_credits(f, 1), 10 * (0.25 + 0.25), 1e-9);
	sl_fair_finish(f, 0, &most);
	for (unsigned u = 0; u < 2; u++) {
		const double quarter = 0x1p48;

		sl_fair_start(f, u, &quarter, 1);
		sl_fair_candidate(f, u, &bit);
	}
	cr_assert_eq(sl_fair_first(f), 1);
	sl_fair_free(f);
}

#define LENDERS 3

/* What each of three had of the quantum that ends, as the paper settles it: free credits, what it
 * borrowed, what it lent as far as somebody paid, the poorest first. */
static void settle(double *credits, const double *had)
{
	const double part = 0.5 / LENDERS; /* guaranteed, and free */
	double lent[LENDERS], before[LENDERS], borrowed = 0;

	for (unsigned u = 0; u < LENDERS; u++) {
		before[u] = credits[u];
		lent[u] = fmax(part - had[u], 0);
		borrowed += fmax(had[u] - part, 0);
		credits[u] += part - fmax(had[u] - part, 0);
	}
	sl_karma_earn(before, lent, LENDERS, borrowed);
	for (unsigned u = 0; u < LENDERS; u++)
		credits[u] += lent[u];
}

/* Shares change four times in each quantum. */
Test(fair_karma, karma_settles_what_was_had_in_each_quantum)
{
	struct sl_fair_opts o = {
		.policy = SL_POLICY_KARMA, .resources = 1, .capacity = {1}, .borrowable = 0.5};
	double credits[LENDERS] = {0}, had[LENDERS] = {0}, held[LENDERS] = {0};
	struct sl_fair *f = make(o, SL_ORDER_AUTO, LENDERS);

	srand(11);
	for (unsigned i = 1; i <= 4000; i++) {
		for (unsigned u = 0; u < LENDERS; u++) {
			const double next = floor(uniform() * 0x1p50 / LENDERS);

			sl_fair_finish(f, u, &held[u]);
			held[u] = u == 2 && i / 400 % 2 ? 0 : next;
			sl_fair_start(f, u, &held[u], 1);
			had[u] += held[u] * SL_FAIR_UNIT / 4;
		}
		sl_fair_advance(f, i * SECOND / 4);
		if (i % 4)
			continue;
		settle(credits, had);
		memset(had, 0, sizeof(had));
		for (unsigned u = 0; u < LENDERS; u++)
			cr_assert_float_eq(sl_fair_credits(f, u), credits[u], 1e-6, "%u: %u", i, u);
	}
	sl_fair_free(f);
}

/* It is worth what the others are, and has had nothing before it came. */
Test(fair_karma, a_newcomer_has_the_mean_of_credits)
{
	struct sl_fair_opts o = {
		.policy = SL_POLICY_KARMA, .resources = 1, .capacity = {1}, .borrowable = 1};
	const double half = 0x1p49;
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 2);

	sl_fair_start(f, 0, &half, 1);
	sl_fair_advance(f, 10 * SECOND + SECOND / 2);
	cr_assert_float_eq(sl_fair_credits(f, 1), 5, 1e-9);
	cr_assert_eq(sl_fair_add_user(f, 1), 2);
	cr_assert_float_eq(sl_fair_credits(f, 2), 2.5, 1e-9);
	sl_fair_start(f, 2, &half, 1);
	sl_fair_advance(f, 11 * SECOND);
	cr_assert_float_eq(sl_fair_credits(f, 2), 2.5 + 1 / 3.0 - 0.25, 1e-9);
	sl_fair_free(f);
}

/* Of two with the same credits, who has less now would pay less. */
Test(fair_karma, karma_counts_what_this_quantum_costs)
{
	struct sl_fair_opts o = {
		.policy = SL_POLICY_KARMA, .resources = 1, .capacity = {1}, .borrowable = 0.5};
	const double more = 0x1p48 + 0x1p47, less = 0x1p48 + 0x1p46, bit = 0x1p40;
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 2);

	sl_fair_start(f, 0, &more, 1);
	sl_fair_start(f, 1, &less, 1);
	sl_fair_candidate(f, 0, &bit);
	sl_fair_candidate(f, 1, &bit);
	cr_assert_eq(sl_fair_first(f), 1);
	sl_fair_free(f);
}

Test(fair_karma, the_poorest_earn_first)
{
	const double credits[4] = {0, 1, 5, 0.5};
	double lent[4] = {1, 2, 2, 0};

	sl_karma_earn(credits, lent, 4, 2);
	cr_assert_float_eq(lent[0], 1, 1e-9);
	cr_assert_float_eq(lent[1], 1, 1e-9);
	cr_assert_float_eq(lent[2], 0, 1e-9);
	cr_assert_eq(lent[3], 0);
}
