// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sim/gnuplot.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_PLOT 1024
#define GNUPLOT_NAME 256

static FILE *create(const char *dir, const char *name, const char *suffix, struct sl_error *err)
{
	char path[PATH_PLOT];
	FILE *out;

	if (mkdir(dir, 0777) && errno != EEXIST) {
		sl_error_set(err, -errno, "--plot: %s: %s: give a folder that can be made", dir,
			     strerror(errno));
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
	out = fopen(path, "we");
	if (!out)
		sl_error_set(err, -errno, "--plot: %s: %s: give a folder that can be written to",
			     path, strerror(errno));
	return out;
}

static int finish(FILE *out, const char *dir, struct sl_error *err)
{
	int bad = ferror(out);

	if (fclose(out) || bad)
		return sl_error_set(err, -EIO, "--plot: %s: cannot be written: make room", dir);
	return 0;
}

/* 127 is execvp()'s: there is none. */
static int run(const char *dir, const char *script, struct sl_error *err)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return sl_error_set(err, -errno, "--plot: cannot start gnuplot: %s",
				    strerror(errno));
	if (!pid) {
		if (chdir(dir))
			_exit(126);
		execlp("gnuplot", "gnuplot", script, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return sl_error_set(err, -errno, "--plot: gnuplot: %s", strerror(errno));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return sl_error_set(err, -ENOENT,
				    "--plot: no gnuplot here: install gnuplot-nox, then run it in "
				    "%s on %s",
				    dir, script);
	return sl_error_set(err, -EIO, "--plot: gnuplot failed on %s/%s: see what it said", dir,
			    script);
}

static void plain_name(const char *scenario, char name[GNUPLOT_NAME])
{
	char copy[PATH_PLOT], *dot;

	snprintf(copy, sizeof(copy), "%s", scenario);
	snprintf(name, GNUPLOT_NAME - 16, "%s", basename(copy));
	dot = strrchr(name, '.');
	if (dot && dot != name)
		*dot = 0;
	for (char *c = name; *c; c++)
		if (*c == '\'' || *c == '\\')
			*c = '_';
}

static int write_file(const struct gnuplot_plot *plot, const char *name, const char *kind,
		      struct sl_error *err)
{
	FILE *out = create(plot->dir, name, kind, err);

	if (!out)
		return -EIO;
	if (!strcmp(kind, "dat"))
		plot->data(plot->ctx, out);
	else
		plot->script(plot->ctx, name, out);
	return finish(out, plot->dir, err);
}

int gnuplot_draw(const struct gnuplot_plot *plot, struct sl_error *err)
{
	char name[GNUPLOT_NAME], script[GNUPLOT_NAME + 16];
	int rc;

	plain_name(plot->scenario, name);
	rc = write_file(plot, name, "dat", err) ?: write_file(plot, name, "gnuplot", err);
	snprintf(script, sizeof(script), "%s.gnuplot", name);
	return rc ?: run(plot->dir, script, err);
}
