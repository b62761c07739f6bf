// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPUs at one block of slots, in all orders that a random scheduler finds: each is a coroutine, and
 * before any access to what they share another one may go on. Threads find the same races in hours.
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

static void step(void);
#define SL_SLOT_STEP() step()
#include "../../bpf/slot.h"

#define CPUS 3
#define TURNS 4 /* connections of each CPU */
#define SCHEDULES 16000
#define SLOTS 3 /* that the block has: the last ones */
#define FIRST (SL_LB_BLOCK_SLOTS - SLOTS)
#define NOW 10000
#define LONG_AGO (NOW - SL_SLOT_PRESSED_MS - (2 << SL_LB_SLOT_TICK_BITS))

static struct sl_lb_block b;
static ucontext_t scheduler, cpu[CPUS];
static char stacks[CPUS][64 * 1024];
static unsigned apart, patience, running, left, taken, holder[SL_LB_BLOCK_SLOTS];
static uint64_t seed;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)((seed >> 33) % below);
}

static void step(void)
{
	if (left && draw(patience) == 0)
		swapcontext(&cpu[running], &scheduler);
}

/* Timestamps of a connection's ends: no half is another connection's. */
static uint32_t server_stamp(uint32_t id)
{
	return id * 2654435761u;
}

/* The client's packet; 0: found no slot. What it finds is of its connection. */
static int use(uint32_t id, unsigned at, uint8_t flags, uint32_t now_ms)
{
	struct sl_slot_segment g = {.hash = (uint64_t)id << 32,
				    .now_ms = now_ms,
				    .stamp = id << 16,
				    .echo = sl_slot_wire(server_stamp(id), at),
				    .tcp_flags = flags};
	int rc = sl_slot_use(&b, &g);

	cr_assert(!rc || (g.echo == server_stamp(id) && g.server == 7), "of another connection");
	return rc;
}

/* A connection, from its SYN-ACK to a reset; then all sweeps are after its slot. */
static void connection(unsigned me, unsigned i)
{
	uint32_t id = me * 100 + i;
	struct sl_slot_start c = {(uint64_t)id << 32, 7, NOW, 5, server_stamp(id)};
	int at;

	b.swept = SL_LB_BLOCK_SLOTS - SL_SLOT_SWEEP;
	sl_slot_sweep(&b, me * apart, NOW, 1);
	if (draw(3) == 0) /* only frees what others have let go of */
		return;
	at = sl_slot_take(&b, me * apart, &c);
	if (at < 0)
		return;
	taken++;
	cr_assert_eq(holder[at], 0, "slot %d has two", at);
	holder[at] = id;
	step();
	cr_assert(use(id, (unsigned)at, SL_TCP_ACK, NOW), "a slot in use was lost");
	step();
	cr_assert_eq(b.slot[at].seen.client_last, id);
	holder[at] = 0;
	cr_assert(use(id, (unsigned)at, SL_TCP_ACK | SL_TCP_RST, LONG_AGO), "lost before its end");
	if (draw(2)) /* sent again, and late: the slot may be the next one's */
		use(id, (unsigned)at, SL_TCP_ACK | SL_TCP_RST, LONG_AGO);
}

static void run(int me)
{
	for (unsigned i = 0; i < TURNS; i++)
		connection((unsigned)me + 1, i);
	left &= ~(1u << me);
}

static void begin(void)
{
	memset(&b, 0, sizeof(b));
	memset(holder, 0, sizeof(holder));
	b.fresh = seed & 2 ? FIRST : SL_LB_BLOCK_SLOTS;
	for (uint32_t at = b.fresh > FIRST ? FIRST : SL_LB_BLOCK_SLOTS; at < SL_LB_BLOCK_SLOTS;
	     at++)
		sl_slot_push(&b, 0, at);
}

/* Each CPU does `what`, until all have. */
static void schedule(void (*what)(int))
{
	for (int i = 0; i < CPUS; i++) {
		getcontext(&cpu[i]);
		cpu[i].uc_stack.ss_sp = stacks[i];
		cpu[i].uc_stack.ss_size = sizeof(stacks[i]);
		cpu[i].uc_link = &scheduler;
		makecontext(&cpu[i], (void (*)(void))what, 1, i);
	}
	left = (1u << CPUS) - 1;
	while (left) {
		running = draw(CPUS);
		if (left >> running & 1)
			swapcontext(&scheduler, &cpu[running]);
	}
}

