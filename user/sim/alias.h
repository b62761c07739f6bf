/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alias.h - draws from any finite distribution at the same cost for every size (Walker 1977). */
#ifndef SL_SIM_ALIAS_H
#define SL_SIM_ALIAS_H

#include "sim/random.h"

/* Column i stands for itself below `cut`, for `other` above. */
struct sim_alias {
	float cut;
	uint32_t other;
};

/* Columns for weights[0..n): any numbers >= 0 of which one is not 0. NULL on no memory. */
struct sim_alias *sim_alias_new(const double *weights, uint32_t n);

static inline uint32_t sim_alias_draw(const struct sim_alias *a, uint32_t n, struct sim_random *r)
{
	uint64_t bits = sim_random_bits(r);
	uint32_t column = (uint32_t)((bits >> 32) * n >> 32);

	return (float)((uint32_t)bits >> 8) * 0x1p-24f < a[column].cut ? column : a[column].other;
}

#endif /* SL_SIM_ALIAS_H */
