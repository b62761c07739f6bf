/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fair.h - whose turn it is: DRF, SDRF, DRFQ, Karma and max-min behind one interface. Pure: time is
 * handed in; memory is taken when users are added, never when deciding.
 *
 * Amounts are handed in as shares of capacity in units of 2^-50 (sl_fair_quantize()), whole numbers
 * below 2^53, so that adding and taking away is exact however long it goes on. Commitments are
 * c = o + e * x with the overuse o, x = e^(-(t - t0) / tau) and e changed only when an allocation
 * changes; t0 moves on before x falls below 2^-16. Their error stays below 1e-14 for each change of
 * that user, which fades as its traces do (together 1e-14 times the sum of e^(-age / tau)), and
 * 2^-53 that stay: test_fair holds a month of changes to it, against long double.
 *
 * A user that has something to start is a candidate, with the demand of what it would start next.
 *
 *	sl_fair_advance(f, now_ns);
 *	u = sl_fair_first(f);
 *	... its next task fits ...
 *	sl_fair_start(f, u, demand, seconds);
 *	sl_fair_candidate(f, u, next_demand) or sl_fair_no_candidate(f, u);
 */
#ifndef SL_CONTROL_FAIR_H
#define SL_CONTROL_FAIR_H

#include <stdint.h>

#include <sluice/fair.h>

#include "control/order.h"

struct sl_fair;

#define SL_FAIR_UNIT 0x1p-50

/* A demand as shares of capacity, rounded down; `out` has as many values. False if one is negative
 * or not finite. */
bool sl_fair_quantize(const struct sl_fair_opts *opts, const double *demand, double *out);

/* -EINVAL: a setting that makes no sense; the word in *what (may be NULL) says which. -ENOMEM. */
int sl_fair_new(const struct sl_fair_opts *opts, enum sl_order_kind kind, struct sl_fair **f,
		const char **what);
void sl_fair_free(struct sl_fair *f);

/* Add a user: its number, from 0 on, or -EINVAL for a weight out of bounds, -E2BIG, -ENOMEM.
 * Equal shares shrink for all, at the next look. */
int sl_fair_add_user(struct sl_fair *f, double weight);
unsigned sl_fair_users(const struct sl_fair *f);

/* Time goes on; a time before the latest is taken for the latest. */
void sl_fair_advance(struct sl_fair *f, uint64_t now_ns);

/* User u has this to start next, or nothing. */
void sl_fair_candidate(struct sl_fair *f, unsigned u, const double *demand);
void sl_fair_no_candidate(struct sl_fair *f, unsigned u);

/* The candidate whose turn it is, or -1. */
int sl_fair_first(struct sl_fair *f);

/*
 * User u gets or gives back. `seconds` is how long it is expected to keep it (DRFQ alone asks). The
 * user's place is as before until it is a candidate again after sl_fair_start(), and up to date
 * after sl_fair_finish().
 */
void sl_fair_start(struct sl_fair *f, unsigned u, const double *demand, double seconds);
void sl_fair_finish(struct sl_fair *f, unsigned u, const double *demand);

/* Now: dominant share, dominant commitment (SDRF), credits in shares times quanta (Karma). */
double sl_fair_share(const struct sl_fair *f, unsigned u);
double sl_fair_commitment(struct sl_fair *f, unsigned u);
double sl_fair_credits(const struct sl_fair *f, unsigned u);
/* The equal (weighted) share of u. */
double sl_fair_equal_share(const struct sl_fair *f, unsigned u);

#endif /* SL_CONTROL_FAIR_H */
