// SPDX-License-Identifier: GPL-2.0-or-later
/* The policies as a scheduler of tasks sees them; DRFQ and Karma: test_fair_*.c. */
#include "fair_rig.h"

#define SECOND 1000000000ull
#define USERS 40

/* Start what comes first until the head does not fit; tasks of each of the two users. */
static void fill(struct sl_fair *f, const struct sl_fair_opts *o, const double demand[2][2],
		 unsigned tasks[2])
{
	double q[2][2], left[2] = {0x1p50, 0x1p50};

	for (unsigned u = 0; u < 2; u++) {
		cr_assert(sl_fair_quantize(o, demand[u], q[u]));
		sl_fair_candidate(f, u, q[u]);
	}
	for (;;) {
		const int u = sl_fair_first(f);

		if (q[u][0] > left[0] || q[u][1] > left[1])
			return;
		sl_fair_start(f, (unsigned)u, q[u], 1);
		sl_fair_candidate(f, (unsigned)u, q[u]);
		left[0] -= q[u][0];
		left[1] -= q[u][1];
		tasks[u]++;
	}
}

Test(fair, the_example_of_drf)
{
	const struct sl_fair_opts o = {.resources = 2, .capacity = {9, 18}};
	const double demand[2][2] = {{1, 4}, {3, 1}};
	unsigned tasks[2] = {0};
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 2);

	fill(f, &o, demand, tasks);
	cr_assert_eq(tasks[0], 3);
	cr_assert_eq(tasks[1], 2);
	cr_assert_float_eq(sl_fair_share(f, 0), 2 / 3.0, 1e-12);
	cr_assert_float_eq(sl_fair_share(f, 1), 2 / 3.0, 1e-12);
	sl_fair_free(f);
}

Test(fair, weights_and_one_resource)
{
	struct sl_fair_opts o = {.resources = 2, .capacity = {40, 40}};
	const double demand[2][2] = {{1, 0.1}, {1, 0.1}}, skewed[2][2] = {{1, 2}, {1, 0.1}};
	unsigned tasks[2] = {0};
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 0);

	sl_fair_add_user(f, 3);
	sl_fair_add_user(f, 1);
	fill(f, &o, demand, tasks);
	cr_assert_eq(tasks[0], 30);
	cr_assert_eq(tasks[1], 10);
	sl_fair_free(f);
	/* max-min looks at resource 0 alone: equal there, though the other is short */
	o.policy = SL_POLICY_MAXMIN;
	f = make(o, SL_ORDER_AUTO, 2);
	tasks[0] = tasks[1] = 0;
	fill(f, &o, skewed, tasks);
	cr_assert_eq(tasks[0], 19);
	cr_assert_leq(tasks[1] - tasks[0], 1u);
	sl_fair_free(f);
}

/* A user with commitments waits behind one without, for a while. */
Test(fair, sdrf_remembers_and_forgets)
{
	struct sl_fair_opts o = {.policy = SL_POLICY_SDRF,
				 .resources = 1,
				 .capacity = {1},
				 .half_life = 100,
				 .no_floor = true};
	const double much = 0x1p50, some = 0x1p48, little = 0x1p45;
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 2);

	sl_fair_start(f, 0, &much, 1);
	sl_fair_advance(f, 100 * SECOND);
	cr_assert_float_eq(sl_fair_commitment(f, 0), 0.25, 1e-12); /* half of 1 - 1/2 */
	sl_fair_finish(f, 0, &much);
	sl_fair_start(f, 1, &some, 1);
	sl_fair_candidate(f, 0, &little);
	sl_fair_candidate(f, 1, &little);
	/* 0 + 0.25 e^-t against 0.25 + 0: equal now, then 0 comes first; lower number at the tie */
	cr_assert_eq(sl_fair_first(f), 0);
	sl_fair_start(f, 0, &little, 1);
	sl_fair_candidate(f, 0, &little);
	cr_assert_eq(sl_fair_first(f), 1);
	sl_fair_advance(f, 115 * SECOND); /* 1/32 + 0.25 * 2^-0.15 = 0.2566 */
	cr_assert_eq(sl_fair_first(f), 1);
	sl_fair_advance(f, 120 * SECOND); /* 0.2489 */
	cr_assert_eq(sl_fair_first(f), 0);
	sl_fair_free(f);
}

