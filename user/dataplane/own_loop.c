// SPDX-License-Identifier: GPL-2.0-or-later
/* own_loop.c - the part of sluice/sluice.h that a running dataplane offers. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/housekeeping.h"
#include "dataplane/internal.h"
#include "dataplane/worker.h"
#include "platform/clock.h"

#define MEMBERS_MS 10000

int sl_dataplane_check(struct sl_dataplane *dp, struct sl_error *err)
{
	if (!atomic_load(&dp->failed))
		return 0;
	return sl_error_set(err, -ENODEV, "%s", dp->failure);
}

unsigned sl_worker_receive(struct sl_dataplane *dp, unsigned worker, struct sl_packet **pkts,
			   unsigned max, int timeout_ms)
{
	struct worker *w = &dp->worker[worker];
	unsigned n;

	w->max = max && max < SL_BATCH ? max : SL_BATCH;
	n = worker_collect(w);
	if (!n) {
		worker_finish(w);
		if (timeout_ms)
			worker_sleep(w, timeout_ms);
		n = worker_collect(w);
	}
	w->now_ns = sl_clock_ns();
	stat_set(&w->stat->heartbeat_ns, w->now_ns);
	for (unsigned i = 0; i < n; i++)
		pkts[i] = &w->packet[i];
	return n;
}

void sl_worker_complete(struct sl_dataplane *dp, unsigned worker)
{
	worker_finish(&dp->worker[worker]);
}

void sl_worker_wake(struct sl_dataplane *dp, unsigned worker)
{
	worker_wake(&dp->worker[worker]);
}

int sl_dataplane_set_workers(struct sl_dataplane *dp, unsigned n, struct sl_error *err)
{
	uint64_t until = sl_clock_ns() + MEMBERS_MS * 1000000ull;

	if (n < 1 || n > dp->workers_max)
		return sl_error_set(
			err, -EINVAL,
			"--set %u: 1..%u workers; sluice run --max-workers makes room for more", n,
			dp->workers_max);
	atomic_store(&dp->workers_wanted, n);
	housekeeping_wake(dp);
	while (atomic_load(&dp->workers_now) != n) {
		if (atomic_load(&dp->workers_wanted) != n)
			return sl_error_set(err, -EIO,
					    "worker %u could not join: see the dataplane's log",
					    atomic_load(&dp->workers_now));
		if (sl_clock_ns() > until)
			return sl_error_set(
				err, -ETIMEDOUT,
				"workers still hold buckets after %u ms: see sluice moves",
				MEMBERS_MS);
		usleep(500);
	}
	return 0;
}
