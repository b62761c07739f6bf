/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ends.h - when running tasks end: a heap, earliest first, then in the order of starting. */
#ifndef SL_CLI_SCHED_ENDS_H
#define SL_CLI_SCHED_ENDS_H

#include <stddef.h>
#include <stdint.h>

struct end {
	uint64_t at_us, order, id;
	uint32_t cookie;
};

struct ends { /* all zero: empty */
	struct end *heap;
	size_t n, room;
	uint64_t added;
};

/* 0 or -ENOMEM. */
int ends_add(struct ends *e, uint64_t at_us, uint64_t id, uint32_t cookie);
/* Take the first; there is one. */
struct end ends_pop(struct ends *e);
void ends_free(struct ends *e);

#endif /* SL_CLI_SCHED_ENDS_H */
