// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the CPUs spend in mode `stack`: the thread that takes packets up, by the scheduler to the
 * nanosecond; interrupts and softirq on its CPU, by /proc/stat. Programs are not counted: they move
 * to another CPU, and those that are pinned move with no bucket.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpumap_drops.skel.h"
#include "dataplane/internal.h"
#include "dataplane/stack_internal.h"
#include "platform/cpu.h"

#define THREAD_TRIES 100
#define THREAD_WAIT_US 10000

static int map_id(int fd, uint32_t *id)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*id = info.id;
	return 0;
}

/* The process named `name`, which the kernel gives whole for its own threads; 0: none. */
static long find_thread(const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	long found = 0;

	while (proc && !found && (e = readdir(proc))) {
		char path[300], comm[64] = "";
		FILE *f;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%63s", comm) == 1 && !strcmp(comm, name))
			found = strtol(e->d_name, NULL, 10);
		if (f)
			fclose(f);
	}
	if (proc)
		closedir(proc);
	return found;
}

static int open_thread(struct stack_cpu *c, uint32_t id, struct sl_error *err)
{
	char name[48], path[48];
	long pid = 0;

	snprintf(name, sizeof(name), "cpumap/%u/map:%u", c->cpu, id);
	/* It names itself after the slot was written. */
	for (unsigned i = 0; !(pid = find_thread(name)) && i < THREAD_TRIES; i++)
		usleep(THREAD_WAIT_US);
	snprintf(path, sizeof(path), "/proc/%ld/schedstat", pid);
	c->schedstat_fd = pid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (c->schedstat_fd >= 0)
		return 0;
	return sl_error_set(err, -ENOENT,
			    "the kernel's thread %s is not in /proc: run in the host's pid "
			    "namespace, on a kernel with CONFIG_SCHED_INFO",
			    name);
}

static uint64_t thread_ns(const struct stack_cpu *c)
{
	char text[64] = "";
	const ssize_t n = pread(c->schedstat_fd, text, sizeof(text) - 1, 0);

	return n > 0 ? strtoull(text, NULL, 10) : 0;
}

/* As redirect_err.bpf.c, for what no counter of the kernel's says. */
static int open_drops(struct sl_stack_keeper *k, uint32_t id, struct sl_error *err)
{
	int rc = -ENOMEM;

	k->drops = cpumap_drops_bpf__open();
	if (k->drops) {
		k->drops->rodata->cpumap_id = id;
		bpf_map__set_max_entries(k->drops->maps.drops, (__u32)libbpf_num_possible_cpus());
		rc = cpumap_drops_bpf__load(k->drops);
	}
	if (!rc)
		rc = cpumap_drops_bpf__attach(k->drops);
	return rc ? sl_error_set(err, rc,
				 "full queues cannot be counted: tracepoint xdp_cpumap_enqueue: %s",
				 strerror(-rc))
		  : 0;
}

int stack_load_open(struct sl_stack_keeper *k, struct sl_error *err)
{
	uint32_t id = 0;
	int rc = map_id(k->iface->cpus_fd, &id);

	if (rc)
		return sl_error_set(err, rc, "map cpus: %s", strerror(-rc));
	rc = open_drops(k, id, err);
	for (unsigned i = 0; !rc && i < k->workers; i++) {
		struct sl_worker *w = &k->inst->workers[i];

		rc = open_thread(&k->cpu[i], id, err);
		if (rc)
			break;
		k->cpu[i].thread_base = thread_ns(&k->cpu[i]);
		sl_cpu_softirq_ns(k->cpu[i].cpu, &k->cpu[i].softirq_base);
		k->ring_full_base[i] = w->ring_full;
		k->busy_cycles_base[i] = w->busy_cycles;
		k->other_base[i] = w->softirq_cycles;
		k->idle_base[i] = w->sleep_cycles;
	}
	return rc;
}

static void publish_worker(struct sl_stack_keeper *k, unsigned i, uint64_t now)
{
	struct stack_cpu *c = &k->cpu[i];
	struct sl_worker *w = &k->inst->workers[i];
	const uint64_t thread = thread_ns(c) - c->thread_base, elapsed = now - k->began_ns;
	const __u32 key = c->cpu;
	uint64_t softirq = 0, drops = 0;

	stat_set(&w->heartbeat_ns, now);
	stat_set(&w->busy_cycles, k->busy_cycles_base[i] + thread);
	stat_set(&w->sleep_cycles, k->idle_base[i] + (elapsed > thread ? elapsed - thread : 0));
	if (!sl_cpu_softirq_ns(c->cpu, &softirq))
		stat_set(&w->softirq_cycles, k->other_base[i] + softirq - c->softirq_base);
	if (!bpf_map_lookup_elem(bpf_map__fd(k->drops->maps.drops), &key, &drops))
		stat_set(&w->ring_full, k->ring_full_base[i] + drops);
}

void stack_load_publish(struct sl_stack_keeper *k, uint64_t now)
{
	for (unsigned i = 0; i < k->workers; i++)
		publish_worker(k, i, now);
	stat_set(&k->inst->control->heartbeat_ns, now);
}

void stack_load_close(struct sl_stack_keeper *k)
{
	for (unsigned i = 0; i < k->workers; i++)
		if (k->cpu[i].schedstat_fd >= 0)
			close(k->cpu[i].schedstat_fd);
	cpumap_drops_bpf__destroy(k->drops);
}
