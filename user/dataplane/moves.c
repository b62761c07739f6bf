// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <unistd.h>

#include "control/deal.h"
#include "dataplane/handover.h"
#include "dataplane/move_entry.h"
#include "dataplane/moves.h"
#include "dataplane/split.h"
#include "dataplane/worker.h"
#include "platform/announce.h"
#include "platform/clock.h"

/* A leaving worker still has its sockets: a row that names it is carried out, and its bucket then
 * moved on. */
bool moves_serves(const struct sl_dataplane *dp, unsigned id)
{
	return id < dp->workers_max &&
	       __atomic_load_n(&dp->inst->workers[id].state, __ATOMIC_ACQUIRE) != SL_WORKER_ABSENT;
}

/* A former dataplane may have had fewer: then nobody would give the new ones anything. */
static bool every_worker_has_rows(const struct sl_instance *inst, unsigned workers)
{
	bool has[SL_MAX_WORKERS] = {false};
	unsigned n = 0;

	for (uint32_t b = 0; b < inst->buckets; b++) {
		struct sl_row row = row_load(&inst->rows[b]);

		if (row.worker >= workers || has[row.worker])
			continue;
		has[row.worker] = true;
		n++;
	}
	return n == workers;
}

static uint16_t deal_bucket(const struct sl_instance *inst, uint32_t bucket, unsigned workers)
{
	return sl_deal(bucket & (inst->hash_buckets - 1), inst->hash_buckets, workers);
}

static void settle_bucket(struct sl_instance *inst, uint32_t bucket, bool deal, unsigned workers,
			  uint32_t epoch)
{
	struct sl_row row = row_load(&inst->rows[bucket]);
	struct sl_owner word;

	if (!split_settles(inst, bucket, &row.worker) && (deal || row.worker >= workers))
		row = row_to(row, deal_bucket(inst, bucket, workers));
	if (row.worker != row_load(&inst->rows[bucket]).worker)
		__atomic_store_n(&inst->rows[bucket], row_pack(row), __ATOMIC_RELEASE);
	word = (struct sl_owner){.owner = row.worker, .next = row.worker, .epoch = epoch};
	__atomic_store_n(&inst->owners[bucket], owner_pack(word), __ATOMIC_RELEASE);
}

void moves_settle(struct sl_dataplane *dp)
{
	struct sl_instance *inst = dp->inst;
	bool deal;
	unsigned workers = atomic_load(&dp->workers_now);
	uint32_t epoch = inst->control->epoch;

	for (uint32_t b = 0; b < inst->buckets; b++) {
		struct sl_owner word = owner_load(&inst->owners[b]);

		if (epoch_reached(word.epoch, epoch))
			epoch = word.epoch;
	}
	if (++epoch == 0) /* F words of epoch 0 would look announced */
		epoch = 1;
	splits_settle(dp);
	deal = !every_worker_has_rows(inst, workers);
	for (uint32_t b = 0; b < inst->buckets; b++)
		settle_bucket(inst, b, deal, workers, epoch);
	dp->epoch = epoch;
	__atomic_store_n(&inst->control->epoch, epoch, __ATOMIC_RELEASE);
}

