// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What mode stack's keeper says of moves: when one begins, when it has ended in every queue, and
 * what it makes of rows that name no CPU. XDP's part is played here.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/internal.h"
#include "dataplane/stack_internal.h"

#define BUCKETS 8
#define QUEUES 2
#define WORKERS 3
#define SECOND 1000000000ULL

struct rig {
	struct sl_stack_keeper k;
	struct sl_instance inst;
	struct sl_control control;
	struct sl_stack stack[QUEUES * BUCKETS];
	uint64_t rows[BUCKETS], owners[BUCKETS];
	struct sl_move moves[SL_MOVE_LOG];
	struct stack_bucket bucket[BUCKETS];
};

static void row(struct rig *g, uint32_t bucket, uint16_t worker)
{
	g->rows[bucket] = row_pack((struct sl_row){.worker = worker});
}

static struct rig *rig_new(void)
{
	struct rig *g = aligned_alloc(SL_CACHE_LINE, sizeof(*g));

	cr_assert_not_null(g);
	memset(g, 0, sizeof(*g));
	g->inst = (struct sl_instance){.ifaces = 1,
				       .buckets = BUCKETS,
				       .hash_buckets = BUCKETS,
				       .rows = g->rows,
				       .owners = g->owners,
				       .moves = g->moves,
				       .control = &g->control};
	g->inst.iface[0].stack = g->stack;
	g->inst.iface[0].stack_entries = QUEUES * BUCKETS;
	g->k.inst = &g->inst;
	g->k.iface = &g->inst.iface[0];
	g->k.workers = WORKERS;
	g->k.bucket = g->bucket;
	for (uint32_t b = 0; b < BUCKETS; b++)
		row(g, b, b % WORKERS);
	stack_moves_settle(&g->k);
	return g;
}

/* XDP sent so many more to the worker; the thread has taken all but `left` of them. */
static void sent(struct rig *g, unsigned queue, uint32_t bucket, unsigned worker, uint32_t n,
		 uint32_t left)
{
	struct sl_stack *s = &g->stack[queue * BUCKETS + bucket];

	s->worker = worker + 1;
	s->sent += n;
	s->done = s->sent - left;
	s->settled = g->control.settled;
}

static struct sl_owner owner(const struct rig *g, uint32_t bucket)
{
	return owner_load(&g->owners[bucket]);
}

static const struct sl_move *logged(const struct rig *g, uint64_t seq)
{
	cr_assert_eq(g->moves[seq % SL_MOVE_LOG].seq, seq);
	return &g->moves[seq % SL_MOVE_LOG];
}

Test(stack_moves, rows_that_agree_are_left_alone)
{
	struct rig *g = rig_new();

	cr_expect_eq(stack_moves_step(&g->k, 1), 0);
	cr_expect_eq(g->control.moves_started, 0);
	cr_expect_eq(g->control.epoch, 0);
	free(g);
}

Test(stack_moves, a_bucket_without_packets_moves_at_once)
{
	struct rig *g = rig_new();

	row(g, 3, 1);
	cr_expect_eq(stack_moves_step(&g->k, 1000), 0);
	cr_expect_eq(owner(g, 3).owner, 1);
	cr_expect_eq(g->control.moves_started, 1);
	cr_expect_eq(g->control.epoch, 1);
	cr_expect_eq(logged(g, 1)->from, 0);
	cr_expect_eq(logged(g, 1)->to, 1);
	cr_expect_eq(logged(g, 1)->ended_ns, 1000);
	free(g);
}

/* As busy buckets move: XDP finds a gap in each queue by itself. */
Test(stack_moves, it_ends_when_every_queue_sends_to_the_new_one)
{
	struct rig *g = rig_new();

	sent(g, 0, 3, 0, 100, 5);
	sent(g, 1, 3, 0, 100, 5);
	row(g, 3, 2);
	cr_expect_eq(stack_moves_step(&g->k, 1), 1);
	cr_expect_eq(owner(g, 3).owner, 0);
	cr_expect_eq(owner(g, 3).next, 2);
	sent(g, 0, 3, 2, 1, 0);
	cr_expect_eq(stack_moves_step(&g->k, 2), 1, "queue 1 has not");
	sent(g, 1, 3, 2, 1, 1);
	cr_expect_eq(stack_moves_step(&g->k, 3), 0);
	cr_expect_eq(owner(g, 3).owner, 2);
	cr_expect_eq(g->control.moves_started, 1, "one move");
	cr_expect_eq(logged(g, 1)->ended_ns, 3);
	free(g);
}

