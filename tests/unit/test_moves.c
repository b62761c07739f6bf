// SPDX-License-Identifier: GPL-2.0-or-later
/* What the log of moves says of each, whatever the next move of the bucket does meanwhile. */
#include <sluice/packet.h>

#include "dataplane/batch.h"
#include "dataplane_rig.h"

#define BUCKET 5

static void ask(struct rig *g, uint16_t worker)
{
	__atomic_store_n(&g->rows[BUCKET], row_pack((struct sl_row){.worker = worker}),
			 __ATOMIC_RELEASE);
	cr_assert_eq(moves_start(&g->dp), 1);
}

/* Packets `first` and on of the bucket reach worker `id`, which does not own it yet. */
static void park(struct rig *g, unsigned id, unsigned first, unsigned packets)
{
	for (unsigned i = first; i < first + packets; i++) {
		const uint64_t addr = (uint64_t)i * RIG_FRAME + sizeof(struct sl_meta);

		*(struct sl_meta *)(g->area + addr - sizeof(struct sl_meta)) =
			(struct sl_meta){.bucket = BUCKET, .seq = i};
		park_packet(&g->worker[id], BUCKET, 0, i, addr, 100,
			    owner_load(&g->owners[BUCKET]));
	}
}

static const struct sl_move *logged(const struct rig *g, uint16_t from, uint16_t to)
{
	for (unsigned i = 0; i < SL_MOVE_LOG; i++)
		if (g->moves[i].seq && g->moves[i].from == from && g->moves[i].to == to)
			return &g->moves[i];
	cr_assert_fail("no move %u -> %u in the log", from, to);
	return NULL;
}

Test(moves, parked_max_survives_a_next_move_that_begins_at_once)
{
	struct rig *g = rig_new();

	moves_settle(&g->dp); /* deals */
	g->rows[BUCKET] = row_pack((struct sl_row){.worker = 0});
	moves_settle(&g->dp);
	ask(g, 1);
	park(g, 1, 0, 7);
	/* nothing was ever received, so worker 0 lets go at once */
	cr_assert(handover_check(&g->worker[0]));
	ask(g, 2);
	park(g, 2, 7, 3);
	cr_assert(parks_check(&g->worker[1]));
	cr_expect_eq(logged(g, 0, 1)->parked_max, 7);
	cr_expect_neq(logged(g, 0, 1)->ended_ns, 0);
	cr_expect_eq(logged(g, 1, 2)->ended_ns, 0, "the ready packets come first");
	cr_expect_eq(worker_collect(&g->worker[1]), 7);
	batch_finish(&g->worker[1]);
	cr_assert(handover_check(&g->worker[1]));
	cr_assert(parks_check(&g->worker[2]));
	cr_expect_eq(logged(g, 1, 2)->parked_max, 3);
	cr_expect_neq(logged(g, 1, 2)->ended_ns, 0);
	cr_expect_eq(logged(g, 0, 1)->parked_max, 7);
	rig_free(g);
}
