// SPDX-License-Identifier: GPL-2.0-or-later
/* plot.c - pictures by gnuplot. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sched/report.h"

extern char **environ;

static FILE *open_in(const char *dir, const char *name, struct sl_error *err)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	if (!out)
		sl_error_set(err, -errno, "--plot: cannot write %s: %s", path, strerror(errno));
	return out;
}

static int close_file(FILE *out, const char *dir, struct sl_error *err)
{
	const bool bad = ferror(out);

	if (fclose(out) || bad)
		return sl_error_set(err, -EIO, "--plot: cannot write into %s: %s", dir,
				    strerror(errno));
	return 0;
}

static int write_shares(const struct replay *replay, const char *dir, struct sl_error *err)
{
	FILE *out = open_in(dir, "shares.dat", err);

	if (!out)
		return -EIO;
	for (unsigned i = 0; i < replay->sampled; i++) {
		const struct replay_sample *s = &replay->sample[i];

		fprintf(out, "%.6g %.6g", s->time_us / 3.6e9, s->jain);
		for (unsigned t = 0; t < replay->top_n; t++)
			fprintf(out, " %.6g", s->share[t]);
		fputc('\n', out);
	}
	return close_file(out, dir, err);
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Users' mean waits, ascending: a distribution. */
static int write_waits(const struct replay *replay, const char *dir, struct sl_error *err)
{
	double *wait = calloc(replay->users + 1, sizeof(*wait));
	FILE *out = open_in(dir, "waits.dat", err);
	unsigned n = 0;

	if (!out || !wait) {
		free(wait);
		if (out)
			fclose(out);
		return -EIO;
	}
	for (unsigned u = 0; u < replay->users; u++)
		if (replay->user[u].started)
			wait[n++] = replay->user[u].wait_us / (double)replay->user[u].started / 1e6;
	qsort(wait, n, sizeof(*wait), ascending);
	for (unsigned u = 0; u < n; u++)
		fprintf(out, "%.6g %.6g\n", wait[u], (u + 1.0) / n);
	free(wait);
	return close_file(out, dir, err);
}

static int write_script(const struct replay *replay, const struct trace *trace, const char *dir,
			const char *policy, struct sl_error *err)
{
	FILE *out = open_in(dir, "sched.gnuplot", err);

	if (!out)
		return -EIO;
	fprintf(out,
		"set terminal pngcairo size 1000,600 noenhanced\n"
		"set output 'shares.png'\nset title 'dominant shares, %s'\nset xlabel 'hours'\n"
		"set yrange [0:1]\nset key outside\n"
		"plot 'shares.dat' using 1:2 with lines dashtype 2 linecolor 'gray' title 'Jain "
		"index'",
		policy);
	for (unsigned t = 0; t < replay->top_n; t++)
		fprintf(out, ", '' using 1:%u with lines title 'user %u (%llu tasks)'", t + 3,
			replay->top[t], (unsigned long long)replay->user[replay->top[t]].tasks);
	fprintf(out,
		"\nset output 'waits.png'\nset title 'mean waits of %u users, %s'\n"
		"set xlabel 'seconds'\nset ylabel 'users'\nset logscale x\nset xrange "
		"[0.1:*]\nunset key\n"
		"plot 'waits.dat' using ($1 > 0.1 ? $1 : 0.1):2 with steps\n",
		trace_users(trace), policy);
	return close_file(out, dir, err);
}

static int run_gnuplot(const char *dir, struct sl_error *err)
{
	char *const argv[] = {"gnuplot", "sched.gnuplot", NULL};
	posix_spawn_file_actions_t actions;
	int status = 0, ret;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, dir);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (ret)
		return sl_error_set(
			err, -ret,
			"--plot: no gnuplot (%s): install gnuplot-nox and run it in %s on "
			"sched.gnuplot",
			strerror(ret), dir);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status)
		       ? 0
		       : sl_error_set(err, -EIO, "--plot: gnuplot failed in %s", dir);
}

int sched_plot(const struct replay *replay, const struct trace *trace, const char *dir,
	       const char *policy, struct sl_error *err)
{
	int ret;

	if (mkdir(dir, 0777) && errno != EEXIST)
		return sl_error_set(err, -errno, "--plot: cannot make %s: %s", dir,
				    strerror(errno));
	ret = write_shares(replay, dir, err);
	if (!ret)
		ret = write_waits(replay, dir, err);
	if (!ret)
		ret = write_script(replay, trace, dir, policy, err);
	return ret ? ret : run_gnuplot(dir, err);
}
