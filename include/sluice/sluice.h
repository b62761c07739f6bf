/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sluice.h - libsluice: the dataplane of `sluice run` for programs that bring their own packet
 * loop. docs/examples/own_loop.c is a whole one.
 *
 * The interfaces must have been attached (sluice attach). One dataplane at a time serves an
 * instance.
 *
 *	struct sl_dataplane_opts opts = { .ifaces = { "eth1" }, .workers = 2, .own_loop = true };
 *
 *	sl_dataplane_open(&opts, &dp, &err);
 *	... one thread for each worker:
 *	while ((n = sl_worker_receive(dp, worker, pkts, SL_BATCH, -1))) {
 *		... set pkts[i]->verdict ...
 *		sl_worker_complete(dp, worker);
 *	}
 *	... from a signal handler, or anywhere else: sl_dataplane_stop(dp), and the loops end
 *	... join the threads ...
 *	sl_dataplane_close(dp);
 *
 * The library hands over buckets between the threads as the rows of the indirection table say: a
 * packet reaches exactly the worker that owns its flow's state, in order. A flow's state may be in
 * the tables of an NF of the chain (sl_packet.tables, sl_flow_lookup()), or in arrays of the
 * program that are indexed by bucket (sl_packet.meta->bucket): between receive and complete nobody
 * else has a packet of the same bucket.
 */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/maps.h>
#include <sluice/nf.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sl_bind_mode { SL_BIND_AUTO = 0, SL_BIND_COPY, SL_BIND_ZEROCOPY };

/* Zero means the default everywhere. */
struct sl_dataplane_opts {
	const char *ifaces[SL_MAX_IFACES]; /* the instance's interfaces; the order gives
					      sl_packet.iface */
	unsigned workers; /* that start: 1..SL_MAX_WORKERS; default 1 */
	unsigned workers_max; /* that may ever take part; default max(workers, online CPUs) */
	const unsigned *cpus; /* worker i is pinned to cpus[i % cpus_n]; NULL: CPU i % online */
	unsigned cpus_n;
	const char *chain; /* "flowcount,work:500,reflect"; with own_loop it runs before the program
			      gets the packet, and may be "" or NULL */
	uint32_t ring_size; /* RX ring entries of each socket, power of two; default shrinks as
			       sockets grow */
	uint32_t frame_size; /* 2048 or 4096 bytes; default 2048 */
	uint32_t park_limit; /* frames of one queue that may wait for hand-overs; default 4096 */
	uint64_t flow_memory; /* bytes of all flow tables together; default 256 MiB */
	bool flow_evict; /* at the bound evict the flow idle longest near by, rather than refuse the
			    new */
	uint32_t flow_idle_ms; /* instead of the NFs' own idle times */
	bool flow_tenants; /* entries of flow tables have room for their tenant even if the instance
			      has no tenants yet */
	uint32_t spin_us; /* longest polling before a worker sleeps; default 50 */
	uint32_t busy_poll_us; /* SO_BUSY_POLL; default off */
	enum sl_bind_mode bind;
	bool own_loop; /* no worker threads: the program calls sl_worker_receive() */
	bool no_requests; /* no control socket */
	void (*log)(const char *line); /* information for the operator; NULL: silent */
};

struct sl_dataplane;

/*
 * Memory that the options will take, bytes: frames, shards, parks, hand-overs, and the kernel's
 * rings and buffer pools; flows come on top, up to flow_memory. -errno on bad options, with a line
 * in err.
 */
int64_t sl_dataplane_memory(const struct sl_dataplane_opts *opts, struct sl_error *err);

/*
 * Open the sockets, settle what an earlier dataplane left, and start. 0 and *dp, or -errno: -EINVAL
 * an option is wrong, the chain included, and nothing else is; -ENOENT not attached, or without
 * match rules; -EBUSY another dataplane serves the instance; -ENOMEM more than the machine or the
 * memory cgroup has left; -EPERM.
 */
int sl_dataplane_open(const struct sl_dataplane_opts *opts, struct sl_dataplane **dp,
		      struct sl_error *err);

/*
 * Ask for the end, and do not wait for it: everything is steered to the stack from now on, workers
 * process what is in the rings and leave. For own_loop, sl_worker_receive() gives out what there
 * is, then returns 0 whatever the timeout. Any thread, and a signal handler; NULL is fine. Happens
 * by itself when an interface is gone.
 */
void sl_dataplane_stop(struct sl_dataplane *dp);

/* The same, and everything is steered to the stack when it returns. From the thread that will
 * close; may be left out. */
void sl_dataplane_drain(struct sl_dataplane *dp);

/*
 * Drain, end the workers, close the sockets. With own_loop every worker's thread must have left its
 * loop; packets that it did not take or did not complete are counted as abandoned. Never fails.
 */
void sl_dataplane_close(struct sl_dataplane *dp);

/* 0 while it serves; -ENODEV once an interface is gone (err says which). Any thread. */
int sl_dataplane_check(struct sl_dataplane *dp, struct sl_error *err);

/*
 * Take packets as worker `worker` < workers_max: up to `max` <= SL_BATCH (0: SL_BATCH), now and
 * then a single one, which is how the cost of its bucket is measured. Returns as soon as there are
 * some, and 0 after timeout_ms (0: do not wait, -1: for ever), after sl_worker_wake(), and when
 * all is taken after a stop: asked for, or an interface is gone (sl_dataplane_check()). Waiting
 * costs no CPU beyond opts.spin_us. Packets belong to the caller until sl_worker_complete(); all
 * have verdict SL_NEXT: those that the chain decided about are not shown. Always the same thread
 * for one worker.
 *
 * Call it at least once a second, also without traffic: hand-overs, idle flows and `sluice flows`
 * go on inside, and a worker that does not call looks stuck to the daemon.
 */
unsigned sl_worker_receive(struct sl_dataplane *dp, unsigned worker, struct sl_packet **pkts,
			   unsigned max, int timeout_ms);

/*
 * Carry out the verdicts of the packets received; SL_NEXT counts as SL_CONSUME. The next receive
 * does it too. The worker's thread.
 */
void sl_worker_complete(struct sl_dataplane *dp, unsigned worker);

/* End the wait in sl_worker_receive(), or the next one if there is none. Any thread. */
void sl_worker_wake(struct sl_dataplane *dp, unsigned worker);

/*
 * Workers 0..n-1 take part from now on; the others give their shards away. Any thread but a
 * worker's: waits until it is done, 10 s at most. 0, -EINVAL n, -ETIMEDOUT, -EIO a worker cannot
 * join (own_loop: its thread must have called sl_worker_receive() before), -ECANCELED draining.
 */
int sl_dataplane_set_workers(struct sl_dataplane *dp, unsigned n, struct sl_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_SLUICE_H */
