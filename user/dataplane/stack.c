// SPDX-License-Identifier: GPL-2.0-or-later
/* stack.c - the keeper's life. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/internal.h"
#include "dataplane/stack_internal.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/lock.h"
#include "platform/notify.h"
#include "platform/steer_load.h"

/* How often counters are published and rows looked at: the daemon's fastest tick. */
#define ROUND_NS 10000000
#define LINK_NS 250000000ULL

bool sl_stack_is(const char *name)
{
	struct sl_instance *inst;
	struct sl_error err;
	bool is;

	if (sl_instance_open(name, &inst, &err))
		return false;
	is = inst->control->flags & SL_CTL_STACK;
	sl_instance_close(inst);
	return is;
}

static int take_lock(struct sl_stack_keeper *k, struct sl_error *err)
{
	char name[SL_NAME_MAX + 16];
	const int rc = sl_run_dir_make(err);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "%s.dataplane", k->inst->name);
	k->lock_fd = sl_lock_take(name, err);
	return k->lock_fd < 0 ? k->lock_fd : 0;
}

static int place(struct sl_stack_keeper *k, struct sl_error *err)
{
	unsigned cpus[SL_MAX_WORKERS];

	k->workers = k->opts.workers ? k->opts.workers : sl_cpu_count();
	if (k->workers > k->inst->max_workers && !k->opts.workers)
		k->workers = k->inst->max_workers;
	if (k->workers > k->inst->max_workers)
		return sl_error_set(err, -EINVAL,
				    "%u workers: %s has room for %u; detach, and attach with "
				    "--max-workers %u",
				    k->workers, k->inst->name, k->inst->max_workers, k->workers);
	if (!k->opts.cpus && k->workers > sl_cpu_count())
		return sl_error_set(
			err, -EINVAL,
			"%u workers on %u CPUs: in mode stack each has a CPU of its own",
			k->workers, sl_cpu_count());
	sl_cpu_list_default(cpus, k->workers);
	for (unsigned i = 0; i < k->workers; i++) {
		k->cpu[i].cpu = k->opts.cpus ? k->opts.cpus[i] : cpus[i];
		k->inst->workers[i].cpu = (int)k->cpu[i].cpu;
	}
	return 0;
}

/* A slot that a killed keeper left has the thread that serves it still: its packets are not to be
 * overtaken by a new one's. */
static int open_slots(struct sl_stack_keeper *k, struct sl_error *err)
{
	const unsigned size = k->opts.queue ? k->opts.queue : SL_STACK_QUEUE;

	for (unsigned i = 0; i < k->workers; i++) {
		struct sl_cpu_slot slot = {0};
		const __u32 cpu = k->cpu[i].cpu;

		if (!bpf_map_lookup_elem(k->iface->cpus_fd, &cpu, &slot) && slot.size == size)
			continue;
		slot = (struct sl_cpu_slot){.size = size, .prog = (__u32)k->up_fd};
		if (bpf_map_update_elem(k->iface->cpus_fd, &cpu, &slot, BPF_ANY)) {
			const int rc = -errno;

			return sl_error_set(err, rc, "map cpus: CPU %u: %s", cpu, strerror(-rc));
		}
	}
	return 0;
}

static void close_slots(struct sl_stack_keeper *k)
{
	for (unsigned i = 0; i < k->workers; i++) {
		const __u32 cpu = k->cpu[i].cpu;

		bpf_map_delete_elem(k->iface->cpus_fd, &cpu);
	}
}

