// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hand-over protocol, every interleaving of its atomic steps: nothing breaks I1 to I4. And each
 * rule taken away in turn breaks one of them, which shows that the model would notice.
 *
 * Rules (a) and (d) only make moves faster: without either, or without both, (c) alone is right, so
 * taking them away is no mutant; bending them is. These bends proved harmless, and why:
 *
 * F announced late, or only for the first parked packet instead of the first overflowed: F is then
 * larger than the number that L must meet, and L cannot reach it while the old owner lacks a
 * packet.
 *
 * Rule (d) without a look at the epoch: the word changed after the row was stored, so who sees it
 * moving sees the row's effect on the counter too. The look stays: it is what orders the two on
 * real memory.
 *
 * After a restart, the words of the former incarnation believed: they say all there is to say of a
 * move. The first dataplane's private lists do not.
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdlib.h>

#include "../model/model.h"

/* Two of everything, native mode, all rules, packets lost anywhere. */
#define NATIVE                                                                                     \
	.queues = 2, .workers = 2, .buckets = 2, .cpus = 1, .ring = 2, .park = 2, .rule_a = true,  \
	.rule_c = true, .rule_d = true, .drops = true, .start_grace = true

/* Sanitizers look for faults of the model itself; a packet less shows them as well and takes a
 * twentieth. */
#ifdef __SANITIZE_ADDRESS__
#define PACKETS(n) ((n)-1)
#else
#define PACKETS(n) (n)
#endif

static struct model_result explored(const struct model_config *c)
{
	struct model_result r;

	cr_assert_eq(model_explore(c, &r), 0, "%s: out of memory", c->name);
	cr_log_info("%s%s%d: %s; %lu states, %lu steps, %.1f s, %zu MB", c->name,
		    c->mutant ? ", mutant " : " ", c->mutant, model_bad_name(r.bad),
		    (unsigned long)r.states, (unsigned long)r.steps, r.seconds, r.memory >> 20);
	return r;
}

static void holds(const struct model_config *c)
{
	struct model_result r = explored(c);

	cr_expect(!r.bad && r.complete, "%s: %s\n%s", c->name,
		  r.complete ? model_bad_name(r.bad) : "not complete", r.trace ? r.trace : "");
	free(r.trace);
}

/* A run breaks `bad`, or anything if that is MODEL_OK. */
static void breaks(const struct model_config *c, enum model_bad bad)
{
	struct model_result r = explored(c);

	cr_expect(r.bad && (!bad || r.bad == bad), "%s, mutant %d: %s", c->name, c->mutant,
		  model_bad_name(r.bad));
	cr_expect(!r.bad || (r.trace && r.depth), "%s: a counterexample without a trace", c->name);
	free(r.trace);
}

/* The largest: four packets on two queues in any way, ring full or lost, LIFO flushes, there and
 * back. */
Test(handover_model, two_moves_in_a_row, .timeout = 600)
{
	struct model_config c = {
		.name = "two moves", NATIVE, .packets = PACKETS(4), .moves = {2, 0}};

	holds(&c);
	c.owner[1] = 1;
	holds(&c);
}

Test(handover_model, both_buckets_move_at_once, .timeout = 600)
{
	struct model_config c = {.name = "two buckets",
				 NATIVE,
				 .packets = PACKETS(3),
				 .moves = {1, 1},
				 .owner = {0, 1}};

	holds(&c);
}

Test(handover_model, both_buckets_move_twice, .timeout = 600)
{
	struct model_config c = {
		.name = "two buckets, two moves", NATIVE, .packets = 2, .moves = {2, 2}};

	holds(&c);
}

Test(handover_model, three_workers, .timeout = 600)
{
	struct model_config c = {
		.name = "three workers", NATIVE, .packets = 3, .moves = {2, 0}, .owner = {0, 1}};

	c.workers = 3;
	holds(&c);
}

Test(handover_model, wire_order, .timeout = 600)
{
	struct model_config c = {
		.name = "transmission", NATIVE, .packets = PACKETS(4), .moves = {2, 0}, .tx = true};

	holds(&c);
	c.packets = 3;
	c.mutant = MUT_TX_PENDING;
	breaks(&c, MODEL_I2_WIRE);
}

Test(handover_model, parks_overflow, .timeout = 600)
{
	struct model_config c = {
		.name = "park of one", NATIVE, .packets = PACKETS(4), .moves = {2, 0}};

	c.park = 1;
	holds(&c);
	c.park = 0;
	holds(&c);
}

/* Several CPUs serve a queue: only (c) holds there. */
Test(handover_model, generic_mode, .timeout = 600)
{
	struct model_config c = {.name = "generic, (c)", NATIVE, .packets = 3, .moves = {2, 0}};

	c.cpus = 2;
	c.rule_a = c.rule_d = false;
	holds(&c);
	c.owner[1] = 1;
	holds(&c);
	c.owner[1] = 0;
	c.name = "generic, (a)";
	c.rule_a = true;
	breaks(&c, MODEL_I3_STRAY);
	c.name = "generic, (d)";
	c.rule_a = false;
	c.rule_d = true;
	breaks(&c, MODEL_I3_STRAY);
}

