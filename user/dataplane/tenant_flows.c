// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane/internal.h"
#include "dataplane/tenant_flows.h"

#define PARTS_NS 100000000ull /* the daemon's shares are looked at so often */

static _Thread_local struct worker *here;

void tenant_flows_here(struct worker *w)
{
	here = w;
}

static struct sl_tenant_work *work_of(const struct worker *w, unsigned tenant)
{
	return &w->dp->inst->tenant_work[w->id * SL_MAX_TENANTS + tenant];
}

void tenant_flows_reset(const struct sl_dataplane *dp)
{
	for (unsigned i = 0; i < dp->inst->max_workers * SL_MAX_TENANTS; i++) {
		stat_set(&dp->inst->tenant_work[i].flows, 0);
		stat_set(&dp->inst->tenant_work[i].flow_bytes, 0);
	}
}

/*
 * The tenant of the packet with this hash, or of one in its bucket: an NF makes flows under hashes
 * of its own too, of addresses that it has rewritten, in the same bucket.
 */
static unsigned whose(uint32_t hash)
{
	const struct worker *w = here;
	unsigned tenant = 0;

	if (!w || !w->meter.on)
		return 0;
	for (unsigned i = 0; i < w->batch; i++) {
		const struct sl_meta *m = w->packet[i].meta;

		if (m->hash == hash)
			return tenant_of(m);
		if (!((m->hash ^ hash) & (w->dp->inst->hash_buckets - 1)))
			tenant = tenant_of(m);
	}
	return tenant;
}

/* A flow may be ended by another worker than made it: each one's count is what it added, and only
 * the sum over workers says something. */
static void count(unsigned tenant, int flows, int64_t bytes)
{
	if (!here)
		return; /* at the end, when all tables go */
	stat_add(&work_of(here, tenant)->flows, (uint64_t)(int64_t)flows);
	stat_add(&work_of(here, tenant)->flow_bytes, (uint64_t)bytes);
}

/* Workers are read one after the other: a flow may be seen to end that was not seen to begin. */
static uint64_t bytes_of(const struct sl_dataplane *dp, unsigned tenant)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < dp->workers_max; i++)
		sum += (int64_t)__atomic_load_n(&work_of(&dp->worker[i], tenant)->flow_bytes,
						__ATOMIC_RELAXED);
	return sum > 0 ? (uint64_t)sum : 0;
}

/*
 * By weight, of what entries take together: nobody is asked before memory is short. A gate has the
 * mean weight to the tenant's.
 */
static void divide(const struct sl_dataplane *dp, double *part)
{
	const struct sl_tenant_gate *gate = dp->inst->iface[0].gates;
	double weights = 0, all = 0;

	for (unsigned t = 0; t < SL_TENANT_TOTAL; t++) {
		const uint32_t norm = __atomic_load_n(&gate[t].turn_norm, __ATOMIC_RELAXED);

		part[t] = norm ? 1.0 / norm : 0;
		weights += part[t];
		all += (double)bytes_of(dp, t);
	}
	for (unsigned t = 0; t < SL_TENANT_TOTAL; t++)
		part[t] = weights > 0 ? part[t] / weights * all : all;
}

static bool within(unsigned tenant, size_t more)
{
	struct worker *w = here;

	if (!w || !w->meter.on)
		return true;
	if (!w->meter.parts_ns || w->now_ns - w->meter.parts_ns > PARTS_NS) {
		divide(w->dp, w->meter.part);
		w->meter.parts_ns = w->now_ns;
	}
	return (double)(bytes_of(w->dp, tenant) + more) <= w->meter.part[tenant];
}

const struct sl_flow_tenants tenant_flows = {.whose = whose, .count = count, .within = within};
