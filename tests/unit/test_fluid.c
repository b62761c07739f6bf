// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the policies promise of divisible shares, as theories over random users; and misreports that
 * search for a promise broken.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "control/fluid.h"

#define USERS 12
#define NEAR 1e-9

struct world {
	struct sl_fair_opts opts;
	unsigned n;
	double demand[USERS][SL_FAIR_RESOURCES], given[USERS][SL_FAIR_RESOURCES];
	double weight[USERS], memory[USERS];
	struct sl_fluid_user user[USERS];
};

static double uniform(void)
{
	return (rand() & 0xffffff) / 16777216.0;
}

static void draw_demand(struct world *w, unsigned u)
{
	for (unsigned r = 0; r < w->opts.resources; r++)
		w->demand[u][r] = rand() % 5 ? w->opts.capacity[r] * uniform() * uniform() : 0;
}

static struct world *draw(enum sl_policy policy)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.opts.policy = policy;
	w.opts.resources = 1 + rand() % 4;
	w.opts.borrowable = policy == SL_POLICY_KARMA ? uniform() : 0;
	w.n = 1 + rand() % USERS;
	for (unsigned r = 0; r < w.opts.resources; r++)
		w.opts.capacity[r] = 1 + rand() % 100;
	for (unsigned u = 0; u < w.n; u++) {
		w.weight[u] = rand() % 2 ? 1 : 0.5 + 3 * uniform();
		w.memory[u] = rand() % 3 ? uniform() : 0;
		draw_demand(&w, u);
	}
	return &w;
}

static void share(struct world *w)
{
	struct sl_fluid_turn turns[2 * USERS];

	for (unsigned u = 0; u < w->n; u++)
		w->user[u] = (struct sl_fluid_user){.demand = w->demand[u],
						    .given = w->given[u],
						    .weight = w->weight[u],
						    .memory = w->memory[u]};
	sl_fluid_share(&w->opts, w->user, w->n, turns);
}

static double equal_share(const struct world *w, unsigned u)
{
	double sum = 0;

	for (unsigned i = 0; i < w->n; i++)
		sum += w->weight[i];
	return w->weight[u] / sum;
}

static double use_of(const struct world *w, unsigned r)
{
	double sum = 0;

	for (unsigned u = 0; u < w->n; u++)
		sum += w->given[u][r];
	return sum / w->opts.capacity[r];
}

/* How much of `demand` is met by what u was given: tasks of that shape. */
static double met(const struct world *w, unsigned u, const double *demand)
{
	double part = 1;

	for (unsigned r = 0; r < w->opts.resources; r++)
		if (demand[r] > 0)
			part = fmin(part, w->given[u][r] / demand[r]);
	return part;
}

static bool nobody_can_have_more(const struct world *w, unsigned u)
{
	if (w->user[u].share >= w->user[u].want * (1 - NEAR))
		return true;
	for (unsigned r = 0; r < w->opts.resources; r++)
		if (w->demand[u][r] > 0 && use_of(w, r) > 1 - NEAR)
			return true;
	return false;
}

static const enum sl_policy policies[] = {SL_POLICY_DRF, SL_POLICY_SDRF, SL_POLICY_KARMA,
					  SL_POLICY_DRFQ};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

Test(fluid, nothing_is_given_twice_or_beyond_demand)
{
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		struct world *w = draw(i % (SL_POLICY_MAXMIN + 1));

		share(w);
		for (unsigned r = 0; r < w->opts.resources; r++)
			cr_assert_leq(use_of(w, r), 1 + NEAR);
		for (unsigned u = 0; u < w->n; u++)
			for (unsigned r = 0; r < w->opts.resources; r++)
				cr_assert_leq(w->given[u][r], w->demand[u][r] * (1 + NEAR));
	}
}

