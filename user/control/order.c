// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/order_internal.h"

#define ALIGN 64 /* the widest vectors */

struct sl_order *sl_order_new(unsigned lines, enum sl_order_kind kind)
{
	struct sl_order *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->lines = lines;
	o->asked = kind;
	o->kind = SL_ORDER_SCAN;
	o->scan = order_scan_choose(lines, ORDER_LANES);
	return o;
}

void sl_order_free(struct sl_order *o)
{
	if (!o)
		return;
	live_tree_free(o->tree);
	free(o->block);
	free(o);
}

static void clear(double *block, unsigned blocks, unsigned lines)
{
	for (size_t i = 0; i < (size_t)blocks * lines * 2 * ORDER_LANES; i++)
		block[i] = i / ORDER_LANES % 2 ? 0 : INFINITY;
}

int sl_order_grow(struct sl_order *o, unsigned n)
{
	const size_t size = sizeof(double) * 2 * ORDER_LANES * o->lines; /* of a block */
	unsigned blocks = (n + ORDER_LANES - 1) / ORDER_LANES;
	struct live_tree *tree = NULL;
	enum sl_order_kind kind = o->asked;
	double *block;

	if (blocks <= o->blocks)
		return 0;
	if (blocks < 2 * o->blocks)
		blocks = 2 * o->blocks;
	if (kind == SL_ORDER_AUTO)
		kind = n > SL_ORDER_SCAN_MAX ? SL_ORDER_TREE : SL_ORDER_SCAN;
	block = aligned_alloc(ALIGN, blocks * size);
	if (kind == SL_ORDER_TREE)
		tree = live_tree_new(blocks * ORDER_LANES);
	if (!block || (kind == SL_ORDER_TREE && !tree)) {
		free(block);
		live_tree_free(tree);
		return -ENOMEM;
	}
	if (o->blocks)
		memcpy(block, o->block, o->blocks * size);
	clear(block + o->blocks * size / sizeof(double), blocks - o->blocks, o->lines);
	free(o->block);
	live_tree_free(o->tree);
	o->block = block;
	o->blocks = blocks;
	o->tree = tree;
	o->kind = kind;
	return 0;
}

void sl_order_set(struct sl_order *o, unsigned u, const double *a, const double *b)
{
	double *line = order_line(o, u);

	for (unsigned l = 0; l < o->lines; l++, line += (size_t)2 * ORDER_LANES) {
		line[0] = a[l];
		line[ORDER_LANES] = b[l];
	}
	if (o->tree)
		live_tree_touch(o->tree, u);
}

void sl_order_remove(struct sl_order *o, unsigned u)
{
	double *line = order_line(o, u);

	for (unsigned l = 0; l < o->lines; l++, line += (size_t)2 * ORDER_LANES) {
		line[0] = INFINITY;
		line[ORDER_LANES] = 0;
	}
	if (o->tree)
		live_tree_touch(o->tree, u);
}

int sl_order_first(struct sl_order *o, double x)
{
	if (o->tree)
		return live_tree_first(o->tree, o, x);
	return o->scan(o->block, o->blocks, o->lines, x);
}

void sl_order_rescale(struct sl_order *o, double factor)
{
	const size_t n = (size_t)o->blocks * o->lines;

	for (size_t i = 0; i < n; i++)
		for (unsigned lane = 0; lane < ORDER_LANES; lane++)
			o->block[(2 * i + 1) * ORDER_LANES + lane] *= factor;
	if (o->tree)
		live_tree_reset(o->tree);
}
