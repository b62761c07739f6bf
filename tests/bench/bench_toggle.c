// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_toggle IF PAIRS MS - pauses and resumes the daemon in turn, MS milliseconds each, and
 * counts what the workers take meanwhile. The order within a pair alternates, so a drift of the
 * machine cancels out.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/instance.h"
#include "platform/rpc.h"

static uint64_t packets(const struct sl_instance *inst)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < inst->max_workers; i++)
		n += __atomic_load_n(&inst->workers[i].rx_packets, __ATOMIC_RELAXED);
	return n;
}

static int tell(const char *path, const char *name, const char *cmd)
{
	json_t *request = json_pack("{s:s,s:s}", "cmd", cmd, "instance", name);
	struct sl_error err;
	int ret = sl_rpc_call(path, request, -1, NULL, &err);

	if (ret)
		fprintf(stderr, "bench_toggle: %s: %s\n", cmd, err.text);
	json_decref(request);
	return ret;
}

/* Packets a second with the balancer on or off; negative: the daemon does not answer. */
static double slice(const struct sl_instance *inst, const char *path, bool on, unsigned ms)
{
	uint64_t begin, from;

	if (tell(path, inst->name, on ? "resume" : "pause"))
		return -1;
	begin = sl_clock_ns();
	from = packets(inst);
	usleep(ms * 1000);
	return (double)(packets(inst) - from) / (double)(sl_clock_ns() - begin) * 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned pairs = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	double *ratio = calloc(pairs ? pairs : 1, sizeof(*ratio)), rate[2], sum = 0;
	char path[SL_RPC_PATH_MAX];
	struct sl_instance *inst;
	struct sl_error err;
	uint64_t moves;

	if (!pairs || !ratio || sl_instance_open(argv[1], &inst, &err) ||
	    sl_rpc_daemon_path(path, &err)) {
		fprintf(stderr, "bench_toggle: %s\n", pairs ? err.text : "IF PAIRS MS");
		return 2;
	}
	moves = inst->control->moves_started;
	for (unsigned i = 0; i < pairs; i++) {
		for (int k = 0; k < 2; k++) {
			int on = (int)(i + (unsigned)k) % 2;

			rate[on] = slice(inst, path, on, (unsigned)atoi(argv[3]));
			if (rate[on] < 0)
				return 1;
		}
		ratio[i] = rate[1] / rate[0];
		sum += rate[0];
	}
	qsort(ratio, pairs, sizeof(*ratio), compare);
	printf("{\"ratio\":%.4f,\"pairs\":%u,\"mpps\":%.3f,\"moves\":%lu}\n", ratio[pairs / 2],
	       pairs, sum / pairs / 1e6, (unsigned long)(inst->control->moves_started - moves));
	free(ratio);
	sl_instance_close(inst);
	return 0;
}
