// SPDX-License-Identifier: GPL-2.0-or-later
/* dataplane.c - a dataplane's life: open in one order, close in the other. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/batch.h"
#include "dataplane/chain.h"
#include "dataplane/cpu_work.h"
#include "dataplane/frames.h"
#include "dataplane/hardware.h"
#include "dataplane/housekeeping.h"
#include "dataplane/ledger.h"
#include "dataplane/log.h"
#include "dataplane/members.h"
#include "dataplane/memory.h"
#include "dataplane/move_entry.h"
#include "dataplane/moves.h"
#include "dataplane/nf_host.h"
#include "dataplane/redirect_errors.h"
#include "dataplane/resteer.h"
#include "dataplane/requests.h"
#include "dataplane/shard.h"
#include "dataplane/sizes.h"
#include "dataplane/tenant_flows.h"
#include "dataplane/watch.h"
#include "dataplane/worker.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/lock.h"
#include "platform/netlink.h"

static unsigned ifaces_named(const struct sl_dataplane_opts *opts)
{
	unsigned n = 0;

	while (n < SL_MAX_IFACES && opts->ifaces[n])
		n++;
	return n;
}

/* The instance of all -i interfaces, in their order. */
static int open_instance(struct sl_dataplane *dp, struct sl_error *err)
{
	const char *const *names = dp->opts.ifaces;
	unsigned n = ifaces_named(&dp->opts);
	int ret = sl_instance_open(names[0], &dp->inst, err);

	if (ret)
		return ret;
	if (n != dp->inst->ifaces)
		return sl_error_set(
			err, -EINVAL,
			"instance %s has %u interfaces, -i names %u: name them all (sluice status "
			"%s lists them)",
			dp->inst->name, dp->inst->ifaces, n, dp->inst->name);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = i;

		while (k < n && strcmp(dp->inst->iface[k].name, names[i]))
			k++;
		if (k == n)
			return sl_error_set(
				err, -EINVAL,
				"%s is not an interface of instance %s: attach them together, "
				"sluice attach %s %s",
				names[i], dp->inst->name, names[0], names[i]);
		if (k != i) {
			struct sl_iface t = dp->inst->iface[i];

			dp->inst->iface[i] = dp->inst->iface[k];
			dp->inst->iface[k] = t;
		}
	}
	return 0;
}

static int take_lock(struct sl_dataplane *dp, struct sl_error *err)
{
	char name[SL_NAME_MAX + 16];
	int ret = sl_run_dir_make(err);

	if (ret)
		return ret;
	snprintf(name, sizeof(name), "%s.dataplane", dp->inst->name);
	dp->lock_fd = sl_lock_take(name, err);
	return dp->lock_fd < 0 ? dp->lock_fd : 0;
}

static int check_ready(struct sl_dataplane *dp, struct sl_error *err)
{
	if (!(dp->inst->control->flags & SL_CTL_READY))
		return sl_error_set(
			err, -ENOENT,
			"%s has no match rules yet: sluice attach %s --match RULE (or --match all)",
			dp->inst->name, dp->inst->iface[0].name);
	if (dp->inst->control->flags & SL_CTL_STACK)
		return sl_error_set(err, -EINVAL,
				    "%s is in mode stack, without sockets: sluice run -i %s, or "
				    "detach and attach without --stack",
				    dp->inst->name, dp->inst->iface[0].name);
	return 0;
}

/* Room for a tenant may make an entry larger. */
static bool flows_shared(const struct sl_dataplane *dp)
{
	return dp->opts.flow_tenants || dp->inst->control->flags & SL_CTL_TENANTS;
}

static void flow_configs(struct sl_dataplane *dp)
{
	dp->blind = chain_slots(dp->chain) && !dp->opts.own_loop;
	for (unsigned s = 0; s < chain_slots(dp->chain); s++) {
		const struct sl_nf *nf = chain_nf(dp->chain, s);

		dp->blind &= nf->blind;
		dp->flow_config[s] = (struct sl_flow_config){
			.key_size = nf->key_size,
			.value_size = nf->value_size,
			.idle_ms = nf->idle_ms && dp->opts.flow_idle_ms ? dp->opts.flow_idle_ms
									: nf->idle_ms,
			.budget = &dp->flow_budget,
			.tenants = flows_shared(dp) ? &tenant_flows : NULL,
			.flow_end = nf->flow_end,
			.flow_moved = nf->flow_moved,
			.self = chain_self(dp->chain, s),
		};
	}
}

