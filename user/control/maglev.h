/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maglev.h - rows of a table dealt to servers so that a server more or less changes few of them
 * (Eisenbud and others, NSDI 2016, section 3.4), with weights. Pure.
 */
#ifndef SL_CONTROL_MAGLEV_H
#define SL_CONTROL_MAGLEV_H

#include <stddef.h>
#include <stdint.h>

struct sl_maglev_server {
	uint64_t name; /* what its order of the rows is made of; no two alike */
	uint32_t weight; /* 1 or more */
	uint16_t id; /* what the rows say */
};

/* Bytes of scratch for n servers. */
size_t sl_maglev_scratch(unsigned n);

/*
 * Deal `rows` (a power of two) rows. A server gets its weight's share of them, exact to one row a
 * server. The same servers give the same rows in whatever order they are given, on every machine.
 * n = 0: every row `nobody`.
 */
void sl_maglev_fill(const struct sl_maglev_server *servers, unsigned n, uint16_t *row,
		    unsigned rows, uint16_t nobody, void *scratch);

#endif /* SL_CONTROL_MAGLEV_H */
