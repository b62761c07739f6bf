// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sched/report.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "cli/options.h"
#include "cli/output.h"

static double mean(double sum, uint64_t n)
{
	return n ? sum / (double)n : 0;
}

static json_t *user_row(const struct replay *replay, const struct trace *trace, unsigned u)
{
	const struct replay_user *user = &replay->user[u];
	const double span = (double)(replay->end_us - trace->first_submit_us);

	return json_pack("{s:s, s:f, s:I, s:I, s:f, s:f, s:f, s:f}", "user",
			 trace_user_name(trace, u), "weight", user->weight, "tasks",
			 (json_int_t)user->tasks, "done", (json_int_t)user->done, "mean_wait_s",
			 mean(user->wait_us, user->started) / 1e6, "max_wait_s",
			 user->wait_max_us / 1e6, "completion",
			 user->tasks ? (double)user->done / (double)user->tasks : 1.0, "mean_share",
			 span > 0 ? user->share_us / span : 0.0);
}

static json_t *user_rows(const struct replay *replay, const struct trace *trace)
{
	json_t *rows = json_array();

	for (unsigned u = 0; u < replay->users; u++)
		json_array_append_new(rows, user_row(replay, trace, u));
	return rows;
}

static json_t *resource_rows(const struct replay *replay, const struct trace *trace)
{
	const double span = (double)(trace->max_finish_us - trace->min_start_us) / 1e6;
	json_t *rows = json_array();

	for (unsigned r = 0; r < trace->resources; r++)
		json_array_append_new(rows,
				      json_pack("{s:s, s:f, s:f}", "name", trace->resource_name[r],
						"capacity", replay->opts.fair.capacity[r],
						"mean_use_of_trace",
						span > 0 ? trace->work[r] / span : 0.0));
	return rows;
}

static json_t *sample_rows(const struct replay *replay, const struct trace *trace)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < replay->sampled; i++) {
		const struct replay_sample *s = &replay->sample[i];
		json_t *used = json_array(), *shares = json_object();

		for (unsigned r = 0; r < trace->resources; r++)
			json_array_append_new(used, json_real(s->used[r]));
		for (unsigned t = 0; t < replay->top_n; t++)
			json_object_set_new(shares, trace_user_name(trace, replay->top[t]),
					    json_real(s->share[t]));
		json_array_append_new(rows,
				      json_pack("{s:f, s:o, s:f, s:o}", "time_s", s->time_us / 1e6,
						"used", used, "jain", s->jain, "shares", shares));
	}
	return rows;
}

/* The most memory that this process had at a time. */
static json_int_t peak_kb(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss;
}

static json_t *document(const struct replay *replay, const struct trace *trace, bool complete,
			const char *policy)
{
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:i, s:I, s:o, s:f, s:f, s:f, s:f, s:f, s:f, "
			 "s:f, s:f, s:I, s:o, "
			 "s:o}",
			 "policy", policy, "complete", complete, "rows", (json_int_t)trace->rows,
			 "skipped", (json_int_t)trace->skipped, "tasks", (json_int_t)trace->tasks,
			 "users", (int)replay->users, "too_large", (json_int_t)replay->too_large,
			 "resources", resource_rows(replay, trace), "horizon_s",
			 (double)(trace->max_finish_us - trace->first_submit_us) / 1e6,
			 "mean_wait_s", mean(replay->wait_us, replay->started) / 1e6,
			 "mean_user_wait_s", replay_mean_user_wait(replay) / 1e6, "completion",
			 trace->tasks ? (double)replay->done / trace->tasks : 1.0,
			 "mean_user_completion", replay_mean_user_completion(replay),
			 "jain_completion", replay_jain_completion(replay), "jain_share",
			 replay_mean_jain(replay), "seconds", replay->decisions_seconds, "peak_kb",
			 peak_kb(), "per_user", user_rows(replay, trace), "over_time",
			 sample_rows(replay, trace));
}

static int by_tasks(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	const json_int_t m = json_integer_value(json_object_get(*x, "tasks"));
	const json_int_t n = json_integer_value(json_object_get(*y, "tasks"));

	return m < n ? 1 : m > n ? -1 : 0;
}

/* The users with the most tasks. */
static void print_users(const json_t *all, unsigned most)
{
	static const struct column columns[] = {
		{"user", "user", ALIGN_LEFT, NULL},
		{"tasks", "tasks", ALIGN_RIGHT, NULL},
		{"mean_wait_s", "mean wait s", ALIGN_RIGHT, NULL},
		{"max_wait_s", "longest s", ALIGN_RIGHT, NULL},
		{"completion", "done", ALIGN_RIGHT, format_percent},
		{"mean_share", "share", ALIGN_RIGHT, format_percent},
		{0}};
	const size_t n = json_array_size(all);
	json_t **row = malloc((n + 1) * sizeof(json_t *));
	json_t *shown = json_array();

	for (size_t i = 0; row && i < n; i++)
		row[i] = json_array_get(all, i);
	if (row)
		qsort(row, n, sizeof(json_t *), by_tasks);
	for (size_t i = 0; row && i < n && i < most; i++)
		json_array_append(shown, row[i]);
	output_table(shown, columns);
	if (n > most)
		printf("(%zu more user%s)\n", n - most, n - most == 1 ? "" : "s");
	json_decref(shown);
	free(row);
}

int sched_report(const struct replay *replay, const struct trace *trace, bool complete,
		 unsigned users, const char *policy)
{
	json_t *d = document(replay, trace, complete, policy);

	if (cli.json || !d)
		return output_json(d);
	if (!complete)
		printf("what was read of the trace: ");
	printf("%s: %u tasks of %u users", policy, trace->tasks, replay->users);
	for (unsigned r = 0; r < trace->resources; r++)
		printf(", %s %.6g", trace->resource_name[r], replay->opts.fair.capacity[r]);
	printf("\nmean wait %.1f s a task, %.1f s a user; done by the trace's end %.1f%% of the "
	       "tasks, %.1f%% of a user's\n"
	       "Jain's index %.3f of completion, %.3f of dominant shares\n",
	       mean(replay->wait_us, replay->started) / 1e6, replay_mean_user_wait(replay) / 1e6,
	       trace->tasks ? 100.0 * (double)replay->done / trace->tasks : 100.0,
	       100 * replay_mean_user_completion(replay), replay_jain_completion(replay),
	       replay_mean_jain(replay));
	if (replay->too_large)
		printf("%llu task%s no machine and never started\n",
		       (unsigned long long)replay->too_large,
		       replay->too_large == 1 ? " fits" : "s fit");
	print_users(json_object_get(d, "per_user"), users);
	json_decref(d);
	return 0;
}
