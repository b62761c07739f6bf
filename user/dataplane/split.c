// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/chain.h"
#include "dataplane/handover.h"
#include "dataplane/moves.h"
#include "dataplane/split.h"

static void store_row(struct sl_instance *inst, uint32_t bucket, uint16_t worker)
{
	const struct sl_row row = {.worker = worker};

	__atomic_store_n(&inst->rows[bucket], row_pack(row), __ATOMIC_RELEASE);
}

static void store_word(struct sl_instance *inst, uint32_t bucket, struct sl_owner word)
{
	__atomic_store_n(&inst->owners[bucket], owner_pack(word), __ATOMIC_RELEASE);
}

static bool swap(uint64_t *at, uint64_t seen, uint64_t fresh)
{
	return __atomic_compare_exchange_n(at, &seen, fresh, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static void name_split(struct sl_instance *inst, unsigned split, uint32_t bucket_1)
{
	__atomic_store_n(&inst->control->split[split], bucket_1, __ATOMIC_RELEASE);
}

/* Nobody has them, and no row leads there. */
static void parts_clear(struct sl_instance *inst, unsigned split, uint32_t epoch)
{
	const struct sl_owner none = {.owner = SL_TO_NONE, .next = SL_TO_NONE, .epoch = epoch};

	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++) {
		store_row(inst, part_first(inst, split) + i, SL_TO_NONE);
		store_word(inst, part_first(inst, split) + i, none);
	}
	name_split(inst, split, 0);
}

/* A program's own loop may keep state that nobody here can divide. */
static unsigned splits_allowed(const struct sl_dataplane *dp)
{
	if (dp->opts.own_loop || dp->inst->buckets == dp->inst->hash_buckets ||
	    !chain_divisible(dp->chain))
		return 0;
	return SL_SPLITS;
}

void splits_settle(struct sl_dataplane *dp)
{
	struct sl_instance *inst = dp->inst;
	const unsigned allowed = splits_allowed(dp);

	inst->control->splits = allowed;
	for (unsigned k = 0; k < SL_SPLITS; k++) {
		const uint32_t b = inst->control->split[k] - 1;

		if (k >= allowed || b >= inst->hash_buckets ||
		    row_load(&inst->rows[b]).worker != SL_TO_PARTS + k)
			name_split(inst, k, 0);
	}
}

bool split_settles(const struct sl_instance *inst, uint32_t bucket, uint16_t *to)
{
	if (bucket < inst->hash_buckets)
		return to_parts(*to) && inst->control->split[*to - SL_TO_PARTS] == bucket + 1;
	if (inst->control->split[(bucket - inst->hash_buckets) / SL_SPLIT_PARTS])
		return false;
	*to = SL_TO_NONE;
	return true;
}

/* The wish cannot be granted: it is taken back, unless the row is another one by now. */
static void refuse(struct sl_dataplane *dp, uint32_t bucket, uint64_t seen, uint16_t worker,
		   enum sl_row_mode mode)
{
	struct sl_row row = row_to(row_unpack(seen), worker);

	row.mode = (uint8_t)mode;
	if (swap(&dp->inst->rows[bucket], seen, row_pack(row)))
		stat_add(&dp->inst->control->moves_refused, 1);
}

static int free_split(const struct sl_instance *inst)
{
	for (unsigned k = 0; k < inst->control->splits; k++)
		if (!inst->control->split[k])
			return (int)k;
	return -1;
}

/*
 * The parts belong to nobody and are on their way to the bucket's owner, who parks what comes for
 * them. Then the bucket's word, which a hold for the NIC's table may keep, and then the row: until
 * the epoch is published nobody acts on either.
 */
static bool begin(struct sl_dataplane *dp, uint32_t bucket, uint64_t seen, uint32_t epoch,
		  uint64_t now, struct sl_owner *word)
{
	struct sl_instance *inst = dp->inst;
	const uint64_t old = owner_pack(*word);
	const uint16_t owner = word->owner;
	const int split = free_split(inst);
	struct sl_row row = row_unpack(seen);

	if (split < 0) {
		refuse(dp, bucket, seen, row.worker, SL_ROW_WORKER);
		return false;
	}
	name_split(inst, (unsigned)split, bucket + 1);
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++) {
		const uint32_t p = part_first(inst, (unsigned)split) + i;

		store_word(inst, p, (struct sl_owner){SL_TO_NONE, owner, epoch});
		store_row(inst, p, owner);
	}
	row = row_to(row, (uint16_t)(SL_TO_PARTS + split));
	*word = (struct sl_owner){.owner = owner, .next = row.worker, .epoch = epoch};
	if (!swap(&inst->owners[bucket], old, owner_pack(*word))) {
		parts_clear(inst, (unsigned)split, epoch);
		return false;
	}
	if (!swap(&inst->rows[bucket], seen, row_pack(row))) {
		swap(&inst->owners[bucket], owner_pack(*word), old);
		parts_clear(inst, (unsigned)split, epoch);
		return false;
	}
	moves_log(dp, bucket, *word, now);
	handover_post(&dp->worker[owner], bucket);
	return true;
}

/* The worker with most of the parts, by their rows: so the choice stays once they are on their
 * way. */
static uint16_t gather_where(const struct sl_instance *inst, uint32_t first)
{
	uint8_t count[SL_MAX_WORKERS] = {0};
	uint16_t best = row_load(&inst->rows[first]).worker;

	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++) {
		const uint16_t w = row_load(&inst->rows[first + i]).worker;

		if (w < SL_MAX_WORKERS && ++count[w] > count[best % SL_MAX_WORKERS])
			best = w;
	}
	return best;
}

