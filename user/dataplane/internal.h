/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - the dataplane's own structures. Who writes what is said at each; a struct that
 * several threads write is split by cache line.
 *
 * Threads: one for each worker; housekeeping (starts moves, members, statistics; SCHED_FIFO 1);
 * grace (RCU waits; SCHED_FIFO 1); requests (the control socket).
 *
 * A "ring" is one (interface, queue), numbered across the interfaces: ring = iface_base + queue.
 */
#ifndef SL_DATAPLANE_INTERNAL_H
#define SL_DATAPLANE_INTERNAL_H

#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/nf.h>
#include <sluice/sluice.h>

#include "dataplane/flow_table.h"
#include "dataplane/sketch.h"
#include "dataplane/tenant_queues.h"
#include "dataplane/tenants.h"
#include "dataplane/word.h"
#include "platform/instance.h"
#include "platform/xsk.h"

#define SL_MAX_RINGS (SL_MAX_IFACES * SL_MAX_QUEUES)
#define SL_RING_WORDS (SL_MAX_RINGS / 64)

/* --- frames (frames.c) -------------------------------------------------------------------------
 */

/*
 * One (interface, queue): its UMEM with the fill and completion rings that the queue's sockets
 * share, and the home of `frames` frames. A frame always goes back to its home's fill ring.
 */
struct sl_home {
	struct sl_xsk_umem umem;
	_Atomic bool open; /* UMEM and rings exist; housekeeping, read by requests too */
	_Atomic bool active; /* workers poll it; release by housekeeping, acquire by workers */
	uint8_t iface;
	uint16_t queue;
	/* queue .. ring of a packet that came from here, as they lie in struct sl_packet */
	uint64_t origin;
	atomic_flag fill_lock SL_LINE; /* tried, never spun on */
	uint64_t *spare; /* free frames that the fill ring does not need now; under fill_lock */
	_Atomic uint32_t spare_n; /* written under fill_lock */
	atomic_flag comp_lock SL_LINE;
	_Atomic uint32_t parked SL_LINE; /* frames of this home that wait in parks */
	_Atomic uint32_t in_flight SL_LINE; /* frames given to this ring's TX, not yet completed */
	_Atomic uint32_t tx_owed; /* workers whose `tx_owed` is set here; by these workers */
};

/* Where `origin` lies in a packet. */
#define SL_PACKET_ORIGIN offsetof(struct sl_packet, queue)
_Static_assert(SL_PACKET_ORIGIN + 8 == offsetof(struct sl_packet, addr), "origin is one word");

/* Free frames that one worker holds for one home. Room for all of the home's, so it never
 * overflows. */
struct sl_cache {
	uint32_t n;
	bool taken; /* received since the latest look at the fill ring's level */
	uint64_t *addr;
};

/* --- shards (shard.c) --------------------------------------------------------------------------
 */

/* What the drain rule (d) needs to know of one ring. */
struct sl_shard_ring {
	/* 1 << 32 | L, L = 1 + number of the last packet processed; 0: none in this incarnation.
	 * Owner only */
	uint64_t last;
	_Atomic uint64_t first; /* F: epoch << 32 | number of the new owner's first packet */
};

/* Flow state of a bucket. Everything but `first` belongs to the owner. */
struct sl_shard {
	struct sl_flow_table *tables[SL_CHAIN_MAX];
	_Atomic uint32_t log; /* index of the latest move in `moves`; housekeeping */
	_Atomic uint32_t log_before; /* of the one before; housekeeping, before `log` */
	struct sl_shard_ring ring[]; /* one for each ring */
};

#define SL_LAST_VALID (1ull << 32)

static inline uint64_t shard_last(uint32_t seq)
{
	return SL_LAST_VALID | (uint32_t)(seq + 1);
}

/* --- parks (park.c) ----------------------------------------------------------------------------
 */

/* A parked packet; nodes are the worker's own. */
struct sl_parked {
	uint64_t addr;
	uint32_t len;
	uint32_t next; /* node index, SL_NIL ends */
	uint16_t ring;
	bool counted; /* among its home's parked frames */
};

#define SL_NIL UINT32_MAX

/* Packets of one bucket that wait at one worker. */
struct sl_park {
	uint32_t head, tail, count;
	bool listed; /* in worker.parked_list, at `place` */
	bool held; /* of a bucket that is owned here: see resteer.h */
	uint32_t place;
	uint32_t announced; /* epoch under which `first` was announced, 0: not yet */
	uint64_t first[]; /* for each ring: 1 << 32 | number of the first packet, 0: none */
};

/* --- workers (worker.c) ------------------------------------------------------------------------
 */

/* A move away from this worker that is under way. */
struct sl_outgoing {
	uint32_t bucket;
	uint32_t epoch;
	enum { OUT_MOVE, OUT_SPLIT, OUT_MERGE } kind; /* OUT_MERGE: of the bucket's parts */
	enum sl_drain_rule rule; /* of the last ring to drain */
	uint64_t drained[SL_RING_WORDS];
	uint64_t targeted[SL_RING_WORDS];
	uint32_t target[]; /* for each ring: producer index of rule (c) */
};

