// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * own_calls IF - a program on libsluice that behaves badly: checks how the calls wait, then takes a
 * few packets as worker 0, completes nothing, never serves worker 1, and on SIGTERM closes over
 * full rings. What it found wrong it says on standard error, and its exit status is 1.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sluice/sluice.h>

#define TAKEN 4
#define check(what) ((what) ? (void)0 : failed(#what, __LINE__))

static struct sl_dataplane *dp;
static int status;

static void failed(const char *what, int line)
{
	fprintf(stderr, "own_calls:%d: not so: %s\n", line, what);
	status = 1;
}

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* How long a call without packets takes, and how much of that on the CPU. */
static double wait_for(unsigned worker, int timeout_ms, double *cpu)
{
	struct sl_packet *pkts[SL_BATCH];
	double begin = seconds(CLOCK_MONOTONIC), cpu_begin = seconds(CLOCK_THREAD_CPUTIME_ID);

	check(sl_worker_receive(dp, worker, pkts, SL_BATCH, timeout_ms) == 0);
	*cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu_begin;
	return seconds(CLOCK_MONOTONIC) - begin;
}

static void *wake_later(void *arg)
{
	usleep(700000); /* longer than a worker's own longest sleep */
	sl_worker_wake(dp, 0);
	return arg;
}

static void check_waits(void)
{
	pthread_t waker;
	double cpu, took;

	check(wait_for(0, 0, &cpu) < 0.1);
	took = wait_for(0, 100, &cpu);
	check(took >= 0.1 && took < 2 && cpu < 0.05);
	took = wait_for(2, 100, &cpu); /* a worker that has not joined waits too */
	check(took >= 0.1 && took < 2 && cpu < 0.05);
	pthread_create(&waker, NULL, wake_later, NULL);
	took = wait_for(0, -1, &cpu);
	check(took >= 0.6 && took < 3 && cpu < 0.1);
	pthread_join(waker, NULL);
	sl_worker_wake(dp, 0); /* nobody waits: the next wait ends */
	check(wait_for(0, -1, &cpu) < 1);
	took = wait_for(0, 50, &cpu); /* and only that one */
	check(took >= 0.05);
	sl_worker_complete(dp, 0); /* nothing in hand */
}

static void check_members(void)
{
	struct sl_error err;

	check(sl_dataplane_set_workers(dp, 4, &err)); /* nobody has served worker 3 */
	check(!sl_dataplane_set_workers(dp, 3, &err)); /* but worker 2 */
	check(!sl_dataplane_set_workers(dp, 2, &err));
	check(sl_dataplane_set_workers(dp, 5, &err));
	check(!sl_dataplane_check(dp, &err));
}

int main(int argc, char **argv)
{
	struct sl_dataplane_opts opts = {.ifaces = {argc > 1 ? argv[1] : NULL},
					 .workers = 2,
					 .workers_max = 4,
					 .own_loop = true};
	struct sl_packet *pkts[SL_BATCH];
	struct sl_error err;
	unsigned taken = 0;
	sigset_t signals;
	int sig;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (sl_dataplane_open(&opts, &dp, &err)) {
		fprintf(stderr, "own_calls: %s\n", err.text);
		return 1;
	}
	check_waits();
	check_members();
	puts("serving");
	fflush(stdout);
	while (taken < TAKEN) { /* a receive completes what the one before it gave */
		unsigned n = sl_worker_receive(dp, 0, pkts, TAKEN, 3000);

		check(n <= TAKEN);
		if (!n)
			break;
		taken += n;
	}
	sigwait(&signals, &sig);
	sl_dataplane_close(dp);
	return status;
}
