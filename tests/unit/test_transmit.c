// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transmission into an output that takes little or nothing: what that costs the worker, which
 * packets it loses, and that what gets out keeps its order. The kernel's part of the rings is
 * played here; a socket pair stands for the socket.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sluice/cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/frames.h"
#include "dataplane/transmit.h"
#include "platform/clock.h"
#include "platform/cpu.h"

#define RING 64
#define FRAME 2048
#define FRAMES 4096
#define WAIT_MS 10 /* that a full output is given */
#define LATE_MS 200 /* that a hand-over waits for one that takes nothing */

struct rig {
	struct sl_dataplane dp;
	struct sl_instance inst;
	struct worker w;
	struct sl_worker stat;
	struct sl_home home;
	struct sl_worker_ring ring;
	struct sl_cache cache;
	struct xdp_desc desc[RING];
	uint64_t comp[RING];
	uint32_t producer, consumer, comp_producer, comp_consumer;
	uint32_t sent; /* packets so far: the next one's frame */
	int kernel; /* the other end of the socket */
};

static struct rig *rig_new(void)
{
	struct rig *g = aligned_alloc(SL_CACHE_LINE, sizeof(*g));
	int fd[2];

	cr_assert_not_null(g);
	memset(g, 0, sizeof(*g));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	g->kernel = fd[1];
	g->inst.ifaces = 1;
	g->dp.inst = &g->inst;
	g->dp.rings = 1;
	g->dp.frames = FRAMES;
	g->dp.frame_size = FRAME;
	g->dp.tsc_hz = sl_cycles_hz();
	g->dp.home = &g->home;
	g->dp.iface_mtu[0] = 1500;
	atomic_store(&g->dp.iface_active[0], 1);
	g->home.umem.comp = (struct xsk_ring_cons){.mask = RING - 1,
						   .size = RING,
						   .producer = &g->comp_producer,
						   .consumer = &g->comp_consumer,
						   .ring = g->comp};
	g->ring.open = true;
	g->ring.xsk.fd = fd[0];
	g->ring.xsk.tx = (struct xsk_ring_prod){.cached_cons = RING,
						.mask = RING - 1,
						.size = RING,
						.producer = &g->producer,
						.consumer = &g->consumer,
						.ring = g->desc};
	g->cache.addr = malloc(FRAMES * sizeof(uint64_t));
	g->w.dp = &g->dp;
	g->w.stat = &g->stat;
	g->w.ring = &g->ring;
	g->w.cache = &g->cache;
	return g;
}

static void rig_free(struct rig *g)
{
	close(g->ring.xsk.fd);
	close(g->kernel);
	free(g->cache.addr);
	free(g);
}

/* One batch as batch_finish() and worker_finish() carry it out. Milliseconds that it took. */
static double send_batch(struct rig *g, unsigned n)
{
	uint64_t begin = sl_clock_ns();

	for (unsigned i = 0; i < n; i++, g->sent++) {
		uint64_t addr = (uint64_t)(g->sent % FRAMES) * FRAME;
		struct sl_packet p = {.data = g->dp.area + addr, .addr = addr, .len = 100};

		transmit(&g->w, &p, 0);
	}
	transmit_flush(&g->w);
	return (double)(sl_clock_ns() - begin) / 1e6;
}

/* A second worker on the same output, with a ring of its own. The first one's socket will do. */
struct other {
	struct worker w;
	struct sl_worker stat;
	struct sl_worker_ring ring;
	struct sl_cache cache;
	struct xdp_desc desc[RING];
	uint32_t producer, consumer;
};

static struct other *other_new(struct rig *g)
{
	struct other *o = aligned_alloc(SL_CACHE_LINE, sizeof(*o));

	cr_assert_not_null(o);
	memset(o, 0, sizeof(*o));
	o->ring.open = true;
	o->ring.xsk = (struct sl_xsk){.fd = g->ring.xsk.fd,
				      .tx = {.cached_cons = RING,
					     .mask = RING - 1,
					     .size = RING,
					     .producer = &o->producer,
					     .consumer = &o->consumer,
					     .ring = o->desc}};
	o->cache.addr = malloc(FRAMES * sizeof(uint64_t));
	o->w = (struct worker){
		.dp = &g->dp, .stat = &o->stat, .ring = &o->ring, .cache = &o->cache};
	return o;
}

static void other_free(struct other *o)
{
	free(o->cache.addr);
	free(o);
}

