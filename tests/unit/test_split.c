// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Splitting a bucket and the end of it, step by step: what housekeeping writes, what the owner
 * parks and releases, and what is refused.
 */
#include <sluice/packet.h>

#include "dataplane/batch.h"
#include "dataplane/receive.h"
#include "dataplane/split.h"
#include "dataplane_rig.h"
#include "platform/announce.h"

#define BUCKET 5
#define FIRST RIG_HASH_BUCKETS

static struct rig *settled(uint16_t worker)
{
	struct rig *g = rig_new();

	moves_settle(&g->dp); /* deals */
	g->rows[BUCKET] = row_pack((struct sl_row){.worker = worker});
	moves_settle(&g->dp);
	return g;
}

/* Worker `id` has a ring, with nothing in it, so the rules are asked. */
static void open_ring(struct rig *g, unsigned id)
{
	static uint32_t index;

	g->worker[id].ring[0].xsk.rx.producer = &index;
	atomic_store(&g->worker[id].ring[0].open, true);
}

static void ask(struct rig *g, uint32_t bucket, uint16_t worker, enum sl_row_mode mode)
{
	const struct sl_row row = {.worker = worker, .mode = (uint8_t)mode};

	__atomic_store_n(&g->rows[bucket], row_pack(row), __ATOMIC_RELEASE);
}

static void expect_word(const struct rig *g, uint32_t bucket, uint16_t owner, uint16_t next)
{
	const struct sl_owner word = owner_load(&g->owners[bucket]);

	cr_expect_eq(word.owner, owner, "bucket %u: owner %u", bucket, word.owner);
	cr_expect_eq(word.next, next, "bucket %u: next %u", bucket, word.next);
}

static void park(struct rig *g, unsigned id, uint32_t bucket, unsigned seq)
{
	const uint64_t addr = (uint64_t)seq * RIG_FRAME + sizeof(struct sl_meta);

	*(struct sl_meta *)(g->area + addr - sizeof(struct sl_meta)) =
		(struct sl_meta){.bucket = (__u16)bucket, .seq = seq};
	park_packet(&g->worker[id], bucket, 0, seq, addr, 100, owner_load(&g->owners[bucket]));
}

static void split(struct rig *g, uint16_t worker)
{
	ask(g, BUCKET, worker, SL_ROW_SPLIT);
	cr_assert_eq(moves_start(&g->dp), 1);
	cr_assert(handover_check(&g->worker[worker]));
	expect_word(g, BUCKET, SL_TO_PARTS, SL_TO_PARTS);
}

/* All parts are worker 1's but one, which is worker 0's. */
static struct rig *apart(void)
{
	struct rig *g = settled(1);

	split(g, 1);
	ask(g, FIRST + 2, 0, SL_ROW_WORKER);
	cr_assert_eq(moves_start(&g->dp), 1);
	cr_assert(handover_check(&g->worker[1]));
	return g;
}

Test(split, start_gives_no_part_to_anybody)
{
	struct rig *g = settled(1);

	for (uint32_t b = FIRST; b < RIG_BUCKETS; b++) {
		expect_word(g, b, SL_TO_NONE, SL_TO_NONE);
		cr_expect_eq(row_load(&g->rows[b]).worker, SL_TO_NONE);
	}
	cr_expect_eq(moves_start(&g->dp), 0);
	moves_vacate(&g->dp, 1);
	cr_expect_eq(row_load(&g->rows[FIRST]).worker, SL_TO_NONE, "nobody's is not dealt out");
	rig_free(g);
}

Test(split, parts_are_the_owners_and_what_comes_early_waits)
{
	struct rig *g = settled(1);

	open_ring(g, 1);
	ask(g, BUCKET, 1, SL_ROW_SPLIT);
	cr_assert_eq(moves_start(&g->dp), 1);
	cr_expect_eq(row_load(&g->rows[BUCKET]).worker, SL_TO_PARTS);
	cr_expect_eq(g->control.split[0], BUCKET + 1);
	expect_word(g, BUCKET, 1, SL_TO_PARTS);
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++) {
		cr_expect_eq(row_load(&g->rows[FIRST + i]).worker, 1);
		expect_word(g, FIRST + i, SL_TO_NONE, 1);
	}
	/* one packet of the old row is not processed yet: the counter is ahead */
	g->packets[BUCKET].packets = 1;
	park(g, 1, FIRST + 3, 1);
	cr_expect_not(handover_check(&g->worker[1]));
	expect_word(g, FIRST + 3, SL_TO_NONE, 1);
	cr_expect_not(parks_check(&g->worker[1]), "waits");
	g->packets[BUCKET].packets = 0;
	cr_expect(handover_check(&g->worker[1]));
	expect_word(g, BUCKET, SL_TO_PARTS, SL_TO_PARTS);
	expect_word(g, FIRST + 3, 1, 1);
	cr_expect(parks_check(&g->worker[1]));
	cr_expect_eq(worker_collect(&g->worker[1]), 1);
	batch_finish(&g->worker[1]);
	rig_free(g);
}

