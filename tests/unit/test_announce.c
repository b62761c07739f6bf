// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows that are said before they are stored: an agent that is there, or not, or slow, or dead;
 * several who move; what the daemon and housekeeping do; what the agent makes of it.
 */
#include "daemon/served.h"
#include "dataplane_rig.h"
#include "lb/source.h"
#include "platform/announce.h"
#include "platform/clock.h"

#define T0 (1000 * MS)
#define MS 1000000ull
#define HERE 5
#define THERE 6

static struct sl_control control;
static uint64_t row;

static void row_set(uint16_t worker)
{
	row = row_pack((struct sl_row){.worker = worker, .mode = SL_ROW_ELEPHANT, .epoch = 9});
}

/* --- who moves, and the agent */

Test(announce, without_an_agent_nobody_waits)
{
	cr_expect_not(sl_announce_heard(&control, T0));
	cr_expect_eq(sl_announce_state(&control, T0, T0), SL_ANNOUNCED_LATE);
	/* nor for one that went, or was killed */
	control.told_ns = T0;
	cr_expect(sl_announce_heard(&control, T0 + SL_ANNOUNCE_LEASE_NS - 1));
	cr_expect_not(sl_announce_heard(&control, T0 + SL_ANNOUNCE_LEASE_NS));
	cr_expect_eq(sl_announce_state(&control, T0 + 2 * SL_ANNOUNCE_LEASE_NS,
				       T0 + 2 * SL_ANNOUNCE_LEASE_NS),
		     SL_ANNOUNCED_LATE);
}

Test(announce, what_was_read_after_it_is_told_and_nothing_else)
{
	uint64_t told = 0;

	cr_assert(sl_announce_told(&control, &told, T0));
	cr_expect_eq(sl_announce_state(&control, T0 + MS, T0 + 2 * MS), SL_ANNOUNCED_WAIT);
	cr_assert(sl_announce_told(&control, &told, T0 + MS));
	cr_expect_eq(sl_announce_state(&control, T0 + MS, T0 + 6 * MS), SL_ANNOUNCED_WAIT,
		     "a look at that very time may have been before");
	cr_assert(sl_announce_told(&control, &told, T0 + MS + 1));
	cr_expect_eq(sl_announce_state(&control, T0 + MS, T0 + 6 * MS), SL_ANNOUNCED_TOLD);
	/* also where it was said long after */
	cr_expect_eq(sl_announce_state(&control, T0 + MS, T0 + 1000 * MS), SL_ANNOUNCED_TOLD);
}

Test(announce, a_slow_agent_is_not_waited_for_beyond_the_bound)
{
	control.told_ns = T0 - 1;
	cr_expect_eq(sl_announce_state(&control, T0, T0 + SL_ANNOUNCE_WAIT_NS - 1),
		     SL_ANNOUNCED_WAIT);
	cr_expect_eq(sl_announce_state(&control, T0, T0 + SL_ANNOUNCE_WAIT_NS), SL_ANNOUNCED_LATE);
}

Test(announce, an_agent_that_ends_is_not_waited_for_at_all)
{
	uint64_t told = 0;

	cr_assert(sl_announce_told(&control, &told, T0));
	sl_announce_leave(&control, &told);
	cr_expect_not(sl_announce_heard(&control, T0));
	cr_expect_eq(sl_announce_state(&control, T0, T0), SL_ANNOUNCED_LATE);
}

Test(announce, of_two_agents_one_speaks)
{
	uint64_t first = 0, second = 0;

	cr_assert(sl_announce_told(&control, &first, T0));
	cr_expect_not(sl_announce_told(&control, &second, T0 + 5 * MS));
	cr_expect(sl_announce_told(&control, &first, T0 + 6 * MS));
	sl_announce_leave(&control, &second);
	cr_expect_eq(control.told_ns, T0 + 6 * MS, "who says nothing has nothing to take back");
	/* the first is killed */
	cr_expect_not(sl_announce_told(&control, &second, T0 + 200 * MS));
	cr_expect(sl_announce_told(&control, &second, T0 + 206 * MS));
	cr_expect_not(sl_announce_told(&control, &first, T0 + 207 * MS), "it was only slow");
}

