// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * own_loop.c - a program with its own packet loop on two workers: sends every packet back, and
 * counts packets by bucket without an atomic.
 *
 *	cc -O2 -pthread -o own_loop own_loop.c $(pkg-config --cflags --libs libsluice)
 *	sluice attach eth1 --match 10.0.0.0/8; ./own_loop eth1
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <sluice/sluice.h>

#define WORKERS 2

static struct sl_dataplane *dp;
static unsigned long count[SL_MAX_BUCKETS]; /* moves between the threads with its bucket */

static void send_back(struct sl_packet *p)
{
	uint8_t mac[6];

	memcpy(mac, p->data, 6);
	memcpy(p->data, p->data + 6, 6);
	memcpy(p->data + 6, mac, 6);
	p->verdict = SL_TX;
	count[p->meta->bucket]++;
}

static void *loop(void *worker)
{
	struct sl_packet *pkts[SL_BATCH];
	unsigned id = *(unsigned *)worker, n;

	while ((n = sl_worker_receive(dp, id, pkts, SL_BATCH, -1))) {
		for (unsigned i = 0; i < n; i++)
			send_back(pkts[i]);
		sl_worker_complete(dp, id);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sl_dataplane_opts opts = {
		.ifaces = {argc > 1 ? argv[1] : NULL}, .workers = WORKERS, .own_loop = true};
	unsigned id[WORKERS] = {0, 1};
	unsigned long sum = 0;
	pthread_t thread[WORKERS];
	struct sl_error err;
	sigset_t signals;
	int sig;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (sl_dataplane_open(&opts, &dp, &err)) {
		fprintf(stderr, "own_loop: %s\n", err.text);
		return 1;
	}
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&thread[i], NULL, loop, &id[i]);
	puts("serving");
	fflush(stdout);
	sigwait(&signals, &sig);
	sl_dataplane_drain(dp); /* nothing new; the loops end when their rings are empty */
	for (int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	sl_dataplane_close(dp);
	for (int i = 0; i < SL_MAX_BUCKETS; i++)
		sum += count[i];
	printf("%lu packets\n", sum);
	return 0;
}