/* One packet by the other worker. Does it go out? */
static bool other_sends(struct rig *g, struct other *o)
{
	struct sl_packet p = {.data = g->dp.area, .len = 100};
	uint32_t before = o->producer;

	transmit(&o->w, &p, 0);
	o->consumer = o->producer; /* this ring's packets the kernel takes at once */
	transmit_flush(&o->w);
	return o->producer != before;
}

static uint64_t lost(const struct rig *g)
{
	return g->stat.nf_drop[SL_DROP_TX_FULL];
}

static void kernel_takes(struct rig *g, uint32_t n)
{
	__atomic_fetch_add(&g->consumer, n, __ATOMIC_RELEASE);
}

/* Frame numbers in the ring, from `first` on: strictly rising. */
static void ring_in_order(const struct rig *g, uint32_t first)
{
	for (uint32_t i = first + 1; i != g->producer; i++)
		cr_expect_gt(g->desc[i % RING].addr, g->desc[(i - 1) % RING].addr);
}

/* The driver's ring is full and stays so. */
Test(transmit, a_stuck_output_is_waited_for_once)
{
	struct rig *g = rig_new();
	double ms = 0;

	send_batch(g, RING);
	cr_expect_eq(lost(g), 0);
	for (unsigned i = 0; i < 20; i++)
		ms += send_batch(g, SL_BATCH);
	cr_expect_lt(ms, 5 * WAIT_MS, "%.1f ms for 20 batches", ms);
	cr_expect_eq(lost(g), 20 * SL_BATCH);
	cr_expect_eq(g->stat.forwarded, RING);
	cr_expect_eq(g->w.cached, 20 * SL_BATCH, "every dropped frame is free again");
	cr_expect_not(transmit_taken(&g->w), "no release before the kernel has them");
	rig_free(g);
}

Test(transmit, an_output_that_takes_again_is_waited_for_again)
{
	struct rig *g = rig_new();

	send_batch(g, RING);
	send_batch(g, SL_BATCH);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t before = lost(g);
		double ms;

		kernel_takes(g, 3);
		send_batch(g, 0); /* the worker's rounds go on without packets */
		ms = send_batch(g, SL_BATCH);
		cr_expect_eq(lost(g) - before, SL_BATCH - 3);
		cr_expect_gt(ms, WAIT_MS * 0.9, "the fourth was waited for: %.1f ms", ms);
	}
	ring_in_order(g, g->consumer);
	kernel_takes(g, RING);
	cr_expect(transmit_taken(&g->w));
	cr_expect_eq(g->stat.forwarded, RING + 9);
	rig_free(g);
}

static atomic_uint asked;

static void count_asked(int sig)
{
	asked++;
}

/* The interface is down: sendto() says so at once, and is not asked for every packet. */
Test(transmit, a_link_that_is_down_is_asked_once_a_batch)
{
	struct rig *g = rig_new();
	struct other *o = other_new(g);
	int fd[2];

	send_batch(g, RING);
	close(g->kernel);
	close(g->ring.xsk.fd);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	shutdown(fd[0], SHUT_WR); /* each sendto() fails, and sends a signal */
	signal(SIGPIPE, count_asked);
	g->ring.xsk.fd = fd[0];
	g->kernel = fd[1];
	for (unsigned i = 0; i < 20; i++)
		send_batch(g, SL_BATCH);
	cr_expect_leq(asked, 21, "%u calls for 20 batches", asked);
	cr_expect_eq(lost(g), 20 * SL_BATCH);
	cr_expect(g->ring.tx_down);
	cr_expect(transmit_taken(&g->w), "a hand-over does not wait for the link");
	cr_expect_not(other_sends(g, o), "the bucket's new owner would be first when it is up");
	kernel_takes(g, RING); /* it is up again */
	send_batch(g, RING);
	cr_expect_eq(lost(g), 20 * SL_BATCH);
	cr_expect(other_sends(g, o));
	other_free(o);
	rig_free(g);
}

/* Asked again and again, as handover_check() does. Milliseconds until buckets may go. */
static double asked_until_taken(struct rig *g)
{
	uint64_t begin = sl_clock_ns();

	while (!transmit_taken(&g->w) && sl_clock_ns() - begin < 20000000000u)
		usleep(1000);
	return (double)(sl_clock_ns() - begin) / 1e6;
}