static int alloc(struct sl_dataplane *dp, struct sl_error *err)
{
	int ret;

	dp->home = aligned_alloc(SL_CACHE_LINE, dp->rings * sizeof(*dp->home));
	dp->worker = aligned_alloc(SL_CACHE_LINE, dp->workers_max * sizeof(*dp->worker));
	if (!dp->home || !dp->worker)
		return sl_error_set(err, -ENOMEM, "no memory for %u workers", dp->workers_max);
	memset(dp->home, 0, dp->rings * sizeof(*dp->home));
	memset(dp->worker, 0, dp->workers_max * sizeof(*dp->worker));
	for (unsigned i = 0; i < dp->inst->ifaces; i++)
		for (unsigned q = 0; q < dp->iface_queues[i]; q++)
			home_init(dp, dp->iface_base[i] + q, i, q);
	ret = frames_init(dp, err);
	if (ret)
		return ret;
	ret = shards_init(dp);
	if (!ret)
		ret = resteer_init(dp);
	for (unsigned i = 0; !ret && i < dp->workers_max; i++)
		ret = worker_init(dp, i);
	if (ret)
		return sl_error_set(
			err, ret, "no memory for shards and parks: lower --park or --max-workers");
	return 0;
}

static void place_workers(struct sl_dataplane *dp)
{
	unsigned cpus[SL_MAX_WORKERS];

	sl_cpu_list_default(cpus, dp->workers_max);
	for (unsigned i = 0; i < dp->workers_max; i++)
		dp->inst->workers[i].cpu = dp->opts.own_loop ? -1
					   : dp->opts.cpus_n
						   ? (int)dp->opts.cpus[i % dp->opts.cpus_n]
						   : (int)cpus[i];
}

static void read_mtus(struct sl_dataplane *dp)
{
	struct sl_link link;

	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		dp->iface_mtu[i] = dp->frame_size;
		if (!sl_link_get(dp->inst->iface[i].name, &link))
			dp->iface_mtu[i] = link.mtu;
	}
}

static void announce(struct sl_dataplane *dp)
{
	struct sl_control *c = dp->inst->control;

	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		dp_log(dp, "%s: %u queues, XDP %s mode, AF_XDP %s, ring %u, %u frames a queue",
		       dp->inst->iface[i].name, atomic_load(&dp->iface_active[i]),
		       dp->inst->iface[i].mode == SL_XDP_NATIVE ? "native" : "generic",
		       dp->worker[0].ring[dp->iface_base[i]].xsk.zerocopy ? "zero-copy" : "copy",
		       dp->xsk_opts.rx_size, dp->frames);
		if (dp->opts.busy_poll_us && !dp->worker[0].ring[dp->iface_base[i]].xsk.busy_poll)
			dp_log(dp,
			       "%s: busy polling has no effect: the driver gives its sockets no "
			       "NAPI id",
			       dp->inst->iface[i].name);
		if (dp->iface_mtu[i] + 14 > dp->frame_size - 256)
			dp_log(dp,
			       "%s: MTU %u does not fit a frame: packets above %u bytes are lost "
			       "(no_frame); use --frame-size 4096",
			       dp->inst->iface[i].name, dp->iface_mtu[i], dp->frame_size - 256);
	}
	c->xdp_mode = dp->generic ? SL_XDP_GENERIC : SL_XDP_NATIVE;
	c->max_workers = dp->workers_max;
	c->tsc_hz = dp->tsc_hz;
	c->flow_memory = flows_shared(dp) ? dp->flow_budget.limit : 0;
	tenant_flows_reset(dp);
	c->heartbeat_ns = sl_clock_ns();
	__atomic_store_n(&c->pid, (__u32)getpid(), __ATOMIC_RELEASE);
}

static int start(struct sl_dataplane *dp, struct sl_error *err)
{
	int ret = members_reserve(dp, err);

	if (ret)
		return ret;
	members_count(dp, dp->opts.workers);
	atomic_store(&dp->workers_wanted, dp->opts.workers);
	dp->inst->control->incarnation++;
	dp->move_seq = move_entry_latest(dp->inst);
	ledger_settle(dp);
	ledger_name_reasons(dp);
	place_workers(dp);
	read_mtus(dp);
	moves_settle(dp);
	/* a poll that loaded an older row than these must not find the new sockets */
	ret = sl_instance_grace(dp->inst);
	if (ret)
		return sl_error_set(err, ret, "cannot wait for XDP's grace period (map grace): %s",
				    strerror(-ret));
	dp->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dp->wake_fd < 0)
		return sl_error_set(err, -errno, "eventfd: %s", strerror(errno));
	redirect_errors_open(dp);
	cpu_work_open(dp);
	ret = grace_start(dp, err);
	if (!ret)
		ret = members_open_queues(dp, err);
	for (unsigned i = 0; !ret && i < dp->opts.workers; i++)
		ret = members_join(dp, i, err);
	if (ret)
		return ret;
	announce(dp);
	ret = housekeeping_start(dp, err);
	if (!ret)
		ret = watch_start(dp, err);
	if (!ret)
		ret = hardware_start(dp, err);
	return ret ? ret : requests_start(dp, err);
}

