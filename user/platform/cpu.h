/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.h - CPUs: lists, pinning, scheduling class, the cycle counter.
 */
#ifndef SL_PLATFORM_CPU_H
#define SL_PLATFORM_CPU_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/cycles.h>

#include "platform/instance.h"

/* The rate of sl_cycles() (sluice/cycles.h), per second. The first call measures for 20 ms where
 * the hardware does not say it; any thread. */
uint64_t sl_cycles_hz(void);

/* CPUs that this process may run on. */
unsigned sl_cpu_count(void);

/*
 * Parse "0,2-3" into cpus[0..*n), in the order written, at most `room`. -EINVAL with a line in err:
 * not a list, a CPU twice, or one that is offline or not allowed to this process; -E2BIG too many.
 */
int sl_cpu_list_parse(const char *text, unsigned *cpus, unsigned room, unsigned *n,
		      struct sl_error *err);

/* The first `want` CPUs that this process may run on, in turn again if there are fewer. */
void sl_cpu_list_default(unsigned *cpus, unsigned want);

/* The NUMA node of a CPU; 0 where the kernel does not say, and for a negative CPU. */
uint16_t sl_cpu_node(int cpu);

/* Pin a thread to one CPU. 0 or -errno. */
int sl_cpu_pin(pthread_t thread, unsigned cpu);

/* SCHED_FIFO at the priority, 1..99. -EPERM without CAP_SYS_NICE. */
int sl_cpu_realtime(pthread_t thread, int priority);

/*
 * The calling thread's time slice, 100 us to 100 ms, where it is an ordinary thread (Linux 6.12,
 * sched(7); older kernels take no notice). Its share of the CPU stays; it waits less for its turn.
 * 0 or -errno.
 */
int sl_cpu_slice(uint64_t ns);

/*
 * Time since boot, in nanoseconds, that a CPU gave to interrupts and softirq, or that was stolen
 * from it: /proc/stat. Resolution 10 ms. 0 or -errno.
 */
int sl_cpu_softirq_ns(unsigned cpu, uint64_t *ns);

#endif /* SL_PLATFORM_CPU_H */