/*
 * Ask for the moves that are missing. A row that somebody else has just written is carried out
 * first: packets are on their way by it, and would be strays if it were taken back. From then on
 * the row stays: who compares and swaps cannot write it between here and the parts' words. True:
 * all parts rest at `worker`.
 */
static bool gather(struct sl_dataplane *dp, uint32_t first, uint16_t worker)
{
	struct sl_instance *inst = dp->inst;
	bool all = true;

	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++) {
		uint64_t seen = __atomic_load_n(&inst->rows[first + i], __ATOMIC_ACQUIRE);
		const struct sl_owner o = owner_load(&inst->owners[first + i]);
		struct sl_row row = row_unpack(seen);

		if (o.owner == o.next && row.worker == o.owner &&
		    (row.worker != worker || row.mode != SL_ROW_STAYS)) {
			row = (struct sl_row){.worker = worker, .mode = SL_ROW_STAYS};
			if (!moves_announced(dp, first + i, seen, worker) ||
			    !swap(&inst->rows[first + i], seen, row_pack(row)))
				all = false;
		}
		all &= row.worker == worker && row.mode == SL_ROW_STAYS && o.owner == worker &&
		       o.next == worker;
	}
	return all;
}

/* The parts are whoever's the bucket will be, and leave for nobody: packets by the old row still
 * find them owned. */
static void merge(struct sl_dataplane *dp, uint32_t bucket, uint32_t first, uint32_t epoch,
		  uint64_t now, struct sl_owner *word)
{
	const uint16_t worker = word->next;

	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++)
		store_word(dp->inst, first + i, (struct sl_owner){worker, SL_TO_NONE, epoch});
	word->epoch = epoch;
	store_word(dp->inst, bucket, *word);
	moves_log(dp, bucket, *word, now);
	handover_post(&dp->worker[worker], bucket);
}

static bool end(struct sl_dataplane *dp, uint32_t bucket, uint64_t seen, uint32_t epoch,
		uint64_t now, struct sl_owner *word)
{
	struct sl_instance *inst = dp->inst;
	const uint32_t first = part_first(inst, word->owner - SL_TO_PARTS);
	struct sl_row row = row_unpack(seen);

	if (row.worker == word->owner)
		row = row_to(row, gather_where(inst, first));
	if (!moves_serves(dp, row.worker)) {
		refuse(dp, bucket, seen, word->owner, SL_ROW_SPLIT);
		return false;
	}
	if (!gather(dp, first, row.worker))
		return false;
	if (row_unpack(seen).worker == word->owner) {
		row.mode = SL_ROW_WORKER;
		if (!swap(&inst->rows[bucket], seen, row_pack(row)))
			return false;
	}
	word->next = row.worker;
	merge(dp, bucket, first, epoch, now, word);
	return true;
}

bool split_start(struct sl_dataplane *dp, uint32_t bucket, uint32_t epoch, uint64_t now,
		 struct sl_owner *word)
{
	const uint64_t seen = __atomic_load_n(&dp->inst->rows[bucket], __ATOMIC_ACQUIRE);

	if (!split_wanted(row_unpack(seen), *word))
		return false;
	if (to_parts(word->owner))
		return end(dp, bucket, seen, epoch, now, word);
	if (bucket >= dp->inst->hash_buckets || word->owner >= dp->workers_max) {
		refuse(dp, bucket, seen, row_unpack(seen).worker, SL_ROW_WORKER);
		return false;
	}
	return begin(dp, bucket, seen, epoch, now, word);
}

bool split_gathers(const struct sl_instance *inst, uint32_t bucket)
{
	uint32_t whole;

	if (bucket < inst->hash_buckets)
		return false;
	whole = inst->control->split[(bucket - inst->hash_buckets) / SL_SPLIT_PARTS] - 1;
	return whole < inst->hash_buckets &&
	       split_wanted(row_load(&inst->rows[whole]), owner_load(&inst->owners[whole]));
}

/* Somebody changed his mind before all parts were gathered. */
static void parts_let_go(struct sl_instance *inst, unsigned split)
{
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++) {
		uint64_t *at = &inst->rows[part_first(inst, split) + i];
		uint64_t seen = __atomic_load_n(at, __ATOMIC_ACQUIRE);
		struct sl_row row = row_unpack(seen);

		if (row.mode != SL_ROW_STAYS)
			continue;
		row.mode = SL_ROW_WORKER;
		swap(at, seen, row_pack(row));
	}
}

void splits_free(struct sl_dataplane *dp)
{
	struct sl_instance *inst = dp->inst;

	for (unsigned k = 0; k < SL_SPLITS; k++) {
		const uint32_t b = inst->control->split[k] - 1;
		struct sl_owner word;
		struct sl_row row;

		if (b >= inst->hash_buckets)
			continue;
		row = row_load(&inst->rows[b]);
		if (row.mode == SL_ROW_SPLIT && to_parts(row.worker))
			parts_let_go(inst, k);
		/* acquire: pairs with the release of the word, after that of its parts */
		word = owner_load(&inst->owners[b]);
		if (word.owner == word.next && word.owner < SL_MAX_WORKERS)
			parts_clear(inst, k, word.epoch);
	}
}
