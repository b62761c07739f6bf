/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stack.h - mode `stack`: the keeper of an instance whose workers are CPUs. Packets go to the CPUs'
 * threads and up the kernel's stack without it; it gives workers their CPUs, measures what they
 * cost, shows moves in `owners` and `moves`, and runs the grace periods that end those of silent
 * buckets. Without it (killed) traffic goes on, and busy buckets still move.
 */
#ifndef SL_DATAPLANE_STACK_H
#define SL_DATAPLANE_STACK_H

#include <signal.h>

#include "platform/instance.h"

struct sl_stack_opts {
	const char *iface;
	const unsigned *cpus; /* NULL: the first that this process may use */
	unsigned workers; /* one a CPU; 0: one for each of all CPUs */
	unsigned queue; /* packets that wait for a CPU; 0: SL_STACK_QUEUE */
	void (*log)(const char *line); /* NULL: silent */
};

/*
 * Long enough for what one NAPI poll of each of several queues brings (64 packets each), short
 * enough that a bucket's packets are through soon: at 2 us a packet 1 ms.
 */
#define SL_STACK_QUEUE 512

struct sl_stack_keeper;

/* Is the interface, or instance, attached in mode `stack`? False too if it cannot be opened. */
bool sl_stack_is(const char *name);

/*
 * Take the instance: rows of workers that there are not are dealt out, each worker gets its CPU and
 * its queue. 0 and *out, or -errno: -EINVAL options, -EBUSY another keeper, -ENOENT not attached.
 */
int sl_stack_open(const struct sl_stack_opts *opts, struct sl_stack_keeper **out,
		  struct sl_error *err);

/* Until one of the signals, which the caller has blocked, comes; or the interface is gone: -ENODEV.
 */
int sl_stack_run(struct sl_stack_keeper *k, const sigset_t *signals, struct sl_error *err);

/* Packets go up where they arrive from now on; those that wait for CPUs still go up there. */
void sl_stack_close(struct sl_stack_keeper *k);

#endif /* SL_DATAPLANE_STACK_H */
