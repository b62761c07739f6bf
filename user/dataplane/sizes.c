// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "dataplane/memory.h"
#include "dataplane/sizes.h"
#include "platform/cpu.h"
#include "platform/netlink.h"

#define RING_MAX 16384
#define RING_MIN 64
#define TX_RING_MAX 512
#define FILL_RESERVE_MAX 2048
/* Eight NAPI polls: what arrives for others while one worker's ring takes all it can. */
#define FILL_SLACK 512
#define PARK_DEFAULT 4096
#define PARK_MAX 65536
#define FRAME_DEFAULT 2048
#define FLOW_MEMORY_DEFAULT (256ull << 20)
#define SPIN_DEFAULT_US 50
#define SPIN_MAX_US 1000000
/* Places for queues that may come (ethtool -L) are kept while they cost no more than this. */
#define SPARE_QUEUES_BYTES (256ull << 20)
#define BUSY_POLL_BUDGET 64 /* Firedancer's and DPDK's choice: a NAPI poll's worth */

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static uint32_t round_up_pow2(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* A ring for each queue and worker: 2,048 entries for a few, fewer as the product grows. */
static uint32_t ring_default(unsigned sockets)
{
	uint32_t size = 2048;

	while (size > 256 && size * sockets > 16384)
		size /= 2;
	return size;
}

static int check_opts(const struct sl_dataplane_opts *o, unsigned max_workers, struct sl_error *err)
{
	if (o->workers > max_workers || o->workers_max > max_workers)
		return sl_error_set(
			err, -EINVAL,
			"--workers, --max-workers: at most %u; attach with --max-workers for more",
			max_workers);
	if (o->workers_max && o->workers > o->workers_max)
		return sl_error_set(err, -EINVAL, "--workers %u is more than --max-workers %u",
				    o->workers, o->workers_max);
	if (o->ring_size &&
	    (!power_of_two(o->ring_size) || o->ring_size < RING_MIN || o->ring_size > RING_MAX))
		return sl_error_set(err, -EINVAL, "--ring %u: a power of two, %u..%u", o->ring_size,
				    RING_MIN, RING_MAX);
	if (o->frame_size && o->frame_size != 2048 && o->frame_size != 4096)
		return sl_error_set(err, -EINVAL, "--frame-size %u: 2048 or 4096", o->frame_size);
	if (o->park_limit > PARK_MAX)
		return sl_error_set(err, -EINVAL, "--park %u: at most %u", o->park_limit, PARK_MAX);
	if (o->spin_us > SPIN_MAX_US)
		return sl_error_set(err, -EINVAL, "--spin %u: at most %u us", o->spin_us,
				    SPIN_MAX_US);
	return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * A queue's frames cover every worker's rings, what waits in parks, and on top what the fill ring
 * has when all these are full: a stalled worker loses its own packets only.
 */
static uint32_t frames_of_queue(unsigned workers, uint32_t rx, uint32_t park)
{
	return workers * (rx + least(rx, TX_RING_MAX)) + park + least(rx, FILL_RESERVE_MAX);
}

uint64_t sizes_default_frames(unsigned queues, unsigned workers)
{
	const uint32_t frames =
		frames_of_queue(workers, ring_default(queues * workers), PARK_DEFAULT);

	return (uint64_t)queues * frames * FRAME_DEFAULT;
}

static void decide_frames(struct sl_dataplane *dp)
{
	const struct sl_dataplane_opts *o = &dp->opts;
	unsigned sockets = dp->rings * dp->workers_max;
	uint32_t rx = o->ring_size ? o->ring_size : ring_default(sockets);

	dp->park_limit = o->park_limit ? o->park_limit : PARK_DEFAULT;
	dp->park_bucket_limit = dp->park_limit / 2 ? dp->park_limit / 2 : 1;
	dp->frames = frames_of_queue(dp->workers_max, rx, dp->park_limit);
	dp->xsk_opts.rx_size = rx;
	dp->xsk_opts.tx_size = least(rx, TX_RING_MAX);
	dp->xsk_opts.fill_size = round_up_pow2(2 * dp->frames);
	dp->xsk_opts.comp_size = round_up_pow2(dp->frames);
	dp->fill_target = rx + FILL_SLACK;
}

static void decide_rings(struct sl_dataplane *dp, bool spare)
{
	dp->rings = 0;
	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		const struct sl_iface *iface = &dp->inst->iface[i];

		dp->iface_base[i] = dp->rings;
		dp->iface_queues[i] = spare ? iface->queues_max : iface->queues;
		dp->rings += dp->iface_queues[i];
	}
}

static size_t round_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

/* A bucket's part of tables, which has a place for each ring. */
static void decide_strides(struct sl_dataplane *dp)
{
	dp->shard_stride = round_up(
		sizeof(struct sl_shard) + dp->rings * sizeof(struct sl_shard_ring), SL_CACHE_LINE);
	dp->park_stride = sizeof(struct sl_park) + dp->rings * sizeof(uint64_t);
	dp->outgoing_stride = round_up(sizeof(struct sl_outgoing) + dp->rings * sizeof(uint32_t),
				       sizeof(uint64_t));
}

static void decide_numbers(struct sl_dataplane *dp, bool spare)
{
	decide_rings(dp, spare);
	decide_frames(dp);
	decide_strides(dp);
}

/* What grows with the rings. */
static uint64_t ring_memory(const struct sl_dataplane *dp)
{
	struct memory_need need = memory_need(dp);

	return need.frames + need.kernel;
}

int sizes_decide(struct sl_dataplane *dp, struct sl_error *err)
{
	struct sl_dataplane_opts *o = &dp->opts;
	unsigned cpus = sl_cpu_count();
	int ret = check_opts(o, dp->inst->max_workers, err);

	if (ret)
		return ret;
	if (!o->workers)
		o->workers = 1;
	if (!o->workers_max)
		o->workers_max = o->workers > cpus ? o->workers : cpus;
	if (o->workers_max > dp->inst->max_workers)
		o->workers_max = dp->inst->max_workers;
	if (!o->flow_memory)
		o->flow_memory = FLOW_MEMORY_DEFAULT;
	if (!o->spin_us)
		o->spin_us = SPIN_DEFAULT_US;
	dp->workers_max = o->workers_max;
	dp->frame_size = o->frame_size ? o->frame_size : FRAME_DEFAULT;
	dp->xsk_opts.frame_size = dp->frame_size;
	dp->xsk_opts.bind = (enum sl_xsk_bind)o->bind;
	dp->xsk_opts.need_wakeup = true;
	dp->xsk_opts.busy_poll_us = o->busy_poll_us;
	dp->xsk_opts.busy_poll_budget = BUSY_POLL_BUDGET;
	for (unsigned i = 0; i < dp->inst->ifaces; i++)
		dp->generic |= dp->inst->iface[i].mode != SL_XDP_NATIVE;
	dp->xsk_opts.generic = dp->generic;
	dp->inband = dp->inst->control->flags & SL_CTL_INBAND;
	decide_numbers(dp, true);
	if (ring_memory(dp) > SPARE_QUEUES_BYTES)
		decide_numbers(dp, false);
	dp->flow_budget.limit = o->flow_memory;
	dp->flow_budget.policy = o->flow_evict ? SL_FLOW_EVICT : SL_FLOW_REFUSE;
	return 0;
}
