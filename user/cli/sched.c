// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice sched: tasks of a trace under a fair-share policy. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/sched/report.h"

#define NS 1e9

static const char *const policy_words[] = {"drf", "sdrf", "drfq", "karma", "maxmin", NULL};
static const char *const format_words[] = {"auto", "google", "csv", NULL};
static const char *const fit_words[] = {"first", "best", "dominant", NULL};
static const char *const unit_words[] = {"s", "ms", "us", NULL};

struct sched_config {
	struct opt_list files, weights;
	unsigned policy, format, fit, unit;
	uint64_t half_life_ns, quantum_ns, memory_ns, sort_bytes;
	double capacity, borrowable;
	const char *size, *resource, *plot;
	double size_of[SL_FAIR_RESOURCES];
	unsigned sizes;
	uint32_t machines, samples, users;
	bool no_floor;
};

static const struct opt_arg args[] = {
	{.name = "TRACE",
	 .type = OPT_TYPE_LIST,
	 .offset = OPT_MEMBER(struct sched_config, files, struct opt_list),
	 .help = "files in order, gzip or not; - is standard input"},
	ARG_END,
};

static const struct opt options[] = {
	OPT_CHOICE(struct sched_config, policy, 'P', "policy", "POLICY", policy_words,
		   "drf, sdrf (default), drfq, karma or maxmin"),
	OPT_DURATION(struct sched_config, half_life_ns, 0, "half-life", "TIME", 1e6, 1e18,
		     "sdrf: of commitments (default 8h)"),
	OPT_FLAG(struct sched_config, no_floor, 0, "no-floor",
		 "sdrf: do not put users below their equal share first"),
	OPT_DURATION(struct sched_config, memory_ns, 0, "memory", "TIME", 0, 1e18,
		     "drfq: how far two resources may drift apart (default 0)"),
	OPT_DOUBLE(struct sched_config, borrowable, 0, "borrowable", "SHARE", 0, 1,
		   "karma: part of the equal share that is not guaranteed (default 0.5)"),
	OPT_DURATION(struct sched_config, quantum_ns, 0, "quantum", "TIME", 1e3, 1e15,
		     "karma: credits change hands so often (default 1m)"),
	OPT_STRING(struct sched_config, resource, 0, "resource", "NAME",
		   "maxmin: the resource that counts (default: the first)"),
	OPT_DOUBLE(struct sched_config, capacity, 'c', "capacity", "R", 1e-6, 1e6,
		   "so many times the trace's mean use (default 1)"),
	OPT_STRING(struct sched_config, size, 's', "size", "LIST",
		   "instead: capacity of each resource, such as 9,18"),
	OPT_U32(struct sched_config, machines, 'm', "machines", "N", 1, SL_SCHED_MACHINES,
		"N equal machines instead of one pool"),
	OPT_CHOICE(struct sched_config, fit, 0, "fit", "FIT", fit_words,
		   "which machine: first (default), best, dominant"),
	OPT_LIST(struct sched_config, weights, 'w', "weight", "WEIGHT",
		 "USER=N: weight of a user (default 1); repeatable"),
	OPT_CHOICE(struct sched_config, format, 'f', "format", "FORMAT", format_words,
		   "google (task_events), csv, or auto (default)"),
	OPT_CHOICE(struct sched_config, unit, 0, "unit", "UNIT", unit_words,
		   "of a CSV's times: s (default), ms, us"),
	OPT_U32(struct sched_config, users, 'n', "users", "N", 0, SL_FAIR_USERS,
		"print so many users (default 10; JSON has all)"),
	OPT_U32(struct sched_config, samples, 0, "samples", "N", 1, 100000,
		"samples of the shares over time (default 200)"),
	OPT_STRING(struct sched_config, plot, 0, "plot", "DIR", "pictures by gnuplot into DIR"),
	OPT_SIZE(struct sched_config, sort_bytes, 0, "sort-memory", "BYTES", 1 << 20, 1e12,
		 "what exceeds it is sorted in a file (default 64M)"),
	OPT_END,
};

