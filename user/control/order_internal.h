/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order_internal.h - the lines of an order, where scan and tree find them.
 *
 * Members lie in blocks of 8: a[0] of the eight, their b[0], a[1], b[1] and so on, so that a scan
 * reads memory once and in order. Who is no member has a = infinity and b = 0.
 */
#ifndef SL_CONTROL_ORDER_INTERNAL_H
#define SL_CONTROL_ORDER_INTERNAL_H

#include <stddef.h>

#include "control/order.h"

#define ORDER_LANES 8u

struct live_tree;

struct sl_order {
	double *block; /* 64-aligned */
	unsigned blocks, lines;
	enum sl_order_kind kind, asked;
	struct live_tree *tree;
	/* The scan that fits CPU and number of lines. */
	int (*scan)(const double *block, unsigned blocks, unsigned lines, double x);
};

static inline double *order_line(const struct sl_order *o, unsigned u)
{
	return o->block + (size_t)(u / ORDER_LANES) * 2 * ORDER_LANES * o->lines + u % ORDER_LANES;
}

static inline double order_value(const struct sl_order *o, unsigned u, double x)
{
	const double *line = order_line(o, u);
	double value = line[0] + line[ORDER_LANES] * x;

	for (unsigned l = 1; l < o->lines; l++) {
		line += (size_t)2 * ORDER_LANES;
		if (line[0] + line[ORDER_LANES] * x > value)
			value = line[0] + line[ORDER_LANES] * x;
	}
	return value;
}

/* The fastest scan that this CPU has with vectors of at most so many lanes: 1, 4 or 8. */
int (*order_scan_choose(unsigned lines, unsigned lanes))(const double *, unsigned, unsigned,
							 double);

/* A tournament of `n` members, n a multiple of ORDER_LANES; all of it is to be played. */
struct live_tree *live_tree_new(unsigned n);
void live_tree_free(struct live_tree *t);
/* Member u's lines have changed. */
void live_tree_touch(struct live_tree *t, unsigned u);
/* All lines have changed. */
void live_tree_reset(struct live_tree *t);
int live_tree_first(struct live_tree *t, const struct sl_order *o, double x);

#endif /* SL_CONTROL_ORDER_INTERNAL_H */