/* All slots are in the stacks, each once. */
static void check_end(void)
{
	uint64_t seen = 0;
	unsigned n = 0;

	b.swept = SL_LB_BLOCK_SLOTS - SL_SLOT_SWEEP;
	sl_slot_sweep(&b, 0, NOW, 1);
	for (unsigned i = 0; i < SL_LB_SLOT_STACKS; i++)
		for (uint32_t at = (uint32_t)b.free[i]; at; at = b.slot[at - 1].seen.next, n++) {
			cr_assert_not(seen >> (at - 1 - FIRST) & 1, "slot %u is there twice",
				      at - 1);
			cr_assert_eq(sl_slot_flags(b.slot[at - 1].state), SL_SLOT_FREE);
			seen |= 1ull << (at - 1 - FIRST);
		}
	cr_assert_eq(n, (b.fresh < SL_LB_BLOCK_SLOTS ? b.fresh : SL_LB_BLOCK_SLOTS) - FIRST,
		     "%u slots of %u", n, b.fresh - FIRST);
	cr_assert_eq(b.young, 0);
}

Test(slot_races, no_slot_has_two_connections_and_none_is_lost, .timeout = 60)
{
	for (unsigned i = 0; i < SCHEDULES; i++) {
		seed = i;
		apart = i & 1; /* else all use the same stack */
		patience = 2 + i % 9;
		begin();
		schedule(run);
		check_end();
	}
	cr_expect_gt(taken, SCHEDULES * CPUS);
}

/* --- one connection, packets of which several CPUs have at once */

#define CLIENT 0x00070000u /* first timestamps of the ends; the halves of the server's differ */
#define SERVER 0x12345678u
#define HOUR 3600000u

static struct sl_lb_slot *open_up(void)
{
	struct sl_slot_start c = {1ull << 32, 9, NOW, CLIENT, SERVER};

	memset(&b, 0, sizeof(b));
	cr_assert_eq(sl_slot_take(&b, 0, &c), 0);
	return &b.slot[0];
}

/* The client's first packets: all echo the SYN-ACK's timestamp. */
static void confirm(int me)
{
	struct sl_slot_segment g = {.hash = 1ull << 32,
				    .now_ms = NOW + (unsigned)me * 2000,
				    .stamp = CLIENT + 1,
				    .echo = sl_slot_wire(SERVER, 0),
				    .tcp_flags = SL_TCP_ACK};

	cr_assert(sl_slot_use(&b, &g), "a first packet did not find its slot");
	cr_assert_eq(g.echo, SERVER);
	left &= ~(1u << me);
}

/* An hour later packets of both ends, and one of the client's again. */
static void exchange(int me)
{
	int from_server = me == 0;
	uint32_t client = sl_slot_wire(CLIENT, (uint32_t)b.slot[0].seen.client_add << 16);
	struct sl_slot_segment g = {.hash = 1ull << 32,
				    .now_ms = HOUR + (unsigned)me * 2000,
				    .stamp = HOUR + (from_server ? SERVER : CLIENT),
				    .echo = from_server ? client : sl_slot_wire(SERVER, 0),
				    .server = 9,
				    .tcp_flags = SL_TCP_ACK,
				    .from_server = (uint8_t)from_server};

	cr_assert(sl_slot_use(&b, &g));
	cr_assert_eq(g.echo, from_server ? CLIENT : SERVER);
	left &= ~(1u << me);
}

Test(slot_races, packets_of_one_connection_lose_nothing_of_each_other, .timeout = 60)
{
	for (unsigned i = 0; i < SCHEDULES / 4; i++) {
		struct sl_lb_slot *s;

		seed = i;
		patience = 2 + i % 9;
		left = 0;
		s = open_up();
		schedule(confirm);
		cr_assert_eq(b.young, 0);
		cr_assert_eq(s->seen.client_last, CLIENT >> 16);
		cr_assert_eq(s->seen.server_last, SERVER >> 16);
		schedule(exchange);
		cr_assert_eq(s->seen.client_last, (CLIENT + HOUR) >> 16);
		cr_assert_eq(s->seen.server_last, (SERVER + HOUR) >> 16);
	}
}