/* Karma's credits bound what is borrowed: efficient only while they last. */
Test(fluid, pareto_efficient)
{
	srand(2);
	for (unsigned i = 0; i < 20000; i++) {
		struct world *w = draw(policies[i % POLICIES]);

		for (unsigned u = 0; w->opts.policy == SL_POLICY_KARMA && u < w->n; u++)
			w->memory[u] += 100;
		share(w);
		for (unsigned u = 0; u < w->n; u++)
			cr_assert(nobody_can_have_more(w, u), "policy %u, round %u, user %u",
				  w->opts.policy, i, u);
	}
}

Test(fluid, sdrf_gives_each_its_floor)
{
	unsigned below = 0;

	srand(3);
	for (unsigned i = 0; i < 20000; i++) {
		struct world *w = draw(SL_POLICY_SDRF);

		w->opts.no_floor = i % 4 == 0;
		share(w);
		for (unsigned u = 0; u < w->n; u++) {
			const double floor = fmin(w->user[u].want, equal_share(w, u));

			if (w->user[u].share < floor - NEAR && w->opts.no_floor)
				below++;
			else
				cr_assert_geq(w->user[u].share, floor - NEAR);
		}
	}
	/* as its authors coded it, it does not hold: docs/architecture.md says so */
	cr_assert_gt(below, 100);
}

/* Karma's floor is what is guaranteed; DRF needs none. */
Test(fluid, drf_and_karma_give_each_its_part)
{
	srand(8);
	for (unsigned i = 0; i < 20000; i++) {
		struct world *w = draw(i % 2 ? SL_POLICY_DRF : SL_POLICY_KARMA);

		share(w);
		for (unsigned u = 0; u < w->n; u++)
			cr_assert_geq(w->user[u].share,
				      fmin(w->user[u].want,
					   equal_share(w, u) * (1 - w->opts.borrowable)) -
					      NEAR);
	}
}

/* How often a user could do more with what another of its weight has. */
static unsigned envious(const struct world *w)
{
	unsigned n = 0;

	for (unsigned u = 0; u < w->n; u++)
		for (unsigned v = 0; v < w->n; v++) {
			double part = 1;

			for (unsigned r = 0; r < w->opts.resources; r++)
				if (w->demand[u][r] > 0)
					part = fmin(part, w->given[v][r] / w->demand[u][r]);
			n += w->user[u].want > 0 && part > met(w, u, w->demand[u]) + NEAR;
		}
	return n;
}

Test(fluid, drf_is_free_of_envy_and_sdrf_is_not)
{
	unsigned envy = 0;

	srand(9);
	for (unsigned i = 0; i < 10000; i++) {
		struct world *w = draw(i % 2 ? SL_POLICY_DRF : SL_POLICY_SDRF);

		for (unsigned u = 0; u < w->n; u++)
			w->weight[u] = 1;
		share(w);
		if (w->opts.policy == SL_POLICY_DRF)
			cr_assert_eq(envious(w), 0);
		else
			envy += envious(w);
	}
	/* memory is envy: docs/scheduling.md says so */
	cr_assert_gt(envy, 100);
}

/* User 0 says something else than it wants; of what it gets it can use what its tasks need. */
Test(fluid, misreports_never_help)
{
	srand(4);
	for (unsigned i = 0; i < 40000; i++) {
		struct world *w = draw(policies[i % POLICIES]);
		double truth[SL_FAIR_RESOURCES], honest;

		share(w);
		memcpy(truth, w->demand[0], sizeof(truth));
		honest = met(w, 0, truth);
		for (unsigned lie = 0; lie < 3; lie++) {
			draw_demand(w, 0);
			for (unsigned r = 0; lie == 1 && r < w->opts.resources; r++)
				w->demand[0][r] = truth[r] * (0.5 + 4 * uniform());
			for (unsigned r = 0; lie == 2 && r < w->opts.resources; r++)
				w->demand[0][r] = truth[r] * (r == (unsigned)rand() % 2 ? 3 : 1);
			share(w);
			cr_assert_leq(met(w, 0, truth), honest + NEAR,
				      "policy %u round %u lie %u: %.12g for %.12g", w->opts.policy,
				      i, lie, met(w, 0, truth), honest);
		}
	}
}