static const struct opt_spec spec = {
	"sched",
	"Run the tasks of a trace under a fair-share policy and tell who waits",
	args,
	options,
	"A trace is Google's task_events of 2011 (13 columns), or a CSV whose first row names "
	"submit,\n"
	"duration (or start and finish), user, maybe weight, and any resources. All of it is in\n"
	"sluice-sched(8).\n",
};

/* A line that is written over, on a terminal. */
static void progress(const char *what, double share, uint64_t done)
{
	static const char bar[] = "########################################";
	const int width = (int)((share < 1 ? share : 1) * (sizeof(bar) - 1));

	if (share < 0)
		fprintf(stderr, "\r%-10s %llu", what, (unsigned long long)done);
	else
		fprintf(stderr, "\r%-10s [%-*.*s] %3.0f%%", what, (int)sizeof(bar) - 1, width, bar,
			100 * share);
}

static void progress_end(const struct trace *t)
{
	if (t->progress)
		fprintf(stderr, "\r%*s\r", 70, "");
}

/* --size, word by word. */
static int read_sizes(struct sched_config *c, struct sl_error *err)
{
	const char *at = c->size;
	char *end;

	for (; at; at = *end ? end + 1 : NULL) {
		const double value = strtod(at, &end);

		if (end == at || (*end && *end != ',') || !(value > 0) || !isfinite(value) ||
		    c->sizes == SL_FAIR_RESOURCES)
			return sl_error_set(
				err, -EINVAL,
				"--size: \"%s\" is not allowed; give up to %d numbers above 0, "
				"with commas",
				c->size, SL_FAIR_RESOURCES);
		c->size_of[c->sizes++] = value;
	}
	return 0;
}

/* USER=N: where the equals sign is and what N is, or NULL. */
static const char *split_weight(const char *word, double *weight)
{
	const char *equals = strrchr(word, '=');
	char *end;

	if (!equals)
		return NULL;
	*weight = strtod(equals + 1, &end);
	return end > equals + 1 && !*end && *weight >= SL_FAIR_WEIGHT_MIN &&
			       *weight <= SL_FAIR_WEIGHT_MAX
		       ? equals
		       : NULL;
}

/* What is wrong whatever the trace says. */
static int check_words(struct sched_config *c, struct sl_error *err)
{
	double weight;

	for (unsigned i = 0; i < c->weights.n; i++)
		if (!split_weight(c->weights.v[i], &weight))
			return sl_error_set(
				err, -EINVAL,
				"--weight: \"%s\" is not allowed; give USER=N, N from %g to %g",
				c->weights.v[i], SL_FAIR_WEIGHT_MIN, SL_FAIR_WEIGHT_MAX);
	return read_sizes(c, err);
}

static int set_capacity(const struct sched_config *c, const struct trace *t, struct sl_fair_opts *o,
			struct sl_error *err)
{
	const double span = (double)(t->max_finish_us - t->min_start_us) / 1e6;

	if (c->sizes && c->sizes != o->resources)
		return sl_error_set(err, -EINVAL,
				    "--size: the trace has %u resources, %u numbers were given",
				    o->resources, c->sizes);
	memcpy(o->capacity, c->size_of, sizeof(o->capacity));
	for (unsigned r = 0; !c->sizes && r < o->resources; r++) {
		if (!(span > 0) || !(t->work[r] > 0))
			return sl_error_set(err, -EINVAL,
					    "nobody uses \"%s\" in the trace: give --size",
					    t->resource_name[r]);
		o->capacity[r] = c->capacity * t->work[r] / span;
	}
	return 0;
}

static int set_resource(const char *name, const struct trace *t, struct sl_fair_opts *o,
			struct sl_error *err)
{
	while (name && o->resource < t->resources && strcmp(t->resource_name[o->resource], name))
		o->resource++;
	if (o->resource < t->resources)
		return 0;
	return sl_error_set(err, -EINVAL, "--resource: the trace has no resource \"%s\"", name);
}