/* Written by hand, or planned for a worker that has left since. */
static void refuse(struct sl_dataplane *dp, uint32_t bucket, uint64_t seen, uint16_t owner)
{
	struct sl_row row = row_to(row_unpack(seen), owner);

	/* a newer row must not be lost: then the next round decides on that one */
	if (__atomic_compare_exchange_n(&dp->inst->rows[bucket], &seen, row_pack(row), false,
					__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		stat_add(&dp->inst->control->moves_refused, 1);
}

void moves_log(struct sl_dataplane *dp, uint32_t bucket, struct sl_owner word, uint64_t now)
{
	uint64_t seq = ++dp->move_seq;
	uint32_t index = seq % SL_MOVE_LOG;
	struct sl_shard *shard = shard_of(dp, bucket);

	move_entry_write(dp->inst, seq, bucket, word, now);
	atomic_store_explicit(&shard->log_before,
			      atomic_load_explicit(&shard->log, memory_order_relaxed),
			      memory_order_relaxed);
	/* release: whoever still reports on the bucket's last move finds this entry complete */
	atomic_store_explicit(&shard->log, index, memory_order_release);
}

/* True if a move of the bucket began under `epoch`. */
static bool move_start(struct sl_dataplane *dp, uint32_t bucket, uint32_t epoch, uint64_t now)
{
	struct sl_instance *inst = dp->inst;
	uint64_t seen = __atomic_load_n(&inst->rows[bucket], __ATOMIC_ACQUIRE);
	uint64_t old = __atomic_load_n(&inst->owners[bucket], __ATOMIC_ACQUIRE);
	struct sl_row row = row_unpack(seen);
	struct sl_owner word = owner_unpack(old);

	/* an owner word written by hand may say anything: it stays as it is */
	if (row.worker == word.owner || word.owner != word.next || word.owner >= dp->workers_max)
		return false;
	if (!moves_serves(dp, row.worker)) {
		refuse(dp, bucket, seen, word.owner);
		return false;
	}
	word.next = row.worker;
	word.epoch = epoch;
	if (!__atomic_compare_exchange_n(&inst->owners[bucket], &old, owner_pack(word), false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false; /* somebody wrote the word by hand: left alone */
	/* the owner hears of it by its inbox only, so the log entry is there before it is ended */
	moves_log(dp, bucket, word, now);
	handover_post(&dp->worker[word.owner], bucket);
	return true;
}

static uint32_t next_epoch(const struct sl_dataplane *dp)
{
	return dp->epoch + 1 ? dp->epoch + 1 : 1; /* F words of epoch 0 would look announced */
}

/* The epoch after all of its rows and words; then whoever sleeps hears of it. */
static void moves_publish(struct sl_dataplane *dp, uint32_t epoch, const uint64_t *involved)
{
	uint64_t one = 1;

	dp->epoch = epoch;
	/* pairs with XDP's load of the epoch, which precedes its load of the row, and with
	 * ring_drained_d() */
	__atomic_store_n(&dp->inst->control->epoch, epoch, __ATOMIC_RELEASE);
	while (write(dp->grace_event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	for (unsigned i = 0; i < dp->workers_max; i++)
		if (involved[i / 64] & 1ull << (i % 64))
			worker_wake(&dp->worker[i]);
}

uint32_t moves_epoch(struct sl_dataplane *dp)
{
	const uint64_t nobody[SL_MAX_WORKERS / 64] = {0};

	moves_publish(dp, next_epoch(dp), nobody);
	return dp->epoch;
}

static void involve(uint64_t *involved, uint16_t worker)
{
	if (worker < SL_MAX_WORKERS)
		involved[worker / 64] |= 1ull << (worker % 64);
}

unsigned moves_start(struct sl_dataplane *dp)
{
	uint64_t involved[SL_MAX_WORKERS / 64] = {0}, now = 0;
	uint32_t epoch = next_epoch(dp);
	unsigned n = 0;

	splits_free(dp);
	for (uint32_t b = 0; b < dp->inst->buckets; b++) {
		struct sl_row row = row_load(&dp->inst->rows[b]);
		struct sl_owner word = owner_load(&dp->inst->owners[b]);
		bool split = split_wanted(row, word);

		if (row.worker == word.owner && !split)
			continue;
		if (!now)
			now = sl_clock_ns();
		if (split ? !split_start(dp, b, epoch, now, &word) : !move_start(dp, b, epoch, now))
			continue;
		n++;
		involve(involved, word.owner);
		involve(involved, split ? word.next : row.worker);
	}
	if (!n)
		return 0;
	stat_add(&dp->inst->control->moves_started, n);
	moves_publish(dp, epoch, involved);
	return n;
}

bool moves_announced(struct sl_dataplane *dp, uint32_t bucket, uint64_t seen, uint16_t to)
{
	const struct sl_control *c = dp->inst->control;
	const struct sl_row row = row_unpack(seen);
	const uint64_t now = sl_clock_ns();

	if (row.worker == to || !sl_announce_heard(c, now))
		return true;
	if (row.next == to + 1)
		return sl_announce_state(c, dp->announced_ns, now) != SL_ANNOUNCED_WAIT;
	if (sl_announce_row(&dp->inst->rows[bucket], seen, to))
		dp->announced_ns = sl_announce_now();
	return false;
}

void moves_vacate(struct sl_dataplane *dp, unsigned n)
{
	for (uint32_t b = 0; b < dp->inst->buckets; b++) {
		uint64_t seen = __atomic_load_n(&dp->inst->rows[b], __ATOMIC_ACQUIRE);
		struct sl_owner word = owner_load(&dp->inst->owners[b]);
		struct sl_row row = row_unpack(seen);
		uint16_t to = deal_bucket(dp->inst, b, n);

		/* a row is only moved on: the move under way, or asked for, ends first */
		if (row.worker < n || word.owner != word.next || row.worker != word.owner ||
		    row.worker >= SL_MAX_WORKERS || split_gathers(dp->inst, b) ||
		    !moves_announced(dp, b, seen, to))
			continue;
		__atomic_compare_exchange_n(&dp->inst->rows[b], &seen, row_pack(row_to(row, to)),
					    false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
}

bool moves_involve(const struct sl_dataplane *dp, unsigned id)
{
	for (uint32_t b = 0; b < dp->inst->buckets; b++) {
		struct sl_row row = row_load(&dp->inst->rows[b]);
		struct sl_owner word = owner_load(&dp->inst->owners[b]);

		if (row.worker == id || word.owner == id || word.next == id)
			return true;
	}
	return false;
}
