/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - what came out of a simulation: JSON, text, pictures. */
#ifndef SL_CLI_SCHED_REPORT_H
#define SL_CLI_SCHED_REPORT_H

#include "cli/sched/replay.h"

/* Print; `complete`: the traces were read to their end; so many users in text, all in JSON. The
 * exit status. */
int sched_report(const struct replay *replay, const struct trace *trace, bool complete,
		 unsigned users, const char *policy);

/* Write shares.dat, waits.dat and sched.gnuplot into a directory, which is made, and run gnuplot on
 * them: shares.png, waits.png. 0 or -errno with a line. */
int sched_plot(const struct replay *replay, const struct trace *trace, const char *dir,
	       const char *policy, struct sl_error *err);

#endif /* SL_CLI_SCHED_REPORT_H */
