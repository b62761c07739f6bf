// SPDX-License-Identifier: GPL-2.0-or-later
/* Slots of connections: timestamps on the wire, the life of a slot, and threads at one block. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/slot.h"

#define CLIENT 0x01020304u /* first timestamps of the two ends */
#define SERVER 0xfffffff0u
#define TICK (1u << SL_LB_SLOT_TICK_BITS)
#define LATE (2 * TICK) /* a slot may be swept */

static struct sl_lb_block *block(void)
{
	struct sl_lb_block *b = aligned_alloc(64, sizeof(*b));

	memset(b, 0, sizeof(*b));
	return b;
}

static int take(struct sl_lb_block *b, uint64_t hash, uint32_t now_ms)
{
	struct sl_slot_start c = {hash, 7, now_ms, CLIENT, SERVER};

	return sl_slot_take(b, 0, &c);
}

static uint32_t wire(const struct sl_lb_block *b, int at, int from_server, uint32_t stamp)
{
	return sl_slot_wire(stamp, from_server ? (uint32_t)at
					       : (uint32_t)b->slot[at].seen.client_add << 16 |
							 (uint32_t)at);
}

/* A segment from the client: whether the slot took it, and *g as it goes on. */
static int forward(struct sl_lb_block *b, uint64_t hash, uint32_t stamp, uint32_t echo,
		   uint8_t flags, uint32_t now_ms, struct sl_slot_segment *g)
{
	*g = (struct sl_slot_segment){
		.hash = hash, .now_ms = now_ms, .stamp = stamp, .echo = echo, .tcp_flags = flags};
	return sl_slot_use(b, g);
}

static int reply(struct sl_lb_block *b, uint64_t hash, uint32_t stamp, uint32_t echo, uint8_t flags,
		 uint32_t now_ms, struct sl_slot_segment *g)
{
	*g = (struct sl_slot_segment){.hash = hash,
				      .now_ms = now_ms,
				      .stamp = stamp,
				      .echo = echo,
				      .server = 7,
				      .tcp_flags = flags,
				      .from_server = 1};
	return sl_slot_use(b, g);
}

static void confirm(struct sl_lb_block *b, int at, uint64_t hash, uint32_t now_ms)
{
	struct sl_slot_segment g;

	cr_assert(forward(b, hash, CLIENT + 1, wire(b, at, 1, SERVER), SL_TCP_ACK, now_ms, &g));
	cr_assert_eq(g.echo, SERVER);
}

/* Any first timestamp, any slot: above what the server saw, by little, and it names the slot. */
Test(slot, the_first_on_the_wire_is_just_above_what_was_seen)
{
	uint32_t first = 0;

	for (unsigned i = 0; i < 2000000; i++, first += 2654435761u) {
		uint32_t at = i % SL_LB_BLOCK_SLOTS;
		uint32_t out = sl_slot_wire(first, sl_slot_add(first, at));

		cr_assert_eq(out % SL_LB_BLOCK_SLOTS, at);
		cr_assert((int32_t)(out - first) > 0 && out - first <= 65536 + SL_LB_BLOCK_SLOTS);
	}
}

/* A long conversation, each end with a clock of its own that wraps: what is echoed comes back. */
Test(slot, timestamps_are_restored_exactly_in_both_directions)
{
	struct sl_lb_block *b = block();
	uint32_t c = CLIENT, s = SERVER, c_seen, s_seen, last[2] = {0};
	int at = take(b, 99ull << 32, 0);
	struct sl_slot_segment g;

	cr_assert_eq(at, 0);
	s_seen = wire(b, at, 1, s);
	for (unsigned i = 0; i < 3000000; i++) {
		uint32_t sent = s;

		c += i % 977 + 1; /* the client's clock is another one */
		cr_assert(forward(b, 99ull << 32, c, s_seen, SL_TCP_ACK, i, &g));
		cr_assert_eq(g.echo, sent, "%u", i);
		cr_assert_eq(g.server, 7);
		cr_assert(!i || (int32_t)(g.stamp - last[0]) > 0);
		last[0] = c_seen = g.stamp;
		s += i % 13 * 400 + 1;
		cr_assert(reply(b, 99ull << 32, s, c_seen, SL_TCP_ACK, i, &g));
		cr_assert_eq(g.echo, c);
		cr_assert(!i || (int32_t)(g.stamp - last[1]) > 0);
		last[1] = s_seen = g.stamp;
	}
	free(b);
}

Test(slot, another_connection_or_server_does_not_get_it)
{
	struct sl_lb_block *b = block();
	int at = take(b, 5ull << 32, 0);
	struct sl_slot_segment g;

	confirm(b, at, 5ull << 32, 0);
	cr_expect_not(forward(b, 6ull << 32, 0, wire(b, at, 1, SERVER), SL_TCP_ACK, 0, &g));
	cr_expect_not(forward(b, 5ull << 32, 0, wire(b, at, 1, SERVER) + 1, SL_TCP_ACK, 0, &g));
	g = (struct sl_slot_segment){
		.hash = 5ull << 32, .echo = wire(b, at, 0, CLIENT), .server = 8, .from_server = 1};
	cr_expect_not(sl_slot_use(b, &g));
	free(b);
}

