/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dataplane_rig.h - a dataplane without a kernel: maps, rings and frames in ordinary memory, one
 * queue, no sockets. The test plays XDP and the kernel.
 */
#ifndef TESTS_UNIT_DATAPLANE_RIG_H
#define TESTS_UNIT_DATAPLANE_RIG_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/chain.h"
#include "dataplane/frames.h"
#include "dataplane/handover.h"
#include "dataplane/housekeeping.h"
#include "dataplane/members.h"
#include "dataplane/moves.h"
#include "dataplane/park.h"
#include "dataplane/resteer.h"
#include "dataplane/shard.h"
#include "dataplane/worker.h"
#include "platform/cpu.h"

#define RIG_HASH_BUCKETS SL_MIN_BUCKETS
#define RIG_BUCKETS (RIG_HASH_BUCKETS + SL_PARTS)
#define RIG_WORKERS 3
#define RIG_FRAMES 256
#define RIG_FRAME 2048
#define RIG_FILL 512 /* entries of the fill ring */

struct rig {
	struct sl_dataplane dp;
	struct sl_instance inst;
	struct worker worker[RIG_WORKERS];
	struct sl_home home;
	struct sl_control control;
	struct sl_worker stat[RIG_WORKERS];
	uint64_t rows[RIG_BUCKETS], owners[RIG_BUCKETS];
	struct sl_bucket_cost cost[RIG_WORKERS * RIG_BUCKETS];
	struct sl_bucket_stats packets[RIG_BUCKETS];
	struct sl_tenant_ring tenant_rings[SL_MAX_WORKERS];
	struct sl_tenant_gate gates[SL_MAX_TENANTS];
	struct sl_move moves[SL_MOVE_LOG];
	uint8_t area[RIG_FRAMES * RIG_FRAME];
	uint64_t fill[RIG_FILL], spare[RIG_FRAMES];
	uint32_t fill_producer, fill_consumer; /* the kernel moves the latter */
};

static inline void rig_maps(struct rig *g)
{
	g->inst = (struct sl_instance){.ifaces = 1,
				       .buckets = RIG_BUCKETS,
				       .hash_buckets = RIG_HASH_BUCKETS,
				       .max_workers = RIG_WORKERS,
				       .grace_fd = -1,
				       .rows = g->rows,
				       .owners = g->owners,
				       .workers = g->stat,
				       .cost = g->cost,
				       .control = &g->control,
				       .moves = g->moves};
	g->inst.iface[0].bucket_stats = g->packets;
	g->inst.iface[0].tenant_rings = g->tenant_rings;
	g->inst.iface[0].gates = g->gates;
}

static inline void rig_home(struct rig *g)
{
	g->home.umem.fill = (struct xsk_ring_prod){.cached_cons = RIG_FILL,
						   .mask = RIG_FILL - 1,
						   .size = RIG_FILL,
						   .producer = &g->fill_producer,
						   .consumer = &g->fill_consumer,
						   .ring = g->fill};
	g->home.open = true;
	g->home.spare = g->spare;
	for (uint32_t i = 0; i < RIG_FRAMES; i++)
		g->spare[i] = (uint64_t)i * RIG_FRAME;
	atomic_store(&g->home.spare_n, RIG_FRAMES);
}

static inline struct rig *rig_new(void)
{
	struct rig *g = aligned_alloc(SL_CACHE_LINE, sizeof(*g));
	struct sl_dataplane *dp = &g->dp;
	struct sl_error err;

	cr_assert_not_null(g);
	memset(g, 0, sizeof(*g));
	rig_maps(g);
	rig_home(g);
	dp->inst = &g->inst;
	dp->rings = 1;
	dp->home = &g->home;
	dp->area = g->area;
	dp->frames = RIG_FRAMES;
	dp->frame_size = RIG_FRAME;
	dp->fill_target = RIG_FRAMES / 2;
	dp->xsk_opts.rx_size = RIG_FRAMES;
	dp->park_limit = dp->park_bucket_limit = RIG_FRAMES / 4;
	dp->shard_stride = 2 * SL_CACHE_LINE;
	cr_assert_geq(dp->shard_stride, sizeof(struct sl_shard) + sizeof(struct sl_shard_ring));
	dp->park_stride = sizeof(struct sl_park) + sizeof(uint64_t);
	dp->outgoing_stride = sizeof(struct sl_outgoing) + 2 * sizeof(uint32_t);
	dp->tsc_hz = sl_cycles_hz();
	dp->workers_max = RIG_WORKERS;
	dp->worker = g->worker;
	dp->watch_event = -1;
	dp->wake_fd = eventfd(0, EFD_NONBLOCK);
	dp->grace_event = eventfd(0, EFD_NONBLOCK);
	cr_assert_eq(chain_open("", 1, &dp->chain, &err), 0, "%s", err.text);
	cr_assert_eq(shards_init(dp), 0);
	cr_assert_eq(resteer_init(dp), 0);
	for (unsigned i = 0; i < RIG_WORKERS; i++) {
		cr_assert_eq(worker_init(dp, i), 0);
		g->stat[i].state = SL_WORKER_RUNNING;
		g->stat[i].cpu = -1;
	}
	atomic_store(&dp->workers_now, RIG_WORKERS);
	atomic_store(&dp->workers_wanted, RIG_WORKERS);
	return g;
}

static inline void rig_free(struct rig *g)
{
	for (unsigned i = 0; i < RIG_WORKERS; i++)
		worker_free(&g->worker[i]);
	shards_free(&g->dp);
	resteer_free(&g->dp);
	chain_close(g->dp.chain);
	close(g->dp.wake_fd);
	close(g->dp.grace_event);
	free(g);
}

#endif /* TESTS_UNIT_DATAPLANE_RIG_H */
