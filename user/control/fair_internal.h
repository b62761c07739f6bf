/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fair_internal.h - what the policies keep of users. */
#ifndef SL_CONTROL_FAIR_INTERNAL_H
#define SL_CONTROL_FAIR_INTERNAL_H

#include <stddef.h>

#include "control/fair.h"

struct fair_user {
	double weight;
	double norm; /* 1 / (weight / mean weight): makes shares of users comparable */
	double equal; /* share: weight / sum of weights */
	double dominant; /* share */
	bool candidate;
	/* Karma */
	double credits; /* at the end of the last quantum */
	double area; /* share times seconds since then, up to `since` */
	double since; /* seconds after the end of the last quantum */
};

/* Of each user and resource. */
struct fair_amount {
	double held; /* units of SL_FAIR_UNIT */
	double next; /* what the candidate would start, likewise */
	double over; /* SDRF: share beyond the equal share */
	double excess; /* SDRF: commitment = over + excess * x */
	double tag; /* DRFQ: virtual start of the next, seconds */
};

struct sl_fair {
	struct sl_fair_opts opts;
	struct sl_order *order;
	struct fair_user *user;
	struct fair_amount *amount; /* user * resources + resource */
	unsigned users, room;
	double weights; /* sum */
	bool shares_changed; /* users were added */
	uint64_t now_ns;
	/* SDRF */
	uint64_t origin_ns; /* where x is 1 */
	double tau_ns, x, inverse; /* x = e^(-(now - origin) / tau), and 1 / x */
	/* DRFQ */
	double virtual_time[SL_FAIR_RESOURCES];
	/* Karma */
	uint64_t quantum_ns, settled_ns;
	double mean_credits; /* at the end of the last quantum */
	double *lent, *credits; /* scratch, of each user */
};

static inline struct fair_amount *fair_amounts(const struct sl_fair *f, unsigned u)
{
	return f->amount + (size_t)u * f->opts.resources;
}

/* Lines of user u's priority; there are as many as the order has. */
void fair_lines(const struct sl_fair *f, unsigned u, double *a, double *b);

/* Karma: settle the quanta that have passed. True if credits have changed. */
bool fair_karma_settle(struct sl_fair *f);
/* Karma: count what u has had up to now, before that changes. */
void fair_karma_count(struct sl_fair *f, unsigned u);

#endif /* SL_CONTROL_FAIR_INTERNAL_H */
