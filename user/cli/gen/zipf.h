/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zipf.h - how often each rank is drawn: Zipf's law, with one elephant if wanted, as an alias
 * table.
 */
#ifndef SL_GEN_ZIPF_H
#define SL_GEN_ZIPF_H

#include <stdint.h>

#include "gen.h"

/*
 * Fill table[0..n): rank r is drawn in proportion to 1/(r+1)^skew (skew 0: all alike). With
 * elephant > 0 rank 0 gets exactly that share (0..1) and the ranks behind it follow the law among
 * themselves. A draw costs the same for every n. 0, or -ENOMEM; -EINVAL n is 0.
 */
int gen_zipf_build(struct sl_alias *table, uint32_t n, double skew, double elephant);

/* The share of draws that rank gets from the table: what was built, not what was asked. O(n). */
double gen_zipf_share(const struct sl_alias *table, uint32_t n, uint32_t rank);

#endif /* SL_GEN_ZIPF_H */