Test(split, parts_move_and_are_gathered_for_the_end)
{
	struct rig *g = apart();

	expect_word(g, FIRST + 2, 0, 0);

	ask(g, BUCKET, SL_TO_PARTS, SL_ROW_WORKER);
	cr_expect_eq(moves_start(&g->dp), 1, "the part, to where most are");
	cr_expect_eq(row_load(&g->rows[FIRST + 2]).mode, SL_ROW_STAYS);
	cr_expect_eq(row_load(&g->rows[FIRST]).mode, SL_ROW_STAYS);
	expect_word(g, FIRST + 2, 0, 1);
	cr_expect_eq(row_load(&g->rows[BUCKET]).worker, SL_TO_PARTS, "until all are there");
	cr_assert(handover_check(&g->worker[0]));
	cr_expect_eq(moves_start(&g->dp), 1, "now the bucket");
	cr_expect_eq(row_load(&g->rows[BUCKET]).worker, 1);
	expect_word(g, BUCKET, SL_TO_PARTS, 1);
	expect_word(g, FIRST, 1, SL_TO_NONE);
	g->control.settled = g->control.epoch;
	cr_assert(handover_check(&g->worker[1]));
	expect_word(g, BUCKET, 1, 1);
	expect_word(g, FIRST, SL_TO_NONE, SL_TO_NONE);
	cr_expect_eq(moves_start(&g->dp), 0);
	cr_expect_eq(g->control.split[0], 0);
	cr_expect_eq(row_load(&g->rows[FIRST]).worker, SL_TO_NONE);
	rig_free(g);
}

/* Numbers cannot tell: who has read the old row may not have taken the part's number yet. */
Test(split, the_end_waits_for_the_grace_period)
{
	struct rig *g = settled(1);

	split(g, 1);
	open_ring(g, 1);
	ask(g, BUCKET, 1, SL_ROW_WORKER);
	cr_assert_eq(moves_start(&g->dp), 1);
	cr_expect_not(handover_check(&g->worker[1]));
	g->control.settled = g->control.epoch;
	cr_expect(handover_check(&g->worker[1]));
	rig_free(g);
}

/* Whoever stored the part's row has packets on their way: that move comes first. */
Test(split, a_row_just_written_is_not_taken_back)
{
	struct rig *g = settled(1);

	split(g, 1);
	ask(g, FIRST + 2, 2, SL_ROW_WORKER);
	ask(g, BUCKET, SL_TO_PARTS, SL_ROW_WORKER);
	cr_expect_eq(moves_start(&g->dp), 1);
	cr_expect_eq(row_load(&g->rows[FIRST + 2]).worker, 2);
	expect_word(g, FIRST + 2, 1, 2);
	rig_free(g);
}

Test(split, a_leaving_worker_loses_its_parts_too)
{
	struct rig *g = settled(1);

	split(g, 1);
	moves_vacate(&g->dp, 1);
	for (unsigned i = 0; i < SL_SPLIT_PARTS; i++)
		cr_expect_eq(row_load(&g->rows[FIRST + i]).worker, 0);
	cr_expect_eq(row_load(&g->rows[BUCKET]).worker, SL_TO_PARTS);
	rig_free(g);
}

Test(split, no_more_than_there_is_room_for)
{
	struct rig *g = settled(1);
	const uint64_t refused = g->control.moves_refused;

	for (uint32_t b = 0; b <= SL_SPLITS; b++)
		ask(g, b, row_load(&g->rows[b]).worker, SL_ROW_SPLIT);
	cr_expect_eq(moves_start(&g->dp), SL_SPLITS);
	cr_expect_eq(g->control.moves_refused, refused + 1);
	cr_expect_eq(row_load(&g->rows[SL_SPLITS]).mode, SL_ROW_WORKER);
	cr_expect_eq(moves_start(&g->dp), 0);
	rig_free(g);
}

