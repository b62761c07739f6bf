// SPDX-License-Identifier: GPL-2.0-or-later
/* work:CYCLES - burns cycles for every packet: a stand-in for an expensive function in tests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/cycles.h>

#include "nf/builtin.h"

#define WORK_MAX 1000000000ull /* cycles a packet: a third of a second */

static int work_create(const char *args, void **self, char *err, size_t err_size)
{
	unsigned long long cycles;
	char *end;

	errno = 0;
	cycles = strtoull(args, &end, 10);
	if (end == args || *end || errno || cycles > WORK_MAX || args[0] == '-') {
		snprintf(err, err_size, "'%s' is no number of cycles: write work:N, 0..%llu", args,
			 WORK_MAX);
		return -EINVAL;
	}
	*self = (void *)(uintptr_t)cycles;
	return 0;
}

static void work_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	uint64_t end = sl_cycles() + (uintptr_t)ctx->self * n;

	while ((int64_t)(end - sl_cycles()) > 0)
		;
}

const struct sl_nf sl_nf_work = {
	.abi = SL_NF_ABI,
	.name = "work",
	.summary = "work:CYCLES burns that many cycles for every packet",
	.create = work_create,
	.process = work_process,
};
