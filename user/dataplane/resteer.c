// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/housekeeping.h"
#include "dataplane/moves.h"
#include "dataplane/resteer.h"
#include "dataplane/worker.h"

/* Beyond the interrupt coalescing of common drivers (rx-usecs, at most some 200 us). */
#define IDLE_NS 2000000ull
/* A slow queue that is not idle has no backlog: longer than any poll of it takes to come. */
#define HOLD_MAX_NS 50000000ull
#define RING_DEFAULT 1024 /* where the driver does not tell */
#define NAP_NS 50000

/*
 * Whose turn it is: IDLE and HELD the writing thread's, the others housekeeping's. Each store is a
 * release and pairs with the acquire of the other's load.
 */
enum phase { IDLE, ASKED, HELD, WRITTEN, GRACE, TAKING };

/* A ring that buckets leave. */
struct leaving {
	bool used;
	uint32_t base, last; /* packets that had come out of it */
	uint64_t since; /* when `last` changed */
};

struct sl_resteer {
	_Atomic uint32_t phase;
	struct sl_resteer_item *item; /* [buckets] */
	unsigned items;
	uint16_t *to; /* [buckets]; written before the word says hold */
	_Atomic uint64_t cut_short;
	_Atomic uint32_t ring_size[SL_MAX_IFACES];

	/* housekeeping */
	bool begun; /* `leaving` is of this round */
	uint64_t begun_ns;
	uint32_t epoch;
	struct leaving *leaving; /* [rings] */
};

static enum phase phase_load(const struct sl_dataplane *dp)
{
	return atomic_load_explicit(&dp->resteer->phase, memory_order_acquire);
}

static void phase_store(struct sl_dataplane *dp, enum phase phase)
{
	atomic_store_explicit(&dp->resteer->phase, phase, memory_order_release);
}

int resteer_init(struct sl_dataplane *dp)
{
	struct sl_resteer *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	dp->resteer = r;
	r->item = calloc(dp->inst->buckets, sizeof(*r->item));
	r->to = calloc(dp->inst->buckets, sizeof(*r->to));
	r->leaving = calloc(dp->rings, sizeof(*r->leaving));
	for (unsigned i = 0; i < SL_MAX_IFACES; i++)
		r->ring_size[i] = RING_DEFAULT;
	return r->item && r->to && r->leaving ? 0 : -ENOMEM;
}

void resteer_free(struct sl_dataplane *dp)
{
	struct sl_resteer *r = dp->resteer;

	if (!r)
		return;
	free(r->item);
	free(r->to);
	free(r->leaving);
	free(r);
	dp->resteer = NULL;
}

/* --- the thread that writes tables */

struct sl_resteer_item *resteer_items(struct sl_dataplane *dp)
{
	return dp->resteer->item;
}

bool resteer_idle(const struct sl_dataplane *dp)
{
	return phase_load(dp) == IDLE;
}

void resteer_ring_size(struct sl_dataplane *dp, unsigned iface, uint32_t packets)
{
	dp->resteer->ring_size[iface] = packets ? packets : RING_DEFAULT;
}

bool resteer_hold(struct sl_dataplane *dp, unsigned n)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};

	dp->resteer->items = n;
	phase_store(dp, ASKED);
	housekeeping_wake(dp);
	while (phase_load(dp) == ASKED && !atomic_load(&dp->stop))
		nanosleep(&nap, NULL);
	return phase_load(dp) == HELD;
}

void resteer_written(struct sl_dataplane *dp)
{
	uint32_t held = HELD;

	/* The dataplane may have ended it meanwhile. */
	atomic_compare_exchange_strong(&dp->resteer->phase, &held, WRITTEN);
	housekeeping_wake(dp);
}

uint64_t resteer_cut_short(const struct sl_dataplane *dp)
{
	return atomic_load(&dp->resteer->cut_short);
}

/* --- owner words */

