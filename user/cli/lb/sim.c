// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice lb sim: servers behind a balancer, under one policy beside the other. */
#include "cli/lb/sim.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/output.h"
#include "cli/sim/jobs.h"

#define UNSET UINT64_MAX

struct lb_sim_config {
	const char *file, *plot;
	uint32_t jobs;
	uint64_t seed;
};

const struct opt_spec lb_sim_spec = {
	.command = "lb sim",
	.summary = "simulate servers behind a balancer under several policies",
	.args = (const struct opt_arg[]){ARG_STRING(struct lb_sim_config, file, "SCENARIO", false,
						    "scenario file, sluice-lb-sim(5)"),
					 ARG_END},
	.options =
		(const struct opt[]){
			OPT_STRING(struct lb_sim_config, plot, 'P', "plot", "DIR",
				   "write data and a gnuplot script there, and have gnuplot draw"),
			OPT_U64(struct lb_sim_config, seed, 's', "seed", "N", 0, 4294967295.0,
				"in place of the scenario's seed"),
			OPT_U32(struct lb_sim_config, jobs, 'J', "jobs", "N", 1, SIM_JOBS_MAX,
				"runs at a time (default: one a CPU)"),
			OPT_END},
	.notes = "Time is simulated: the same scenario and seed give the same numbers everywhere. "
		 "Nothing of\nthis machine is touched. Scenarios to begin with are in "
		 "docs/scenarios/lb.\n",
};

struct work {
	struct pool_job *job;
	unsigned n;
};

static void run_one(void *ctx, unsigned i)
{
	struct pool_job *j = &((struct work *)ctx)->job[i];

	j->rc = pool_run(&j->scenario, j->policy, &j->result);
}

static int report(const struct pool_file *f, const struct lb_sim_config *c, const struct work *w)
{
	struct sl_error err;
	int status;

	for (unsigned i = 0; i < w->n; i++)
		if (w->job[i].rc) {
			sl_error_set(&err, w->job[i].rc,
				     "%s: no memory for the simulation: fewer servers, shorter "
				     "flows or fewer --jobs",
				     c->file);
			return cli_fail(&err);
		}
	status = cli.json ? output_json(pool_report_json(f, w->job, w->n))
			  : pool_report_text(f, w->job, w->n);
	if (!status && c->plot && pool_plot(f, c->file, c->plot, w->job, w->n, &err))
		status = cli_fail(&err);
	return status;
}

static int simulate(const struct pool_file *f, const struct lb_sim_config *c)
{
	struct work w = {.job = calloc((size_t)f->points * f->policies, sizeof(*w.job))};
	struct sl_error err;
	int status;

	if (!w.job) {
		sl_error_set(&err, -ENOMEM, "%s: no memory", c->file);
		return cli_fail(&err);
	}
	for (unsigned point = 0; point < f->points; point++)
		for (unsigned p = 0; p < f->policies; p++)
			w.job[w.n++] = (struct pool_job){
				.point = point,
				.policy = (enum pool_policy)f->policy[p],
				.scenario = pool_file_scenario(f, point),
			};
	sim_jobs_run(w.n, c->jobs, run_one, &w);
	status = report(f, c, &w);
	free(w.job);
	return status;
}

int lb_sim(int argc, char **argv)
{
	struct lb_sim_config config = {.seed = UNSET, .jobs = sim_jobs_default()};
	struct pool_file file;
	struct sl_error err;
	int status;

	if (!opt_parse(&lb_sim_spec, argc, argv, &config, &status))
		return status;
	if (pool_file_load(&file, config.file, &err))
		return cli_fail(&err);
	if (config.seed != UNSET)
		file.scenario.seed = config.seed;
	return simulate(&file, &config);
}
