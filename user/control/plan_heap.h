/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_heap.h - workers by key, highest first: a binary heap of which only the first one's key ever
 * changes.
 */
#ifndef SL_CONTROL_PLAN_HEAP_H
#define SL_CONTROL_PLAN_HEAP_H

#include <stdint.h>

#include <sluice/maps.h>

struct plan_heap {
	unsigned n;
	uint16_t id[SL_MAX_WORKERS];
	double key[SL_MAX_WORKERS];
};

/* The first one's key has changed. */
static inline void plan_heap_settle(struct plan_heap *h)
{
	uint16_t id = h->id[0];
	double key = h->key[0];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < h->n) {
		child += child + 1 < h->n && h->key[child + 1] > h->key[child];
		if (h->key[child] <= key)
			break;
		h->key[i] = h->key[child];
		h->id[i] = h->id[child];
		i = child;
	}
	h->key[i] = key;
	h->id[i] = id;
}

static inline void plan_heap_pop(struct plan_heap *h)
{
	h->n--;
	h->key[0] = h->key[h->n];
	h->id[0] = h->id[h->n];
	if (h->n)
		plan_heap_settle(h);
}

static inline void plan_heap_push(struct plan_heap *h, unsigned id, double key)
{
	unsigned i = h->n++;

	for (; i > 0 && h->key[(i - 1) / 2] < key; i = (i - 1) / 2) {
		h->key[i] = h->key[(i - 1) / 2];
		h->id[i] = h->id[(i - 1) / 2];
	}
	h->key[i] = key;
	h->id[i] = (uint16_t)id;
}

#endif /* SL_CONTROL_PLAN_HEAP_H */
