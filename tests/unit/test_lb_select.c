// SPDX-License-Identifier: GPL-2.0-or-later
/* What each policy makes of weights and loads, and of loads that are old, equal or not there. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "control/lb_select.h"
#include "control/turn.h"

#define ROWS 65536
#define NOBODY 0xffff
#define MANY 2048
#define MS 1000000ULL

static struct sl_lb_member pool[MANY];
static uint16_t row[ROWS], other[ROWS];

static const enum sl_lb_select policies[] = {SL_LB_BY_HASH, SL_LB_BY_TURN, SL_LB_BY_AWRR,
					     SL_LB_BY_LEAST, SL_LB_BY_POWER_OF_TWO};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

/* Weight 1, all with the same fresh load. */
static void make(unsigned n, double load)
{
	for (unsigned i = 0; i < n; i++)
		pool[i] = (struct sl_lb_member){
			.server = {.name = 77 + 7919 * i, .weight = 1, .id = (uint16_t)(3 * i)},
			.load = load,
			.age_ns = 10 * MS};
}

static struct sl_lb_fill_opts opts(void)
{
	return (struct sl_lb_fill_opts){.stale_ns = 500 * MS, .seed = 5};
}

static void fill(enum sl_lb_select policy, unsigned n, struct sl_lb_fill_opts o)
{
	static uint64_t scratch[MANY * 16];

	cr_assert_leq(sl_lb_fill_scratch(n), sizeof(scratch));
	memset(scratch, 0xa5, sizeof(scratch));
	sl_lb_fill(policy, pool, n, &o, row, ROWS, NOBODY, scratch);
}

/* Of the member, in rows. */
static double share(unsigned i)
{
	unsigned n = 0;

	for (unsigned r = 0; r < ROWS; r++)
		n += row[r] == pool[i].server.id;
	return (double)n / ROWS;
}

/* --- all of them */

Test(lb_select, nobody_and_one)
{
	for (unsigned p = 0; p < POLICIES; p++) {
		make(1, 0.5);
		fill(policies[p], 0, opts());
		for (unsigned r = 0; r < ROWS; r++)
			cr_assert_eq(row[r], NOBODY, "policy %u", policies[p]);
		for (unsigned told = 0; told < 3; told++) {
			pool[0].server.id = 9;
			pool[0].load = told;
			pool[0].age_ns = told ? 0 : SL_LB_NEVER_TOLD;
			fill(policies[p], 1, opts());
			cr_assert_float_eq(share(0), 1, 0, "policy %u", policies[p]);
		}
	}
}

/* Loads that say nothing leave the weights: equal ones, zeros, stale ones, none ever told. */
Test(lb_select, without_a_difference_the_weights_decide)
{
	static const struct {
		double load, step;
		uint64_t age;
	} kinds[] = {{0.7, 0, 0}, {0, 0, 0}, {0.1, 0.1, 501 * MS}, {0, 0.1, SL_LB_NEVER_TOLD}};
	struct sl_lb_fill_opts o = opts();

	for (unsigned k = 0; k < 4; k++)
		for (unsigned p = 0; p < POLICIES - 1; p++)
			for (o.added = 0; o.added < 0.02; o.added += 0.01) {
				o.connections = 1000;
				make(5, 0);
				for (unsigned i = 0; i < 5; i++) {
					pool[i].server.weight = i + 1;
					pool[i].load = kinds[k].load + i * kinds[k].step;
					pool[i].age_ns = kinds[k].age;
				}
				fill(policies[p], 5, o);
				for (unsigned i = 0; i < 5; i++)
					cr_expect_float_eq(share(i), (i + 1) / 15.0, 0.0002,
							   "kind %u, policy %u, server %u: %f", k,
							   policies[p], i, share(i));
			}
}

