// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sim/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

struct work {
	void (*run)(void *ctx, unsigned i);
	void *ctx;
	unsigned n;
	atomic_uint next;
};

uint32_t sim_jobs_default(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 1 ? 1 : cpus < SIM_JOBS_MAX ? (uint32_t)cpus : SIM_JOBS_MAX;
}

static void *work_off(void *arg)
{
	struct work *w = arg;
	unsigned i;

	while ((i = atomic_fetch_add(&w->next, 1)) < w->n)
		w->run(w->ctx, i);
	return NULL;
}

/* Threads that could not be started are made up for by this one. */
void sim_jobs_run(unsigned n, uint32_t threads, void (*run)(void *ctx, unsigned i), void *ctx)
{
	struct work w = {.run = run, .ctx = ctx, .n = n};
	pthread_t thread[SIM_JOBS_MAX];
	uint32_t started = 0;

	while (started + 1 < threads && started + 1 < n &&
	       !pthread_create(&thread[started], NULL, work_off, &w))
		started++;
	work_off(&w);
	while (started)
		pthread_join(thread[--started], NULL);
}
