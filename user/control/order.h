/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order.h - who is first, while priorities change with time. Pure: no clock, no system call; memory
 * is taken when it is made and grown only.
 *
 * A member's priority is the largest of a few lines, max over l of a[l] + b[l] * x, and lower comes
 * first; ties go to the lower number. x is common to all and falls as time passes: e^(-t/tau) where
 * commitments decay. Priorities that do not change have b = 0.
 *
 * Two ways to find the first, which agree to the bit:
 *	scan	all lines, with the widest vectors of the CPU. Placing costs nothing, looking O(n).
 *	tree	a Live Tree: a tournament whose inner nodes know their winner and down to which x it
 *		stays one. Placing costs O(log n), looking what has changed meanwhile. (The authors'
 *		Live Tree is a sorted list, which meets n^2 crossings; only the first is wanted.)
 * They cross between 1,024 and 2,048 members of two lines (./scripts/bench sched, EPYC with
 *AVX-512: 212 ns against 286 to 480, and 596 against 304 to 390, as time goes on slowly or fast);
 *there the scan's lines no longer fit the first cache.
 */
#ifndef SL_CONTROL_ORDER_H
#define SL_CONTROL_ORDER_H

enum sl_order_kind { SL_ORDER_AUTO = 0, SL_ORDER_SCAN, SL_ORDER_TREE };

/* Up to so many members the scan is faster, where each look is followed by one placement. */
#define SL_ORDER_SCAN_MAX 1024

struct sl_order;

/* Nobody is a member yet. `lines` of each: 1..16. NULL: no memory. */
struct sl_order *sl_order_new(unsigned lines, enum sl_order_kind kind);
void sl_order_free(struct sl_order *o);

/* Numbers below n may become members. 0 or -ENOMEM, and then nothing has changed. With
 * SL_ORDER_AUTO this is where the kind is chosen. */
int sl_order_grow(struct sl_order *o, unsigned n);

/* Place member u, new or not. Lines are finite, b[l] times any x too. */
void sl_order_set(struct sl_order *o, unsigned u, const double *a, const double *b);
void sl_order_remove(struct sl_order *o, unsigned u);

/* The first at x, or -1 without members. x must not rise, save by sl_order_rescale(). */
int sl_order_first(struct sl_order *o, double x);

/* From now on x counts from another time: every b is multiplied by `factor`, x was divided by it.
 * O(n). */
void sl_order_rescale(struct sl_order *o, double factor);

#endif /* SL_CONTROL_ORDER_H */
