/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deal.h - the table before anything is known of the load.
 */
#ifndef SL_CONTROL_DEAL_H
#define SL_CONTROL_DEAL_H

#include <stdint.h>

/*
 * The worker below `workers` that gets `bucket` of `buckets` (a power of two) while nothing is
 * known of its load. All workers get equally many, within one. Pure: the same table at every start.
 */
uint16_t sl_deal(uint32_t bucket, uint32_t buckets, unsigned workers);

#endif /* SL_CONTROL_DEAL_H */
