// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What housekeeping does for workers that do not run, and how workers behave towards others on
 * their CPU. Nothing here measures time: a busy machine only makes it take longer.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "dataplane_rig.h"
#include "sched_attr.h"

#define SLICE_NS 100000
#define NAPS 50

static uint32_t fill_level(const struct rig *g)
{
	return __atomic_load_n(&g->fill_producer, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&g->fill_consumer, __ATOMIC_ACQUIRE);
}

/* Waits for the level, 20 s at most. */
static bool fill_reaches(const struct rig *g, uint32_t level)
{
	for (int i = 0; i < 20000 && fill_level(g) != level; i++)
		usleep(1000);
	return fill_level(g) == level;
}

/* Several workers stalled within one burst: the kernel has taken all there was, so that nothing
 * arrives, and no worker has a reason to look. */
Test(members, housekeeping_fills_what_workers_left_empty)
{
	struct rig *g = rig_new();
	struct sl_error err;

	cr_assert_eq(housekeeping_start(&g->dp, &err), 0, "%s", err.text);
	cr_expect(fill_reaches(g, g->dp.fill_target));
	__atomic_store_n(&g->fill_consumer, g->fill_producer, __ATOMIC_RELEASE);
	cr_expect(fill_reaches(g, g->dp.fill_target));
	housekeeping_stop(&g->dp);
	cr_expect_eq(atomic_load(&g->home.spare_n), 0, "every spare frame went in");
	rig_free(g);
}

/* How often the thread gives its CPU up in so many rounds without packets. */
static long naps_of(struct worker *w)
{
	struct rusage before, after;

	w->spin_cycles = UINT64_MAX; /* not yet time to sleep */
	w->idle_since = sl_cycles();
	getrusage(RUSAGE_THREAD, &before);
	for (int i = 0; i < NAPS; i++)
		worker_rest(w, 500);
	getrusage(RUSAGE_THREAD, &after);
	return after.ru_nvcsw - before.ru_nvcsw;
}

Test(members, workers_that_share_a_cpu_nap_and_others_poll)
{
	struct rig *g = rig_new();

	g->stat[0].cpu = 0;
	g->stat[1].cpu = 1;
	g->stat[2].cpu = 0;
	members_count(&g->dp, 3);
	cr_expect_geq(naps_of(&g->worker[0]), NAPS);
	cr_expect_lt(naps_of(&g->worker[1]), NAPS, "it has its CPU to itself");
	cr_expect_geq(naps_of(&g->worker[2]), NAPS);
	cr_expect_eq(g->stat[0].sleeps, 0, "a nap is no sleep: nobody has to wake it");
	/* the other one leaves */
	members_count(&g->dp, 2);
	cr_expect_lt(naps_of(&g->worker[0]), NAPS);
	/* workers that are pinned nowhere share nothing */
	g->stat[0].cpu = g->stat[1].cpu = -1;
	members_count(&g->dp, 2);
	cr_expect_lt(naps_of(&g->worker[0]), NAPS);
	rig_free(g);
}

static uint64_t slice_of(pid_t tid)
{
	struct sl_sched_attr attr = {.size = sizeof(attr)};

	cr_assert_eq(syscall(SYS_sched_getattr, tid, &attr, sizeof(attr), 0), 0);
	return attr.runtime_ns;
}

/* The thread of this process that calls itself so; 0: none. */
static pid_t thread_named(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t found = 0;

	cr_assert_not_null(dir);
	while (!found && (entry = readdir(dir))) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (f && fgets(comm, sizeof(comm), f) && !strncmp(comm, name, strlen(name)))
			found = (pid_t)atoi(entry->d_name);
		if (f)
			fclose(f);
	}
	closedir(dir);
	return found;
}

static void *take_slice(void *own)
{
	cr_assert_eq(sl_cpu_slice(SLICE_NS), 0);
	*(uint64_t *)own = slice_of(0);
	return NULL;
}

Test(members, workers_ask_for_short_slices)
{
	struct rig *g = rig_new();
	struct sl_error err;
	uint64_t own = 0;
	pthread_t thread;
	pid_t tid;

	cr_assert_eq(pthread_create(&thread, NULL, take_slice, &own), 0);
	pthread_join(thread, NULL);
	if (own != SLICE_NS)
		cr_skip_test("skip: this kernel has no slices (Linux 6.12)");
	cr_assert_neq(slice_of(0), SLICE_NS, "not what everybody has");
	cr_assert_eq(worker_start(&g->worker[1], &err), 0, "%s", err.text);
	/* it beats behind its first words to the scheduler */
	while (!__atomic_load_n(&g->stat[1].heartbeat_ns, __ATOMIC_RELAXED))
		usleep(1000);
	tid = thread_named("sluice-w1");
	cr_assert_neq(tid, 0);
	cr_expect_eq(slice_of(tid), SLICE_NS);
	worker_join(&g->worker[1]);
	rig_free(g);
}
