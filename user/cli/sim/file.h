/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h - a scenario file of `sluice sim`, checked whole; sluice-sim(5) documents every setting.
 */
#ifndef SL_CLI_SIM_FILE_H
#define SL_CLI_SIM_FILE_H

#include "platform/config.h"
#include "sim/sim.h"

#define SIM_POINTS_MAX 64
#define SIM_TITLE 128
#define SIM_FILE_PATH 512

/* What a sweep changes from point to point. */
enum sim_axis { AXIS_NONE, AXIS_LOAD, AXIS_CORES, AXIS_ZIPF, AXIS_BUCKETS, AXES };

/* What a picture shows. */
enum sim_figure { FIGURE_P95, FIGURE_LOSS, FIGURE_IMBALANCE, FIGURE_RATE, FIGURE_AWAKE, FIGURES };

struct sim_file {
	char title[SIM_TITLE];
	unsigned figure; /* enum sim_figure */
	bool series; /* the windows of each run are wanted */
	unsigned policy[SIM_POLICIES]; /* enum sim_policy, in the order given */
	unsigned policies;
	bool shared_by[SIM_POLICIES]; /* the policies that have one flow table for all cores */
	enum sim_axis axis;
	double point[SIM_POINTS_MAX];
	unsigned points; /* 1 without a sweep */
	char folder[SIM_FILE_PATH]; /* that paths in the file start from */
	char capture[SIM_FILE_PATH], sizes[SIM_FILE_PATH]; /* "": none */
	struct sim_scenario scenario;
	struct sl_balance_config balance;
	struct sim_record *record; /* owned; the scenario borrows them */
	struct sim_size *size;
};

/* Read and check. 0, and sim_file_free() it; -errno with one line "file:line: setting: what is
 * wrong: the mend". */
int sim_file_load(struct sim_file *f, const char *path, struct sl_error *err);
void sim_file_free(struct sim_file *f);

const char *sim_axis_name(enum sim_axis axis);

/* The scenario at a point of the sweep under a policy. */
struct sim_scenario sim_file_scenario(const struct sim_file *f, unsigned point,
				      enum sim_policy policy);

/* --- trace.c: what scenarios take from other files. 0 or -errno with a line in err. */
int sim_capture_load(const char *path, struct sim_record **record, uint32_t *n,
		     struct sl_error *err);
int sim_sizes_load(const char *path, struct sim_size **size, uint32_t *n, struct sl_error *err);

#endif /* SL_CLI_SIM_FILE_H */