/* One socket of a worker and what it saw there. */
struct sl_worker_ring {
	struct sl_xsk xsk;
	_Atomic bool open; /* set by whoever opens it, before the home is active */
	bool stamped; /* last_epoch is valid */
	bool tx_dirty; /* descriptors not yet taken by the kernel */
	bool tx_down; /* the kernel refuses: the interface is down */
	bool tx_stuck; /* full, and waited for in vain: not again until the kernel takes something
			*/
	uint32_t tx_seen; /* consumer index after the latest kick */
	uint64_t tx_since; /* cycle count when it moved; 0: nothing waits */
	uint32_t tx_owed; /* 1: buckets have gone before the kernel took all up to `tx_due` */
	uint32_t tx_due;
	uint32_t last_epoch; /* stamp of the latest packet taken */
};

/* A bucket that housekeeping hands to its owner to move away: SPSC, room for every bucket. */
struct sl_inbox {
	_Atomic uint32_t head SL_LINE; /* consumer: the worker */
	_Atomic uint32_t tail SL_LINE; /* producer: housekeeping */
	uint32_t mask;
	uint32_t *bucket;
};

struct sl_dataplane;

struct worker {
	struct sl_dataplane *dp;
	unsigned id;
	struct sl_worker *stat; /* row of `workers` */
	struct sl_bucket_cost *cost; /* row of `bucket_cost` */

	/* the batch in hand */
	struct sl_packet packet[SL_BATCH];
	unsigned batch;
	unsigned max; /* of a batch; a program's own loop may want fewer than SL_BATCH */
	uint64_t tx_until; /* cycle count up to which this batch waits for TX rings; 0: has not yet
			    */

	struct sl_worker_ring *ring; /* [dp->rings] */
	struct sl_cache *cache; /* [dp->rings] */
	unsigned next_ring; /* where polling starts: fair */
	uint32_t cached; /* free frames in all caches */
	_Atomic uint32_t cached_shown; /* the same after the latest round, for others to read */

	struct sl_parked *node;
	uint32_t node_free;
	uint32_t ready_head, ready_tail; /* owned packets that come before anything from a ring */
	uint8_t *park; /* [buckets], stride dp->park_stride */
	uint32_t *parked_list; /* buckets with a park */
	uint32_t parked_buckets;

	uint8_t *outgoing; /* [buckets], stride dp->outgoing_stride */
	uint32_t *outgoing_list;
	uint32_t outgoing_n;
	struct sl_inbox inbox;

	int event_fd;
	_Atomic uint32_t sleeping; /* Dekker with housekeeping: worker_sleep(), worker_wake() */
	uint64_t spin_cycles; /* adaptive: how long to poll before sleeping */
	_Atomic bool shares_cpu; /* with another worker: housekeeping, members_count() */
	uint64_t swept_ns; /* when all shards were swept at once */
	unsigned fruitless; /* rounds in a row that found nothing */
	uint64_t round_start, idle_since;
	uint64_t sample_start; /* a program's own loop: cycle count when it got the packet */
	struct sl_bucket_cost *sampled; /* a program's own loop: of the packet it has; or NULL */
	uint32_t sample_in; /* batches until the next cost sample */
	uint32_t sample_seed;
	bool noting; /* the packet that is timed is an elephant's, of flow `noted` */
	uint32_t noted_bucket;
	struct sl_flow_key noted;
	struct sl_sketch sketch; /* of the elephant that it owns, if any */
	struct sl_tenant_meter meter;
	struct sl_tenant_queues queues; /* where the instance has tenants */
	uint32_t sweep_bucket; /* where the expiry sweep goes on */
	uint32_t sweep_owned;
	uint64_t sweep_flows;
	uint64_t sweep_next; /* cycle count of the next sweep step */
	uint64_t now_ns;

	uint64_t full_base, dropped_base, invalid_base; /* of former incarnations; housekeeping */

	pthread_t thread;
	bool running; /* the thread exists; housekeeping or the starter */
	_Atomic bool quit; /* leave the loop once everything in hand is done */

	/* a program's own loop (own_loop.c) */
	unsigned in_hand; /* packets received and not completed; counted in `held` */
	bool gave; /* the latest receive gave packets: the time since is the program's work */
	uint64_t left_cycles; /* when the latest call returned; 0: never called */
	_Atomic bool woken; /* sl_worker_wake() ends the wait under way, or the next one */
	_Atomic bool served; /* a thread has called sl_worker_receive() */
};

/* A request that the owners answer (`flows`): see export.c. */
struct sl_export;
struct sl_tap;
struct sl_chain;
struct sl_nf_hash;
struct sl_rpc_server;
struct sl_resteer;
struct sl_hardware_steering;

struct sl_dataplane {
	struct sl_instance *inst;
	struct sl_chain *chain;
	struct sl_dataplane_opts opts;
	bool blind; /* no NF of the chain looks at packets */
	bool inband; /* stamps lie in the packets (SL_CTL_INBAND) */
	bool generic; /* rule (c) only */
	unsigned rings; /* all (interface, queue) places, active or not */
	unsigned iface_base[SL_MAX_IFACES];
	unsigned iface_queues[SL_MAX_IFACES]; /* places of the interface */
	_Atomic unsigned
		iface_active[SL_MAX_IFACES]; /* queues that are polled, a prefix of the places */
	unsigned queues_told[SL_MAX_IFACES]; /* a queue count without room that was reported */
	_Atomic uint32_t iface_mtu[SL_MAX_IFACES]; /* housekeeping; workers read it */