/* Only the echo of the SYN-ACK confirms; whoever did not see it has 2^32 to guess from. */
Test(slot, a_young_one_is_confirmed_by_who_saw_the_syn_ack)
{
	struct sl_lb_block *b = block();
	int at = take(b, 5ull << 32, 0);
	struct sl_slot_segment g;

	cr_expect_eq(b->young, 1);
	for (unsigned bit = 0; bit < 32; bit++)
		cr_expect_not(forward(b, 5ull << 32, 0, wire(b, at, 1, SERVER) ^ 1u << bit,
				      SL_TCP_ACK, 0, &g));
	cr_expect_not(reply(b, 5ull << 32, SERVER, wire(b, at, 0, CLIENT), SL_TCP_ACK, 0, &g));
	cr_expect_eq(b->young, 1);
	confirm(b, at, 5ull << 32, 0);
	cr_expect_eq(b->young, 0);
	confirm(b, at, 5ull << 32, 0);
	cr_expect_eq(b->young, 0);
	free(b);
}

static uint32_t sweep_all(struct sl_lb_block *b, uint32_t now_ms, int pressed)
{
	uint32_t freed = 0;

	for (unsigned i = 0; i < SL_LB_BLOCK_SLOTS / SL_SLOT_SWEEP; i++)
		freed += sl_slot_sweep(b, 0, now_ms, pressed);
	return freed;
}

Test(slot, a_flood_has_the_young_slots_and_no_others)
{
	struct sl_lb_block *b = block();
	int at[SL_LB_BLOCK_SLOTS], n = 0;

	for (unsigned i = 0; i < 300; i++) {
		at[i] = take(b, (uint64_t)i << 32, 0);
		confirm(b, at[i], (uint64_t)i << 32, 0);
	}
	for (unsigned i = 0; i < 100000; i++)
		n += take(b, (uint64_t)(1000 + i) << 32, 1) >= 0;
	cr_expect_eq(n, SL_LB_BLOCK_YOUNG);
	for (unsigned i = 0; i < 300; i++)
		confirm(b, at[i], (uint64_t)i << 32, 1);
	cr_expect_eq(sweep_all(b, 1 + SL_SLOT_YOUNG_MS, 1), 0);
	cr_expect_eq(sweep_all(b, 1 + SL_SLOT_YOUNG_MS + LATE, 0), SL_LB_BLOCK_YOUNG);
	cr_expect_eq(b->young, 0);
	cr_expect_geq(take(b, 9999ull << 32, 0), 0);
	free(b);
}

/* How long a slot lasts after these segments, whenever it is: never too short, two ticks more at
 * most. `now`: of the last segment. */
static void check_life_at(uint8_t from_client, uint8_t from_server, int lasts, int pressed,
			  uint32_t now)
{
	struct sl_lb_block *b = block();
	struct sl_slot_segment g;
	int at = take(b, 5ull << 32, now - 10 * TICK);

	confirm(b, at, 5ull << 32, now);
	if (from_server)
		cr_assert(reply(b, 5ull << 32, SERVER, wire(b, at, 0, CLIENT),
				SL_TCP_ACK | from_server, now, &g));
	if (from_client)
		cr_assert(forward(b, 5ull << 32, CLIENT, wire(b, at, 1, SERVER),
				  SL_TCP_ACK | from_client, now, &g));
	/* An ACK of it all, which may have to be sent again, finds the slot yet. */
	cr_assert(reply(b, 5ull << 32, SERVER, wire(b, at, 0, CLIENT),
			SL_TCP_ACK | (from_client & SL_TCP_RST), now, &g));
	cr_expect_eq(sweep_all(b, now - 50, pressed), 0, "another CPU's clock is behind");
	cr_expect_eq(sweep_all(b, now + (uint32_t)lasts, pressed), 0, "%x %x", from_client,
		     from_server);
	cr_expect_eq(sweep_all(b, now + (uint32_t)lasts + LATE, pressed), 1, "%x %x", from_client,
		     from_server);
	cr_expect_not(forward(b, 5ull << 32, CLIENT, wire(b, at, 1, SERVER), SL_TCP_ACK, now, &g));
	free(b);
}

static void check_life(uint8_t from_client, uint8_t from_server, int lasts, int pressed)
{
	check_life_at(from_client, from_server, lasts, pressed, 0);
	check_life_at(from_client, from_server, lasts, pressed, TICK - 1);
	check_life_at(from_client, from_server, lasts, pressed, UINT32_MAX - 1);
}

Test(slot, it_lasts_as_long_as_its_connection_may)
{
	check_life(0, 0, SL_SLOT_IDLE_MS, 0);
	check_life(0, 0, SL_SLOT_IDLE_MS, 1);
	check_life(SL_TCP_FIN, 0, SL_SLOT_HALF_MS, 0);
	check_life(0, SL_TCP_FIN, SL_SLOT_HALF_MS, 1);
	check_life(SL_TCP_FIN, SL_TCP_FIN, SL_SLOT_CLOSED_MS, 0);
	check_life(SL_TCP_FIN, SL_TCP_FIN, SL_SLOT_PRESSED_MS, 1);
	check_life(SL_TCP_RST, 0, SL_SLOT_CLOSED_MS, 0);
	check_life(SL_TCP_RST, 0, SL_SLOT_PRESSED_MS, 1);
}