/* Who does not tell is neither favoured nor shunned. */
Test(lb_select, a_stale_load_counts_as_the_mean)
{
	static const enum sl_lb_select by_load[] = {SL_LB_BY_AWRR, SL_LB_BY_LEAST,
						    SL_LB_BY_POWER_OF_TWO};
	struct sl_lb_fill_opts o = opts();

	o.connections = 100;
	o.added = 0.05;
	for (unsigned p = 0; p < 3; p++) {
		make(4, 0);
		for (unsigned i = 0; i < 4; i++)
			pool[i].load =
				0.2 + 0.2 * i; /* .2 .4 .6 .8; the third is the mean of others */
		pool[2].load = (0.2 + 0.4 + 0.8) / 3;
		fill(by_load[p], 4, o);
		memcpy(other, row, sizeof(row));
		pool[2].load = 0;
		pool[2].age_ns = o.stale_ns + 1;
		fill(by_load[p], 4, o);
		cr_expect_eq(memcmp(row, other, sizeof(row)), 0, "policy %u", by_load[p]);
		pool[2].age_ns = o.stale_ns;
		fill(by_load[p], 4, o);
		cr_expect_neq(memcmp(row, other, sizeof(row)), 0, "policy %u: fresh", by_load[p]);
	}
}

Test(lb_select, less_load_never_gets_less)
{
	struct sl_lb_fill_opts o = opts();

	o.connections = 500;
	o.added = 0.004;
	for (unsigned p = 2; p < POLICIES; p++) {
		make(40, 0);
		for (unsigned i = 0; i < 40; i++)
			pool[i].load = (i * 7 % 40) / 40.0;
		fill(policies[p], 40, o);
		for (unsigned i = 0; i < 40; i++)
			for (unsigned k = 0; k < 40; k++)
				if (pool[i].load < pool[k].load)
					/* a draw of random numbers may be a little off */
					cr_assert_geq(share(i) + 0.004, share(k), "policy %u",
						      policies[p]);
	}
}

/* A CPU may begin anywhere and get through little of the table. */
Test(lb_select, every_run_of_rows_is_a_fair_sample)
{
	struct sl_lb_fill_opts o = opts();

	o.connections = 200;
	o.added = 0.02;
	for (unsigned p = 1; p < POLICIES; p++) {
		make(8, 0);
		for (unsigned i = 0; i < 8; i++)
			pool[i].load = 0.3 + 0.05 * i;
		fill(policies[p], 8, o);
		for (unsigned from = 0; from + 800 <= ROWS; from += 5003) {
			for (unsigned i = 0; i < 8; i++) {
				double want = 800 * share(i), off = 3;
				unsigned got = 0;

				for (unsigned r = from; r < from + 800; r++)
					got += row[r] == pool[i].server.id;
				if (policies[p] == SL_LB_BY_POWER_OF_TWO)
					off = 5 * sqrt(want + 1);
				cr_expect_float_eq(got, want, off, "policy %u, server %u: %u",
						   policies[p], i, got);
			}
		}
	}
}

Test(lb_select, the_same_arguments_give_the_same_rows)
{
	struct sl_lb_fill_opts o = opts();

	for (unsigned p = 0; p < POLICIES; p++) {
		make(30, 0.4);
		pool[3].load = 0.1;
		fill(policies[p], 30, o);
		memcpy(other, row, sizeof(row));
		fill(policies[p], 30, o);
		cr_expect_eq(memcmp(row, other, sizeof(row)), 0, "policy %u", policies[p]);
	}
	o.seed++;
	fill(SL_LB_BY_POWER_OF_TWO, 30, o);
	cr_expect_neq(memcmp(row, other, sizeof(row)), 0, "another seed");
}

Test(lb_select, only_some_want_loads)
{
	cr_expect_not(sl_lb_select_by_load(SL_LB_BY_HASH));
	cr_expect_not(sl_lb_select_by_load(SL_LB_BY_TURN));
	cr_expect(sl_lb_select_by_load(SL_LB_BY_AWRR));
	cr_expect(sl_lb_select_by_load(SL_LB_BY_LEAST));
	cr_expect(sl_lb_select_by_load(SL_LB_BY_POWER_OF_TWO));
}

/* --- AWRR */