Test(fluid, more_memory_never_gets_more)
{
	srand(5);
	for (unsigned i = 0; i < 20000; i++) {
		struct world *w = draw(SL_POLICY_SDRF);
		double before;

		share(w);
		before = w->user[0].share;
		w->memory[0] += uniform();
		share(w);
		cr_assert_leq(w->user[0].share, before + NEAR);
	}
}

Test(fluid, weights_are_ratios_of_shares)
{
	srand(6);
	for (unsigned i = 0; i < 2000; i++) {
		struct world *w = draw(i % 2 ? SL_POLICY_DRF : SL_POLICY_SDRF);

		for (unsigned u = 0; u < w->n; u++) {
			w->memory[u] = 0;
			for (unsigned r = 0; r < w->opts.resources; r++)
				w->demand[u][r] = w->opts.capacity[r]; /* everybody wants it all */
		}
		share(w);
		for (unsigned u = 0; u < w->n; u++)
			cr_assert_float_eq(w->user[u].share, equal_share(w, u), NEAR);
	}
}

Test(fluid, the_example_of_drf)
{
	const struct sl_fair_opts o = {.resources = 2, .capacity = {9, 18}};
	/* demands without end, in the proportions <1,4> and <3,1> */
	const double a[2] = {9, 36}, b[2] = {27, 9};
	double given[2][2];
	struct sl_fluid_user u[2] = {{.demand = a, .given = given[0], .weight = 1},
				     {.demand = b, .given = given[1], .weight = 1}};
	struct sl_fluid_turn turns[4];

	sl_fluid_share(&o, u, 2, turns);
	cr_assert_float_eq(given[0][0], 3, NEAR);
	cr_assert_float_eq(given[0][1], 12, NEAR);
	cr_assert_float_eq(given[1][0], 6, NEAR);
	cr_assert_float_eq(given[1][1], 2, NEAR);
	cr_assert_float_eq(u[0].share, 2 / 3.0, NEAR);
	cr_assert_float_eq(u[1].share, 2 / 3.0, NEAR);
}

/* Karma slice by slice: first the guaranteed, then one to the richest that wants one, again and
 * again. Slices are so thin that they stand for a fluid. */
Test(fluid, karma_is_dealing_slices_to_the_richest)
{
	enum { SLICES = 2000 };

	srand(7);
	for (unsigned i = 0; i < 100; i++) {
		struct world *w = draw(SL_POLICY_KARMA);
		double credits[USERS], has[USERS] = {0}, left = 1;

		w->opts.resources = 1;
		for (unsigned u = 0; u < w->n; u++) {
			w->weight[u] = 1;
			credits[u] = w->memory[u];
			w->demand[u][0] = w->opts.capacity[0] * 2.0 / w->n * uniform();
		}
		share(w);
		for (unsigned u = 0; u < w->n; u++) {
			has[u] = fmin((1 - w->opts.borrowable) / w->n, w->user[u].want);
			left -= has[u];
		}
		for (; left > 0; left -= 1.0 / SLICES) {
			int rich = -1;

			for (unsigned u = 0; u < w->n; u++)
				if (has[u] < w->user[u].want && credits[u] > 0 &&
				    (rich < 0 || credits[u] > credits[rich]))
					rich = (int)u;
			if (rich < 0)
				break;
			has[rich] += 1.0 / SLICES;
			credits[rich] -= 1.0 / SLICES;
		}
		for (unsigned u = 0; u < w->n; u++)
			cr_assert_float_eq(w->user[u].share, has[u], 3.0 / SLICES,
					   "user %u: %g for %g", u, w->user[u].share, has[u]);
	}
}