Test(fair, the_floor_comes_before_all_memory)
{
	struct sl_fair_opts o = {
		.policy = SL_POLICY_SDRF, .resources = 1, .capacity = {1}, .half_life = 1e5};
	const double much = 0x1p50, half = 0x1p49, quarter = 0x1p48, more = 0x1p49 + 1;

	for (unsigned no_floor = 0; no_floor < 2; no_floor++) {
		struct sl_fair *f;

		o.no_floor = no_floor;
		f = make(o, SL_ORDER_AUTO, 2);
		sl_fair_start(f, 0, &much, 1);
		sl_fair_advance(f, 500000 * SECOND);
		sl_fair_finish(f, 0, &much); /* a commitment near 1/2 */
		sl_fair_start(f, 1, &quarter, 1);
		sl_fair_candidate(f, 0, &half); /* within its half: first, whatever it had */
		sl_fair_candidate(f, 1, &half);
		cr_assert_eq(sl_fair_first(f), no_floor ? 1 : 0);
		sl_fair_candidate(f, 0, &more);
		cr_assert_eq(sl_fair_first(f), 1);
		sl_fair_free(f);
	}
}

/* Starts and ends at random, with a commitment by the definition in long double beside. */
struct month {
	struct sl_fair *f;
	double half_life, held;
	uint64_t now, last;
	long double commitment;
	double changes; /* each faded as its traces do: the sum of e^(-age / tau) */
	double worst, worst_of_bound;
};

static void month_advance(struct month *m, unsigned users)
{
	const long double tau = m->half_life / M_LN2, equal = 1.0L / users;
	const long double share = m->held * SL_FAIR_UNIT;
	const long double over = share > equal ? share - equal : 0;
	const long double fade = expl(-(long double)(m->now - m->last) / SECOND / tau);
	double error;

	sl_fair_advance(m->f, m->now);
	m->commitment = over + (m->commitment - over) * fade;
	m->changes *= (double)fade;
	m->last = m->now;
	error = (double)fabsl(m->commitment - sl_fair_commitment(m->f, 0));
	m->worst = fmax(m->worst, error);
	m->worst_of_bound = fmax(m->worst_of_bound, error / (1e-14 * m->changes + 0x1p-53));
}

static void month_change(struct month *m)
{
	double q;

	m->changes++;
	if (m->held > 0 && rand() % 2) {
		q = floor(m->held * (rand() % 4 ? uniform() : 1));
		sl_fair_finish(m->f, 0, &q);
		m->held -= q;
	} else {
		q = floor((0x1p50 - m->held) * uniform());
		sl_fair_start(m->f, 0, &q, 1);
		m->held += q;
	}
}

/* The bound that fair.h states, at every step. */
Test(fair, commitments_are_exact_after_a_month)
{
	static const double half_life[] = {60, 6931, 693147, 8 * 3600};
	double worst = 0, worst_of_bound = 0;

	srand(1);
	for (unsigned h = 0; h < 4; h++) {
		const unsigned users = 2 + h;
		struct sl_fair_opts o = {.policy = SL_POLICY_SDRF,
					 .resources = 1,
					 .capacity = {1},
					 .half_life = half_life[h]};
		struct month m = {.f = make(o, SL_ORDER_AUTO, users), .half_life = half_life[h]};

		for (unsigned i = 0; i < 200000; i++) {
			/* now and then a silence of hours */
			m.now += (uint64_t)(26 * uniform() * SECOND) +
				 (rand() % 5000 ? 0 : 10 * 3600 * SECOND);
			month_advance(&m, users);
			month_change(&m);
		}
		cr_assert_gt(m.now, 29ull * 86400 * SECOND);
		cr_assert_eq(sl_fair_share(m.f, 0), m.held * SL_FAIR_UNIT);
		worst = fmax(worst, m.worst);
		worst_of_bound = fmax(worst_of_bound, m.worst_of_bound);
		sl_fair_free(m.f);
	}
	cr_assert_lt(worst, 1e-13, "%g", worst);
	cr_assert_lt(worst_of_bound, 1, "%g of the bound", worst_of_bound);
}

/* A cluster of many users under random load: the same decisions by both ways to look, for a long
 * time, with shares that change as users join. */
