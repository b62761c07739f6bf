// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/turn.h"

#include <stdbool.h>

/* Of a heap; the k-th row of a server is due at (k + 1/2) / weight of a round. */
struct due {
	uint64_t twice; /* 2 k + 1 */
	uint32_t weight;
	uint32_t server;
};

static bool before(const struct due *a, const struct due *b)
{
	uint64_t x = a->twice * b->weight, y = b->twice * a->weight;

	return x < y || (x == y && a->server < b->server);
}

static void sink(struct due *heap, unsigned n, unsigned at)
{
	struct due d = heap[at];
	unsigned child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &d))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = d;
}

void sl_turn_fill(const struct sl_maglev_server *servers, unsigned n, uint16_t *row, unsigned rows,
		  uint16_t nobody, void *scratch)
{
	struct due *heap = scratch;
	unsigned some = 0;

	for (unsigned i = 0; i < n; i++)
		if (servers[i].weight)
			heap[some++] = (struct due){1, servers[i].weight, i};
	for (unsigned i = some / 2; i--;)
		sink(heap, some, i);
	for (unsigned r = 0; r < rows; r++) {
		row[r] = nobody;
		if (!some)
			continue;
		row[r] = servers[heap->server].id;
		heap->twice += 2;
		sink(heap, some, 0);
	}
}