/* What the options ask for; nothing is taken yet. */
static int plan(struct sl_dataplane *dp, struct sl_error *err)
{
	const char *chain = dp->opts.chain ? dp->opts.chain : "";
	unsigned ifaces = ifaces_named(&dp->opts);
	int ret;

	if (!ifaces)
		return sl_error_set(err, -EINVAL, "no interface: name one");
	ret = chain_open(chain, ifaces, &dp->chain, err);
	if (!ret)
		ret = open_instance(dp, err);
	return ret ? ret : sizes_decide(dp, err);
}

int sl_dataplane_open(const struct sl_dataplane_opts *opts, struct sl_dataplane **out,
		      struct sl_error *err)
{
	struct sl_dataplane *dp = calloc(1, sizeof(*dp));
	int ret;

	if (!dp)
		return sl_error_set(err, -ENOMEM, "no memory");
	dp->opts = *opts;
	dp->lock_fd = dp->wake_fd = dp->grace_event = dp->watch_event = -1;
	dp->tsc_hz = sl_cycles_hz();
	ret = plan(dp, err);
	if (!ret)
		ret = check_ready(dp, err);
	if (!ret)
		ret = take_lock(dp, err);
	if (!ret)
		ret = chain_start(dp->chain, err);
	if (!ret)
		ret = memory_claim(dp, err);
	if (!ret) {
		flow_configs(dp);
		ret = alloc(dp, err);
	}
	if (!ret)
		ret = nf_attach(dp, err);
	if (!ret) {
		ret = start(dp, err);
		if (ret == -EINVAL) /* the kernel's, and -EINVAL says that an option is wrong */
			ret = -EIO;
	}
	if (ret) {
		sl_dataplane_close(dp);
		return ret;
	}
	*out = dp;
	return 0;
}

int64_t sl_dataplane_memory(const struct sl_dataplane_opts *opts, struct sl_error *err)
{
	struct sl_dataplane *dp = calloc(1, sizeof(*dp));
	int64_t bytes;

	if (!dp)
		return sl_error_set(err, -ENOMEM, "no memory");
	dp->opts = *opts;
	bytes = plan(dp, err);
	if (!bytes)
		bytes = (int64_t)memory_total(memory_need(dp));
	chain_close(dp->chain);
	sl_instance_close(dp->inst);
	free(dp);
	return bytes;
}

/* A program's threads have left: what they did not take, or did not complete, is nobody's. */
static void abandon(struct worker *w)
{
	unsigned n;

	stat_add(&w->stat->held, -(uint64_t)w->in_hand);
	w->in_hand = 0;
	n = worker_collect(w);
	stat_add(&w->dp->inst->control->abandoned, n);
	batch_forget(w);
	worker_finish(w);
}

/* Moves end by rule (c) if by no other, so parked packets become somebody's. */
static void drain_end(struct sl_dataplane *dp)
{
	bool more = dp->opts.own_loop;

	while (more) {
		more = false;
		for (unsigned i = 0; i < dp->workers_max; i++) {
			abandon(&dp->worker[i]);
			more |= !worker_idle(&dp->worker[i]);
		}
		sched_yield();
	}
	for (unsigned i = 0; i < dp->workers_max; i++)
		worker_join(&dp->worker[i]);
}

void sl_dataplane_drain(struct sl_dataplane *dp)
{
	requests_stop(dp);
	watch_stop(dp);
	hardware_stop(dp);
	housekeeping_stop(dp);
}

void sl_dataplane_close(struct sl_dataplane *dp)
{
	bool ran;

	if (!dp)
		return;
	ran = dp->housekeeping_runs;
	requests_stop(dp);
	watch_stop(dp);
	hardware_stop(dp);
	housekeeping_stop(dp);
	if (dp->grace_runs) {
		housekeeping_drain(dp); /* it may never have run */
		drain_end(dp);
	}
	grace_stop(dp);
	if (dp->settled)
		members_statistics(dp);
	redirect_errors_close(dp);
	cpu_work_close(dp);
	if (dp->home)
		members_close(dp);
	if (dp->shards)
		shards_free(dp);
	for (unsigned i = 0; dp->worker && i < dp->workers_max; i++) {
		if (dp->settled)
			__atomic_store_n(&dp->worker[i].stat->state, SL_WORKER_ABSENT,
					 __ATOMIC_RELEASE);
		worker_free(&dp->worker[i]);
	}
	frames_free(dp);
	chain_close(dp->chain);
	nf_detach(dp);
	resteer_free(dp);
	if (ran)
		__atomic_store_n(&dp->inst->control->pid, 0, __ATOMIC_RELEASE);
	if (dp->wake_fd >= 0)
		close(dp->wake_fd);
	if (dp->lock_fd >= 0)
		sl_lock_drop(dp->lock_fd);
	free(dp->home);
	free(dp->worker);
	sl_instance_close(dp->inst);
	free(dp);
}
