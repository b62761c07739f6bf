// SPDX-License-Identifier: GPL-2.0-or-later
/* Loss, reordering and duplicates, told apart in sequences made by hand and against a plain model.
 */
#include <criterion/criterion.h>
#include <stdbool.h>

#include "cli/gen/tally.c"
#include "gen.h"

static struct gen_tally t;

static void start(void)
{
	cr_assert_eq(gen_tally_init(&t, 4), 0);
}

static void end(void)
{
	gen_tally_free(&t);
}

TestSuite(gen_tally, .init = start, .fini = end);

Test(gen_tally, in_order_is_new)
{
	for (uint64_t seq = 0; seq < 3 * (uint64_t)TALLY_WINDOW; seq++)
		cr_assert_eq(gen_tally_add(&t, 1, seq), GEN_NEW);
	cr_assert_eq(gen_tally_unique(&t), 3 * (uint64_t)TALLY_WINDOW);
	cr_assert_eq(t.reordered + t.duplicated + t.beyond, 0);
}

Test(gen_tally, a_gap_is_loss_until_it_is_filled)
{
	gen_tally_add(&t, 0, 0);
	gen_tally_add(&t, 0, 3);
	cr_assert_eq(gen_tally_unique(&t), 2);
	cr_assert_eq(gen_tally_add(&t, 0, 1), GEN_LATE);
	cr_assert_eq(gen_tally_add(&t, 0, 2), GEN_LATE);
	cr_assert_eq(gen_tally_add(&t, 0, 4), GEN_NEW);
	cr_assert_eq(gen_tally_unique(&t), 5);
	cr_assert_eq(t.reordered, 2);
	cr_assert_eq(t.duplicated, 0);
	cr_assert_eq(t.reach_max, 2);
}

Test(gen_tally, again_is_a_duplicate_early_or_late)
{
	gen_tally_add(&t, 0, 0);
	cr_assert_eq(gen_tally_add(&t, 0, 0), GEN_DUPLICATE);
	gen_tally_add(&t, 0, 5);
	gen_tally_add(&t, 0, 2);
	cr_assert_eq(gen_tally_add(&t, 0, 2), GEN_DUPLICATE);
	cr_assert_eq(gen_tally_add(&t, 0, 5), GEN_DUPLICATE);
	cr_assert_eq(t.duplicated, 3);
	cr_assert_eq(t.reordered, 1);
	cr_assert_eq(gen_tally_unique(&t), 3);
}

Test(gen_tally, flows_do_not_meet)
{
	gen_tally_add(&t, 0, 7);
	cr_assert_eq(gen_tally_add(&t, 3, 2), GEN_NEW);
	cr_assert_eq(gen_tally_add(&t, 4, 0), GEN_FOREIGN);
	cr_assert_eq(t.foreign, 1);
	cr_assert_eq(t.received, 2);
}

Test(gen_tally, far_behind_cannot_be_told)
{
	gen_tally_add(&t, 0, 10 * (uint64_t)TALLY_WINDOW);
	cr_assert_eq(gen_tally_add(&t, 0, 9 * (uint64_t)TALLY_WINDOW + 1), GEN_LATE);
	cr_assert_eq(gen_tally_add(&t, 0, 9 * (uint64_t)TALLY_WINDOW), GEN_BEYOND);
	cr_assert_eq(t.beyond, 1);
}

Test(gen_tally, a_jump_forgets_what_came_round)
{
	gen_tally_add(&t, 0, 5);
	gen_tally_add(&t, 0, 5 + (uint64_t)TALLY_WINDOW);
	cr_assert_eq(gen_tally_add(&t, 0, 6 + (uint64_t)TALLY_WINDOW), GEN_NEW);
	cr_assert_eq(gen_tally_add(&t, 0, 6), GEN_BEYOND);
	cr_assert_eq(gen_tally_add(&t, 0, 4 + (uint64_t)TALLY_WINDOW), GEN_LATE);
}

/* A random walk with gaps, steps back and repeats against one flag for each number. */
Test(gen_tally, agrees_with_a_plain_model)
{
	enum { N = 400000 };
	static bool seen[N + 2000];
	__u64 state = 99;
	uint64_t next = 0, at = 0;

	for (unsigned i = 0; i < N; i++) {
		const uint64_t r = sl_gen_random(&state);
		uint64_t seq = at;
		enum gen_arrival want;

		if (r % 10 == 0)
			at += r >> 32 & 3;
		else if (r % 17 == 0 && at > 3000)
			seq = at - (r >> 32) % 3000;
		if (seq == at && at < N)
			at++;
		want = seen[seq] ? GEN_DUPLICATE : seq < next ? GEN_LATE : GEN_NEW;
		cr_assert_eq(gen_tally_add(&t, 2, seq), want, "packet %u, number %lu", i,
			     (unsigned long)seq);
		seen[seq] = true;
		if (seq >= next)
			next = seq + 1;
	}
	cr_assert_gt(t.reordered, 100);
	cr_assert_gt(t.duplicated, 100);
}
