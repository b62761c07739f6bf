// SPDX-License-Identifier: GPL-2.0-or-later
/* work:CYCLES, work:TIMEus - burns cycles for every packet: a stand-in for an expensive function in
 * tests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/cycles.h>

#include "nf/builtin.h"

#define WORK_MAX 1000000000ull /* cycles a packet: a third of a second */

/* Cycles of the counter in a microsecond, over 20 ms. */
static double cycles_per_us(void)
{
	const struct timespec nap = {.tv_nsec = 20000000};
	struct timespec a, b;
	uint64_t begin, cycles;

	clock_gettime(CLOCK_MONOTONIC, &a);
	begin = sl_cycles();
	nanosleep(&nap, NULL);
	cycles = sl_cycles() - begin;
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)cycles /
	       ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3);
}

static int work_create(const char *args, void **self, char *err, size_t err_size)
{
	unsigned long long cycles;
	char *end;

	errno = 0;
	cycles = strtoull(args, &end, 10);
	if (end != args && !errno && !strcmp(end, "us") && cycles <= WORK_MAX) {
		cycles = (unsigned long long)((double)cycles * cycles_per_us());
		end += 2;
	}
	if (end == args || *end || errno || cycles > WORK_MAX || args[0] == '-') {
		snprintf(err, err_size,
			 "'%s' is no amount of work: write work:N for cycles, or work:Nus, up to "
			 "%llu cycles",
			 args, WORK_MAX);
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
	.summary = "work:CYCLES or work:50us burns that much for every packet",
	.blind = true,
	.create = work_create,
	.process = work_process,
};
