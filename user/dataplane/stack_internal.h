/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stack_internal.h - the keeper's parts: its life (stack.c), moves (stack_moves.c), what CPUs spend
 * (stack_load.c). One thread.
 */
#ifndef SL_DATAPLANE_STACK_INTERNAL_H
#define SL_DATAPLANE_STACK_INTERNAL_H

#include "dataplane/stack.h"
#include "dataplane/word.h"

struct stack_cpu {
	unsigned cpu;
	int schedstat_fd; /* of the thread that takes its packets up */
	uint64_t thread_base, softirq_base; /* ns, when the keeper came */
};

/* Of a move under way. */
struct stack_bucket {
	uint64_t heard_ns; /* when `sent` was last another */
	uint32_t sent; /* over all queues */
	uint16_t log; /* its entry in `moves` */
};

struct sl_stack_keeper {
	struct sl_stack_opts opts;
	struct sl_instance *inst;
	struct sl_iface *iface;
	struct stack_cpu cpu[SL_MAX_WORKERS];
	unsigned workers;
	int lock_fd, up_fd;
	uint64_t began_ns;
	uint64_t move_seq;
	uint32_t epoch;
	struct stack_bucket *bucket; /* [buckets] */
	bool published;
	struct cpumap_drops_bpf *drops;
	uint64_t ring_full_base[SL_MAX_WORKERS], busy_cycles_base[SL_MAX_WORKERS],
		other_base[SL_MAX_WORKERS], idle_base[SL_MAX_WORKERS];
};

/* At start: every row names a worker that there is, and every word says the same. */
void stack_moves_settle(struct sl_stack_keeper *k);
/* Begin and end moves in `owners` and `moves`. Returns how many are under way. */
unsigned stack_moves_step(struct sl_stack_keeper *k, uint64_t now);

/* Find the CPUs' threads and count what finds their queues full. */
int stack_load_open(struct sl_stack_keeper *k, struct sl_error *err);
void stack_load_publish(struct sl_stack_keeper *k, uint64_t now);
void stack_load_close(struct sl_stack_keeper *k);

#endif /* SL_DATAPLANE_STACK_INTERNAL_H */
