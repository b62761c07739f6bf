// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/frames.h"
#include "dataplane/log.h"
#include "dataplane/members.h"
#include "dataplane/moves.h"
#include "dataplane/worker.h"
#include "platform/ethtool.h"

static int open_socket(struct sl_dataplane *dp, unsigned id, unsigned ring, struct sl_error *err)
{
	struct worker *w = &dp->worker[id];
	int ret;

	if (w->ring[ring].open)
		return 0;
	ret = sl_xsk_open(&w->ring[ring].xsk, &dp->home[ring].umem, &dp->xsk_opts, err);
	if (ret)
		return ret;
	w->ring[ring].open = true;
	return 0;
}

static int set_slot(struct sl_dataplane *dp, unsigned id, unsigned ring, struct sl_error *err)
{
	struct sl_home *h = &dp->home[ring];
	const struct sl_iface *iface = &dp->inst->iface[h->iface];
	int ret = sl_xsk_slot_set(iface, h->queue, id, dp->worker[id].ring[ring].xsk.fd);

	if (ret)
		return sl_error_set(err, ret,
				    "%s queue %u: cannot enter worker %u into the XSKMAP: %s",
				    iface->name, h->queue, id, strerror(-ret));
	return 0;
}

/* One queue: its UMEM, and a socket in a slot for every worker that takes part. */
static int open_queue(struct sl_dataplane *dp, unsigned ring, struct sl_error *err)
{
	int ret = dp->home[ring].open ? 0 : home_open(dp, ring, err);

	for (unsigned i = 0; !ret && i < dp->workers_max; i++) {
		/* a leaving worker may be given buckets until it has left, or stay after all */
		if (dp->inst->workers[i].state == SL_WORKER_ABSENT)
			continue;
		ret = open_socket(dp, i, ring, err);
		if (!ret)
			ret = set_slot(dp, i, ring, err);
	}
	return ret;
}

int members_reserve(struct sl_dataplane *dp, struct sl_error *err)
{
	int ret = 0;

	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		unsigned now = sl_iface_queues(&dp->inst->iface[i]);

		for (unsigned q = 0; !ret && q < now && q < dp->iface_queues[i]; q++) {
			unsigned ring = dp->iface_base[i] + q;

			ret = home_open(dp, ring, err);
			for (unsigned w = 0; !ret && w < dp->opts.workers; w++)
				ret = open_socket(dp, w, ring, err);
		}
	}
	return ret;
}

/*
 * A veth does not give new queues the program that it has (veth_enable_range_safe() in the kernel),
 * only a program that replaces it.
 */
static void tell_queues(const struct sl_dataplane *dp, const struct sl_iface *iface, unsigned was,
			unsigned now)
{
	char driver[32] = "";

	if (!sl_ethtool_driver(iface->name, driver, sizeof(driver)) && !strcmp(driver, "veth"))
		dp_log(dp,
		       "%s has %u queues now; packets of queues %u to %u pass XDP by, uncounted, "
		       "until: sluice attach %s --replace",
		       iface->name, now, was, now - 1, iface->name);
	else
		dp_log(dp, "%s has %u queues now, all are served", iface->name, now);
}

int members_open_queues(struct sl_dataplane *dp, struct sl_error *err)
{
	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		struct sl_iface *iface = &dp->inst->iface[i];
		unsigned now = sl_iface_queues(iface), done = atomic_load(&dp->iface_active[i]);

		if (now > dp->iface_queues[i]) {
			if (now != dp->queues_told[i])
				dp_log(dp,
				       "%s has %u queues now, room for %u: the packets of the "
				       "others pass to "
				       "the stack (no_slot) until sluice run is started again",
				       iface->name, now, dp->iface_queues[i]);
			dp->queues_told[i] = now;
			now = dp->iface_queues[i];
		}
		for (unsigned q = done; q < now; q++) {
			unsigned ring = dp->iface_base[i] + q;
			int ret = open_queue(dp, ring, err);

			if (ret)
				return ret;
			/* pairs with the acquire in receive_batch() */
			atomic_store_explicit(&dp->home[ring].active, true, memory_order_release);
			atomic_store_explicit(&dp->iface_active[i], q + 1, memory_order_release);
			for (unsigned w = 0; w < dp->workers_max; w++)
				worker_wake(&dp->worker[w]); /* sleepers poll the new sockets too */
		}
		if (done && now > done)
			tell_queues(dp, iface, done, now);
	}
	return 0;
}

static bool ring_exists(const struct sl_dataplane *dp, unsigned ring)
{
	return dp->home[ring].open;
}

static void clear_slots(struct sl_dataplane *dp, unsigned id)
{
	for (unsigned r = 0; r < dp->rings; r++)
		if (dp->worker[id].ring[r].open)
			sl_xsk_slot_clear(&dp->inst->iface[dp->home[r].iface], dp->home[r].queue,
					  id);
}

int members_join(struct sl_dataplane *dp, unsigned id, struct sl_error *err)
{
	struct worker *w = &dp->worker[id];
	int ret = 0;

	for (unsigned r = 0; !ret && r < dp->rings; r++)
		if (ring_exists(dp, r))
			ret = open_socket(dp, id, r, err);
	for (unsigned r = 0; !ret && r < dp->rings; r++)
		if (ring_exists(dp, r))
			ret = set_slot(dp, id, r, err);
	if (!ret)
		ret = worker_start(w, err);
	if (ret) {
		clear_slots(dp, id);
		return ret;
	}
	worker_wake(w); /* a program's thread may be asleep without the new sockets */
	__atomic_store_n(&w->stat->state, SL_WORKER_RUNNING, __ATOMIC_RELEASE);
	return 0;
}