static int set_weights(const struct opt_list *list, const struct trace *t, struct replay *replay,
		       struct sl_error *err)
{
	for (unsigned u = 0; u < replay->users; u++)
		replay->user[u].weight = trace_user_weight(t, u);
	for (unsigned i = 0; i < list->n; i++) {
		double weight = 1;
		const size_t len = (size_t)(split_weight(list->v[i], &weight) - list->v[i]);
		unsigned u = 0;

		while (u < replay->users && (strncmp(trace_user_name(t, u), list->v[i], len) ||
					     trace_user_name(t, u)[len]))
			u++;
		if (u == replay->users)
			return sl_error_set(err, -EINVAL,
					    "--weight: the trace has no user \"%.*s\"", (int)len,
					    list->v[i]);
		replay->user[u].weight = weight;
	}
	return 0;
}

static int set_up(const struct sched_config *c, struct trace *t, struct replay *replay,
		  struct sl_error *err)
{
	struct sl_fair_opts *o = &replay->opts.fair;
	int ret;

	*o = (struct sl_fair_opts){.policy = c->policy,
				   .resources = t->resources,
				   .half_life = (double)c->half_life_ns / NS,
				   .no_floor = c->no_floor,
				   .memory = (double)c->memory_ns / NS,
				   .borrowable = c->borrowable,
				   .quantum = (double)c->quantum_ns / NS};
	replay->opts.machines = c->machines;
	replay->opts.fit = c->fit;
	replay->samples_n = c->samples;
	replay->users = trace_users(t);
	replay->user = calloc(replay->users + 1, sizeof(*replay->user));
	if (!replay->user)
		return sl_error_set(err, -ENOMEM, "no memory");
	ret = set_capacity(c, t, o, err);
	if (!ret)
		ret = set_resource(c->resource, t, o, err);
	return ret ? ret : set_weights(&c->weights, t, replay, err);
}

/* After an error in a trace what was read before it is used, and the exit status tells. */
static int run(struct sched_config *c, struct trace *t, struct replay *replay)
{
	struct sl_error err = {""};
	int status = 0;

	if (check_words(c, &err))
		return opt_usage(&spec, "%s", err.text);
	if (trace_read(t, c->files.v, c->files.n, &err)) {
		progress_end(t);
		status = cli_fail(&err);
	}
	if (!t->tasks) {
		if (!status)
			sl_error_set(&err, -EINVAL, "no complete task in %s", c->files.v[0]);
		return status ? status : cli_fail(&err);
	}
	if (set_up(c, t, replay, &err))
		return opt_usage(&spec, "%s", err.text);
	if (replay_run(replay, t, &err)) {
		progress_end(t);
		return cli_fail(&err);
	}
	progress_end(t);
	if (sched_report(replay, t, !status, c->users, policy_words[c->policy]))
		return EXIT_FAILED;
	if (c->plot && sched_plot(replay, t, c->plot, policy_words[c->policy], &err))
		return cli_fail(&err);
	return status;
}

int cmd_sched(int argc, char **argv)
{
	static const double unit_us[] = {1e6, 1e3, 1};
	struct sched_config c = {.policy = SL_POLICY_SDRF,
				 .half_life_ns = 8 * 3600 * 1000000000ull,
				 .quantum_ns = 60 * 1000000000ull,
				 .capacity = 1,
				 .borrowable = 0.5,
				 .machines = 1,
				 .samples = 200,
				 .users = 10,
				 .sort_bytes = 64 << 20};
	struct replay replay = {0};
	struct trace t;
	int status;

	if (!opt_parse(&spec, argc, argv, &c, &status))
		return status;
	t = (struct trace){.format = c.format,
			   .unit_us = unit_us[c.unit],
			   .sort_bytes = c.sort_bytes,
			   .progress = isatty(STDERR_FILENO) ? progress : NULL};
	status = run(&c, &t, &replay);
	replay_free(&replay);
	trace_free(&t);
	return status;
}
