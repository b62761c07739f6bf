// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "dataplane/divide.h"
#include "dataplane/handover.h"
#include "dataplane/park.h"
#include "dataplane/transmit.h"
#include "platform/clock.h"

/* For every bucket, and a power of two. */
static uint32_t inbox_room(const struct sl_dataplane *dp)
{
	return dp->inst->buckets > dp->inst->hash_buckets ? 2 * dp->inst->hash_buckets
							  : dp->inst->buckets;
}

uint64_t handover_memory(const struct sl_dataplane *dp)
{
	const uint64_t buckets = dp->inst->buckets;

	return buckets * (dp->outgoing_stride + sizeof(uint32_t)) +
	       inbox_room(dp) * sizeof(uint32_t);
}

int handover_init(struct worker *w)
{
	struct sl_dataplane *dp = w->dp;
	uint32_t buckets = dp->inst->buckets;

	w->outgoing = calloc(buckets, dp->outgoing_stride);
	w->outgoing_list = malloc(buckets * sizeof(uint32_t));
	w->inbox.bucket = malloc(inbox_room(dp) * sizeof(uint32_t));
	w->inbox.mask = inbox_room(dp) - 1;
	return w->outgoing && w->outgoing_list && w->inbox.bucket ? 0 : -ENOMEM;
}

void handover_free(struct worker *w)
{
	free(w->outgoing);
	free(w->outgoing_list);
	free(w->inbox.bucket);
	w->outgoing = NULL;
	w->outgoing_list = NULL;
	w->inbox.bucket = NULL;
}

void handover_post(struct worker *w, uint32_t bucket)
{
	uint32_t tail = atomic_load_explicit(&w->inbox.tail, memory_order_relaxed);

	w->inbox.bucket[tail & w->inbox.mask] = bucket;
	/* pairs with the acquire in inbox_take() */
	atomic_store_explicit(&w->inbox.tail, tail + 1, memory_order_release);
}

static void inbox_take(struct worker *w)
{
	uint32_t head = atomic_load_explicit(&w->inbox.head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&w->inbox.tail, memory_order_acquire);

	for (; head != tail; head++) {
		uint32_t b = w->inbox.bucket[head & w->inbox.mask];
		struct sl_owner word = owner_load(&w->dp->inst->owners[b]);
		struct sl_outgoing *out = outgoing_of(w, b);

		memset(out, 0, w->dp->outgoing_stride);
		out->bucket = b;
		out->epoch = word.epoch;
		out->kind = to_parts(word.next)	   ? OUT_SPLIT
			    : to_parts(word.owner) ? OUT_MERGE
						   : OUT_MOVE;
		w->outgoing_list[w->outgoing_n++] = b;
	}
	atomic_store_explicit(&w->inbox.head, head, memory_order_relaxed);
}

/* (a): this ring has delivered a packet that XDP stamped after the row was stored. */
static bool ring_drained_a(const struct worker *w, const struct sl_outgoing *out, unsigned r)
{
	return w->ring[r].stamped && epoch_reached(w->ring[r].last_epoch, out->epoch);
}

/*
 * (d): what was numbered before the new owner's first packet, or at all, has been processed here.
 * The epoch is seen first: then a number that the counter does not show yet belongs to a run of XDP
 * that reads the new row. Not for the end of a split: a run that has read the bucket's old row may
 * not have taken its number at the part yet.
 */
static bool ring_drained_d(const struct worker *w, const struct sl_outgoing *out, unsigned r)
{
	struct sl_dataplane *dp = w->dp;
	const struct sl_home *h = &dp->home[r];
	const struct sl_iface *iface = &dp->inst->iface[h->iface];
	struct sl_shard_ring *sr = &shard_of(dp, out->bucket)->ring[r];
	const volatile struct sl_bucket_stats *stats =
		&iface->bucket_stats[(size_t)h->queue * dp->inst->buckets + out->bucket];
	uint64_t first, count;

	/* pairs with the release in moves_publish() */
	if (!epoch_reached(__atomic_load_n(&dp->inst->control->epoch, __ATOMIC_ACQUIRE),
			   out->epoch))
		return false;
	/* pairs with the release in announce() */
	first = atomic_load_explicit(&sr->first, memory_order_acquire);
	if (sr->last && first >> 32 == out->epoch)
		return (uint32_t)sr->last == (uint32_t)first;
	count = __atomic_load_n(&stats->packets, __ATOMIC_ACQUIRE);
	return sr->last ? (uint32_t)sr->last == (uint32_t)count : count == 0;
}

