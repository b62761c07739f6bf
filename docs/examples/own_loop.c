// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * own_loop.c - a program with its own packet loop on two threads: a loopback plug, which sends
 * every packet back as it came. The NF flowcount has seen it before: sluice flows tells the flows.
 *
 *	cc -O2 -pthread -o own_loop own_loop.c $(pkg-config --cflags --libs libsluice)
 *	sluice attach eth1 --match 10.0.0.0/8; ./own_loop eth1
 */
#include <err.h>
#include <pthread.h>
#include <signal.h>

#include <sluice/sluice.h>

static struct sl_dataplane *dp;

static void *loop(void *worker)
{
	struct sl_packet *pkts[SL_BATCH];
	unsigned n;

	while ((n = sl_worker_receive(dp, (uintptr_t)worker, pkts, SL_BATCH, -1)))
		for (unsigned i = 0; i < n; i++)
			pkts[i]->verdict = SL_TX; /* the next receive carries it out */
	return NULL;
}

static void on_signal(int sig)
{
	sl_dataplane_stop(dp); /* the loops end when their rings are empty */
}

int main(int argc, char **argv)
{
	struct sl_dataplane_opts opts = {
		.ifaces = {argv[1]}, .workers = 2, .chain = "flowcount", .own_loop = true};
	struct sl_error why;
	pthread_t other;

	if (sl_dataplane_open(&opts, &dp, &why))
		errx(1, "%s", why.text);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	pthread_create(&other, NULL, loop, (void *)1);
	loop((void *)0);
	pthread_join(other, NULL);
	sl_dataplane_close(dp);
	return 0;
}
