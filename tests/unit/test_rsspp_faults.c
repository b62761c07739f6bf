// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What goes wrong in RSS++'s released hand-over (its FlowIPManagerBucket), done here: a test for
 * each fault that timing brings about, under the letter that docs/evaluation.md gives it. The test
 * plays XDP and the kernel, so each schedule happens exactly.
 */
#include <sluice/packet.h>

#include "dataplane/flow_table.h"
#include "dataplane_scene.h"

#define A 0
#define B 1
#define C 2
#define BUCKET 5
#define OTHER 6 /* another bucket */

/* BUCKET and OTHER are A's. */
static struct scene *scene(void)
{
	struct scene *s = scene_new();

	s->g->rows[BUCKET] = s->g->rows[OTHER] = row_pack((struct sl_row){.worker = A});
	moves_settle(&s->g->dp);
	return s;
}

/* One was counted, and found the ring full: nobody will ever see its number. */
static void lose(struct scene *s, uint32_t bucket)
{
	stamp(s, bucket);
	s->next[bucket]++;
}

/* A worker's round. Returns the size of its batch; numbers must follow each other. */
static unsigned work(struct scene *s, unsigned id)
{
	struct worker *w = &s->g->worker[id];
	const unsigned n = worker_collect(w);

	for (unsigned i = 0; i < n; i++) {
		const struct sl_meta *m = w->packet[i].meta;

		cr_expect_eq(owner(s, m->bucket).owner, id, "one owner");
		cr_expect_eq(m->seq, s->next[m->bucket], "bucket %u: %u came, not %u", m->bucket,
			     m->seq, s->next[m->bucket]);
		s->next[m->bucket] = m->seq + 1;
	}
	s->done += n;
	worker_finish(w);
	return n;
}

/* A has processed so many of the bucket, lost one more or not, and its move to B begins. */
static struct scene *scene_moving(unsigned before, bool loses)
{
	struct scene *s = scene();

	arrive(s, BUCKET, before);
	work(s, A);
	if (loses)
		lose(s, BUCKET);
	want(s, BUCKET, B);
	cr_assert_eq(moves_start(&s->g->dp), 1);
	return s;
}

/* RSS++'s old core lets go when another packet reaches it. */
Test(rsspp_faults, a_the_old_owner_gets_no_packet_any_more)
{
	struct scene *s = scene_moving(5, false);

	arrive(s, BUCKET, 3);
	cr_expect_eq(work(s, B), 0, "parked");
	work(s, A);
	cr_expect_eq(owner(s, BUCKET).owner, B);
	cr_expect_eq(work(s, B), 3);
	scene_free(s);
}

/* The same where A can never know that it has had all: the last packet was lost at its ring. */
Test(rsspp_faults, a_and_its_last_packet_was_lost)
{
	struct scene *s = scene_moving(5, true);

	arrive(s, BUCKET, 3);
	work(s, A);
	work(s, B);
	cr_expect_eq(owner(s, BUCKET).owner, A, "nothing says yet that all is through");
	settle(s);
	work(s, A);
	cr_expect_eq(owner(s, BUCKET).owner, B);
	cr_expect_eq(work(s, B), 3);
	scene_free(s);
}

/* RSS++ flushes on the bucket's next packet, and not while the new core has a move of its own. */
Test(rsspp_faults, b_a_burst_ends_at_a_worker_that_has_a_move_of_its_own)
{
	struct scene *s = scene();

	arrive(s, BUCKET, 1);
	want(s, OTHER, B);
	moves_start(&s->g->dp);
	work(s, A);
	cr_assert_eq(owner(s, OTHER).owner, B);
	arrive(s, OTHER, 1);
	work(s, B);
	want(s, BUCKET, B);
	cr_assert_eq(moves_start(&s->g->dp), 1);
	arrive(s, BUCKET, 7);
	cr_expect_eq(work(s, B), 0);
	lose(s, OTHER);
	want(s, OTHER, C);
	cr_assert_eq(moves_start(&s->g->dp), 1);
	cr_expect_eq(work(s, B), 0);
	work(s, A);
	cr_expect_eq(work(s, B), 7, "the burst is whole and nothing follows it");
	cr_expect_eq(owner(s, OTHER).owner, B, "its own move is still under way");
	cr_expect_eq(s->g->stat[B].held, 0);
	scene_free(s);
}

/* RSS++'s queue of a bucket that moves on before it was released is written by two cores. */
Test(rsspp_faults, c_moved_on_before_it_was_released)
{
	struct scene *s = scene_moving(2, true);

	arrive(s, BUCKET, 4);
	work(s, B);
	want(s, BUCKET, C);
	cr_expect_eq(moves_start(&s->g->dp), 0, "one move at a time");
	arrive(s, BUCKET, 3);
	cr_expect_eq(work(s, C), 0, "these wait in C's own park");
	settle(s);
	work(s, A);
	cr_expect_eq(owner(s, BUCKET).owner, B);
	cr_expect_eq(work(s, C), 0, "B's are older");
	cr_expect_eq(moves_start(&s->g->dp), 1);
	cr_expect_eq(work(s, C), 0, "and says now which is the first of its own");
	cr_expect_eq(work(s, B), 4);
	cr_expect_eq(owner(s, BUCKET).owner, C);
	cr_expect_eq(work(s, C), 3);
	cr_expect_eq(s->done, 9);
	scene_free(s);
}

