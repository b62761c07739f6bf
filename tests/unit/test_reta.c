// SPDX-License-Identifier: GPL-2.0-or-later
/* test_reta.c - which queue each entry of a NIC's table names. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/reta.h"

#define BUCKETS 1024
#define WORKERS 4

static uint16_t worker[BUCKETS];
static double load[BUCKETS], own;
static uint64_t queue[SL_MAX_WORKERS];
static uint32_t reta[2 * BUCKETS];
static struct sl_reta_plan plan;

static void setup(void)
{
	srand(7);
	memset(reta, 0, sizeof(reta));
	sl_reta_own(queue, WORKERS, WORKERS);
	for (unsigned b = 0; b < BUCKETS; b++) {
		worker[b] = (uint16_t)(rand() % WORKERS);
		load[b] = rand() % 100;
	}
	plan = (struct sl_reta_plan){
		.buckets = BUCKETS, .entries = 128, .worker = worker, .load = load, .own = queue};
}

TestSuite(reta, .init = setup);

/* What a packet meets: hash, entry, queue; hash, bucket, worker. */
static double walk(void)
{
	double total = 0, hit = 0;
	const unsigned n = plan.entries > BUCKETS ? plan.entries : BUCKETS;

	for (unsigned hash = 0; hash < n; hash++) {
		const unsigned bucket = hash & (BUCKETS - 1);

		total += load[bucket];
		if (queue[worker[bucket]] & 1ull << reta[hash & (plan.entries - 1)])
			hit += load[bucket];
	}
	return hit / total;
}

Test(reta, as_many_entries_as_buckets_or_more_hit_always)
{
	for (plan.entries = BUCKETS; plan.entries <= 2 * BUCKETS; plan.entries *= 2) {
		memset(reta, 0, sizeof(reta));
		cr_assert_gt(sl_reta_plan(&plan, reta, &own), 0);
		cr_assert_float_eq(own, 1, 1e-9);
		cr_assert_float_eq(walk(), 1, 1e-9);
	}
}

Test(reta, several_buckets_an_entry_go_where_most_of_their_load_is)
{
	int changed = sl_reta_plan(&plan, reta, &own);

	cr_assert(changed > 0 && changed <= 128);
	cr_assert_float_eq(own, walk(), 1e-9, "it says %f, packets see %f", own, walk());
	for (unsigned e = 0; e < plan.entries; e++) {
		double by[WORKERS] = {0};

		for (unsigned b = e; b < BUCKETS; b += plan.entries)
			by[worker[b]] += load[b];
		for (unsigned w = 0; w < WORKERS; w++)
			cr_assert_leq(by[w], by[reta[e]], "entry %u", e);
	}
	cr_assert_eq(sl_reta_plan(&plan, reta, &own), 0, "once more changes nothing");
}

Test(reta, one_bucket_moves_one_entry_changes)
{
	uint32_t before[128];
	int changed;

	memset(load, 0, sizeof(load));
	for (unsigned b = 0; b < BUCKETS; b++)
		worker[b] = 0;
	load[5] = load[5 + 128] = 10;
	sl_reta_plan(&plan, reta, &own);
	memcpy(before, reta, sizeof(before));
	worker[5] = 3;
	cr_assert_eq(sl_reta_plan(&plan, reta, &own), 0, "half of the load each: it stays");
	load[5] = 11;
	plan.min_gain = 0.1;
	cr_assert_eq(sl_reta_plan(&plan, reta, &own), 0, "less than the least gain");
	plan.min_gain = 0;
	changed = sl_reta_plan(&plan, reta, &own);
	cr_assert(changed == 1 && reta[5] == 3);
	before[5] = 3;
	cr_assert_arr_eq(reta, before, sizeof(before));
}

Test(reta, nobodys_buckets_workers_without_a_queue_no_load)
{
	for (unsigned e = 0; e < plan.entries; e++)
		reta[e] = e % 4;
	memset(load, 0, sizeof(load));
	cr_assert_eq(sl_reta_plan(&plan, reta, &own), 0, "nothing to gain without load");
	cr_assert_float_eq(own, 1, 1e-9);
	load[1] = load[2] = 1;
	worker[1] = UINT16_MAX;
	worker[2] = 9;
	cr_assert_eq(sl_reta_plan(&plan, reta, &own), 0);
	cr_assert_float_eq(own, 0, 1e-9);
}

Test(reta, queues_are_dealt_out)
{
	sl_reta_own(queue, 2, 4);
	cr_assert(queue[0] == 0x5 && queue[1] == 0xa && queue[2] == 0);
	sl_reta_own(queue, 4, 2);
	cr_assert(queue[0] == 1 && queue[1] == 2 && queue[2] == 1 && queue[3] == 2);
	sl_reta_own(queue, 128, 64);
	cr_assert_eq(queue[127], 1ull << 63);
	sl_reta_own(queue, 0, 4);
	cr_assert_eq(queue[0], 0);
}

Test(reta, a_worker_with_several_queues_uses_them_alike)
{
	double on[4] = {0};

	sl_reta_own(queue, 2, 4);
	plan.entries = BUCKETS;
	for (unsigned b = 0; b < BUCKETS; b++) {
		worker[b] = b % 2;
		load[b] = 1;
	}
	sl_reta_plan(&plan, reta, &own);
	cr_assert_float_eq(own, 1, 1e-9);
	for (unsigned b = 0; b < BUCKETS; b++) {
		cr_assert(queue[worker[b]] & 1ull << reta[b]);
		on[reta[b]]++;
	}
	/* What lies on queue 0 already stays: it is worker 0's own. */
	cr_assert(on[1] == BUCKETS / 4 && on[3] == BUCKETS / 4);
}

Test(reta, sizes)
{
	plan.entries = 100;
	cr_assert_eq(sl_reta_plan(&plan, reta, &own), -EINVAL);
	plan.entries = 0;
	cr_assert_eq(sl_reta_plan(&plan, reta, &own), -EINVAL);
}
