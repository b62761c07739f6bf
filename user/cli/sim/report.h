/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - the runs of a scenario and what is shown of them. */
#ifndef SL_CLI_SIM_REPORT_H
#define SL_CLI_SIM_REPORT_H

#include <jansson.h>

#include "cli/sim/file.h"

/* One policy at one point of the sweep. */
struct sim_job {
	unsigned point;
	enum sim_policy policy;
	struct sim_scenario scenario;
	struct sim_result result;
	int rc;
};

/* {scenario, title, axis, rows: [...]}; NULL on no memory. */
json_t *sim_report_json(const struct sim_file *f, const struct sim_job *jobs, unsigned n);

/* A table. Returns the exit status. */
int sim_report_text(const struct sim_file *f, const struct sim_job *jobs, unsigned n);

/*
 * Write `dir`/NAME.dat and NAME.gnuplot, NAME being the scenario file's, and have gnuplot make
 * NAME.svg. 0 or -errno with a line in err; -ENOENT: there is no gnuplot, the files are written.
 */
int sim_plot(const struct sim_file *f, const char *scenario, const char *dir,
	     const struct sim_job *jobs, unsigned n, struct sl_error *err);

#endif /* SL_CLI_SIM_REPORT_H */
