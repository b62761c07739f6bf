/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.h - counters that a load balancer's program keeps for each CPU, summed. */
#ifndef SL_CLI_LB_STATS_H
#define SL_CLI_LB_STATS_H

#include "lb/lb.h"

/* `map`: one of the per-CPU arrays of struct sl_lb_stats. */
void lb_stats_sum(int map, uint32_t index, struct sl_lb_stats *sum);

#endif /* SL_CLI_LB_STATS_H */