Test(announce, the_agent_reads_where_a_row_will_lead)
{
	uint64_t since = 0;

	row_set(3);
	cr_expect_eq(sl_announce_read(&row, &since, T0), 3);
	cr_assert(sl_announce_row(&row, row, 0));
	cr_expect_eq(sl_announce_read(&row, &since, T0), 0);
	cr_expect_eq(row_load(&row).worker, 3, "XDP goes by the row as it is");
	cr_expect_eq(row_load(&row).mode, SL_ROW_ELEPHANT);
	cr_expect_eq(row_load(&row).epoch, 9);
	/* carried out */
	row = row_pack(row_to(row_load(&row), 0));
	cr_expect_eq(sl_announce_read(&row, &since, T0 + 10 * MS), 0);
	cr_expect_eq(since, 0);
	/* no worker */
	cr_expect_not(sl_announce_row(&row, row, SL_TO_PARTS));
}

Test(announce, what_nobody_carries_out_is_taken_away)
{
	uint64_t since = 0;

	row_set(3);
	cr_assert(sl_announce_row(&row, row, 1));
	cr_expect_eq(sl_announce_read(&row, &since, T0), 1);
	cr_expect_eq(sl_announce_read(&row, &since, T0 + SL_ANNOUNCE_PLAN_NS - 1), 1);
	cr_expect_eq(sl_announce_read(&row, &since, T0 + SL_ANNOUNCE_PLAN_NS), 3);
	cr_expect_eq(row_load(&row).next, 0);
	/* the next one has its time again */
	cr_assert(sl_announce_row(&row, row, 1));
	cr_expect_eq(sl_announce_read(&row, &since, T0 + SL_ANNOUNCE_PLAN_NS + MS), 1);
}

Test(announce, who_comes_second_is_who_counts)
{
	const uint64_t before = (row_set(3), row);

	cr_assert(sl_announce_row(&row, before, 1));
	cr_expect_not(sl_announce_row(&row, before, 2), "it has seen another row");
	cr_assert(sl_announce_row(&row, row, 2));
	sl_announce_withdraw(&row, 1);
	cr_expect_eq(row_load(&row).next, 2 + 1, "the other's stays");
	sl_announce_withdraw(&row, 2);
	cr_expect_eq(row_load(&row).next, 0);
}

/* --- the daemon */

static struct rig *g;
static struct served served;

/* Both buckets are worker 1's, to be moved to 2 and to 0. */
static const struct sl_plan_move plan[] = {{.bucket = HERE, .from = 1, .to = 2},
					   {.bucket = THERE, .from = 1, .to = 0}};

static void up(void)
{
	g = rig_new();
	moves_settle(&g->dp); /* deals */
	g->rows[HERE] = g->rows[THERE] = row_pack((struct sl_row){.worker = 1});
	moves_settle(&g->dp);
	served.inst = &g->inst;
	served.announced = calloc(RIG_BUCKETS, sizeof(*served.announced));
}

static void down(void)
{
	free(served.announced);
	rig_free(g);
}

static uint16_t leads(uint32_t bucket)
{
	return row_load(&g->rows[bucket]).worker;
}

static uint8_t next_of(uint32_t bucket)
{
	return row_load(&g->rows[bucket]).next;
}

/* However long the test is interrupted. */
static void agent_speaks(void)
{
	g->control.told_ns = sl_announce_now() + 10000 * MS;
}

/* What was announced, it has not looked at yet. */
static void untold(void)
{
	served.announced_ns = g->dp.announced_ns = g->control.told_ns + 1;
}

static void tells(void)
{
	g->control.told_ns += 2;
}

TestSuite(announce_daemon, .init = up, .fini = down);

Test(announce_daemon, without_an_agent_a_plan_is_stored_at_once)
{
	cr_expect_eq(served_apply(&served, plan, 2), 2);
	cr_expect(leads(HERE) == 2 && leads(THERE) == 0);
	cr_expect_not(served_announced(&served, sl_clock_ns()));
	cr_expect_eq(served.moves, 2);
}

Test(announce_daemon, a_plan_is_announced_and_stored_when_it_is_told)
{
	agent_speaks();
	served.due_ns = UINT64_MAX;
	cr_expect_eq(served_apply(&served, plan, 2), 2);
	cr_expect_leq(served.due_ns, sl_clock_ns() + SL_ANNOUNCE_POLL_NS, "looks again soon");
	cr_expect(leads(HERE) == 1 && leads(THERE) == 1);
	cr_expect(next_of(HERE) == 2 + 1 && next_of(THERE) == 0 + 1);
	untold();
	cr_expect(served_announced(&served, served.announced_ns + MS));
	tells();
	cr_expect_not(served_announced(&served, served.announced_ns + 2 * MS));
	cr_expect(leads(HERE) == 2 && leads(THERE) == 0);
	cr_expect(!next_of(HERE) && !next_of(THERE));
	cr_expect(served.plans_told == 1 && !served.plans_late && served.moves == 2);
	cr_expect_not(served_announced(&served, sl_clock_ns()), "once");
	cr_expect_eq(served.moves, 2);
}

