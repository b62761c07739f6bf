// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose a flow is that a worker makes, and how the memory for flows is divided: tenant_flows.c. */
#include "dataplane/tenant_flows.h"
#include "dataplane_rig.h"

#define W 1
#define BUCKETS RIG_HASH_BUCKETS

static struct rig *g;
static struct sl_tenant_work work[RIG_WORKERS * SL_MAX_TENANTS];
static struct sl_meta meta[SL_BATCH];

static void up(void)
{
	g = rig_new();
	g->inst.tenant_work = work;
	g->control.flags = SL_CTL_TENANTS;
	tenants_round(&g->worker[W]);
	tenant_flows_here(&g->worker[W]);
}

static void down(void)
{
	tenant_flows_here(NULL);
	rig_free(g);
}

TestSuite(tenant_flows, .init = up, .fini = down);

static void packet(unsigned tenant, uint32_t hash)
{
	struct worker *w = &g->worker[W];

	meta[w->batch] = (struct sl_meta){.flags = SL_META_TENANT, .tenant = tenant, .hash = hash};
	w->packet[w->batch] = (struct sl_packet){.meta = &meta[w->batch]};
	w->batch++;
}

/* NAT makes flows under hashes of its own, in the bucket of the packet. */
Test(tenant_flows, a_flow_is_of_the_packet_or_of_one_in_its_bucket)
{
	packet(3, 5);
	packet(4, 6);
	packet(5, 5 + BUCKETS);
	cr_expect_eq(tenant_flows.whose(5), 3);
	cr_expect_eq(tenant_flows.whose(6), 4);
	cr_expect_eq(tenant_flows.whose(5 + BUCKETS), 5);
	cr_expect_eq(tenant_flows.whose(6 + 7 * BUCKETS), 4);
	cr_expect_eq(tenant_flows.whose(7), 0);
	g->control.flags = 0;
	tenants_round(&g->worker[W]);
	cr_expect_eq(tenant_flows.whose(5), 0);
}

/* The parts are looked at each 100 ms. */
static bool within(unsigned tenant, size_t more)
{
	g->worker[W].now_ns += 200000000;
	return tenant_flows.within(tenant, more);
}

Test(tenant_flows, parts_are_by_weight_of_what_all_have)
{
	tenant_flows.count(1, 10, 900);
	tenant_flows.count(2, 2, 300);
	cr_expect(within(1, 300), "nobody's share is known yet");
	g->gates[1].turn_norm = 1u << 16;
	g->gates[2].turn_norm = 1u << 15; /* twice the weight */
	cr_expect(!within(1, 0));
	cr_expect(within(2, 500));
	cr_expect(!within(2, 501));
	cr_expect(!within(3, 1), "no weight");
	g->gates[1].turn_norm = 0;
	cr_expect(within(2, 900), "who is gone has no part");
}

/* Made here and ended at another worker, which is counted between two looks. */
Test(tenant_flows, a_sum_below_nothing_is_nothing)
{
	g->gates[1].turn_norm = g->gates[2].turn_norm = 1u << 16;
	tenant_flows.count(2, 1, 128);
	tenant_flows_here(&g->worker[2]);
	tenant_flows.count(1, -1, -64);
	tenant_flows_here(&g->worker[W]);
	cr_expect(within(1, 64));
	cr_expect(!within(1, 65));
}
