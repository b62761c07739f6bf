// SPDX-License-Identifier: GPL-2.0-or-later
/* own_loop.c - the part of sluice/sluice.h that a running dataplane offers. */
#include <errno.h>
#include <time.h>

#include <sluice/cycles.h>

#include "dataplane/cost.h"
#include "dataplane/housekeeping.h"
#include "dataplane/internal.h"
#include "dataplane/tenant_flows.h"
#include "dataplane/worker.h"
#include "platform/clock.h"

#define MEMBERS_MS 10000

int sl_dataplane_check(struct sl_dataplane *dp, struct sl_error *err)
{
	if (!atomic_load(&dp->failed))
		return 0;
	return sl_error_set(err, -ENODEV, "%s", dp->failure);
}

void sl_dataplane_stop(struct sl_dataplane *dp)
{
	int saved = errno; /* of what a signal interrupted */

	if (!dp)
		return;
	atomic_store(&dp->stop, true);
	housekeeping_wake(dp);
	errno = saved;
}

/*
 * The time since the latest call: the program's. Work, if packets had been given out before, else
 * idling.
 */
static void count_outside(struct worker *w)
{
	uint64_t now = sl_cycles();

	if (w->left_cycles)
		stat_add(w->gave ? &w->stat->busy_cycles : &w->stat->idle_cycles,
			 now - w->left_cycles);
	w->gave = false;
}

static unsigned leave(struct worker *w, unsigned n)
{
	w->left_cycles = sl_cycles();
	return n;
}

/* A batch, less what the chain has decided about. */
static unsigned take(struct worker *w, struct sl_packet **pkts, unsigned max)
{
	unsigned n = 0;

	w->max = cost_batch(w, max && max < SL_BATCH ? max : SL_BATCH);
	if (!worker_begin(w))
		return 0;
	cost_begin(w);
	w->in_hand = w->batch;
	stat_add(&w->stat->held, w->in_hand);
	for (unsigned i = 0; i < w->batch; i++)
		if (w->packet[i].verdict == SL_NEXT)
			pkts[n++] = &w->packet[i];
	return n;
}

static bool finish(struct worker *w)
{
	cost_end(w);
	stat_add(&w->stat->held, -(uint64_t)w->in_hand);
	w->in_hand = 0;
	return worker_end(w);
}

/* A round without packets for the program: the heartbeat and the flow tables' clock go on. */
static void pass_time(struct worker *w)
{
	w->now_ns = sl_clock_ns();
	stat_set(&w->stat->heartbeat_ns, w->now_ns);
}

/* Milliseconds until the deadline, rounded up; -1: there is none. */
static int wait_ms(const struct worker *w, uint64_t until)
{
	if (until == UINT64_MAX)
		return -1;
	return until > w->now_ns ? (int)((until - w->now_ns + 999999) / 1000000) : 0;
}

unsigned sl_worker_receive(struct sl_dataplane *dp, unsigned worker, struct sl_packet **pkts,
			   unsigned max, int timeout_ms)
{
	struct worker *w = &dp->worker[worker];
	uint64_t until = 0;

	tenant_flows_here(w);
	if (w->in_hand)
		sl_worker_complete(dp, worker);
	count_outside(w);
	atomic_store_explicit(&w->served, true, memory_order_relaxed);
	for (;;) {
		unsigned n = take(w, pkts, max);
		bool busy;
		int left;

		if (n) {
			w->gave = true;
			return n;
		}
		busy = finish(w);
		pass_time(w);
		if (!until)
			until = timeout_ms < 0 ? UINT64_MAX
					       : w->now_ns + (uint64_t)timeout_ms * 1000000;
		left = wait_ms(w, until);
		if (!left || atomic_exchange(&w->woken, false) ||
		    (atomic_load(&w->quit) && worker_idle(w)))
			return leave(w, 0);
		if (!busy)
			worker_rest(w, left);
	}
}

void sl_worker_complete(struct sl_dataplane *dp, unsigned worker)
{
	struct worker *w = &dp->worker[worker];

	if (!w->in_hand)
		return;
	finish(w);
	leave(w, 0);
}

void sl_worker_wake(struct sl_dataplane *dp, unsigned worker)
{
	struct worker *w = &dp->worker[worker];

	atomic_store(&w->woken, true);
	worker_wake(w);
}

int sl_dataplane_set_workers(struct sl_dataplane *dp, unsigned n, struct sl_error *err)
{
	const struct timespec pause = {.tv_nsec = 500000};
	uint64_t until = sl_clock_ns() + MEMBERS_MS * 1000000ull;

	if (n < 1 || n > dp->workers_max)
		return sl_error_set(
			err, -EINVAL,
			"--set %u: 1..%u workers; sluice run --max-workers makes room for more", n,
			dp->workers_max);
	atomic_store(&dp->workers_wanted, n);
	housekeeping_wake(dp);
	while (atomic_load(&dp->workers_now) != n) {
		if (atomic_load(&dp->stop))
			return sl_error_set(err, -ECANCELED, "the dataplane is stopping");
		if (atomic_load(&dp->workers_wanted) != n)
			return sl_error_set(err, -EIO,
					    "worker %u could not join: see the dataplane's log",
					    atomic_load(&dp->workers_now));
		if (sl_clock_ns() > until)
			return sl_error_set(
				err, -ETIMEDOUT,
				"workers still hold buckets after %u ms: see sluice moves",
				MEMBERS_MS);
		nanosleep(&pause, NULL);
	}
	return 0;
}
