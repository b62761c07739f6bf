// SPDX-License-Identifier: GPL-2.0-or-later
/* Scan and Live Tree against each other and against looking at all, at every step. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "control/order_internal.h"

#define LINES_MAX 16
#define N_MAX 300

/* What the orders were told. */
struct told {
	unsigned n, lines;
	bool member[N_MAX];
	double a[N_MAX][LINES_MAX], b[N_MAX][LINES_MAX];
};

static double uniform(void)
{
	return (rand() & 0xffffff) / 16777216.0;
}

static double value(const struct told *t, unsigned u, double x)
{
	double most = -INFINITY;

	for (unsigned l = 0; l < t->lines; l++)
		if (t->a[u][l] + t->b[u][l] * x > most)
			most = t->a[u][l] + t->b[u][l] * x;
	return most;
}

static int first_of(const struct told *t, double x)
{
	int first = -1;

	for (unsigned u = 0; u < t->n; u++)
		if (t->member[u] && (first < 0 || value(t, u, x) < value(t, (unsigned)first, x)))
			first = (int)u;
	return first;
}

/* Lines that often tie, are often parallel or static, and cross a lot otherwise. */
static void draw(struct told *t, unsigned u)
{
	const unsigned kind = rand() % 4;

	for (unsigned l = 0; l < t->lines; l++) {
		t->a[u][l] = kind == 0 ? (rand() % 4) / 4.0 : uniform();
		t->b[u][l] = kind <= 1 ? 0 : kind == 2 ? (rand() % 5 - 2) / 4.0 : uniform() - 0.5;
	}
	t->member[u] = true;
}

static void put(const struct told *t, struct sl_order *o, unsigned u)
{
	if (t->member[u])
		sl_order_set(o, u, t->a[u], t->b[u]);
	else
		sl_order_remove(o, u);
}

/* Take the first away until nobody is left, and put all back. */
static void compare_whole_order(struct told *t, struct sl_order *o[2], double x)
{
	bool was[N_MAX];
	int want;

	for (unsigned u = 0; u < t->n; u++)
		was[u] = t->member[u];
	do {
		want = first_of(t, x);
		cr_assert_eq(sl_order_first(o[0], x), want, "scan, x %.17g", x);
		cr_assert_eq(sl_order_first(o[1], x), want, "tree, x %.17g", x);
		if (want >= 0) {
			t->member[want] = false;
			put(t, o[0], (unsigned)want);
			put(t, o[1], (unsigned)want);
		}
	} while (want >= 0);
	for (unsigned u = 0; u < t->n; u++) {
		t->member[u] = was[u];
		put(t, o[0], u);
		put(t, o[1], u);
	}
}

static void run(unsigned n, unsigned lines, unsigned steps)
{
	static struct told t;
	struct sl_order *o[2] = {sl_order_new(lines, SL_ORDER_SCAN),
				 sl_order_new(lines, SL_ORDER_TREE)};
	double x = 1;

	t = (struct told){.n = n, .lines = lines};
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(sl_order_grow(o[i], n), 0);
		cr_assert_eq(sl_order_first(o[i], x), -1);
	}
	for (unsigned i = 0; i < steps; i++) {
		const unsigned u = rand() % n;

		if (rand() % 4)
			draw(&t, u);
		else
			t.member[u] = false;
		put(&t, o[0], u);
		put(&t, o[1], u);
		if (rand() % 3 == 0)
			x *= 1 - uniform() * (rand() % 2 ? 0.2 : 0.001);
		if (rand() % 97 == 0) {
			for (unsigned v = 0; v < n; v++)
				for (unsigned l = 0; l < lines; l++)
					t.b[v][l] *= x;
			sl_order_rescale(o[0], x);
			sl_order_rescale(o[1], x);
			x = 1;
		}
		cr_assert_eq(sl_order_first(o[0], x), first_of(&t, x));
		cr_assert_eq(sl_order_first(o[1], x), first_of(&t, x));
		if (i % 50 == 49)
			compare_whole_order(&t, o, x);
	}
	sl_order_free(o[0]);
	sl_order_free(o[1]);
}

Test(order, scan_and_tree_agree_on_every_order)
{
	static const unsigned lines[] = {1, 2, 3, 16};
	static const unsigned n[] = {1, 7, 8, 9, 65, N_MAX};

	srand(1);
	for (unsigned i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		for (unsigned l = 0; l < sizeof(lines) / sizeof(lines[0]); l++)
			run(n[i], lines[l], 800);
}

/* Those of narrower vectors too, which this CPU would not choose. */
Test(order, all_scans_agree)
{
	static struct told t;

	srand(2);
	for (unsigned i = 0; i < 3000; i++) {
		const double x = uniform();
		struct sl_order *o;

		t = (struct told){.n = 1 + rand() % 60, .lines = 1 + rand() % 4};
		o = sl_order_new(t.lines, SL_ORDER_SCAN);
		cr_assert_eq(sl_order_grow(o, t.n), 0);
		for (unsigned u = 0; u < t.n; u++) {
			draw(&t, u);
			t.member[u] = rand() % 8;
			put(&t, o, u);
		}
		for (unsigned lanes = 1; lanes <= ORDER_LANES; lanes++) {
			o->scan = order_scan_choose(t.lines, lanes);
			cr_assert_eq(sl_order_first(o, x), first_of(&t, x), "%u lanes", lanes);
		}
		sl_order_free(o);
	}
}

Test(order, the_winner_changes_with_time_alone)
{
	struct sl_order *o = sl_order_new(1, SL_ORDER_TREE);
	const double a[2] = {0.1, 0.3}, b[2] = {0.5, 0};

	cr_assert_eq(sl_order_grow(o, 2), 0);
	sl_order_set(o, 0, &a[0], &b[0]);
	sl_order_set(o, 1, &a[1], &b[1]);
	cr_assert_eq(sl_order_first(o, 1), 1);
	cr_assert_eq(sl_order_first(o, 0.41), 1);
	cr_assert_eq(sl_order_first(o, 0.39), 0);
	sl_order_free(o);
}

Test(order, members_stay_when_it_grows)
{
	struct sl_order *o = sl_order_new(2, SL_ORDER_AUTO);
	const double zero[2] = {0}, one[2] = {1, 1};

	for (unsigned n = 1; n <= 4 * SL_ORDER_SCAN_MAX; n *= 2) {
		cr_assert_eq(sl_order_grow(o, n), 0);
		sl_order_set(o, n - 1, one, zero);
		cr_assert_eq(sl_order_first(o, 0.5), 0);
	}
	sl_order_remove(o, 0);
	sl_order_remove(o, 1);
	cr_assert_eq(sl_order_first(o, 0.5), 3);
	sl_order_free(o);
}