/* Each set of rules is right; without (c) a queue without traffic, or with a lost packet, holds a
 * move up for ever. */
Test(handover_model, sets_of_rules, .timeout = 600)
{
	for (unsigned set = 0; set < 8; set++) {
		struct model_config c = {.name = "rules", NATIVE, .packets = 3, .moves = {2, 0}};

		c.rule_a = set & 1;
		c.rule_d = set & 2;
		c.rule_c = set & 4;
		if (c.rule_c)
			holds(&c);
		else
			breaks(&c, MODEL_I4_MOVE);
	}
}

Test(handover_model, workers_sleep, .timeout = 600)
{
	static const enum model_mutant fault[] = {MUT_SLEEP_PENDING, MUT_SLEEP_PARK, MUT_NO_BELL};
	struct model_config c = {
		.name = "sleep", NATIVE, .packets = 3, .moves = {2, 0}, .sleep = true};

	holds(&c);
	for (size_t i = 0; i < sizeof(fault) / sizeof(fault[0]); i++) {
		c.mutant = fault[i];
		breaks(&c, fault[i] == MUT_SLEEP_PARK ? MODEL_I4_STUCK : MODEL_I4_MOVE);
	}
}

/* A worker that leaves gives both of its buckets away first. */
Test(handover_model, worker_leaves, .timeout = 600)
{
	struct model_config c = {
		.name = "worker leaves", NATIVE, .packets = 2, .moves = {1, 1}, .stop = true};

	holds(&c);
	c.mutant = MUT_STOP_EARLY;
	breaks(&c, MODEL_I3_UNCOUNTED);
}

Test(handover_model, dataplane_restarts, .timeout = 600)
{
	struct model_config c = {
		.name = "restart", NATIVE, .packets = 3, .moves = {1, 0}, .restarts = 1};

	holds(&c);
	/* a poll in flight may have read a row that was rewritten since */
	c.name = "restart without a grace period";
	c.start_grace = false;
	breaks(&c, MODEL_I3_STRAY);
	/* without rows written then it is right, and what the polls in flight carry is not to be
	 * believed */
	c.buckets = 1;
	c.calm = true;
	holds(&c);
	c.mutant = MUT_D_STALE_L;
	breaks(&c, MODEL_I3_STRAY);
	c.mutant = MUT_EPOCH_RESET;
	breaks(&c, MODEL_I3_STRAY);
}

/* Rows rewritten onward before the first rewriting was noticed: strays, counted, and everything
 * else holds. */
Test(handover_model, rows_by_hand, .timeout = 600)
{
	struct model_config c = {
		.name = "by hand", NATIVE, .packets = 2, .moves = {2, 0}, .by_hand = true};

	c.workers = 3;
	holds(&c);
	c.mutant = MUT_STRAY_KEPT;
	breaks(&c, MODEL_I4_STUCK);
	c.mutant = MUT_OK;
	/* and back: no stamp tells the packets of the second rewriting from those of the first. So:
	 * never back */
	c.workers = 2;
	c.back = true;
	breaks(&c, MODEL_I2_ORDER);
}

/* Tenants take turns: a bucket's packets are processed in another order than they came. */
#define TURNS                                                                                      \
	.workers = 2, .buckets = 1, .cpus = 1, .ring = 2, .park = 2, .rule_a = true,               \
	.rule_c = true, .rule_d = true, .drops = true, .start_grace = true, .turns = true

Test(handover_model, tenants_take_turns, .timeout = 600)
{
	struct model_config c = {
		.name = "turns", TURNS, .queues = 1, .packets = PACKETS(4), .moves = {2}};

	holds(&c);
	c.mutant = MUT_TURNS_LEFT;
	breaks(&c, MODEL_OK);
	c.mutant = MUT_PARK_LATER;
	breaks(&c, MODEL_I2_ORDER);
	c.mutant = MUT_OK;
	c.queues = 2;
	c.packets = 2;
	holds(&c);
	c.queues = 1;
	c.packets = 2;
	c.buckets = 2;
	c.moves[1] = 1;
	holds(&c);
	c.buckets = 1;
	c.moves[1] = 0;
	c.sleep = true;
	holds(&c);
}

/* A bucket becomes a part, which moves, and whole again, while packets are on their way. */
#define SPLIT                                                                                      \
	.queues = 1, .workers = 2, .buckets = 2, .cpus = 1, .ring = 2, .park = 2, .rule_a = true,  \
	.rule_c = true, .rule_d = true, .drops = true, .start_grace = true

