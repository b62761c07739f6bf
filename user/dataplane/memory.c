// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - the sum of what is taken at the start. Tables of buckets for each worker are touched
 * only as buckets come and go, so at first the process has less; but it may need all of it, and the
 * place to find that out is not the packet path.
 */
#include <errno.h>
#include <inttypes.h>

#include "dataplane/frames.h"
#include "dataplane/handover.h"
#include "dataplane/log.h"
#include "dataplane/memory.h"
#include "dataplane/park.h"
#include "dataplane/shard.h"
#include "platform/available.h"

/*
 * For each frame of the area each UMEM's pool has a struct xdp_buff_xsk (128 bytes, 6.1 to 6.18)
 * and a pointer to it; for each page the UMEM has a pointer and a page table entry
 * (net/xdp/xdp_umem.c, xsk_buff_pool.c).
 */
#define POOL_BYTES_PER_FRAME (128 + 8)
#define POOL_BYTES_PER_PAGE (8 + 8)
#define PAGE 4096

static uint64_t kernel_memory(const struct sl_dataplane *dp)
{
	const struct sl_xsk_opts *x = &dp->xsk_opts;
	uint64_t frames = (uint64_t)dp->rings * dp->frames;
	uint64_t pool = frames * POOL_BYTES_PER_FRAME +
			frames * dp->frame_size / PAGE * POOL_BYTES_PER_PAGE;
	uint64_t shared = (uint64_t)(x->fill_size + x->comp_size) * sizeof(uint64_t);
	uint64_t own = (uint64_t)(x->rx_size + x->tx_size) * sizeof(struct xdp_desc);

	return dp->rings * (pool + shared + dp->workers_max * own);
}

struct memory_need memory_need(const struct sl_dataplane *dp)
{
	uint64_t worker = sizeof(struct worker) + dp->rings * sizeof(struct sl_worker_ring) +
			  caches_memory(dp) + parks_memory(dp) + tenant_queues_memory(dp) +
			  handover_memory(dp);

	return (struct memory_need){
		.frames = frames_memory(dp),
		.tables = dp->rings * sizeof(struct sl_home) + shards_memory(dp) +
			  dp->workers_max * worker,
		.kernel = kernel_memory(dp),
	};
}

uint64_t memory_total(struct memory_need need)
{
	return need.frames + need.tables + need.kernel;
}

static int refuse(const struct sl_dataplane *dp, uint64_t need, uint64_t available,
		  const char *group, struct sl_error *err)
{
	return sl_error_set(err, -ENOMEM,
			    "%" PRIu64 " MiB are needed, and %" PRIu64
			    " are available%s%s: lower --max-workers (%u), --ring (%u) or --park "
			    "(%u), or attach with fewer --buckets (%u)",
			    need >> 20, available >> 20, *group ? " in memory cgroup " : "", group,
			    dp->workers_max, dp->xsk_opts.rx_size, dp->park_limit,
			    dp->inst->hash_buckets);
}

int memory_claim(const struct sl_dataplane *dp, struct sl_error *err)
{
	struct memory_need need = memory_need(dp);
	struct sl_available a;
	uint64_t own;

	sl_available_read("", &a);
	/* huge pages are reserved already, and charged to a cgroup of their own */
	own = need.tables + (a.huge < need.frames ? need.frames : 0);
	if (own + need.kernel > a.machine)
		return refuse(dp, own + need.kernel, a.machine, "", err);
	if (own > a.group)
		return refuse(dp, own, a.group, a.name, err);
	dp_log(dp,
	       "taking %" PRIu64 " MiB: frames %" PRIu64 ", shards and parks %" PRIu64
	       ", kernel %" PRIu64 "; flows may take %" PRIu64 " more",
	       memory_total(need) >> 20, need.frames >> 20, need.tables >> 20, need.kernel >> 20,
	       dp->flow_budget.limit >> 20);
	return 0;
}