/* Shares of the weights that the formula gives, worked out by hand. */
static void awrr_expect(unsigned n, double alpha, const double *weight)
{
	struct sl_lb_fill_opts o = opts();
	double sum = 0;

	o.alpha = alpha;
	fill(SL_LB_BY_AWRR, n, o);
	for (unsigned i = 0; i < n; i++)
		sum += weight[i];
	for (unsigned i = 0; i < n; i++)
		cr_expect_float_eq(share(i), weight[i] / sum, 0.0002, "alpha %g, %u: %f", alpha, i,
				   share(i));
}

Test(lb_select, awrr_is_the_published_weight)
{
	make(3, 0);
	pool[0].load = 0.25;
	pool[1].load = 0.5;
	pool[2].load = 0.75; /* mean 0.5 */
	awrr_expect(3, 0, (const double[]){20, 10, 10 / 1.5});
	awrr_expect(3, 0.5, (const double[]){10 / 0.75, 10, 10 / 1.25});
	awrr_expect(3, 1, (const double[]){10, 10, 10});
	pool[0].load = 0.01;
	pool[1].load = 0.01;
	pool[2].load = 2.98; /* mean 1 */
	awrr_expect(3, 0, (const double[]){30, 30, 10 / 2.98});
	pool[2].load = 0; /* mean 1/150: idle, and below a third of the mean */
	awrr_expect(3, 0, (const double[]){10 * 2 / 3.0, 10 * 2 / 3.0, 30});
	make(8, 0);
	pool[7].load = 1; /* mean 1/8: eight times it, 1.25 if it were not for the bound */
	awrr_expect(8, 0, (const double[]){30, 30, 30, 30, 30, 30, 30, 2});
}

/* The mean that a stale load counts as is the pool's: (3 * 0.2 + 0.6) / 4. */
Test(lb_select, awrr_takes_the_mean_by_size)
{
	make(3, 0);
	pool[0].server.weight = 3;
	pool[0].load = 0.2;
	pool[1].load = 0.6;
	pool[2].age_ns = SL_LB_NEVER_TOLD;
	awrr_expect(3, 0, (const double[]){3 * 15, 5, 10});
}

/* The mean is the pool's: a big server's load counts by its size, and so does its share. */
Test(lb_select, awrr_multiplies_the_weight)
{
	make(2, 0);
	pool[0].server.weight = 3;
	pool[0].load = 0.2;
	pool[1].load = 0.6; /* mean (3 * 0.2 + 0.6) / 4 = 0.3 */
	awrr_expect(2, 0, (const double[]){3 * 15, 5});
}

/* --- least loaded */

Test(lb_select, least_sends_all_to_the_least_loaded)
{
	make(5, 0.5);
	pool[1].load = pool[4].load = 0.2;
	pool[4].server.weight = 3;
	fill(SL_LB_BY_LEAST, 5, opts());
	cr_expect_float_eq(share(1), 0.25, 0.0002);
	cr_expect_float_eq(share(4), 0.75, 0.0002);
}

/* 0.1 0.3 0.9 with 100 connections of 0.004: 0.4 fills the first two to 0.4. */
Test(lb_select, least_levels_what_is_to_come)
{
	struct sl_lb_fill_opts o = opts();

	make(3, 0);
	pool[0].load = 0.1;
	pool[1].load = 0.3;
	pool[2].load = 0.9;
	o.connections = 100;
	o.added = 0.004;
	fill(SL_LB_BY_LEAST, 3, o);
	cr_expect_float_eq(share(0), 0.75, 0.0002);
	cr_expect_float_eq(share(1), 0.25, 0.0002);
	cr_expect_float_eq(share(2), 0, 0);
	o.connections = 40; /* 0.16 do not reach the second */
	fill(SL_LB_BY_LEAST, 3, o);
	cr_expect_float_eq(share(0), 1, 0);
	o.connections = 1e6;
	fill(SL_LB_BY_LEAST, 3, o);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_float_eq(share(i), 1 / 3.0, 0.001);
	o.added = 1e-30; /* next to nothing: as if it were nothing */
	fill(SL_LB_BY_LEAST, 3, o);
	cr_expect_float_eq(share(0), 1, 0);
}