/* I4, every move ends, and I2, packets leave in order, where a device hangs. */
Test(transmit, a_hand_over_waits_for_a_stuck_output_so_long_and_nobody_overtakes)
{
	struct rig *g = rig_new();
	struct other *o = other_new(g);
	double ms;

	send_batch(g, 10);
	cr_expect(other_sends(g, o), "no bucket has gone yet");
	ms = asked_until_taken(g);
	cr_expect_gt(ms, LATE_MS * 0.9);
	cr_expect_lt(ms, 10000, "%.1f ms", ms);
	cr_expect_not(other_sends(g, o), "it has the bucket now, and would overtake");
	cr_expect_eq(o->stat.nf_drop[SL_DROP_TX_FULL], 1);
	send_batch(g, 5);
	kernel_takes(g, 9);
	send_batch(g, 0);
	cr_expect_not(other_sends(g, o), "one is left");
	kernel_takes(g, 1);
	send_batch(g, 0);
	cr_expect(other_sends(g, o), "what the worker sent since is its own buckets'");
	cr_expect_eq(g->stat.forwarded, 15);
	other_free(o);
	rig_free(g);
}

/* As long as something is taken now and then a hand-over waits for the rest. */
Test(transmit, a_hand_over_waits_for_a_slow_output)
{
	struct rig *g = rig_new();
	struct other *o = other_new(g);

	send_batch(g, 9);
	for (unsigned i = 0; i < 9; i++) {
		uint64_t begin = sl_clock_ns();

		send_batch(g, i == 0);
		cr_expect_not(transmit_taken(&g->w), "after %u", i);
		if (sl_clock_ns() - begin > LATE_MS * 500000ull)
			cr_skip_test("skip: this thread was kept from its CPU");
		usleep(LATE_MS * 1000 / 4);
		kernel_takes(g, 1);
	}
	cr_expect(other_sends(g, o));
	kernel_takes(g, 1);
	cr_expect(transmit_taken(&g->w));
	cr_expect(other_sends(g, o));
	other_free(o);
	rig_free(g);
}

/* Two workers gave buckets away while the output was stuck: each waits for the other's packets. */
Test(transmit, workers_that_owe_do_not_overtake_each_other)
{
	struct rig *g = rig_new();
	struct other *o = other_new(g);
	struct sl_packet p = {.data = g->dp.area, .len = 100};

	send_batch(g, 1);
	transmit(&o->w, &p, 0);
	asked_until_taken(g);
	for (int i = 0; i < 20000 && !transmit_taken(&o->w); i++)
		usleep(1000);
	transmit(&o->w, &p, 0);
	cr_expect_eq(o->stat.nf_drop[SL_DROP_TX_FULL], 1);
	send_batch(g, 1);
	cr_expect_eq(lost(g), 1);
	kernel_takes(g, 1);
	send_batch(g, 0);
	cr_expect(other_sends(g, o), "the first has nothing left");
	send_batch(g, 1);
	cr_expect_eq(lost(g), 1, "and the other neither");
	other_free(o);
	rig_free(g);
}

/* Its thread ends: nobody asks the kernel any more, and the others must not wait for ever. */
Test(transmit, a_worker_that_ends_owes_nothing)
{
	struct rig *g = rig_new();
	struct other *o = other_new(g);

	send_batch(g, 1);
	asked_until_taken(g);
	cr_expect_not(other_sends(g, o));
	transmit_forgive(&g->w);
	cr_expect(other_sends(g, o));
	other_free(o);
	rig_free(g);
}

static void *take_slowly(void *arg)
{
	struct rig *g = arg;

	for (unsigned i = 0; i < SL_BATCH; i++) {
		usleep(WAIT_MS * 1000 / 2);
		kernel_takes(g, 1);
	}
	return NULL;
}

/* Never stuck, and yet no batch may cost the sum of its packets' waits. */
Test(transmit, a_slow_output_costs_a_batch_one_wait)
{
	struct rig *g = rig_new();
	pthread_t kernel;
	double ms;

	send_batch(g, RING);
	pthread_create(&kernel, NULL, take_slowly, g);
	ms = send_batch(g, SL_BATCH);
	cr_expect_lt(ms, 5 * WAIT_MS, "%.1f ms", ms);
	cr_expect_gt(lost(g), 0);
	cr_expect_eq(g->stat.forwarded + lost(g), RING + SL_BATCH);
	pthread_join(kernel, NULL);
	ring_in_order(g, g->producer - RING);
	rig_free(g);
}