/* Ticks come round after 18 hours; before that nobody is taken for one that was just here. */
Test(slot, one_that_nobody_swept_for_long_is_freed)
{
	for (uint32_t hours = 3; hours <= 18; hours++) {
		struct sl_lb_block *b = block();

		confirm(b, take(b, 5ull << 32, 0), 5ull << 32, 0);
		cr_expect_eq(sweep_all(b, hours * 3600000, 0), 1, "%u hours", hours);
		free(b);
	}
}

/* Nobody could put it into a stack: the next sweep does. */
Test(slot, an_orphan_is_put_back)
{
	struct sl_lb_block *b = block();
	int at = take(b, 5ull << 32, 0);

	confirm(b, at, 5ull << 32, 0);
	b->slot[at].state = sl_slot_state(7, 1, SL_SLOT_ORPHAN);
	cr_expect_eq(sweep_all(b, 0, 0), 1);
	cr_expect_eq(take(b, 6ull << 32, 0), at);
	free(b);
}

/* A reset that the other end does not believe (RFC 5961) ends nothing. */
Test(slot, a_reset_that_is_not_heeded_is_undone)
{
	struct sl_lb_block *b = block();
	struct sl_slot_segment g;
	int at = take(b, 5ull << 32, 0);

	confirm(b, at, 5ull << 32, 0);
	forward(b, 5ull << 32, CLIENT, wire(b, at, 1, SERVER), SL_TCP_RST | SL_TCP_ACK, 0, &g);
	reply(b, 5ull << 32, SERVER, wire(b, at, 0, CLIENT), SL_TCP_ACK, 0, &g);
	cr_expect_eq(sweep_all(b, SL_SLOT_CLOSED_MS + LATE, 1), 0);
	free(b);
}

/* --- threads: what each holds is its own, and all slots are there at the end */

#define THREADS 4
#define ROUNDS 150000

#define NOW 10000
#define LONG_AGO (NOW - SL_SLOT_PRESSED_MS - LATE)

static struct sl_lb_block *shared;
static uint32_t holder[SL_LB_BLOCK_SLOTS];

/* Its connection is over, and was for long: from here on all sweeps are after it. */
static void let_go(uint64_t hash, int at, uint32_t i)
{
	struct sl_slot_segment g;
	uint32_t state;

	cr_assert(forward(shared, hash, i, wire(shared, at, 1, i * 3), SL_TCP_ACK | SL_TCP_RST,
			  LONG_AGO, &g));
	cr_assert_eq(g.echo, i * 3);
	state = SL_SLOT_GET(shared->slot[at].state);
	if (i & 1 && sl_slot_flags(state) == (SL_SLOT_LIVE | SL_SLOT_RST))
		sl_slot_free(shared, 0, (uint32_t)at, state);
}

static void *fire(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg, found;
	uint64_t mine = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t hash = (uint64_t)(me << 24 | i) << 32;
		struct sl_slot_start c = {hash, 7, NOW, i, i * 3};
		int at;

		sl_slot_sweep(shared, me, NOW, 1);
		at = sl_slot_take(shared, me, &c);
		if (at < 0)
			continue;
		mine++;
		found = __atomic_exchange_n(&holder[at], me, __ATOMIC_RELAXED);
		cr_assert_eq(found, 0, "slot %d is %u's", at, found);
		if (i % 7 == 0)
			sched_yield();
		__atomic_store_n(&holder[at], 0, __ATOMIC_RELAXED);
		let_go(hash, at, i);
	}
	return (void *)(uintptr_t)mine;
}

static unsigned in_stacks(const struct sl_lb_block *b)
{
	bool seen[SL_LB_BLOCK_SLOTS] = {false};
	unsigned n = 0;

	for (unsigned i = 0; i < SL_LB_SLOT_STACKS; i++)
		for (uint32_t at = (uint32_t)b->free[i]; at; at = b->slot[at - 1].seen.next) {
			cr_assert_not(seen[at - 1], "slot %u is twice in the stacks", at - 1);
			cr_assert_eq(sl_slot_flags(b->slot[at - 1].state), SL_SLOT_FREE);
			seen[at - 1] = true;
			n++;
		}
	return n;
}

Test(slot, no_two_threads_get_one_and_none_is_lost, .timeout = 60)
{
	pthread_t t[THREADS];
	uintptr_t taken = 0;
	void *mine;

	shared = block();
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, fire, (void *)(i + 1));
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i], &mine);
		taken += (uintptr_t)mine;
	}
	sweep_all(shared, NOW, 1);
	cr_expect_gt(taken, THREADS * ROUNDS / 2);
	cr_expect_eq(shared->young, 0);
	cr_expect_leq(shared->fresh, SL_LB_BLOCK_SLOTS);
	cr_expect_eq(in_stacks(shared), shared->fresh);
	free(shared);
}
