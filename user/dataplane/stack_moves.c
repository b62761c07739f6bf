// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves of mode `stack`, as others see them. XDP carries them out, queue by queue; here they are
 * only read off: a word is moving until every queue's packets go to the row's worker, or would.
 */
#include "control/deal.h"
#include "dataplane/internal.h"
#include "dataplane/move_entry.h"
#include "dataplane/stack_internal.h"

#define SILENT_NS 1000000000ULL
#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

void stack_moves_settle(struct sl_stack_keeper *k)
{
	struct sl_instance *inst = k->inst;
	bool has[SL_MAX_WORKERS] = {false};
	unsigned n = 0;

	for (uint32_t b = 0; b < inst->hash_buckets; b++) {
		const unsigned w = row_load(&inst->rows[b]).worker;

		if (w < k->workers && !has[w]) {
			has[w] = true;
			n++;
		}
	}
	for (uint32_t b = 0; b < inst->hash_buckets; b++) {
		struct sl_row row = row_load(&inst->rows[b]);
		struct sl_owner word;

		if (n < k->workers || row.worker >= k->workers) {
			row = row_to(row, sl_deal(b, inst->hash_buckets, k->workers));
			__atomic_store_n(&inst->rows[b], row_pack(row), __ATOMIC_RELEASE);
		}
		word = (struct sl_owner){.owner = row.worker, .next = row.worker};
		__atomic_store_n(&inst->owners[b], owner_pack(word), __ATOMIC_RELEASE);
	}
	for (uint32_t b = inst->hash_buckets; b < inst->buckets; b++) {
		const struct sl_owner none = {.owner = SL_TO_NONE, .next = SL_TO_NONE};

		__atomic_store_n(&inst->owners[b], owner_pack(none), __ATOMIC_RELEASE);
	}
	k->move_seq = move_entry_latest(inst);
	k->epoch = inst->control->epoch;
}

/* What XDP would say of the queue's next packet: stack_worker() and stack_drained() of stack.bpf.c.
 */
static bool queue_moved(const struct sl_stack_keeper *k, const struct sl_stack *s, unsigned worker)
{
	const uint32_t at = LOAD(s->worker);

	if (!at || at == worker + 1)
		return true;
	return (uint32_t)LOAD(s->done) == LOAD(s->sent) &&
	       (int32_t)(k->inst->control->settled - LOAD(s->settled)) >= 2;
}

/*
 * A silent bucket whose last packet was lost at a full queue: XDP cannot know that it is drained
 * before one more packet has gone the old way. There is nothing to wait for.
 */
static bool bucket_silent(struct sl_stack_keeper *k, uint32_t bucket, uint32_t sent, uint64_t now)
{
	struct stack_bucket *s = &k->bucket[bucket];

	if (s->sent != sent || !s->heard_ns) {
		s->sent = sent;
		s->heard_ns = now;
	}
	return now - s->heard_ns >= SILENT_NS;
}

static bool bucket_moved(struct sl_stack_keeper *k, uint32_t bucket, unsigned worker, uint64_t now)
{
	const unsigned queues = k->iface->stack_entries / k->inst->buckets;
	bool moved = true;
	uint32_t sent = 0;

	for (unsigned q = 0; q < queues; q++) {
		const struct sl_stack *s = &k->iface->stack[q * k->inst->buckets + bucket];

		moved &= queue_moved(k, s, worker);
		sent += LOAD(s->sent);
	}
	return moved || bucket_silent(k, bucket, sent, now);
}

static void log_begin(struct sl_stack_keeper *k, uint32_t bucket, struct sl_owner word,
		      uint64_t now)
{
	const uint64_t seq = ++k->move_seq;

	move_entry_write(k->inst, seq, bucket, word, now);
	k->bucket[bucket] = (struct stack_bucket){.log = seq % SL_MOVE_LOG};
}

static void log_end(struct sl_stack_keeper *k, uint32_t bucket, struct sl_owner word, uint64_t now)
{
	struct sl_move *m = &k->inst->moves[k->bucket[bucket].log];

	/* Thousands of moves later the entry may be another bucket's. */
	if (m->bucket != bucket || m->ended_ns)
		return;
	field_store(m->to, word.next);
	field_store(m->rule, SL_DRAIN_D);
	__atomic_store_n(&m->ended_ns, now, __ATOMIC_RELEASE);
}

/* A worker without a CPU: XDP would pass the packets up where they arrive. */
static void refuse(struct sl_stack_keeper *k, uint32_t bucket, struct sl_row row, uint16_t owner)
{
	uint64_t seen = row_pack(row);

	row = row_to(row, owner);
	if (__atomic_compare_exchange_n(&k->inst->rows[bucket], &seen, row_pack(row), false,
					__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		stat_add(&k->inst->control->moves_refused, 1);
}

/* One bucket whose row and word differ, or whose word is moving. 1 if it is under way afterwards.
 */
static unsigned bucket_step(struct sl_stack_keeper *k, uint32_t b, struct sl_row row,
			    struct sl_owner word, uint64_t now)
{
	if (row.worker >= k->workers) {
		refuse(k, b, row, word.owner);
		return 1;
	}
	if (word.owner == word.next) {
		word.next = row.worker;
		word.epoch = k->epoch + 1;
		log_begin(k, b, word, now);
		stat_add(&k->inst->control->moves_started, 1);
	}
	word.next = row.worker; /* the row is followed wherever it points */
	if (bucket_moved(k, b, row.worker, now)) {
		log_end(k, b, word, now);
		word.owner = word.next;
	}
	__atomic_store_n(&k->inst->owners[b], owner_pack(word), __ATOMIC_RELEASE);
	return word.owner != word.next;
}

unsigned stack_moves_step(struct sl_stack_keeper *k, uint64_t now)
{
	const uint64_t before = k->inst->control->moves_started;
	unsigned moving = 0;

	for (uint32_t b = 0; b < k->inst->hash_buckets; b++) {
		const struct sl_row row = row_load(&k->inst->rows[b]);
		const struct sl_owner word = owner_load(&k->inst->owners[b]);

		if (row.worker != word.owner || word.owner != word.next)
			moving += bucket_step(k, b, row, word, now);
	}
	if (k->inst->control->moves_started != before)
		__atomic_store_n(&k->inst->control->epoch, ++k->epoch, __ATOMIC_RELEASE);
	return moving;
}
