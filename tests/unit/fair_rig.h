/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fair_rig.h - a policy with users of weight 1, and random numbers. */
#ifndef TESTS_FAIR_RIG_H
#define TESTS_FAIR_RIG_H

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/fair.h"

static inline struct sl_fair *make(struct sl_fair_opts o, enum sl_order_kind kind, unsigned users)
{
	struct sl_fair *f;

	cr_assert_eq(sl_fair_new(&o, kind, &f, NULL), 0);
	for (unsigned u = 0; u < users; u++)
		cr_assert_eq(sl_fair_add_user(f, 1), (int)u);
	return f;
}

static inline double uniform(void)
{
	return (rand() & 0xffffff) / 16777216.0;
}

#endif /* TESTS_FAIR_RIG_H */
