// SPDX-License-Identifier: GPL-2.0-or-later
/* What a worker says each tenant's packets took: cycles, packets, bytes, places in its ring. */
#include "dataplane_rig.h"

static struct rig *g;
static struct sl_tenant_work work[RIG_WORKERS * SL_MAX_TENANTS];
static struct sl_meta meta[SL_BATCH];

static void up(void)
{
	g = rig_new();
	g->inst.tenant_work = work;
	g->control.flags = SL_CTL_TENANTS;
	tenants_round(&g->worker[1]);
}

static void down(void)
{
	rig_free(g);
}

TestSuite(tenant_account, .init = up, .fini = down);

static void packets(unsigned tenant, unsigned n, unsigned bytes)
{
	struct worker *w = &g->worker[1];

	for (unsigned i = 0; i < n; i++) {
		meta[w->batch] = (struct sl_meta){.flags = SL_META_TENANT, .tenant = tenant};
		w->packet[w->batch] = (struct sl_packet){.meta = &meta[w->batch], .len = bytes};
		w->batch++;
	}
}

static void round_of(uint64_t cycles)
{
	tenants_batch(&g->worker[1]);
	tenants_account(&g->worker[1], cycles);
	g->worker[1].batch = 0;
}

static const struct sl_tenant_work *of(unsigned tenant)
{
	return &work[1 * SL_MAX_TENANTS + tenant];
}

Test(tenant_account, packets_and_bytes_are_whose_they_are)
{
	packets(3, 5, 100);
	packets(4, 2, 1500);
	packets(3, 1, 60);
	round_of(7000);
	cr_expect(of(3)->packets == 6 && of(3)->bytes == 560);
	cr_expect(of(4)->packets == 2 && of(4)->bytes == 3000);
	cr_expect(of(0)->packets == 0 && work[3].packets == 0, "nobody else's, no other worker's");
	packets(4, 1, 40);
	round_of(100);
	cr_expect(of(3)->packets == 6 && of(4)->packets == 3 && of(4)->bytes == 3040);
}

/* 300 of 1,000 cycles are explained, 200 by the one of tenant 3; the rest is alike for all three.
 */
Test(tenant_account, cycles_go_by_cost_and_sum_up_to_the_round)
{
	tenants_sample(&g->worker[1], 3, 200);
	tenants_sample(&g->worker[1], 4, 50);
	packets(3, 1, 60);
	packets(4, 2, 60);
	round_of(1000);
	cr_expect_eq(of(3)->cycles, 200 + 700 / 3, "%llu", of(3)->cycles);
	cr_expect_eq(of(4)->cycles, 100 + 1400 / 3, "%llu", of(4)->cycles);
	/* more explained than there was: in proportion */
	packets(3, 1, 60);
	packets(4, 2, 60);
	round_of(30);
	cr_expect_eq(of(3)->cycles, 200 + 700 / 3 + 20);
	cr_expect_eq(of(4)->cycles, 100 + 1400 / 3 + 10);
}

/* What it has in the batch, and what waits for its turn. */
Test(tenant_account, places_in_rings_are_what_waits)
{
	g->worker[1].queues.queue[3].n = 290;
	for (unsigned i = 0; i < 200; i++) {
		packets(3, 10, 60);
		packets(4, 1, 60);
		round_of(100);
	}
	cr_expect(of(3)->slots > 298 * 256 && of(3)->slots <= 300 * 256, "%llu", of(3)->slots);
	cr_expect(of(4)->slots > 240 && of(4)->slots <= 256, "%llu", of(4)->slots);
	g->worker[1].queues.queue[3].n = 0;
	for (unsigned i = 0; i < 400; i++)
		round_of(100);
	cr_expect(of(3)->slots == 0 && of(4)->slots == 0, "%llu, %llu", of(3)->slots, of(4)->slots);
}

Test(tenant_account, without_tenants_nothing_is_sampled)
{
	g->control.flags = 0;
	tenants_round(&g->worker[1]);
	tenants_sample(&g->worker[1], 3, 200);
	cr_expect_eq(g->worker[1].meter.cost[3], 0);
}
