// SPDX-License-Identifier: GPL-2.0-or-later
#include "platform/percpu.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sl_percpu_sum(int map, uint32_t index, uint64_t *sum, unsigned words)
{
	const int cpus = libbpf_num_possible_cpus();
	uint64_t *each;
	int rc;

	memset(sum, 0, words * sizeof(*sum));
	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus * words, sizeof(*each));
	if (!each)
		return -ENOMEM;
	rc = bpf_map_lookup_elem(map, &index, each);
	for (unsigned i = 0; !rc && i < (unsigned)cpus * words; i++)
		sum[i % words] += each[i];
	free(each);
	return rc;
}