/* Twice the size takes twice the connections for the same rise: mean weight 1.5, 0.45 to spread. */
Test(lb_select, least_knows_sizes)
{
	struct sl_lb_fill_opts o = opts();

	make(2, 0.2);
	pool[1].server.weight = 2;
	pool[1].load = 0.3;
	o.connections = 100;
	o.added = 0.003;
	/* level 0.4166..: (0.45 + 0.2 + 2 * 0.3) / 3 */
	fill(SL_LB_BY_LEAST, 2, o);
	cr_expect_float_eq(share(0), (1.25 / 3 - 0.2) / 0.45, 0.0002);
}

/* --- power of two choices */

/* Of n equal ones, the k-th least loaded wins against all behind it: 2 (n - k) / (n (n - 1)). */
Test(lb_select, power_of_two_is_that_of_two_different_ones)
{
	make(10, 0);
	for (unsigned i = 0; i < 10; i++)
		pool[i].load = 0.05 * (double)(i + 1);
	fill(SL_LB_BY_POWER_OF_TWO, 10, opts());
	for (unsigned i = 0; i < 10; i++) {
		double want = 2 * (9.0 - i) / 90;

		cr_expect_float_eq(share(i), want, 5 * sqrt((want + 0.0001) / ROWS), "%u: %f", i,
				   share(i));
	}
	cr_expect_float_eq(share(9), 0, 0, "the worst never wins");
}

/* Both draws by weight: w_i / W * (w_i's chance to be first + to be second). */
static void expect_two_by_weight(const double *load)
{
	static const double w[] = {1, 2, 3, 4};
	double want[4] = {0};

	make(4, 0);
	for (unsigned i = 0; i < 4; i++) {
		pool[i].server.weight = i + 1;
		pool[i].load = load[i];
		for (unsigned k = 0; k < 4; k++)
			if (k != i)
				want[load[i] < load[k] ? i : k] += w[i] / 10 * w[k] / (10 - w[i]);
	}
	fill(SL_LB_BY_POWER_OF_TWO, 4, opts());
	for (unsigned i = 0; i < 4; i++)
		cr_expect_float_eq(share(i), want[i], 5 * sqrt((want[i] + 0.0001) / ROWS),
				   "%u: %f for %f", i, share(i), want[i]);
}

Test(lb_select, power_of_two_draws_by_weight)
{
	expect_two_by_weight((const double[]){0.1, 0.2, 0.3, 0.4});
	expect_two_by_weight((const double[]){0.4, 0.3, 0.2, 0.1});
	expect_two_by_weight((const double[]){0.3, 0.1, 0.4, 0.2});
}

/* --- turn.h, through which the weights go */

Test(lb_select, turn_is_exact_with_many_servers_and_large_weights)
{
	static struct sl_maglev_server s[MANY];
	static uint64_t scratch[MANY * 8];
	static unsigned got[MANY];
	double sum = 0;

	for (unsigned i = 0; i < MANY; i++) {
		s[i] = (struct sl_maglev_server){.weight = i % 7 ? 1 + i * 1000 : 0,
						 .id = (uint16_t)i};
		sum += s[i].weight;
	}
	sl_turn_fill(s, MANY, row, ROWS, NOBODY, scratch);
	for (unsigned r = 0; r < ROWS; r++)
		got[row[r]]++;
	for (unsigned i = 0; i < MANY; i++)
		cr_expect_float_eq(got[i], (double)ROWS * s[i].weight / sum, s[i].weight ? 1.01 : 0,
				   "%u: %u", i, got[i]);
	for (unsigned i = 0; i < MANY; i++)
		s[i].weight = 0;
	sl_turn_fill(s, MANY, row, ROWS, NOBODY, scratch);
	for (unsigned r = 0; r < ROWS; r++)
		cr_assert_eq(row[r], NOBODY);
}
