// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <sluice/cycles.h>

#include "dataplane/batch.h"
#include "dataplane/chain.h"
#include "dataplane/cost.h"
#include "dataplane/export.h"
#include "dataplane/frames.h"
#include "dataplane/handover.h"
#include "dataplane/park.h"
#include "dataplane/receive.h"
#include "dataplane/shard.h"
#include "dataplane/tap_worker.h"
#include "dataplane/tenant_flows.h"
#include "dataplane/transmit.h"
#include "dataplane/worker.h"
#include "platform/clock.h"
#include "platform/cpu.h"

/* A sleeper looks up this often: heartbeats stay fresh and idle flows end. */
#define SLEEP_MS 500
#define SWEEP_ALL_NS 250000000ull
/*
 * A worker polls for a while before it sleeps: who wakes a sleeper pays for it. One that shares its
 * CPU with another naps instead, a time in which no ring fills up: polling would keep the other
 * from its packets for whole time slices, and asleep it would be woken for each burst.
 *
 * With a move pending a worker polls; after so many fruitless rounds it rests in between, so that a
 * worker on the same CPU gets on with what it waits for. Not by sched_yield(): since 6.18 each call
 * forfeits virtual run time (kernel/sched/fair.c, yield_task_fair()), and a thread that has called
 * it often starves for seconds.
 */
#define NAP_ROUNDS 64
#define SPIN_DECAY 16
#define NAP_NS 50000
#define SHARE_NAP_NS 20000
#define TIMER_SLACK_NS 1000
#define SLICE_NS 100000

int worker_init(struct sl_dataplane *dp, unsigned id)
{
	struct worker *w = &dp->worker[id];
	int ret;

	w->dp = dp;
	w->id = id;
	w->max = SL_BATCH;
	w->stat = &dp->inst->workers[id];
	w->cost = &dp->inst->cost[(size_t)id * dp->inst->buckets];
	w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->event_fd < 0)
		return -errno;
	w->ring = calloc(dp->rings, sizeof(*w->ring));
	if (!w->ring)
		return -ENOMEM;
	ret = caches_init(w);
	if (!ret)
		ret = parks_init(w);
	if (!ret)
		ret = tenant_queues_init(w);
	if (!ret)
		ret = handover_init(w);
	cost_init(w);
	return ret;
}

void worker_free(struct worker *w)
{
	if (!w->dp)
		return;
	handover_free(w);
	tenant_queues_free(w);
	parks_free(w);
	caches_free(w);
	free(w->ring);
	if (w->event_fd >= 0)
		close(w->event_fd);
	memset(w, 0, sizeof(*w));
}

unsigned worker_collect(struct worker *w)
{
	if (w->parked_buckets)
		parks_check(w);
	if (w->meter.on || w->queues.waiting ? tenant_queues_collect(w) : receive_batch(w))
		w->now_ns = sl_clock_ns();
	return w->batch;
}

bool worker_finish(struct worker *w)
{
	bool moved = false;

	if (w->batch)
		batch_finish(w);
	transmit_flush(w);
	frames_flush(w);
	if (handover_pending(w) && !ready_waits(w))
		moved = handover_check(w);
	if (w->parked_buckets && !ready_waits(w))
		moved |= parks_check(w);
	return moved;
}

bool worker_idle(const struct worker *w)
{
	return !w->batch && !w->queues.waiting && !ready_waits(w) && !w->parked_buckets &&
	       !handover_pending(w) && !w->cached && !receive_waits(w);
}

static bool tx_pending(const struct worker *w)
{
	for (unsigned i = 0; i < w->dp->rings; i++)
		if (w->ring[i].tx_dirty && !w->ring[i].tx_down)
			return true;
	return false;
}

static void poll_sockets(struct worker *w, const struct timespec *timeout)
{
	struct pollfd fds[SL_MAX_RINGS + 1];
	uint64_t rung;
	nfds_t n = 0;

	fds[n++] = (struct pollfd){.fd = w->event_fd, .events = POLLIN};
	for (unsigned i = 0; i < w->dp->rings; i++)
		if (w->ring[i].open)
			fds[n++] = (struct pollfd){.fd = w->ring[i].xsk.fd, .events = POLLIN};
	ppoll(fds, n, timeout, NULL);
	if (fds[0].revents && read(w->event_fd, &rung, sizeof(rung)) < 0)
		return; /* somebody else took it: nothing to do */
}

static void poll_timed(struct worker *w, int timeout_ms)
{
	struct timespec ts = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	stat_add(&w->stat->sleeps, 1);
	poll_sockets(w, timeout_ms < 0 ? NULL : &ts);
}