Test(handover_model, split_and_whole_again, .timeout = 600)
{
	struct model_config c = {
		.name = "split", SPLIT, .packets = PACKETS(3), .moves = {0, 1}, .wishes = 2};

	holds(&c);
	c.queues = 2;
	c.packets = 2;
	holds(&c);
}

Test(handover_model, split_in_generic_mode, .timeout = 600)
{
	struct model_config c = {
		.name = "split, generic", SPLIT, .packets = 2, .moves = {0, 1}, .wishes = 2};

	c.cpus = 2;
	c.rule_a = c.rule_d = false;
	holds(&c);
}

Test(handover_model, split_mutants, .timeout = 600)
{
	static const struct {
		enum model_mutant mutant;
		enum model_bad bad;
	} fault[] = {
		{MUT_PART_OWNED, MODEL_I1_FLOWS}, {MUT_PART_UNREADY, MODEL_I3_STRAY},
		{MUT_PART_EPOCH, MODEL_I3_STRAY}, {MUT_PART_LATE, MODEL_I3_STRAY},
		{MUT_MERGE_D, MODEL_I3_STRAY},	  {MUT_MERGE_FORCE, MODEL_I3_STRAY},
		{MUT_MERGE_OPEN, MODEL_I3_STRAY}, {MUT_MERGE_EPOCH, MODEL_I3_STRAY},
		{MUT_NO_RULE, MODEL_OK},	  {MUT_C_CACHED, MODEL_OK},
		{MUT_GRACE_NONE, MODEL_OK},	  {MUT_PARK_LATER, MODEL_I2_ORDER},
	};

	for (size_t i = 0; i < sizeof(fault) / sizeof(fault[0]); i++) {
		struct model_config c = {
			.name = "split", SPLIT, .packets = 3, .moves = {0, 1}, .wishes = 2};

		c.mutant = fault[i].mutant;
		breaks(&c, fault[i].bad);
	}
}

Test(handover_model, mutants, .timeout = 600)
{
	static const struct {
		enum model_mutant mutant;
		enum model_bad bad;
	} fault[] = {
		{MUT_NO_RULE, MODEL_I3_STRAY},	    {MUT_ONE_QUEUE, MODEL_I3_STRAY},
		{MUT_A_EARLIER, MODEL_I3_STRAY},    {MUT_A_ANY_WORKER, MODEL_I3_STRAY},
		{MUT_D_COUNT_LATE, MODEL_I3_STRAY}, {MUT_D_RESYNC, MODEL_I3_STRAY},
		{MUT_D_UNTAGGED, MODEL_I3_STRAY},   {MUT_D_FIRST_KEPT, MODEL_I3_STRAY},
		{MUT_C_CACHED, MODEL_I3_STRAY},	    {MUT_GRACE_FIRST, MODEL_I3_STRAY},
		{MUT_GRACE_NONE, MODEL_I3_STRAY},   {MUT_PARK_LATER, MODEL_I2_ORDER},
		{MUT_PARK_LEFT, MODEL_OK},	    {MUT_NO_OWNER_CHECK, MODEL_I1_FOREIGN},
		{MUT_MOVE_EARLY, MODEL_OK},	    {MUT_ROW_BACK, MODEL_I2_ORDER},
		{MUT_WORD_FIRST, MODEL_I3_STRAY},   {MUT_GRACE_LATE, MODEL_I3_STRAY},
		{MUT_EPOCH_FIRST, MODEL_I3_STRAY},
	};

	for (size_t i = 0; i < sizeof(fault) / sizeof(fault[0]); i++) {
		struct model_config c = {.name = "two moves",
					 NATIVE,
					 .packets = 3,
					 .moves = {2, 0},
					 .owner = {0, 1}};

		c.mutant = fault[i].mutant;
		/* this one is about a row that joins the round of another bucket's */
		if (c.mutant == MUT_EPOCH_FIRST)
			c.moves[0] = c.moves[1] = 1;
		breaks(&c, fault[i].bad);
	}
}

/* The whole product, by chance. */
Test(handover_model, random_walks, .timeout = 600)
{
	struct model_config c = {.name = "everything",
				 NATIVE,
				 .packets = 8,
				 .moves = {3, 3},
				 .tx = true,
				 .sleep = true};
	struct model_result r;

	c.workers = 3;
	c.ring = 3;
	cr_assert_eq(model_walk(&c, 50000, 1, &r), 0);
	cr_log_info("%s: %lu steps, %.1f s", c.name, (unsigned long)r.steps, r.seconds);
	cr_expect(!r.bad, "%s\n%s", model_bad_name(r.bad), r.trace ? r.trace : "");
	free(r.trace);
	c.mutant = MUT_NO_RULE;
	cr_assert_eq(model_walk(&c, 50000, 1, &r), 0);
	cr_expect(r.bad && r.trace, "50,000 walks without a rule, and nothing broke");
	free(r.trace);
}