	uint8_t *area;
	size_t area_size;
	uint32_t frame_size;
	uint32_t frames; /* of each home */
	uint32_t fill_target; /* of these, in the fill ring */
	uint32_t park_limit; /* frames of one home in all parks */
	uint32_t park_bucket_limit; /* packets of one bucket at one worker */
	struct sl_home *home; /* [rings] */
	struct sl_xsk_opts xsk_opts;

	struct sl_flow_budget flow_budget;
	struct sl_flow_config flow_config[SL_CHAIN_MAX];
	struct sl_nf_hash *nf_hash; /* what NFs ask, see nf_host.h */
	uint8_t *shards;
	size_t shard_stride, park_stride, outgoing_stride;

	unsigned workers_max;
	struct worker *worker; /* [workers_max] */
	uint64_t tsc_hz;

	/* housekeeping */
	pthread_t housekeeper, gracer, requester, watcher;
	bool settled; /* the counters of earlier incarnations are in the bases: shared maps are ours
		       */
	bool housekeeping_runs, grace_runs, requests_run, watch_runs;
	int watch_event; /* eventfd: ends the watch thread */
	unsigned queues_looked[SL_MAX_IFACES]; /* the watch thread */
	_Atomic bool queues_changed; /* by the watch thread, taken by housekeeping */
	_Atomic bool stop;
	_Atomic unsigned workers_wanted; /* set by requests, followed by housekeeping */
	_Atomic unsigned workers_now;
	int wake_fd; /* eventfd: housekeeping looks at the rows at once */
	int grace_event; /* eventfd: an epoch wants its grace period */
	_Atomic bool grace_quit;
	int lock_fd;
	uint64_t move_seq;
	uint32_t epoch; /* the latest published; housekeeping */
	uint64_t announced_ns; /* when housekeeping last announced a move of its own; or 0 */
	bool draining; /* the slots are empty for good; housekeeping, then the closing thread */
	_Atomic bool failed; /* an interface is gone */
	char failure[256];

	_Atomic(struct sl_export *) export;
	_Atomic uint32_t export_users; /* workers inside export_step() */
	struct sl_resteer *resteer; /* what holds of buckets need, see resteer.h */
	struct sl_hardware_steering *hardware; /* the NICs' own tables */
	struct sl_redirect_errors *redirect_errors;
	struct sl_cpu_work *cpu_work;
	_Atomic bool cost_off; /* nothing is timed: to measure what timing costs; requests */
	_Atomic(struct sl_tap *) tap;
	_Atomic uint32_t tap_users; /* workers inside tap_send() */
	struct sl_rpc_server *rpc;
};

/* The first part of a split. */
static inline uint32_t part_first(const struct sl_instance *inst, unsigned split)
{
	return inst->hash_buckets + split * SL_SPLIT_PARTS;
}

static inline struct sl_shard *shard_of(const struct sl_dataplane *dp, uint32_t bucket)
{
	return (struct sl_shard *)(dp->shards + bucket * dp->shard_stride);
}

/* The entry of the bucket's latest move. Acquire: pairs with the release in log_move(). */
static inline struct sl_move *shard_log_latest(const struct sl_dataplane *dp, uint32_t bucket)
{
	return &dp->inst->moves[atomic_load_explicit(&shard_of(dp, bucket)->log,
						     memory_order_acquire)];
}

/*
 * The entry of the move that brought the bucket to its owner. The next one may have begun before
 * the owner has looked at its park; but not the one after that, which takes the owner's release.
 */
static inline struct sl_move *shard_log(const struct sl_dataplane *dp, uint32_t bucket)
{
	struct sl_move *latest = shard_log_latest(dp, bucket);

	if (__atomic_load_n(&latest->to, __ATOMIC_RELAXED) ==
	    owner_load(&dp->inst->owners[bucket]).owner)
		return latest;
	return &dp->inst->moves[atomic_load_explicit(&shard_of(dp, bucket)->log_before,
						     memory_order_relaxed)];
}

static inline struct sl_park *park_of(const struct worker *w, uint32_t bucket)
{
	return (struct sl_park *)(w->park + bucket * w->dp->park_stride);
}

static inline struct sl_outgoing *outgoing_of(const struct worker *w, uint32_t bucket)
{
	return (struct sl_outgoing *)(w->outgoing + bucket * w->dp->outgoing_stride);
}

/* Counters live in mmapped memory that others read at any time: one writer, no torn values. */
static inline void stat_add(__u64 *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline void stat_set(__u64 *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

/*
 * Fields of the log of moves: what is read while another thread writes it is no more than a report,
 * but must not be torn.
 */
#define field_load(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define field_store(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

#endif /* SL_DATAPLANE_INTERNAL_H */