void worker_sleep(struct worker *w, int timeout_ms)
{
	uint64_t before;

	w->now_ns = sl_clock_ns();
	if (w->now_ns - w->swept_ns > SWEEP_ALL_NS) {
		shards_sweep_all(w);
		w->swept_ns = w->now_ns;
	}
	/* Dekker with worker_wake(): either it sees `sleeping`, or this thread sees what it was
	 * woken for. */
	atomic_store_explicit(&w->sleeping, 1, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	before = sl_cycles();
	if (worker_idle(w) && !tx_pending(w) && !atomic_load(&w->quit) && !atomic_load(&w->woken) &&
	    !export_pending(w))
		poll_timed(w, timeout_ms);
	atomic_store_explicit(&w->sleeping, 0, memory_order_relaxed);
	stat_add(&w->stat->sleep_cycles, sl_cycles() - before);
	w->now_ns = sl_clock_ns();
	stat_set(&w->stat->heartbeat_ns, w->now_ns);
}

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	/* pairs with the fence in worker_sleep() */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&w->sleeping, memory_order_relaxed) &&
	    write(w->event_fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: it is rung already */
}

/*
 * How long to poll before the next sleep. One sleep so short that polling would have met the packet
 * restores the limit: a wake-up costs the sender's CPU as much as ours. It takes dozens of longer
 * ones to bring it down, so that a gap in full traffic does not, and rare packets do.
 */
static void spin_adapt(struct worker *w, uint64_t slept)
{
	uint64_t limit = w->dp->tsc_hz / 1000000 * w->dp->opts.spin_us;

	w->spin_cycles = slept < limit ? limit : w->spin_cycles - w->spin_cycles / SPIN_DECAY;
}

void worker_rest(struct worker *w, int limit_ms)
{
	const struct timespec nap = {.tv_nsec = NAP_NS}, share = {.tv_nsec = SHARE_NAP_NS};
	uint64_t now = sl_cycles(), idle = now - w->idle_since;

	if (w->outgoing_n || w->parked_buckets || tx_pending(w) || w->cached) {
		if (++w->fruitless > NAP_ROUNDS) {
			poll_sockets(w, &nap);
			stat_set(&w->stat->heartbeat_ns, sl_clock_ns());
		}
		return;
	}
	if (idle < w->spin_cycles) {
		if (atomic_load_explicit(&w->shares_cpu, memory_order_relaxed))
			clock_nanosleep(CLOCK_MONOTONIC, 0, &share, NULL);
		return;
	}
	worker_sleep(w, limit_ms < 0 || limit_ms > SLEEP_MS ? SLEEP_MS : limit_ms);
	w->idle_since = sl_cycles();
	spin_adapt(w, w->idle_since - now);
}

unsigned worker_begin(struct worker *w)
{
	unsigned n;

	w->round_start = sl_cycles();
	tenants_round(w);
	n = worker_collect(w);
	if (!n)
		return 0;
	if (w->meter.on)
		tenants_batch(w);
	for (unsigned i = 0; i < n && atomic_load_explicit(&w->dp->tap, memory_order_relaxed); i++)
		tap_packet(w, &w->packet[i], SL_TAP_RX);
	return n;
}

bool worker_end(struct worker *w)
{
	bool busy = w->batch;
	uint64_t end;

	busy |= worker_finish(w);
	if (export_pending(w))
		busy |= export_step(w);
	end = sl_cycles();
	shards_sweep(w, end);
	stat_add(&w->stat->rounds, 1);
	if (w->meter.present | w->meter.holding)
		tenants_account(w, busy ? end - w->round_start : 0);
	if (!busy) {
		stat_add(&w->stat->idle_cycles, end - w->round_start);
		return false;
	}
	stat_add(&w->stat->busy_cycles, end - w->round_start);
	stat_set(&w->stat->heartbeat_ns, w->now_ns);
	w->idle_since = end;
	w->fruitless = 0;
	return true;
}

static void worker_round(struct worker *w)
{
	if (worker_begin(w))
		cost_run_chain(w);
	if (!worker_end(w))
		worker_rest(w, SLEEP_MS);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	tenant_flows_here(w);
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
	sl_cpu_slice(SLICE_NS); /* packets wait less behind others on this CPU */
	w->now_ns = sl_clock_ns();
	w->swept_ns = w->now_ns;
	w->idle_since = sl_cycles();
	stat_set(&w->stat->heartbeat_ns, w->now_ns);
	while (!atomic_load_explicit(&w->quit, memory_order_acquire) || !worker_idle(w))
		worker_round(w);
	transmit_forgive(w);
	shards_sweep_all(w);
	tenants_close(w);
	return NULL;
}

int worker_start(struct worker *w, struct sl_error *err)
{
	char name[16];
	int ret;

	atomic_store(&w->quit, false);
	tenants_close(w);
	if (w->dp->opts.own_loop)
		return 0;
	ret = pthread_create(&w->thread, NULL, worker_main, w);
	if (ret)
		return sl_error_set(err, -ret, "worker %u: cannot start its thread: %s", w->id,
				    strerror(ret));
	w->running = true;
	snprintf(name, sizeof(name), "sluice-w%u", w->id);
	pthread_setname_np(w->thread, name);
	if (w->stat->cpu >= 0)
		sl_cpu_pin(w->thread, (unsigned)w->stat->cpu);
	return 0;
}

void worker_join(struct worker *w)
{
	/* a program's thread stays, and finds nothing in its rings */
	if (!w->running)
		return;
	atomic_store(&w->quit, true);
	worker_wake(w);
	pthread_join(w->thread, NULL);
	w->running = false;
}
