// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpu_work.bpf.c - what a CPU does besides our threads: softirq, and threads of other processes.
 *
 * /proc/stat counts in ticks, and most kernels charge a softirq to whom it interrupts or miss it
 * where it is shorter than a tick; most NAPI polls are.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "cpu_work_map.h"
#include "kernel_types.h"

char LICENSE[] SEC("license") = "GPL";

struct cpu_work work[CPU_WORK_MAX];
__s32 ours; /* our process, as the kernel numbers it */

static struct cpu_work *this_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	if (cpu >= CPU_WORK_MAX)
		return NULL;
	/* 6.1's verifier wants the bound on the very register that becomes the address. */
	barrier_var(cpu);
	return &work[cpu % CPU_WORK_MAX];
}

static __u64 count(struct cpu_work *w, __u64 *sum)
{
	__u64 took = bpf_ktime_get_ns() - w->since_ns;

	*sum += took;
	if (w->running == CPU_OURS || w->waiting)
		w->interrupted_ns += took;
	w->since_ns = 0;
	return took;
}

static void count_foreign(struct cpu_work *w)
{
	__u64 took = count(w, &w->foreign_ns);

	if (w->roams)
		w->roaming_ns += took;
}

/*
 * Workers are pinned; who is not may go on elsewhere, and would be waited for here for ever.
 * Housekeeping comes and goes while a worker waits.
 */
static void leave(struct cpu_work *w, const struct task_struct *prev, bool ready)
{
	if (ready && prev->nr_cpus_allowed == 1)
		w->waiting = prev->pid;
	else if (w->waiting == prev->pid)
		w->waiting = 0;
}

/* Run once by our process: only here are numbers those of no PID namespace. */
SEC("syscall")
int find_ours(void *ctx)
{
	ours = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	struct cpu_work *w = this_cpu();

	if (!w)
		return 0;
	if (w->running == CPU_FOREIGN && w->since_ns)
		count_foreign(w);
	if (prev->tgid == ours)
		leave(w, prev, preempt || !prev_state);
	if (next->tgid == ours) {
		w->running = CPU_OURS;
	} else if (next->pid) {
		w->running = CPU_FOREIGN;
		w->roams = next->nr_cpus_allowed > 1;
		w->since_ns = bpf_ktime_get_ns();
	} else {
		w->running = CPU_IDLE;
	}
	return 0;
}

/* Within a foreign thread it is part of that: all of it was not ours. */
SEC("tp_btf/softirq_entry")
int BPF_PROG(on_softirq_entry, unsigned int vec)
{
	struct cpu_work *w = this_cpu();

	if (w && w->running != CPU_FOREIGN)
		w->since_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(on_softirq_exit, unsigned int vec)
{
	struct cpu_work *w = this_cpu();

	if (w && w->running != CPU_FOREIGN && w->since_ns)
		count(w, &w->softirq_ns);
	return 0;
}