Test(stack_moves, a_silent_bucket_takes_two_grace_periods_after_its_last_packet)
{
	struct rig *g = rig_new();

	g->control.settled = UINT32_MAX;
	sent(g, 0, 3, 0, 10, 0);
	row(g, 3, 1);
	cr_expect_eq(stack_moves_step(&g->k, 1), 1);
	g->control.settled++;
	cr_expect_eq(stack_moves_step(&g->k, 2), 1, "one may have begun before it was taken");
	g->control.settled++;
	cr_expect_eq(stack_moves_step(&g->k, 3), 0);
	cr_expect_eq(owner(g, 3).owner, 1);
	free(g);
}

Test(stack_moves, packets_in_the_queue_are_waited_for_however_many_grace_periods)
{
	struct rig *g = rig_new();

	sent(g, 0, 3, 0, 10, 1);
	row(g, 3, 1);
	for (uint64_t now = 1; now < SECOND; now += SECOND / 10) {
		g->control.settled += 10;
		cr_expect_eq(stack_moves_step(&g->k, now), 1);
	}
	g->stack[3].done++;
	cr_expect_eq(stack_moves_step(&g->k, SECOND), 0);
	free(g);
}

/* Its last packet found the queue full: nobody will ever take it. */
Test(stack_moves, a_second_of_silence_ends_what_a_lost_packet_holds_up)
{
	struct rig *g = rig_new();

	sent(g, 0, 3, 0, 10, 1);
	row(g, 3, 1);
	cr_expect_eq(stack_moves_step(&g->k, SECOND), 1);
	sent(g, 0, 3, 0, 1, 1);
	cr_expect_eq(stack_moves_step(&g->k, 2 * SECOND - 1), 1);
	cr_expect_eq(stack_moves_step(&g->k, 3 * SECOND - 2), 1, "silent since the packet before");
	cr_expect_eq(stack_moves_step(&g->k, 3 * SECOND - 1), 0);
	free(g);
}

Test(stack_moves, a_row_that_changes_meanwhile_is_followed_as_one_move)
{
	struct rig *g = rig_new();

	sent(g, 0, 3, 0, 10, 4);
	row(g, 3, 1);
	cr_expect_eq(stack_moves_step(&g->k, 1), 1);
	row(g, 3, 2);
	cr_expect_eq(stack_moves_step(&g->k, 2), 1);
	sent(g, 0, 3, 2, 1, 0);
	cr_expect_eq(stack_moves_step(&g->k, 3), 0);
	cr_expect_eq(g->control.moves_started, 1);
	cr_expect_eq(logged(g, 1)->to, 2);
	row(g, 3, 0);
	g->control.settled += 2;
	cr_expect_eq(stack_moves_step(&g->k, 4), 0);
	cr_expect_eq(logged(g, 2)->from, 2);
	free(g);
}

Test(stack_moves, a_row_written_back_ends_the_move_where_it_began)
{
	struct rig *g = rig_new();

	sent(g, 0, 3, 0, 10, 4);
	row(g, 3, 1);
	cr_expect_eq(stack_moves_step(&g->k, 1), 1);
	row(g, 3, 0);
	cr_expect_eq(stack_moves_step(&g->k, 2), 0);
	cr_expect_eq(owner(g, 3).owner, 0);
	cr_expect_eq(logged(g, 1)->to, 0);
	free(g);
}

Test(stack_moves, a_row_of_a_worker_without_a_cpu_is_put_back_and_counted)
{
	struct rig *g = rig_new();

	row(g, 4, WORKERS);
	stack_moves_step(&g->k, 1);
	cr_expect_eq(row_load(&g->rows[4]).worker, 1);
	cr_expect_eq(g->control.moves_refused, 1);
	cr_expect_eq(g->control.moves_started, 0);
	cr_expect_eq(stack_moves_step(&g->k, 2), 0);
	free(g);
}

Test(stack_moves, at_start_every_row_names_a_worker_and_every_worker_has_rows)
{
	struct rig *g = rig_new();
	unsigned rows[WORKERS] = {0};

	g->moves[7].seq = 7; /* of a keeper before */
	for (uint32_t b = 0; b < BUCKETS; b++)
		row(g, b, b ? 0 : 100);
	stack_moves_settle(&g->k);
	for (uint32_t b = 0; b < BUCKETS; b++) {
		cr_assert_lt(row_load(&g->rows[b]).worker, WORKERS);
		cr_expect_eq(owner(g, b).owner, row_load(&g->rows[b]).worker);
		rows[owner(g, b).owner]++;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		cr_expect_geq(rows[i], BUCKETS / WORKERS);
	row(g, 0, (uint16_t)((owner(g, 0).owner + 1) % WORKERS));
	stack_moves_step(&g->k, 1);
	cr_expect_eq(logged(g, 8)->bucket, 0, "the log goes on");
	free(g);
}
