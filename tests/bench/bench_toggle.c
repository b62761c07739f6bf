// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_toggle IF PAIRS MS [cost] - pauses and resumes the daemon in turn, MS milliseconds each,
 * and counts what the workers take meanwhile; with "cost" it is the timing of packets that the
 * dataplane leaves and takes up. The order within a pair alternates, so a drift of the
 * machine cancels out.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

struct toggle {
	const struct sl_instance *inst;
	char path[SL_RPC_PATH_MAX];
	bool cost;
};

static int tell(const struct toggle *t, bool on)
{
	json_t *request = t->cost ? json_pack("{s:s,s:b}", "cmd", "cost", "on", on)
				  : json_pack("{s:s,s:s}", "cmd", on ? "resume" : "pause",
					      "instance", t->inst->name);
	struct sl_error err;
	int ret = sl_rpc_call(t->path, request, -1, NULL, &err);

	if (ret)
		fprintf(stderr, "bench_toggle: %s: %s\n", on ? "on" : "off", err.text);
	json_decref(request);
	return ret;
}

/* Packets a second with it on or off; negative: no answer. */
static double slice(const struct toggle *t, bool on, unsigned ms)
{
	uint64_t begin, from;

	if (tell(t, on))
		return -1;
	begin = sl_clock_ns();
	from = packets(t->inst);
	usleep(ms * 1000);
	return (double)(packets(t->inst) - from) / (double)(sl_clock_ns() - begin) * 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned pairs = argc >= 4 ? (unsigned)atoi(argv[2]) : 0;
	double *ratio = calloc(pairs ? pairs : 1, sizeof(*ratio)), rate[2], sum = 0;
	struct toggle t = {.cost = argc == 5 && !strcmp(argv[4], "cost")};
	struct sl_instance *inst;
	struct sl_error err;
	uint64_t moves;

	if (!pairs || !ratio || sl_instance_open(argv[1], &inst, &err) ||
	    (t.cost ? sl_rpc_dataplane_path(inst->name, t.path, &err)
		    : sl_rpc_daemon_path(t.path, &err))) {
		fprintf(stderr, "bench_toggle: %s\n", pairs ? err.text : "IF PAIRS MS [cost]");
		return 2;
	}
	t.inst = inst;
	moves = inst->control->moves_started;
	for (unsigned i = 0; i < pairs; i++) {
		for (int k = 0; k < 2; k++) {
			int on = (int)(i + (unsigned)k) % 2;

			rate[on] = slice(&t, on, (unsigned)atoi(argv[3]));
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
