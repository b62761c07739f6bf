// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/heap.h"

#include <errno.h>
#include <stdlib.h>

#define ARITY 4

int sim_heap_init(struct sim_heap *h, size_t room)
{
	*h = (struct sim_heap){.event = calloc(room, sizeof(*h->event)), .room = room};
	return h->event ? 0 : -ENOMEM;
}

void sim_heap_free(struct sim_heap *h)
{
	free(h->event);
	h->event = NULL;
}

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && (int32_t)(a->order - b->order) < 0);
}

static int grow(struct sim_heap *h)
{
	struct sim_event *event = realloc(h->event, 2 * h->room * sizeof(*event));

	if (!event)
		return -ENOMEM;
	h->event = event;
	h->room *= 2;
	return 0;
}

int sim_heap_push(struct sim_heap *h, uint64_t at_ns, uint32_t what)
{
	struct sim_event e = {at_ns, h->order++, what};
	size_t i = h->n;

	if (h->n == h->room && grow(h))
		return -ENOMEM;
	h->n++;
	while (i && before(&e, &h->event[(i - 1) / ARITY])) {
		h->event[i] = h->event[(i - 1) / ARITY];
		i = (i - 1) / ARITY;
	}
	h->event[i] = e;
	return 0;
}

/* Put `e` where it belongs, from the top down. */
static void sink(struct sim_heap *h, struct sim_event e)
{
	size_t i = 0, child;

	while ((child = ARITY * i + 1) < h->n) {
		size_t end = child + ARITY < h->n ? child + ARITY : h->n, least = child;

		for (size_t c = child + 1; c < end; c++)
			if (before(&h->event[c], &h->event[least]))
				least = c;
		if (!before(&h->event[least], &e))
			break;
		h->event[i] = h->event[least];
		i = least;
	}
	h->event[i] = e;
}

void sim_heap_pop(struct sim_heap *h)
{
	h->n--;
	if (h->n)
		sink(h, h->event[h->n]);
}

void sim_heap_replace(struct sim_heap *h, uint64_t at_ns, uint32_t what)
{
	sink(h, (struct sim_event){at_ns, h->order++, what});
}
