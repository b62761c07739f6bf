// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lb/stats.h"
#include "platform/percpu.h"

void lb_stats_sum(int map, uint32_t index, struct sl_lb_stats *sum)
{
	sl_percpu_sum(map, index, (uint64_t *)sum, sizeof(*sum) / sizeof(uint64_t));
}
