/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heap.h - the events to come: a 4-ary heap. An entry is 16 bytes, so four children lie in one
 * cache line; events of the same instant come out in the order they went in.
 */
#ifndef SL_SIM_HEAP_H
#define SL_SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_event {
	uint64_t at_ns;
	uint32_t order; /* a serial number: whoever came first goes first */
	uint32_t what; /* the owner's */
};

struct sim_heap {
	struct sim_event *event;
	size_t n, room;
	uint32_t order;
};

/* Make room for `room` events. 0 or -ENOMEM. */
int sim_heap_init(struct sim_heap *h, size_t room);
void sim_heap_free(struct sim_heap *h);
/* 0 or -ENOMEM: the heap grows. */
int sim_heap_push(struct sim_heap *h, uint64_t at_ns, uint32_t what);
/* Take the first event away. The heap is not empty. */
void sim_heap_pop(struct sim_heap *h);
/* Pop and push in one: half the work. */
void sim_heap_replace(struct sim_heap *h, uint64_t at_ns, uint32_t what);

/* When the first event is due; UINT64_MAX if there is none. */
static inline uint64_t sim_heap_due(const struct sim_heap *h)
{
	return h->n ? h->event[0].at_ns : UINT64_MAX;
}

#endif /* SL_SIM_HEAP_H */
