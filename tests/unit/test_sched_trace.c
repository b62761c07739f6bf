// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Google's trace against figures of an independent simulator: parts 235 to 238, equal shares, one
 * pool. Skipped where the parts are not there: ../shared/data/google2011, or SLUICE_GOOGLE2011.
 */
#include <criterion/criterion.h>
#include <glob.h>
#include <math.h>
#include <stdlib.h>

#include "cli/sched/replay.h"

#define WITHIN 0.03

/* Capacity as a part of mean use, policy, half-life in s; mean wait of a task, mean of users' mean
 * waits, tasks done in the horizon, mean of users' completion. */
static const struct row {
	double r;
	enum sl_policy policy;
	double half_life;
	bool no_floor;
	double want[4];
} table[] = {
	{0.50, SL_POLICY_DRF, 0, false, {11772.6, 273.6, 0.4293, 0.9860}},
	{0.50, SL_POLICY_SDRF, 692.8, true, {11832.0, 264.9, 0.4204, 0.9876}},
	{0.50, SL_POLICY_SDRF, 6931.1, true, {11828.3, 262.2, 0.4132, 0.9877}},
	{0.50, SL_POLICY_SDRF, 69314.4, true, {11798.4, 273.8, 0.4260, 0.9864}},
	{0.50, SL_POLICY_SDRF, 6931.1, false, {11826.8, 262.5, 0.4144, 0.9877}},
	{0.70, SL_POLICY_DRF, 0, false, {5555.9, 154.4, 0.5969, 0.9911}},
	{0.70, SL_POLICY_SDRF, 692.8, true, {5636.8, 140.5, 0.5971, 0.9943}},
	{0.70, SL_POLICY_SDRF, 6931.1, true, {5636.4, 140.0, 0.5969, 0.9943}},
	{0.70, SL_POLICY_SDRF, 69314.4, true, {5571.7, 150.1, 0.5974, 0.9919}},
	{0.70, SL_POLICY_SDRF, 6931.1, false, {5635.4, 139.6, 0.5972, 0.9943}},
	{0.80, SL_POLICY_DRF, 0, false, {3699.0, 112.6, 0.6905, 0.9938}},
	{0.80, SL_POLICY_SDRF, 692.8, true, {3737.8, 104.5, 0.6905, 0.9956}},
	{0.80, SL_POLICY_SDRF, 6931.1, true, {3738.1, 104.6, 0.6911, 0.9956}},
	{0.80, SL_POLICY_SDRF, 69314.4, true, {3718.7, 108.6, 0.6870, 0.9948}},
	{0.80, SL_POLICY_SDRF, 6931.1, false, {3738.6, 106.4, 0.6910, 0.9955}},
	{0.90, SL_POLICY_DRF, 0, false, {2303.8, 73.2, 0.7884, 0.9967}},
	{0.90, SL_POLICY_SDRF, 692.8, true, {2311.3, 70.8, 0.7903, 0.9971}},
	{0.90, SL_POLICY_SDRF, 6931.1, true, {2312.4, 70.8, 0.7903, 0.9971}},
	{0.90, SL_POLICY_SDRF, 69314.4, true, {2313.7, 71.8, 0.7901, 0.9970}},
	{0.90, SL_POLICY_SDRF, 6931.1, false, {2312.7, 72.4, 0.7903, 0.9970}},
	{1.00, SL_POLICY_DRF, 0, false, {1300.3, 48.6, 0.8698, 0.9981}},
	{1.00, SL_POLICY_SDRF, 692.8, true, {1299.8, 46.9, 0.8698, 0.9982}},
	{1.00, SL_POLICY_SDRF, 6931.1, true, {1299.7, 46.8, 0.8698, 0.9981}},
	{1.00, SL_POLICY_SDRF, 69314.4, true, {1299.8, 47.8, 0.8700, 0.9982}},
	{1.00, SL_POLICY_SDRF, 6931.1, false, {1300.2, 48.5, 0.8698, 0.9981}},
};

static void run(struct trace *t, const struct row *row)
{
	const double span = (double)(t->max_finish_us - t->min_start_us) / 1e6;
	struct replay replay = {.samples_n = 1, .users = trace_users(t)};
	struct sl_fair_opts *o = &replay.opts.fair;
	struct sl_error err = {""};
	double got[4];

	*o = (struct sl_fair_opts){.policy = row->policy,
				   .resources = t->resources,
				   .half_life = row->half_life,
				   .no_floor = row->no_floor};
	for (unsigned r = 0; r < t->resources; r++)
		o->capacity[r] = row->r * t->work[r] / span;
	replay.user = calloc(replay.users, sizeof(*replay.user));
	for (unsigned u = 0; u < replay.users; u++)
		replay.user[u].weight = 1;
	cr_assert_eq(trace_sort_rewind(t->sort), 0);
	cr_assert_eq(replay_run(&replay, t, &err), 0, "%s", err.text);
	cr_assert_eq(replay.started, t->tasks);
	got[0] = replay.wait_us / (double)replay.started / 1e6;
	got[1] = replay_mean_user_wait(&replay) / 1e6;
	got[2] = (double)replay.done / t->tasks;
	got[3] = replay_mean_user_completion(&replay);
	for (unsigned i = 0; i < 4; i++)
		cr_expect_leq(fabs(got[i] / row->want[i] - 1), WITHIN,
			      "R %g, policy %u, half-life %g, floor %d: column %u is %g, not %g",
			      row->r, row->policy, row->half_life, !row->no_floor, i, got[i],
			      row->want[i]);
	replay_free(&replay);
}

Test(sched_trace, every_cell_of_the_reproduction)
{
	const char *folder = getenv("SLUICE_GOOGLE2011");
	struct trace t = {.sort_bytes = 64 << 20};
	struct sl_error err = {""};
	char pattern[4096];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/part-0023[5-8]-of-00500.csv.gz",
		 folder ? folder : "../shared/data/google2011");
	if (glob(pattern, 0, NULL, &found) || found.gl_pathc != 4)
		cr_skip_test("the four parts of Google's trace are not at %s\n", pattern);
	cr_assert_eq(trace_read(&t, (const char *const *)found.gl_pathv, 4, &err), 0, "%s",
		     err.text);
	cr_assert_eq(t.tasks, 241573);
	cr_assert_eq(trace_users(&t), 88);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		run(&t, &table[i]);
	trace_free(&t);
	globfree(&found);
}
