// SPDX-License-Identifier: GPL-2.0-or-later
/* Which elephants are split, and when they may be whole again. */
#include <criterion/criterion.h>

#include "control/splitting.h"

#define SECOND 1000000000ull

static struct sl_elephant flows(unsigned n, unsigned first, unsigned second)
{
	struct sl_elephant e = {.flows = n};

	e.flow[0].share = (__u16)first;
	e.flow[1].share = (__u16)second;
	return e;
}

Test(splitting, only_where_one_flow_is_not_what_it_is)
{
	const struct sl_elephant nothing = flows(0, 0, 0), one = flows(1, 1000, 0),
				 even = flows(4, 300, 290), heavy = flows(4, 800, 100);

	cr_expect_eq(sl_split_advise(1.5, NULL), SL_SPLIT_UNKNOWN);
	cr_expect_eq(sl_split_advise(1.5, &nothing), SL_SPLIT_UNKNOWN);
	cr_expect_eq(sl_split_advise(1.0, &one), SL_SPLIT_ONE_FLOW);
	cr_expect_eq(sl_split_advise(3.0, &even), SL_SPLIT_WORTH);
	cr_expect_eq(sl_split_advise(1.2, &heavy), SL_SPLIT_WORTH, "0.96 cores");
	cr_expect_eq(sl_split_advise(1.3, &heavy), SL_SPLIT_ONE_FLOW, "1.04 cores");
	cr_expect_eq(sl_split_advise(9.0, &even), SL_SPLIT_WORTH, "most of it is the others'");
}

Test(splitting, whole_again_after_a_calm_time)
{
	struct sl_splitting s = {0};

	cr_expect_not(sl_split_over(&s, 2, 0.4, SECOND, 60 * SECOND));
	cr_expect_not(sl_split_over(&s, 2, 0.4, 60 * SECOND, 60 * SECOND));
	cr_expect(sl_split_over(&s, 2, 0.4, 61 * SECOND, 60 * SECOND));
	cr_expect_not(sl_split_over(&s, 3, 0.4, 61 * SECOND, 60 * SECOND), "each for itself");
	cr_expect_not(sl_split_over(&s, 2, 0.6, 62 * SECOND, 60 * SECOND));
	cr_expect_not(sl_split_over(&s, 2, 0.4, 63 * SECOND, 60 * SECOND), "anew");
	cr_expect(sl_split_over(&s, 2, 0.4, 123 * SECOND, 60 * SECOND));
	sl_split_forget(&s, 2);
	cr_expect_not(sl_split_over(&s, 2, 0.4, 124 * SECOND, 60 * SECOND));
}
