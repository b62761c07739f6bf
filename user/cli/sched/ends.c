// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sched/ends.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static bool before(const struct end *a, const struct end *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

int ends_add(struct ends *e, uint64_t at_us, uint64_t id, uint32_t cookie)
{
	const struct end new = {at_us, e->added++, id, cookie};
	size_t i = e->n;

	if (e->n == e->room) {
		const size_t room = e->room ? 2 * e->room : 1024;
		struct end *more = realloc(e->heap, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		e->heap = more;
		e->room = room;
	}
	for (e->n++; i && before(&new, &e->heap[(i - 1) / 2]); i = (i - 1) / 2)
		e->heap[i] = e->heap[(i - 1) / 2];
	e->heap[i] = new;
	return 0;
}

struct end ends_pop(struct ends *e)
{
	const struct end first = e->heap[0], last = e->heap[--e->n];
	size_t i = 0;

	for (;;) {
		size_t side = 2 * i + 1;

		if (side + 1 < e->n && before(&e->heap[side + 1], &e->heap[side]))
			side++;
		if (side >= e->n || !before(&e->heap[side], &last))
			break;
		e->heap[i] = e->heap[side];
		i = side;
	}
	e->heap[i] = last;
	return first;
}

void ends_free(struct ends *e)
{
	free(e->heap);
}
