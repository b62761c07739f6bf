/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim.h - sluice lb sim: scenarios of sim/pool.h, and what is shown of them. */
#ifndef SL_CLI_LB_SIM_H
#define SL_CLI_LB_SIM_H

#include <jansson.h>

#include "cli/options.h"
#include "sim/pool.h"

#define POOL_POINTS_MAX 64
#define POOL_TITLE 128

/* What a sweep changes from point to point. */
enum pool_axis {
	POOL_AXIS_NONE,
	POOL_AXIS_LOAD,
	POOL_AXIS_SERVERS,
	POOL_AXIS_REPORT, /* ns */
	POOL_AXIS_LASTS, /* ns */
	POOL_AXIS_SHAPE,
	POOL_AXIS_MOST,
	POOL_AXIS_FASTEST,
	POOL_AXES
};

/* What a picture shows. */
enum pool_figure { POOL_FIGURE_P99, POOL_FIGURE_P50, POOL_FIGURE_VARIANCE, POOL_FIGURE_DELIVERED };
#define POOL_FIGURES 4

/* A scenario file, checked whole; sluice-lb-sim(5) documents every setting. */
struct pool_file {
	char title[POOL_TITLE];
	unsigned figure; /* enum pool_figure */
	unsigned policy[POOL_POLICIES]; /* enum pool_policy, in the order given */
	unsigned policies;
	enum pool_axis axis;
	double point[POOL_POINTS_MAX];
	unsigned points; /* 1 without a sweep */
	bool requests, streams; /* which traffic was given */
	struct pool_scenario scenario;
};

/* One policy at one point of the sweep. */
struct pool_job {
	unsigned point;
	enum pool_policy policy;
	struct pool_scenario scenario;
	struct pool_result result;
	int rc;
};

extern const struct opt_spec lb_sim_spec;
int lb_sim(int argc, char **argv);

/* --- sim_file.c */
/* 0, or -errno with one line "file:line: setting: what is wrong: the mend". */
int pool_file_load(struct pool_file *f, const char *path, struct sl_error *err);
const char *pool_axis_name(enum pool_axis axis);
/* A point as the file has it: times in ms. */
double pool_point(const struct pool_file *f, unsigned point);
struct pool_scenario pool_file_scenario(const struct pool_file *f, unsigned point);

/* --- sim_report.c */
/* NULL on no memory. */
json_t *pool_report_json(const struct pool_file *f, const struct pool_job *jobs, unsigned n);
/* The exit status. */
int pool_report_text(const struct pool_file *f, const struct pool_job *jobs, unsigned n);
/* As sim_plot() of cli/sim/report.h. */
int pool_plot(const struct pool_file *f, const char *scenario, const char *dir,
	      const struct pool_job *jobs, unsigned n, struct sl_error *err);

#endif /* SL_CLI_LB_SIM_H */
