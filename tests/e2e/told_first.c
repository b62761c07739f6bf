// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * told_first LB SERVER IF NETNS - looks at the rows of instance IF, in the network namespace of
 * file NETNS, and at what balancer LB of this one knows of its server SERVER, row first, until
 * SIGTERM; then one line of JSON: of the rows that changed their worker, how many the balancer had
 * in an earlier look (before), when they had changed (there), or only later (after).
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "dataplane/word.h"
#include "lb/cores.h"
#include "lb/lb.h"
#include "platform/instance.h"

#define LOOK_US 100 /* who never sleeps has to wait for a CPU when it matters */

static volatile sig_atomic_t over;

static void on_signal(int number)
{
	(void)number;
	over = 1;
}

static const struct sl_lb_cores *known_of(const char *name, uint32_t server)
{
	struct sl_error err;
	struct sl_lb lb;
	uint32_t id;

	if (sl_lb_open(name, &lb, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return NULL;
	}
	if (bpf_map_lookup_elem(lb.map[SL_LB_M_CORES], &server, &id))
		return NULL;
	sl_lb_close(&lb);
	return sl_lb_cores_map(id);
}

enum { BEFORE, THERE, AFTER, KINDS };

struct bucket {
	uint16_t worker;
	uint8_t known;
};

static void look(const struct sl_instance *inst, const struct sl_lb_cores *known, struct bucket *at,
		 unsigned *n)
{
	for (uint32_t b = 0; b < inst->hash_buckets; b++) {
		const uint16_t worker = row_load(&inst->rows[b]).worker;
		const uint8_t now = __atomic_load_n(&known->core[b], __ATOMIC_ACQUIRE);

		if (worker != at[b].worker)
			n[at[b].known == worker ? BEFORE : now == worker ? THERE : AFTER]++;
		at[b] = (struct bucket){.worker = worker, .known = now};
	}
}

int main(int argc, char **argv)
{
	const struct sigaction sa = {.sa_handler = on_signal};
	const struct sl_lb_cores *known;
	unsigned n[KINDS] = {0}, none[KINDS] = {0};
	struct sl_instance *inst;
	struct bucket *at;
	struct sl_error err;

	if (argc != 5)
		return 2;
	known = known_of(argv[1], (uint32_t)atoi(argv[2]));
	if (!known || setns(open(argv[4], O_RDONLY | O_CLOEXEC), CLONE_NEWNET))
		return 1;
	if (sl_instance_open(argv[3], &inst, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	at = calloc(inst->hash_buckets, sizeof(*at));
	if (!at)
		return 1;
	sigaction(SIGTERM, &sa, NULL);
	look(inst, known, at, none);
	fputs("looking\n", stderr);
	for (; !over; usleep(LOOK_US))
		look(inst, known, at, n);
	printf("{\"before\":%u,\"there\":%u,\"after\":%u}\n", n[BEFORE], n[THERE], n[AFTER]);
	free(at);
	sl_instance_close(inst);
	return 0;
}