static void announce(struct sl_stack_keeper *k)
{
	struct sl_control *c = k->inst->control;
	char line[128];

	c->incarnation++;
	c->workers = k->workers;
	c->max_workers = k->workers;
	c->xdp_mode = k->iface->mode;
	c->work_source = SL_WORK_PROC_STAT;
	c->tsc_hz = 1000000000; /* what is measured here is nanoseconds */
	for (unsigned i = 0; i < k->inst->max_workers; i++)
		__atomic_store_n(&k->inst->workers[i].state,
				 i < k->workers ? SL_WORKER_RUNNING : SL_WORKER_ABSENT,
				 __ATOMIC_RELEASE);
	stack_load_publish(k, sl_clock_ns());
	__atomic_store_n(&c->pid, (__u32)getpid(), __ATOMIC_RELEASE);
	k->published = true;
	snprintf(line, sizeof(line), "%s: mode stack, %u CPUs, %u queues", k->iface->name,
		 k->workers, k->iface->queues);
	if (k->opts.log)
		k->opts.log(line);
}

static int start(struct sl_stack_keeper *k, struct sl_error *err)
{
	int rc;

	if (!(k->inst->control->flags & SL_CTL_STACK))
		return sl_error_set(err, -EINVAL, "%s is not in mode stack: sluice attach --stack",
				    k->inst->name);
	rc = take_lock(k, err);
	if (!rc)
		rc = place(k, err);
	if (rc)
		return rc;
	k->bucket = calloc(k->inst->buckets, sizeof(*k->bucket));
	if (!k->bucket)
		return sl_error_set(err, -ENOMEM, "no memory");
	stack_moves_settle(k);
	k->up_fd = sl_load_up(k->inst, 0, err);
	rc = k->up_fd < 0 ? k->up_fd : open_slots(k, err);
	k->began_ns = sl_clock_ns();
	if (!rc)
		rc = stack_load_open(k, err);
	if (!rc)
		announce(k);
	return rc;
}

int sl_stack_open(const struct sl_stack_opts *opts, struct sl_stack_keeper **out,
		  struct sl_error *err)
{
	struct sl_stack_keeper *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return sl_error_set(err, -ENOMEM, "no memory");
	k->opts = *opts;
	k->lock_fd = k->up_fd = -1;
	for (unsigned i = 0; i < SL_MAX_WORKERS; i++)
		k->cpu[i].schedstat_fd = -1;
	rc = sl_instance_open(opts->iface, &k->inst, err);
	if (!rc) {
		k->iface = &k->inst->iface[0];
		rc = start(k, err);
	}
	if (rc) {
		sl_stack_close(k);
		return rc;
	}
	*out = k;
	return 0;
}

int sl_stack_run(struct sl_stack_keeper *k, const sigset_t *signals, struct sl_error *err)
{
	const struct timespec round = {.tv_nsec = ROUND_NS};
	struct sl_control *c = k->inst->control;
	uint64_t looked = 0, now;

	for (;;) {
		const int sig = sigtimedwait(signals, NULL, &round);

		if (sig == SIGTERM || sig == SIGINT)
			return 0;
		now = sl_clock_ns();
		stack_load_publish(k, now);
		/* Silent buckets move by grace periods; busy ones need none, and end sooner. */
		if (stack_moves_step(k, now) && !sl_instance_grace(k->inst))
			__atomic_store_n(&c->settled, c->settled + 1, __ATOMIC_RELEASE);
		if (now - looked < LINK_NS)
			continue;
		looked = now;
		sl_notify("WATCHDOG=1");
		if (!if_nametoindex(k->iface->name))
			return sl_error_set(err, -ENODEV, "interface %s is gone", k->iface->name);
	}
}

void sl_stack_close(struct sl_stack_keeper *k)
{
	if (!k)
		return;
	if (k->up_fd >= 0)
		close_slots(k);
	if (k->published) {
		stack_load_publish(k, sl_clock_ns());
		for (unsigned i = 0; i < k->workers; i++)
			__atomic_store_n(&k->inst->workers[i].state, SL_WORKER_ABSENT,
					 __ATOMIC_RELEASE);
		__atomic_store_n(&k->inst->control->pid, 0, __ATOMIC_RELEASE);
	}
	if (k->inst)
		stack_load_close(k);
	if (k->up_fd >= 0)
		close(k->up_fd);
	if (k->lock_fd >= 0)
		sl_lock_drop(k->lock_fd);
	free(k->bucket);
	sl_instance_close(k->inst);
	free(k);
}
