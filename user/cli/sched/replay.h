/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.h - a trace's tasks under a policy. Time jumps from event to event: at each end of a
 * task, and once for all arrivals of a time, the scheduler starts what it can; ends come before
 * arrivals.
 */
#ifndef SL_CLI_SCHED_REPLAY_H
#define SL_CLI_SCHED_REPLAY_H

#include <sluice/sched.h>

#include "cli/sched/trace.h"

#define REPLAY_TOP 8 /* users whose share is sampled */

struct replay_user {
	double weight;
	uint64_t tasks, started, done; /* done: by the horizon */
	double wait_us, wait_max_us; /* sum; longest */
	double share_us; /* dominant share times time, by tasks alone */
};

struct replay_sample {
	double time_us; /* after the first submission */
	double used[SL_FAIR_RESOURCES]; /* shares */
	double jain; /* of the dominant shares of users that have tasks; 1: nobody has */
	double share[REPLAY_TOP];
};

struct replay {
	struct sl_sched_opts opts;
	unsigned samples_n; /* evenly over the horizon */
	/* what came out */
	struct replay_user *user;
	unsigned users;
	unsigned top[REPLAY_TOP], top_n;
	struct replay_sample *sample;
	unsigned sampled;
	uint64_t started, done, too_large, end_us;
	double wait_us, decisions_seconds;
};

/* Run the tasks of `trace`, weights of users as given in replay->user (as many as the trace has).
 * 0, or -errno with a line. */
int replay_run(struct replay *replay, struct trace *trace, struct sl_error *err);
void replay_free(struct replay *replay);

/* Of users who had a turn; then of all. */
double replay_mean_user_wait(const struct replay *replay);
double replay_mean_user_completion(const struct replay *replay);
double replay_jain_completion(const struct replay *replay);
double replay_mean_jain(const struct replay *replay);

#endif /* SL_CLI_SCHED_REPLAY_H */
