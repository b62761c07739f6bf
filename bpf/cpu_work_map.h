/* SPDX-License-Identifier: GPL-2.0-only */
/* cpu_work_map.h - what cpu_work.bpf.c counts, as user space maps it. */
#ifndef SL_BPF_CPU_WORK_MAP_H
#define SL_BPF_CPU_WORK_MAP_H

#define CPU_WORK_MAX 1024 /* CPUs; those beyond are not traced */

/* One CPU's; only that CPU writes. Nanoseconds, cumulative. */
struct cpu_work {
	__u64 softirq_ns; /* in ksoftirqd too */
	__u64 foreign_ns; /* threads of other processes, what interrupts them included */
	__u64 roaming_ns; /* of that, threads that may run on other CPUs too */
	__u64 interrupted_ns; /* of both, while a thread of ours ran or was ready to */
	__u64 since_ns; /* a softirq, or a foreign thread, runs since; 0: none */
	__u32 running; /* enum cpu_running */
	__u32 roams; /* the foreign thread that runs may run elsewhere */
	__s32 waiting; /* a worker that was preempted and is ready to run; 0: none */
} __attribute__((aligned(64)));

enum cpu_running { CPU_IDLE = 0, CPU_OURS = 1, CPU_FOREIGN = 2 };

#endif /* SL_BPF_CPU_WORK_MAP_H */
