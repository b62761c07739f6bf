// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice sim: what a scenario would do under each policy. */
#include <errno.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/sim/jobs.h"
#include "cli/sim/report.h"

#define UNSET UINT64_MAX

struct sim_config {
	const char *file, *plot;
	uint32_t jobs;
	uint64_t seed;
};

static const struct opt_arg args[] = {
	ARG_STRING(struct sim_config, file, "SCENARIO", false, "scenario file, sluice-sim(5)"),
	ARG_END,
};

static const struct opt options[] = {
	OPT_STRING(struct sim_config, plot, 'P', "plot", "DIR",
		   "write data and a gnuplot script there, and have gnuplot draw"),
	OPT_U64(struct sim_config, seed, 's', "seed", "N", 0, 4294967295.0,
		"in place of the scenario's seed"),
	OPT_U32(struct sim_config, jobs, 'J', "jobs", "N", 1, SIM_JOBS_MAX,
		"runs at a time (default: one a CPU)"),
	OPT_END,
};

static const struct opt_spec spec = {
	"sim",
	"Simulate a scenario under several policies",
	args,
	options,
	"Time is simulated: the same scenario and seed give the same numbers everywhere. Nothing "
	"of\n"
	"this machine is touched. Scenarios to begin with are in docs/scenarios.\n",
};

struct work {
	struct sim_job *job;
	unsigned n;
};

static void run_one(void *ctx, unsigned i)
{
	struct sim_job *j = &((struct work *)ctx)->job[i];

	j->rc = sim_run(&j->scenario, j->policy, &j->result);
}

static int run_all(struct work *w, uint32_t threads, const char *file, struct sl_error *err)
{
	sim_jobs_run(w->n, threads, run_one, w);
	for (unsigned i = 0; i < w->n; i++)
		if (w->job[i].rc)
			return sl_error_set(err, w->job[i].rc,
					    "%s: no memory for the simulation: fewer cores, "
					    "buckets, flows or --jobs",
					    file);
	return 0;
}

static void plan(const struct sim_file *f, struct work *w)
{
	for (unsigned point = 0; point < f->points; point++)
		for (unsigned p = 0; p < f->policies; p++) {
			enum sim_policy policy = (enum sim_policy)f->policy[p];

			w->job[w->n++] = (struct sim_job){
				.point = point,
				.policy = policy,
				.scenario = sim_file_scenario(f, point, policy),
			};
		}
}

static int report(const struct sim_file *f, const struct sim_config *c, const struct work *w)
{
	struct sl_error err;
	int status;

	status = cli.json ? output_json(sim_report_json(f, w->job, w->n))
			  : sim_report_text(f, w->job, w->n);
	if (!status && c->plot && sim_plot(f, c->file, c->plot, w->job, w->n, &err))
		status = cli_fail(&err);
	return status;
}

static int simulate(struct sim_file *f, const struct sim_config *c)
{
	struct work w = {.job = calloc((size_t)f->points * f->policies, sizeof(*w.job))};
	struct sl_error err;
	int status;

	if (!w.job) {
		sl_error_set(&err, -ENOMEM, "%s: no memory", c->file);
		return cli_fail(&err);
	}
	plan(f, &w);
	if (run_all(&w, c->jobs, c->file, &err))
		status = cli_fail(&err);
	else
		status = report(f, c, &w);
	for (unsigned i = 0; i < w.n; i++)
		sim_result_free(&w.job[i].result);
	free(w.job);
	return status;
}

int cmd_sim(int argc, char **argv)
{
	struct sim_config config = {.seed = UNSET, .jobs = sim_jobs_default()};
	struct sim_file *file;
	struct sl_error err;
	int status;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	file = malloc(sizeof(*file));
	if (!file) {
		sl_error_set(&err, -ENOMEM, "no memory");
		return cli_fail(&err);
	}
	if (sim_file_load(file, config.file, &err)) {
		status = cli_fail(&err);
	} else {
		if (config.seed != UNSET)
			file->scenario.seed = config.seed;
		status = simulate(file, &config);
		sim_file_free(file);
	}
	free(file);
	return status;
}
