/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gnuplot.h - data and a script in a folder, and gnuplot called there. Errors name --plot. */
#ifndef SL_CLI_SIM_GNUPLOT_H
#define SL_CLI_SIM_GNUPLOT_H

#include <stdio.h>

#include "platform/instance.h"

/* What a picture is made of; each writes its file whole. */
struct gnuplot_plot {
	/* A path; its name without folder and suffix is the files'. Letters that gnuplot would take
	 * for its own are replaced. */
	const char *scenario;
	const char *dir; /* made if there is none */
	void (*data)(const void *ctx, FILE *out);
	void (*script)(const void *ctx, const char *name, FILE *out);
	const void *ctx;
};

/* Data and script into the folder, and gnuplot draws. 0, -ENOENT if there is no gnuplot, -errno;
 * with a line in err. */
int gnuplot_draw(const struct gnuplot_plot *plot, struct sl_error *err);

#endif /* SL_CLI_SIM_GNUPLOT_H */
