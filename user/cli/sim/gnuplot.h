/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gnuplot.h - data and a script in a folder, and gnuplot called there. Errors name --plot. */
#ifndef SL_CLI_SIM_GNUPLOT_H
#define SL_CLI_SIM_GNUPLOT_H

#include <stdio.h>

#include "platform/instance.h"

#define GNUPLOT_NAME 256

/* The scenario's name without folder and suffix; letters that gnuplot would take for its own are
 * replaced. */
void gnuplot_name(const char *scenario, char name[GNUPLOT_NAME]);
/* Open `dir`/NAME.SUFFIX to write, and make the folder if there is none. NULL: a line in err. */
FILE *gnuplot_create(const char *dir, const char *name, const char *suffix, struct sl_error *err);
/* Close it: 0, or -errno with a line. */
int gnuplot_finish(FILE *out, const char *dir, struct sl_error *err);
/* Run gnuplot in `dir`: 0, -ENOENT if there is none, -errno, with a line. */
int gnuplot_run(const char *dir, const char *script, struct sl_error *err);

#endif /* SL_CLI_SIM_GNUPLOT_H */