/*
 * (c): the grace period is over, so everything that XDP steered by the old row is published:
 * consume up to a producer index loaded after that. libxdp's cached index may be older.
 */
static bool ring_drained_c(const struct worker *w, struct sl_outgoing *out, unsigned r)
{
	const struct xsk_ring_cons *rx = &w->ring[r].xsk.rx;
	uint64_t bit = 1ull << (r % 64);

	if (!(out->targeted[r / 64] & bit)) {
		/* pairs with the release in grace_run() */
		uint32_t settled =
			__atomic_load_n(&w->dp->inst->control->settled, __ATOMIC_ACQUIRE);

		if (!epoch_reached(settled, out->epoch))
			return false;
		/* pairs with the kernel's smp_store_release() in __xskq_prod_submit() */
		out->target[r] = __atomic_load_n(rx->producer, __ATOMIC_ACQUIRE);
		out->targeted[r / 64] |= bit;
	}
	return (int32_t)(rx->cached_cons - out->target[r]) >= 0;
}

static bool ring_drained(struct worker *w, struct sl_outgoing *out, unsigned r)
{
	enum sl_drain_rule rule;

	if (!w->ring[r].open)
		rule = SL_DRAIN_NONE;
	else if (!w->dp->generic && ring_drained_a(w, out, r))
		rule = SL_DRAIN_A;
	else if (!w->dp->generic && out->kind != OUT_MERGE && ring_drained_d(w, out, r))
		rule = SL_DRAIN_D;
	else if (ring_drained_c(w, out, r))
		rule = SL_DRAIN_C;
	else
		return false;
	out->drained[r / 64] |= 1ull << (r % 64);
	if (rule > out->rule)
		out->rule = rule;
	return true;
}

static bool rings_drained(struct worker *w, struct sl_outgoing *out)
{
	bool all = true;

	for (unsigned r = 0; r < w->dp->rings; r++)
		if (!(out->drained[r / 64] & 1ull << (r % 64)))
			all &= ring_drained(w, out, r);
	return all;
}

static void count_release(struct worker *w, enum sl_drain_rule rule)
{
	if (rule == SL_DRAIN_C)
		stat_add(&w->stat->released_c, 1);
	else if (rule == SL_DRAIN_D)
		stat_add(&w->stat->released_d, 1);
	else
		stat_add(&w->stat->released_a, 1);
}

static void handover_release(struct worker *w, const struct sl_outgoing *out)
{
	struct sl_instance *inst = w->dp->inst;
	struct sl_owner word = owner_load(&inst->owners[out->bucket]);
	struct sl_move *log = shard_log_latest(w->dp, out->bucket);

	/* the ring of the log may have come round since this move began */
	if (field_load(log->bucket) == out->bucket && field_load(log->epoch) == out->epoch) {
		field_store(log->rule, out->rule);
		field_store(log->ended_ns, sl_clock_ns());
	}
	count_release(w, out->rule);
	divide_release(w, out, word);
	word.owner = word.next;
	/*
	 * Only the owner changes a moving word. Release: pairs with owner_load(); everything done
	 * to the shard is seen by whoever sees itself as its owner.
	 */
	__atomic_store_n(&inst->owners[out->bucket], owner_pack(word), __ATOMIC_RELEASE);
}

bool handover_check(struct worker *w)
{
	bool released = false;
	int taken = -1; /* not asked */

	inbox_take(w);
	for (uint32_t i = w->outgoing_n; i-- > 0;) {
		struct sl_outgoing *out = outgoing_of(w, w->outgoing_list[i]);

		/*
		 * What waits in A's own park comes first, and the kernel must have A's
		 * transmissions before B can send. It is asked once for all buckets: nothing is
		 * transmitted meanwhile.
		 */
		if (!rings_drained(w, out) || divide_waits(w, out))
			continue;
		if (taken < 0)
			taken = transmit_taken(w);
		if (!taken || !divide_flows(w, out))
			continue;
		w->outgoing_list[i] = w->outgoing_list[--w->outgoing_n];
		handover_release(w, out);
		released = true;
	}
	return released;
}