void members_top_up(struct sl_dataplane *dp)
{
	for (unsigned r = 0; r < dp->rings; r++)
		if (dp->home[r].open)
			frames_top_up(dp, r);
}

void members_clear_slots(struct sl_dataplane *dp)
{
	for (unsigned i = 0; i < dp->workers_max; i++)
		clear_slots(dp, i);
}

static void set_slots(struct sl_dataplane *dp, unsigned id)
{
	struct sl_error err;

	for (unsigned r = 0; r < dp->rings; r++)
		if (dp->worker[id].ring[r].open && set_slot(dp, id, r, &err))
			dp_log(dp, "%s", err.text);
}

/*
 * The last shard is gone and no row names it: nothing is on its way to it once its slots are empty
 * and the polls in flight are over. A row written to it in between may have sent it packets: then
 * it stays a while longer, takes the bucket and passes it on. False: not yet.
 */
static bool leave(struct sl_dataplane *dp, unsigned id)
{
	struct worker *w = &dp->worker[id];

	clear_slots(dp, id);
	sl_instance_grace(dp->inst);
	if (moves_involve(dp, id)) {
		set_slots(dp, id);
		return false;
	}
	__atomic_store_n(&w->stat->state, SL_WORKER_ABSENT, __ATOMIC_RELEASE);
	worker_join(w);
	dp_log(dp, "worker %u has left", id);
	return true;
}

void members_count(struct sl_dataplane *dp, unsigned n)
{
	atomic_store(&dp->workers_now, n);
	__atomic_store_n(&dp->inst->control->workers, n, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < n; i++) {
		const int cpu = dp->inst->workers[i].cpu;
		bool shares = false;

		for (unsigned j = 0; j < n && cpu >= 0; j++)
			shares |= j != i && dp->inst->workers[j].cpu == cpu;
		atomic_store_explicit(&dp->worker[i].shares_cpu, shares, memory_order_relaxed);
	}
}

/* Nobody but the program's own thread would empty the worker's rings. */
static int check_served(struct sl_dataplane *dp, unsigned id, struct sl_error *err)
{
	if (!dp->opts.own_loop || atomic_load(&dp->worker[id].served))
		return 0;
	return sl_error_set(err, -ENOENT,
			    "worker %u cannot join: no thread of the program has called "
			    "sl_worker_receive() for it",
			    id);
}

bool members_step(struct sl_dataplane *dp)
{
	unsigned want = atomic_load(&dp->workers_wanted), now = atomic_load(&dp->workers_now);
	struct sl_error err;

	/* the wish may have changed while workers were leaving */
	for (unsigned i = 0; i < want && i < now; i++)
		if (dp->inst->workers[i].state == SL_WORKER_LEAVING)
			__atomic_store_n(&dp->inst->workers[i].state, SL_WORKER_RUNNING,
					 __ATOMIC_RELEASE);
	if (want == now)
		return true;
	if (want > now) {
		if (check_served(dp, now, &err) || members_join(dp, now, &err)) {
			dp_log(dp, "%s", err.text);
			atomic_store(&dp->workers_wanted, now);
			return true;
		}
		dp_log(dp, "worker %u joins", now);
		members_count(dp, now + 1);
		return want == now + 1;
	}
	for (unsigned i = want; i < now; i++)
		__atomic_store_n(&dp->inst->workers[i].state, SL_WORKER_LEAVING, __ATOMIC_RELEASE);
	moves_vacate(dp, want);
	moves_start(dp);
	if (moves_involve(dp, now - 1) || !leave(dp, now - 1))
		return false;
	members_count(dp, now - 1);
	return want == now - 1;
}

void members_close(struct sl_dataplane *dp)
{
	/* the first socket of a UMEM is worker 0's, or the first that joined: last to be closed */
	for (unsigned i = dp->workers_max; dp->worker && i-- > 0;)
		for (unsigned r = 0; dp->worker[i].ring && r < dp->rings; r++) {
			if (!dp->worker[i].ring[r].open)
				continue;
			sl_xsk_close(&dp->worker[i].ring[r].xsk);
			dp->worker[i].ring[r].open = false;
		}
	for (unsigned r = 0; r < dp->rings; r++)
		home_close(dp, r);
}

void members_statistics(struct sl_dataplane *dp)
{
	for (unsigned i = 0; i < dp->workers_max; i++) {
		struct worker *w = &dp->worker[i];
		uint64_t full = w->full_base, dropped = w->dropped_base, invalid = w->invalid_base;
		struct sl_xsk_stats s;
		bool any = false;

		for (unsigned r = 0; w->ring && r < dp->rings; r++) {
			if (!w->ring[r].open || sl_xsk_stats(&w->ring[r].xsk, &s))
				continue;
			any = true;
			full += s.rx_ring_full;
			dropped += s.rx_dropped;
			invalid += s.tx_invalid;
		}
		if (!any)
			continue;
		stat_set(&w->stat->ring_full, full);
		stat_set(&w->stat->no_frame, dropped);
		stat_set(&w->stat->tx_invalid, invalid);
	}
}