Test(split, nonsense_by_hand_is_refused)
{
	struct rig *g = settled(1);
	const uint64_t refused = g->control.moves_refused;

	split(g, 1);
	ask(g, FIRST + 1, 1, SL_ROW_SPLIT); /* a part of a part */
	ask(g, BUCKET + 1, SL_TO_PARTS, SL_ROW_WORKER); /* another bucket's parts */
	ask(g, BUCKET, RIG_WORKERS + 1, SL_ROW_SPLIT); /* whole again, at nobody */
	cr_expect_eq(moves_start(&g->dp), 0);
	cr_expect_eq(g->control.moves_refused, refused + 3);
	cr_expect_eq(row_load(&g->rows[FIRST + 1]).mode, SL_ROW_WORKER);
	cr_expect_lt(row_load(&g->rows[BUCKET + 1]).worker, RIG_WORKERS);
	cr_expect_eq(row_load(&g->rows[BUCKET]).worker, SL_TO_PARTS);
	rig_free(g);
}

Test(split, splits_outlive_the_dataplane)
{
	struct rig *g = settled(1);

	split(g, 1);
	ask(g, FIRST + 2, 0, SL_ROW_WORKER);
	g->control.split[3] = 100; /* whose bucket became whole as the former dataplane died */
	moves_settle(&g->dp);
	expect_word(g, BUCKET, SL_TO_PARTS, SL_TO_PARTS);
	expect_word(g, FIRST, 1, 1);
	expect_word(g, FIRST + 2, 0, 0);
	cr_expect_eq(g->control.split[3], 0);
	expect_word(g, FIRST + 3 * SL_SPLIT_PARTS, SL_TO_NONE, SL_TO_NONE);

	g->dp.opts.own_loop = true; /* what that keeps cannot be divided */
	moves_settle(&g->dp);
	cr_expect_lt(row_load(&g->rows[BUCKET]).worker, RIG_WORKERS);
	expect_word(g, FIRST, SL_TO_NONE, SL_TO_NONE);
	cr_expect_eq(g->control.splits, 0);
	rig_free(g);
}

/* Back to parts before all were gathered: they may move again. */
Test(split, a_change_of_mind)
{
	struct rig *g = apart();

	ask(g, BUCKET, SL_TO_PARTS, SL_ROW_WORKER);
	cr_assert_eq(moves_start(&g->dp), 1);
	ask(g, BUCKET, SL_TO_PARTS, SL_ROW_SPLIT);
	cr_expect_eq(moves_start(&g->dp), 0);
	cr_expect_eq(row_load(&g->rows[FIRST]).mode, SL_ROW_WORKER);
	cr_expect_eq(row_load(&g->rows[FIRST + 2]).mode, SL_ROW_WORKER);
	rig_free(g);
}

/* Parts that go elsewhere are announced to balancers (platform/announce.h) before they are
 * gathered.
 */
Test(split, gathering_is_announced)
{
	struct rig *g = apart();

	g->control.told_ns = sl_announce_now() + 10000000000u; /* it speaks, for long */
	ask(g, BUCKET, SL_TO_PARTS, SL_ROW_WORKER);
	cr_expect_eq(moves_start(&g->dp), 0);
	cr_expect_eq(row_load(&g->rows[FIRST + 2]).worker, 0);
	cr_expect_eq(row_load(&g->rows[FIRST + 2]).next, 1 + 1);
	cr_expect_eq(row_load(&g->rows[FIRST]).next, 0, "it stays where it is");
	g->dp.announced_ns = g->control.told_ns + 1;
	cr_expect_eq(moves_start(&g->dp), 0, "not told yet");
	g->control.told_ns += 2;
	cr_expect_eq(moves_start(&g->dp), 1);
	expect_word(g, FIRST + 2, 0, 1);
	cr_assert(handover_check(&g->worker[0]));
	cr_expect_eq(moves_start(&g->dp), 1);
	expect_word(g, BUCKET, SL_TO_PARTS, 1);
	rig_free(g);
}

/* By hand, in one go: whole at worker 1, and to be split again. Until the first is over parts stay.
 */
Test(split, whole_and_split_again)
{
	struct rig *g = settled(1);

	split(g, 1);
	open_ring(g, 1);
	ask(g, BUCKET, 1, SL_ROW_SPLIT);
	cr_assert_eq(moves_start(&g->dp), 1);
	expect_word(g, BUCKET, SL_TO_PARTS, 1);
	cr_expect_eq(moves_start(&g->dp), 0);
	cr_expect_eq(row_load(&g->rows[FIRST]).mode, SL_ROW_STAYS);
	g->control.settled = g->control.epoch;
	cr_assert(handover_check(&g->worker[1]));
	expect_word(g, BUCKET, 1, 1);
	cr_expect_eq(moves_start(&g->dp), 1, "split again");
	expect_word(g, BUCKET, 1, SL_TO_PARTS);
	expect_word(g, FIRST, SL_TO_NONE, 1);
	cr_expect_eq(row_load(&g->rows[FIRST]).mode, SL_ROW_WORKER);
	rig_free(g);
}
