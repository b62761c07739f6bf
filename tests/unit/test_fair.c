// SPDX-License-Identifier: GPL-2.0-or-later
/* The policies as a scheduler of tasks sees them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "control/fair.h"
#include "control/karma.h"

#define SECOND 1000000000ull
#define USERS 40

static struct sl_fair *make(struct sl_fair_opts o, enum sl_order_kind kind, unsigned users)
{
	struct sl_fair *f;

	cr_assert_eq(sl_fair_new(&o, kind, &f, NULL), 0);
	for (unsigned u = 0; u < users; u++)
		cr_assert_eq(sl_fair_add_user(f, 1), (int)u);
	return f;
}

static double uniform(void)
{
	return (rand() & 0xffffff) / 16777216.0;
}

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

/* A month of random starts and ends, with a commitment by the definition in long double beside. */
Test(fair, commitments_are_exact_after_a_month)
{
	static const double half_life[] = {60, 6931, 693147};
	long double worst = 0;

	srand(1);
	for (unsigned h = 0; h < 3; h++) {
		struct sl_fair_opts o = {.policy = SL_POLICY_SDRF,
					 .resources = 1,
					 .capacity = {1},
					 .half_life = half_life[h]};
		struct sl_fair *f = make(o, SL_ORDER_AUTO, 2);
		const long double tau = half_life[h] / M_LN2;
		long double c = 0;
		uint64_t now = 0, last = 0;
		double held = 0, q;

		for (unsigned i = 0; i < 200000; i++) {
			const double equal = 0.5, share = held * SL_FAIR_UNIT;
			const long double over = share > equal ? share - equal : 0;

			now += (uint64_t)(26 * uniform() * SECOND);
			sl_fair_advance(f, now);
			c = over + (c - over) * expl(-(long double)(now - last) / SECOND / tau);
			last = now;
			worst = fmaxl(worst, fabsl(c - sl_fair_commitment(f, 0)));
			if (held > 0 && rand() % 2) {
				q = floor(held * (rand() % 4 ? uniform() : 1));
				sl_fair_finish(f, 0, &q);
				held -= q;
			} else {
				q = floor((0x1p50 - held) * uniform());
				sl_fair_start(f, 0, &q, 1);
				held += q;
			}
		}
		cr_assert_gt(now, 29ull * 86400 * SECOND);
		cr_assert_eq(sl_fair_share(f, 0), held * SL_FAIR_UNIT);
		sl_fair_free(f);
	}
	cr_assert_lt((double)worst, 1e-13, "%Lg", worst);
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

/* Flow 0 alone for long, then flow 1 too: without memory nobody pays for having been alone; and
 * tasks that lean on different resources share as DRF would. */
Test(fair, drfq_memoryless_and_dove_tailing)
{
	struct sl_fair_opts o = {.policy = SL_POLICY_DRFQ, .resources = 2, .capacity = {1, 1}};
	const double cpu[2] = {0x1p50, 0x1p48}, mem[2] = {0x1p48, 0x1p50};
	unsigned served[2] = {0};
	double v[2];

	for (unsigned dove = 0; dove < 2; dove++) {
		struct sl_fair *f;

		o.memory = dove ? INFINITY : 0;
		f = make(o, SL_ORDER_AUTO, 2);
		sl_fair_candidate(f, 0, cpu);
		for (unsigned i = 0; i < 100; i++) {
			sl_fair_start(f, 0, cpu, 1);
			sl_fair_finish(f, 0, cpu);
			sl_fair_candidate(f, 0, cpu);
		}
		sl_fair_candidate(f, 1, cpu);
		served[0] = served[1] = 0;
		for (unsigned i = 0; i < 40; i++) {
			const int u = sl_fair_first(f);

			served[u]++;
			sl_fair_start(f, (unsigned)u, cpu, 1);
			sl_fair_finish(f, (unsigned)u, cpu);
			sl_fair_candidate(f, (unsigned)u, cpu);
		}
		cr_assert_leq(abs((int)served[0] - (int)served[1]), 1);
		sl_fair_free(f);
		/* user 0 alternates between the resources, user 1 does not. With dove-tailing two
		 * tasks of user 0 cost it as much time as five eighths of two of user 1. */
		f = make(o, SL_ORDER_AUTO, 2);
		sl_fair_candidate(f, 0, cpu);
		sl_fair_candidate(f, 1, cpu);
		served[0] = served[1] = 0;
		for (unsigned i = 0; i < 400; i++) {
			const int u = sl_fair_first(f);
			const double *now = u == 0 && served[0] % 2 ? mem : cpu;

			served[u]++;
			sl_fair_start(f, (unsigned)u, now, 1);
			sl_fair_finish(f, (unsigned)u, now);
			sl_fair_candidate(f, (unsigned)u, now);
		}
		v[dove] = (double)served[0] / served[1];
		sl_fair_free(f);
	}
	cr_assert_float_eq(v[0], 1, 0.02);
	cr_assert_float_eq(v[1], 1.6, 0.05);
}

Test(fair, karma_pays_who_lent)
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

Test(fair, the_poorest_earn_first)
{
	const double credits[4] = {0, 1, 5, 0.5};
	double lent[4] = {1, 2, 2, 0};

	sl_karma_earn(credits, lent, 4, 2);
	cr_assert_float_eq(lent[0], 1, 1e-9);
	cr_assert_float_eq(lent[1], 1, 1e-9);
	cr_assert_float_eq(lent[2], 0, 1e-9);
	cr_assert_eq(lent[3], 0);
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
	REFUSED("memory", o.memory = -1);
	REFUSED("borrowable", o.borrowable = 1.5);
	REFUSED("resource", o.resource = 2);
	cr_assert_eq(sl_fair_new(&good, SL_ORDER_AUTO, &f, NULL), 0);
	cr_assert_eq(sl_fair_add_user(f, 0), -EINVAL);
	cr_assert_eq(sl_fair_add_user(f, NAN), -EINVAL);
	sl_fair_free(f);
}
