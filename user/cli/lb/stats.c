// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "cli/lb/stats.h"

void lb_stats_sum(int map, uint32_t index, struct sl_lb_stats *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct sl_lb_stats *each = calloc((size_t)(cpus > 0 ? cpus : 1), sizeof(*each));

	*sum = (struct sl_lb_stats){0};
	if (each && !bpf_map_lookup_elem(map, &index, each))
		for (int i = 0; i < cpus; i++) {
			sum->packets += each[i].packets;
			sum->bytes += each[i].bytes;
			sum->connections += each[i].connections;
			sum->replies += each[i].replies;
			sum->reply_bytes += each[i].reply_bytes;
			sum->accepted += each[i].accepted;
			sum->refused += each[i].refused;
		}
	free(each);
}
