// SPDX-License-Identifier: GPL-2.0-or-later
/* test_reta_watch.c - packets that come in elsewhere than the NIC's table says. */
#include <criterion/criterion.h>
#include <string.h>

#include "control/reta_watch.h"

#define BUCKETS 128
#define QUEUES 4

static uint32_t reta[2 * BUCKETS], count[QUEUES * BUCKETS];
static uint8_t changed[2 * BUCKETS];
static struct sl_reta_watch watch;
static struct sl_reta_look look;
static uint64_t packets, astray;

static void setup(void)
{
	memset(count, 0, sizeof(count));
	memset(changed, 0, sizeof(changed));
	watch = (struct sl_reta_watch){0};
	for (unsigned e = 0; e < 2 * BUCKETS; e++)
		reta[e] = e % QUEUES;
	look = (struct sl_reta_look){BUCKETS, 32, reta, count, QUEUES, changed};
}

TestSuite(reta_watch, .init = setup);

static enum sl_reta_verdict see(void)
{
	return sl_reta_watch(&watch, &look, &packets, &astray);
}

/* n packets of each bucket as a NIC with this table deals them out. */
static void arrive(const uint32_t *table, uint32_t n)
{
	memset(count, 0, sizeof(count));
	for (unsigned hash = 0; hash < 2 * BUCKETS; hash++)
		count[table[hash & (look.entries - 1)] * BUCKETS + (hash & (BUCKETS - 1))] += n;
}

Test(reta_watch, a_nic_that_follows)
{
	for (look.entries = 32; look.entries <= 2 * BUCKETS; look.entries *= 2) {
		arrive(reta, 10);
		cr_assert_eq(see(), SL_RETA_FOLLOWS, "%u entries", look.entries);
		cr_assert(packets == 2 * 10 * BUCKETS && astray == 0);
	}
}

/* virtio-net's: it reads back as written, and the device spreads as it always did. */
Test(reta_watch, a_table_that_is_not_in_force)
{
	uint32_t other[2 * BUCKETS];

	for (unsigned e = 0; e < 2 * BUCKETS; e++)
		other[e] = (e + 1) % QUEUES;
	arrive(other, 10);
	cr_assert_eq(see(), SL_RETA_ASTRAY);
	cr_assert_eq(astray, packets);
}

Test(reta_watch, few_packets_say_nothing_until_they_are_many)
{
	count[0] = SL_RETA_WATCH_PACKETS / 2;
	cr_assert_eq(see(), SL_RETA_UNKNOWN);
	cr_assert_eq(see(), SL_RETA_FOLLOWS);
	cr_assert_eq(see(), SL_RETA_UNKNOWN, "a verdict ends the window");
}

Test(reta_watch, some_are_always_astray)
{
	count[0] = 960;
	count[1 * BUCKETS] = 40;
	cr_assert_eq(see(), SL_RETA_FOLLOWS);
	cr_assert_eq(astray, 40);
	count[1 * BUCKETS] = 60;
	cr_assert_eq(see(), SL_RETA_ASTRAY);
}

Test(reta_watch, what_changes_is_not_looked_at)
{
	count[3 * BUCKETS + 32] = 5000; /* bucket 32: entry 0, queue 0 */
	changed[0] = 1;
	cr_assert_eq(see(), SL_RETA_UNKNOWN);
	cr_assert_eq(packets, 0);
	changed[0] = 0;
	cr_assert_eq(see(), SL_RETA_ASTRAY);
}
