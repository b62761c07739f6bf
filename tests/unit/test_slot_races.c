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
#define LONG_AGO (NOW - SL_SLOT_PRESSED_MS - 1)

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

static void use(uint64_t hash, unsigned at, uint32_t stamp, uint8_t flags, uint32_t now_ms)
{
	struct sl_slot_segment g = {.hash = hash,
				    .now_ms = now_ms,
				    .stamp = 77,
				    .echo = sl_slot_wire(stamp, b.slot[at].server_add),
				    .tcp_flags = flags};

	cr_assert(sl_slot_use(&b, &g), "a slot in use was lost");
	cr_assert(g.echo == stamp && g.server == stamp, "of another connection");
}

/* A connection, from its SYN-ACK to a reset; then all sweeps are after its slot. */
static void connection(unsigned me, unsigned i)
{
	uint32_t stamp = me * 100 + i;
	struct sl_slot_start c = {(uint64_t)stamp << 32, stamp, NOW, 5, stamp};
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
	holder[at] = stamp;
	step();
	use(c.hash, (unsigned)at, stamp, SL_TCP_ACK, NOW);
	step();
	holder[at] = 0;
	use(c.hash, (unsigned)at, stamp, SL_TCP_ACK | SL_TCP_RST, LONG_AGO);
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
	left = (1u << CPUS) - 1;
	for (int i = 0; i < CPUS; i++) {
		getcontext(&cpu[i]);
		cpu[i].uc_stack.ss_sp = stacks[i];
		cpu[i].uc_stack.ss_size = sizeof(stacks[i]);
		cpu[i].uc_link = &scheduler;
		makecontext(&cpu[i], (void (*)(void))run, 1, i);
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
		for (uint32_t at = (uint32_t)b.free[i]; at; at = b.slot[at - 1].next, n++) {
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
		while (left) {
			running = draw(CPUS);
			if (left >> running & 1)
				swapcontext(&scheduler, &cpu[running]);
		}
		check_end();
	}
	cr_expect_gt(taken, SCHEDULES * CPUS);
}