Test(announce_daemon, a_slow_agent_delays_it_to_the_bound)
{
	agent_speaks();
	served_apply(&served, plan, 2);
	untold();
	cr_expect(served_announced(&served, served.announced_ns + SL_ANNOUNCE_WAIT_NS - 1));
	cr_expect_eq(leads(HERE), 1);
	cr_expect_not(served_announced(&served, served.announced_ns + SL_ANNOUNCE_WAIT_NS));
	cr_expect_eq(leads(HERE), 2);
	cr_expect_eq(served.plans_late, 1);
}

Test(announce_daemon, what_others_moved_meanwhile_is_left_to_them)
{
	agent_speaks();
	served_apply(&served, plan, 2);
	g->rows[HERE] = row_pack((struct sl_row){.worker = 0}); /* by hand */
	/* another has announced this one since: he will store it as he likes */
	cr_assert(sl_announce_row(&g->rows[THERE], g->rows[THERE], 2));
	cr_expect_not(served_announced(&served, served.announced_ns + MS));
	cr_expect_eq(leads(HERE), 0);
	cr_expect_eq(leads(THERE), 0);
	cr_expect(served.moves == 1 && served.moves_skipped == 1);
}

Test(announce_daemon, a_plan_is_withdrawn_and_the_next_takes_its_place)
{
	agent_speaks();
	served_apply(&served, plan, 2);
	served_withdraw(&served);
	cr_expect(!next_of(HERE) && !next_of(THERE));
	cr_expect_not(served_announced(&served, sl_clock_ns() + SL_ANNOUNCE_WAIT_NS));
	cr_expect(leads(HERE) == 1 && leads(THERE) == 1);

	served_apply(&served, plan, 2);
	cr_expect_eq(served_apply(&served, plan + 1, 1), 1);
	cr_expect(!next_of(HERE) && next_of(THERE) == 0 + 1);
	cr_expect_not(served_announced(&served, served.announced_ns + MS));
	cr_expect(leads(HERE) == 1 && leads(THERE) == 0);
}

/* --- housekeeping's own moves */

Test(announce_daemon, a_leaving_workers_buckets_are_announced)
{
	moves_vacate(&g->dp, 1);
	cr_expect_eq(leads(HERE), 0, "without an agent they go at once");
	g->rows[HERE] = row_pack((struct sl_row){.worker = 1});
	moves_settle(&g->dp);

	agent_speaks();
	moves_vacate(&g->dp, 1);
	cr_expect(leads(HERE) == 1 && next_of(HERE) == 0 + 1);
	untold();
	moves_vacate(&g->dp, 1);
	cr_expect_eq(leads(HERE), 1, "not told yet");
	tells();
	moves_vacate(&g->dp, 1);
	cr_expect(leads(HERE) == 0 && !next_of(HERE));
}

Test(announce_daemon, it_waits_for_a_slow_agent_no_longer_than_others)
{
	agent_speaks();
	moves_vacate(&g->dp, 1);
	cr_expect_eq(leads(HERE), 1);
	g->control.told_ns = g->dp.announced_ns;
	usleep(SL_ANNOUNCE_WAIT_NS / 1000);
	moves_vacate(&g->dp, 1);
	cr_expect_eq(leads(HERE), 0);
}

/* --- what the agent reports */

Test(announce_daemon, the_report_has_the_table_as_it_will_be)
{
	static struct sl_source_plans plans;
	static struct sl_core_table t;
	const uint32_t part = RIG_HASH_BUCKETS + 3;
	struct sl_error err;

	g->control.workers = RIG_WORKERS;
	g->rows[part] = row_pack((struct sl_row){.worker = 1});
	cr_assert_eq(sl_source_table(&g->inst, &plans, T0, &t, &err), 0, "%s", err.text);
	cr_expect(t.core[HERE] == 1 && t.core[THERE] == 1 && t.split[3] == 1);
	cr_assert(sl_announce_row(&g->rows[HERE], g->rows[HERE], 2));
	cr_assert(sl_announce_row(&g->rows[part], g->rows[part], 0));
	cr_assert_eq(sl_source_table(&g->inst, &plans, T0, &t, &err), 0);
	cr_expect(t.core[HERE] == 2 && t.core[THERE] == 1 && t.split[3] == 0);
	cr_assert_eq(sl_source_table(&g->inst, &plans, T0 + SL_ANNOUNCE_PLAN_NS, &t, &err), 0);
	cr_expect(t.core[HERE] == 1 && t.split[3] == 1, "nobody carried it out");
}