static void agree(enum sl_policy policy, unsigned resources)
{
	struct sl_fair_opts o = {.policy = policy, .resources = resources, .half_life = 50};
	struct sl_fair *f[2];
	double running[400][4], q[4];
	unsigned owner[400], n = 0;
	uint64_t now = 0;

	for (unsigned r = 0; r < resources; r++)
		o.capacity[r] = 1;
	f[0] = make(o, SL_ORDER_SCAN, USERS);
	f[1] = make(o, SL_ORDER_TREE, USERS);
	for (unsigned i = 0; i < 6000; i++) {
		const unsigned u = rand() % sl_fair_users(f[0]);
		int first;

		now += (uint64_t)(uniform() * SECOND);
		for (unsigned r = 0; r < resources; r++)
			q[r] = floor(uniform() * 0x1p45);
		if (i % 500 == 499) {
			sl_fair_add_user(f[0], 2);
			sl_fair_add_user(f[1], 2);
		}
		for (unsigned k = 0; k < 2; k++) {
			sl_fair_advance(f[k], now);
			sl_fair_candidate(f[k], u, q);
		}
		first = sl_fair_first(f[0]);
		cr_assert_eq(first, sl_fair_first(f[1]), "policy %u, step %u", policy, i);
		if (first < 0)
			continue;
		if (n == 400 || (n && rand() % 2)) {
			const unsigned t = rand() % n;

			sl_fair_finish(f[0], owner[t], running[t]);
			sl_fair_finish(f[1], owner[t], running[t]);
			owner[t] = owner[--n];
			for (unsigned r = 0; r < resources; r++)
				running[t][r] = running[n][r];
		} else {
			for (unsigned r = 0; r < resources; r++)
				running[n][r] = q[r];
			owner[n++] = (unsigned)first;
			for (unsigned k = 0; k < 2; k++) {
				sl_fair_start(f[k], (unsigned)first, q, i % 7);
				if (i % 3)
					sl_fair_candidate(f[k], (unsigned)first, q);
				else
					sl_fair_no_candidate(f[k], (unsigned)first);
			}
		}
	}
	sl_fair_free(f[0]);
	sl_fair_free(f[1]);
}

Test(fair, scan_and_tree_decide_alike)
{
	srand(2);
	for (unsigned p = 0; p <= SL_POLICY_MAXMIN; p++)
		for (unsigned r = 1; r <= 4; r++)
			agree(p, r);
}

/* Share and commitment are both for each unit of weight: 3 and 1 here, of which the first has had
 * 0.9 for so many half-lives, and the second has `held` since now. */
static int weighted(double half_lives, double held)
{
	struct sl_fair_opts o = {.policy = SL_POLICY_SDRF,
				 .resources = 1,
				 .capacity = {1},
				 .half_life = 1,
				 .no_floor = true};
	const double most = floor(0.9 * 0x1p50), now = floor(held * 0x1p50), bit = 0x1p30;
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 0);
	int first;

	sl_fair_add_user(f, 3);
	sl_fair_add_user(f, 1);
	sl_fair_start(f, 0, &most, 1);
	sl_fair_advance(f, (uint64_t)(half_lives * SECOND));
	sl_fair_start(f, 1, &now, 1);
	sl_fair_candidate(f, 0, &bit);
	sl_fair_candidate(f, 1, &bit);
	first = sl_fair_first(f);
	sl_fair_free(f);
	return first;
}

Test(fair, sdrf_divides_by_weights)
{
	cr_assert_eq(weighted(40, 0.36), 0); /* (0.9 + 0.15) / 1.5, 0.36 / 0.5 */
	cr_assert_eq(weighted(40, 0.34), 1);
	cr_assert_eq(weighted(1, 0.32), 1); /* (0.9 + 0.075) / 1.5, 0.32 / 0.5 */
	cr_assert_eq(weighted(1, 0.33), 0);
}

Test(fair, settings_that_make_no_sense)
{
	const struct sl_fair_opts good = {.resources = 2, .capacity = {1, 2}};
	struct sl_fair_opts o;
	struct sl_fair *f;
	const char *what;

#define REFUSED(word, change)                                                                      \
	do {                                                                                       \
		o = good;                                                                          \
		change;                                                                            \
		what = "";                                                                         \
		cr_assert_eq(sl_fair_new(&o, SL_ORDER_AUTO, &f, &what), -EINVAL);                  \
		cr_assert_str_eq(what, word);                                                      \
	} while (0)
	REFUSED("policy", o.policy = 99);
	REFUSED("resources", o.resources = 0);
	REFUSED("resources", o.resources = SL_FAIR_RESOURCES + 1);
	REFUSED("capacity", o.capacity[1] = 0);
	REFUSED("capacity", o.capacity[0] = NAN);
	REFUSED("half_life", o.half_life = -1);
	REFUSED("quantum", o.quantum = INFINITY);
	REFUSED("quantum", o.quantum = 1e11);
	REFUSED("quantum", o.quantum = 1e-7);
	REFUSED("memory", o.memory = -1);
	REFUSED("borrowable", o.borrowable = 1.5);
	REFUSED("resource", o.resource = 2);
	cr_assert_eq(sl_fair_new(&good, SL_ORDER_AUTO, &f, NULL), 0);
	cr_assert_eq(sl_fair_add_user(f, 0), -EINVAL);
	cr_assert_eq(sl_fair_add_user(f, NAN), -EINVAL);
	cr_assert_eq(sl_fair_add_user(f, 1e-320), -EINVAL);
	cr_assert_eq(sl_fair_add_user(f, 1e308), -EINVAL);
	cr_assert_eq(sl_fair_add_user(f, SL_FAIR_WEIGHT_MIN), 0);
	cr_assert_eq(sl_fair_add_user(f, SL_FAIR_WEIGHT_MAX), 1);
	sl_fair_free(f);
}