/* RSS++'s queue has no bound: it takes mbufs until nobody can receive. */
Test(rsspp_faults, c_what_waits_is_bounded_and_counted)
{
	struct scene *s = scene_moving(1, true);
	const unsigned limit = s->g->dp.park_limit / 2;

	s->g->dp.park_bucket_limit = limit;
	for (unsigned i = 0; i < 3 * limit; i += 16) {
		arrive(s, BUCKET, 16);
		work(s, B);
	}
	cr_expect_eq(s->g->stat[B].held, limit);
	cr_expect_eq(s->g->stat[B].park_overflow, 2 * limit);
	settle(s);
	work(s, A);
	for (unsigned i = 0; i < limit; i += SL_BATCH)
		work(s, B);
	cr_expect_eq(s->done, 1 + limit);
	s->next[BUCKET] += 2 * limit;
	arrive(s, BUCKET, 1);
	cr_expect_eq(work(s, B), 1);
	scene_free(s);
}

/* RSS++ logs a warning and overwrites what the pending move waits for. */
Test(rsspp_faults, d_a_second_row_does_not_change_what_the_first_move_waits_for)
{
	struct scene *s = scene();
	struct sl_owner before;

	arrive(s, BUCKET, 1);
	work(s, A);
	arrive(s, BUCKET, 6); /* in A's ring still */
	want(s, BUCKET, B);
	moves_start(&s->g->dp);
	before = owner(s, BUCKET);
	arrive(s, BUCKET, 2);
	work(s, B);
	want(s, BUCKET, C);
	moves_start(&s->g->dp);
	cr_expect_eq(owner_pack(owner(s, BUCKET)), owner_pack(before));
	handover_check(&s->g->worker[A]);
	cr_expect_eq(owner(s, BUCKET).owner, A, "six wait in its ring");
	cr_expect_eq(work(s, A), 6);
	cr_expect_eq(owner(s, BUCKET).owner, B);
	cr_expect_eq(work(s, B), 2);
	scene_free(s);
}

/* RSS++'s new core drops what comes before the old one is told of the move, or after it forgot. */
Test(rsspp_faults, e_packets_before_anybody_was_told)
{
	struct scene *s = scene();

	arrive(s, BUCKET, 3);
	work(s, A);
	want(s, BUCKET, B);
	arrive(s, BUCKET, 3);
	cr_expect_eq(work(s, B), 0);
	cr_expect_eq(s->g->stat[B].held, 3, "kept, though no move has begun");
	moves_start(&s->g->dp);
	arrive(s, BUCKET, 3);
	cr_expect_eq(work(s, B), 0);
	work(s, A);
	cr_expect_eq(work(s, B), 6);
	cr_expect_eq(s->g->stat[A].stray + s->g->stat[B].stray, 0);
	cr_expect_eq(s->g->stat[B].park_overflow, 0);
	scene_free(s);
}

/* RSS++ hands each packet that follows a move to the functions as a batch of its own. */
Test(rsspp_faults, h_what_waited_comes_as_one_batch)
{
	struct scene *s = scene_moving(1, false);

	arrive(s, BUCKET, 40);
	work(s, B);
	work(s, A);
	arrive(s, BUCKET, 8);
	cr_expect_eq(work(s, B), 48, "those that waited, and those that the ring has by now");
	arrive(s, BUCKET, 32);
	cr_expect_eq(work(s, B), 32);
	scene_free(s);
}

/* RSS++ gives each bucket a table of one size: the skewed one is full while the others lie idle. */
Test(rsspp_faults, j_one_bucket_may_have_nearly_all_the_memory)
{
	struct sl_flow_budget budget = {.limit = 4 << 20};
	const struct sl_flow_config config = {.key_size = 16, .value_size = 16, .budget = &budget};
	struct sl_flow_table *t[RIG_BUCKETS];
	uint32_t key[4] = {0};

	for (unsigned b = 0; b < RIG_BUCKETS; b++) {
		t[b] = sl_flow_table_new(&config);
		cr_assert_not_null(t[b]);
	}
	cr_expect_leq(budget.used, budget.limit / 100, "empty tables take next to nothing");
	while (sl_flow_lookup(t[0], key, key[0] * 2654435761u, 1, 1))
		key[0]++;
	cr_expect_geq(sl_flow_table_bytes(t[0]), budget.limit / 10 * 9);
	cr_expect_gt(sl_flow_table_count(t[0]), 40000);
	for (unsigned b = 0; b < RIG_BUCKETS; b++)
		sl_flow_table_free(t[b]);
	cr_expect_eq(budget.used, 0);
}