static bool word_swap(struct sl_dataplane *dp, uint32_t bucket, struct sl_owner old, uint16_t next)
{
	uint64_t was = owner_pack(old);

	old.next = next;
	return __atomic_compare_exchange_n(&dp->inst->owners[bucket], &was, owner_pack(old), false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static bool held_now(const struct sl_owner word)
{
	return word.next == (word.owner | SL_OWNER_HOLD);
}

/* A bucket that moves, or that its row sends elsewhere, has a park for another reason. */
static bool hold(struct sl_dataplane *dp, const struct sl_resteer_item *k)
{
	struct sl_row row = row_load(&dp->inst->rows[k->bucket]);
	struct sl_owner word = owner_load(&dp->inst->owners[k->bucket]);

	if (word.owner != word.next || row.worker != word.owner || word.owner >= dp->workers_max)
		return false;
	dp->resteer->to[k->bucket] = k->to;
	return word_swap(dp, k->bucket, word, word.owner | SL_OWNER_HOLD);
}

static void release(struct sl_dataplane *dp, uint32_t bucket)
{
	struct sl_owner word = owner_load(&dp->inst->owners[bucket]);

	if (held_now(word))
		word_swap(dp, bucket, word, word.owner);
}

bool resteer_waits(const struct sl_dataplane *dp, uint32_t bucket, unsigned ring)
{
	return dp->resteer->to[bucket] == ring;
}

void resteer_give_up(struct worker *w, uint32_t bucket)
{
	release(w->dp, bucket);
	atomic_fetch_add(&w->dp->resteer->cut_short, 1);
}

/* --- housekeeping */

static uint64_t counted(const struct sl_dataplane *dp, unsigned ring, uint32_t bucket)
{
	const struct sl_home *h = &dp->home[ring];

	return dp->inst->iface[h->iface]
		.bucket_stats[(size_t)h->queue * dp->inst->buckets + bucket]
		.packets;
}

static void note_counts(const struct sl_dataplane *dp, struct sl_resteer_item *k)
{
	k->from_count = k->from == SL_NO_RING ? 0 : counted(dp, k->from, k->bucket);
	k->to_count = counted(dp, k->to, k->bucket);
}

/* Packets that have come out of a queue into any worker's ring, modulo 2^32. */
static uint32_t published(const struct sl_dataplane *dp, unsigned ring)
{
	uint32_t sum = 0;

	for (unsigned w = 0; w < dp->workers_max; w++)
		if (dp->worker[w].ring[ring].open)
			sum += __atomic_load_n(dp->worker[w].ring[ring].xsk.rx.producer,
					       __ATOMIC_ACQUIRE);
	return sum;
}

static void begin(struct sl_dataplane *dp, uint64_t now_ns)
{
	struct sl_resteer *r = dp->resteer;

	memset(r->leaving, 0, dp->rings * sizeof(*r->leaving));
	for (unsigned i = 0; i < r->items; i++) {
		struct sl_resteer_item *k = &r->item[i];
		struct leaving *l = k->from == SL_NO_RING ? NULL : &r->leaving[k->from];

		note_counts(dp, k);
		if (!k->held || !l || l->used)
			continue;
		*l = (struct leaving){.used = true, .since = now_ns};
		l->base = l->last = published(dp, k->from);
	}
	r->begun = true;
	r->begun_ns = now_ns;
}

static bool ring_quiet(struct sl_dataplane *dp, unsigned ring, uint64_t now_ns)
{
	const uint32_t size = dp->resteer->ring_size[dp->home[ring].iface];
	struct leaving *l = &dp->resteer->leaving[ring];
	const uint32_t out = published(dp, ring);

	if (out != l->last)
		l->since = now_ns;
	l->last = out;
	/* In generic mode several CPUs serve a queue: an older packet may still be in one's hands.
	 */
	if (!dp->generic && out - l->base >= 2 * size)
		return true;
	return now_ns - l->since >= IDLE_NS;
}

static bool quiet(struct sl_dataplane *dp, uint64_t now_ns)
{
	bool all = true;

	for (unsigned ring = 0; ring < dp->rings; ring++)
		if (dp->resteer->leaving[ring].used)
			all &= ring_quiet(dp, ring, now_ns);
	return all || now_ns - dp->resteer->begun_ns >= HOLD_MAX_NS;
}

/* What the old queue's polls have published, and the grace period made sure of. */
static void aim(struct sl_dataplane *dp)
{
	for (unsigned i = 0; i < dp->resteer->items; i++) {
		struct sl_resteer_item *k = &dp->resteer->item[i];
		const unsigned owner = owner_load(&dp->inst->owners[k->bucket]).owner;

		k->over = !k->held;
		if (k->over || k->from == SL_NO_RING || !dp->worker[owner].ring[k->from].open)
			continue;
		/* pairs with the kernel's smp_store_release() in __xskq_prod_submit() */
		k->target = __atomic_load_n(dp->worker[owner].ring[k->from].xsk.rx.producer,
					    __ATOMIC_ACQUIRE);
	}
}

/* True once the owner has taken what was aimed at, and the hold is over. */
static bool finish(struct sl_dataplane *dp, struct sl_resteer_item *k)
{
	struct sl_owner word = owner_load(&dp->inst->owners[k->bucket]);
	struct worker *w;

	if (k->over || !held_now(word))
		return true; /* given up: the counts stay those of the write */
	w = &dp->worker[word.owner];
	/* What is consumed is in the owner's batch, ahead of what waits. */
	if (k->from != SL_NO_RING && w->ring[k->from].open &&
	    (int32_t)(__atomic_load_n(w->ring[k->from].xsk.rx.consumer, __ATOMIC_ACQUIRE) -
		      k->target) < 0)
		return false;
	note_counts(dp, k);
	release(dp, k->bucket);
	worker_wake(w);
	k->over = true;
	return true;
}

static bool finish_all(struct sl_dataplane *dp)
{
	bool all = true;

	for (unsigned i = 0; i < dp->resteer->items; i++)
		all &= finish(dp, &dp->resteer->item[i]);
	return all;
}

bool resteer_step(struct sl_dataplane *dp, uint64_t now_ns)
{
	struct sl_resteer *r = dp->resteer;

	switch (phase_load(dp)) {
	case IDLE:
		return false;
	case ASKED:
		r->begun = false;
		for (unsigned i = 0; i < r->items; i++)
			r->item[i].held = hold(dp, &r->item[i]);
		phase_store(dp, HELD);
		break;
	case HELD:
		break;
	case WRITTEN:
		if (!r->begun)
			begin(dp, now_ns);
		if (!quiet(dp, now_ns))
			break;
		r->epoch = moves_epoch(dp);
		phase_store(dp, GRACE);
		break;
	case GRACE:
		/* pairs with the release in grace_run() */
		if (!epoch_reached(__atomic_load_n(&dp->inst->control->settled, __ATOMIC_ACQUIRE),
				   r->epoch))
			break;
		aim(dp);
		phase_store(dp, TAKING);
		break;
	case TAKING:
		if (finish_all(dp))
			phase_store(dp, IDLE);
		break;
	}
	return true;
}

void resteer_end(struct sl_dataplane *dp)
{
	if (!dp->resteer || phase_load(dp) < HELD)
		return;
	for (unsigned i = 0; i < dp->resteer->items; i++)
		if (dp->resteer->item[i].held)
			release(dp, dp->resteer->item[i].bucket);
	phase_store(dp, IDLE);
}
