/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rounds.h - benches whose subjects take turns in rounds of one run: medians over the rounds, the
 * CPU to stay on, and the machine in words.
 */
#ifndef TESTS_BENCH_ROUNDS_H
#define TESTS_BENCH_ROUNDS_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 99

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(const double *values, unsigned n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), by_value);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static inline double median_ratio(const double *a, const double *b, unsigned n)
{
	double ratio[ROUNDS_MAX];

	for (unsigned i = 0; i < n; i++)
		ratio[i] = a[i] / b[i];
	return median(ratio, n);
}

static inline double median_difference(const double *a, const double *b, unsigned n)
{
	double extra[ROUNDS_MAX];

	for (unsigned i = 0; i < n; i++)
		extra[i] = a[i] - b[i];
	return median(extra, n);
}

static inline void stay_on_this_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* Others run too: what the thread has used, not what time it is. */
static inline double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline void machine(char *text, size_t size)
{
	char line[256], cpu[128] = "unknown";
	struct utsname u;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "model name : %127[^\n]", cpu) == 1)
			break;
	if (f)
		fclose(f);
	uname(&u);
	snprintf(text, size, "\"cpu\":\"%s\",\"cpus\":%ld,\"kernel\":\"%s\"", cpu,
		 sysconf(_SC_NPROCESSORS_ONLN), u.release);
}

#endif /* TESTS_BENCH_ROUNDS_H */
