/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_select.h - who gets the next connections: rows of a table dealt by a policy from what the
 * servers say of their load. The rows of every policy but SL_LB_BY_HASH are for going through in
 * turn, from any place: each run of them is a fair sample of all. Pure: no clock, no allocation;
 * the same arguments give the same rows.
 */
#ifndef SL_CONTROL_LB_SELECT_H
#define SL_CONTROL_LB_SELECT_H

#include <stdbool.h>

#include <sluice/lb.h>

#include "control/maglev.h"

#define SL_LB_NEVER_TOLD UINT64_MAX

/* A server that may get connections. */
struct sl_lb_member {
	struct sl_maglev_server server; /* its weight is its capacity, relative to the others' */
	double load; /* share of its capacity in use, 0 or more; the unit cancels out */
	uint64_t age_ns; /* of the load; SL_LB_NEVER_TOLD: there is none */
};

struct sl_lb_fill_opts {
	/* A load older than this is taken for the mean of the others; all of them: for equal. */
	uint64_t stale_ns;
	/* SL_LB_BY_AWRR: from 0, connections as the inverse of the load, to 1, as without loads. */
	double alpha;
	/*
	 * SL_LB_BY_LEAST: connections until the next call, and what one adds to the load of a
	 * server of mean weight. They fill the least loaded servers up to one level. With either 0
	 * all go to the least loaded: each call sends them somewhere else, and all at once.
	 */
	double connections, added;
	/* SL_LB_BY_POWER_OF_TWO: its random numbers; another for each call. */
	uint64_t seed;
};

/* Weights are at most fifteen times apart (the bounds are FastClick's). */
#define SL_LB_AWRR_MEAN 10.0
#define SL_LB_AWRR_MIN 2.0
#define SL_LB_AWRR_MAX 30.0

/* Bytes of scratch, aligned for a uint64_t, for n members. */
size_t sl_lb_fill_scratch(unsigned n);

/*
 * Deal `rows` (a power of two) rows to `n` members; with none every row is `nobody`.
 *
 *   SL_LB_BY_HASH          sl_maglev_fill(): weights, no loads
 *   SL_LB_BY_CORE          the same: for whom XDP does not know the cores of
 *   SL_LB_BY_AWRR          weighted round robin; weights times 10 avg / ((1 - alpha) load +
 *                          alpha avg), at least 2 and at most 30 (Barbette and others, Cheetah,
 *                          NSDI 2020, and its code)
 *   SL_LB_BY_LEAST         the least loaded
 *   SL_LB_BY_POWER_OF_TWO  for each row two members drawn by weight, the less loaded of them
 *                          (Mitzenmacher 2001)
 *   any other              sl_turn_fill(): weighted round robin, no loads
 */
void sl_lb_fill(enum sl_lb_select policy, const struct sl_lb_member *members, unsigned n,
		const struct sl_lb_fill_opts *opts, uint16_t *row, unsigned rows, uint16_t nobody,
		void *scratch);

/* Does the policy want loads, so that its rows have to be dealt anew again and again? */
bool sl_lb_select_by_load(enum sl_lb_select policy);

#endif /* SL_CONTROL_LB_SELECT_H */
