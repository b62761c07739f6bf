/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tenants.h - what each tenant of an instance asks for, has and may have: counters in, rates for
 * XDP's gate out. Pure; no allocation after sl_tenants_new().
 *
 * Each tenant has two rates. Its share is what the policy gives it for what it asks for now, so
 * that what others leave is divided by the policy too. Its floor is what it would get if everybody
 * asked for the most that they have asked for lately, and for their equal share at least: a tenant
 * that comes back has it at once, before anything is measured.
 */
#ifndef SL_CONTROL_TENANTS_H
#define SL_CONTROL_TENANTS_H

#include <stdint.h>

#include <sluice/fair.h>
#include <sluice/tenants.h>

enum sl_tenant_resource {
	SL_TENANT_CYCLES, /* a second */
	SL_TENANT_BYTES, /* a second */
	SL_TENANT_FLOWS, /* bytes of flow tables */
	SL_TENANT_SLOTS, /* of the RX rings */
	SL_TENANT_RESOURCES
};

struct sl_tenants_opts {
	enum sl_policy policy;
	double half_life; /* SDRF: seconds */
	double borrowable; /* Karma: of the equal share, what is not guaranteed, 0..1 */
	double bytes; /* capacity, 0: as much as there is */
	double weight[SL_MAX_TENANTS]; /* 0: no such tenant; [0] is who is no tenant */
};

/* Counters of a tenant at one queue, since ever. */
struct sl_tenant_arrived {
	uint64_t packets, bytes, drops;
};

/* What workers did for a tenant, since ever; flows and slots: now. */
struct sl_tenant_done {
	uint64_t cycles, packets, bytes;
	double flows, slots;
};

struct sl_tenants_sample {
	uint64_t now_ns;
	double cycles; /* that the workers have a second */
	double slots; /* of their RX rings */
	double flows; /* bytes that flows may take, 0: they are not shared */
	unsigned queues;
	const struct sl_tenant_arrived *arrived; /* [queue * SL_MAX_TENANTS + tenant] */
	const struct sl_tenant_done *done; /* [tenant] */
};

/* Of the capacity of each resource; `cost` in cycles a packet. */
struct sl_tenant_view {
	double demand[SL_TENANT_RESOURCES], used[SL_TENANT_RESOURCES];
	double share; /* dominant, that the policy gives for what it asks for */
	double floor; /* dominant, that it has in any case */
	double commitment; /* SDRF: dominant */
	double credits; /* Karma: dominant shares times seconds */
	double pps, bps, drops; /* arrivals and drops a second */
	double cost;
	int dominant; /* enum sl_tenant_resource of its demand, -1: asks for nothing */
};

struct sl_tenants;

/* For up to `queues` queues. NULL on no memory. */
struct sl_tenants *sl_tenants_new(unsigned queues);
void sl_tenants_free(struct sl_tenants *t);

/* New settings; what was learnt stays. A weight that becomes 0 forgets its tenant. */
void sl_tenants_configure(struct sl_tenants *t, const struct sl_tenants_opts *opts);

/* Time has passed: learn, and share. The first call only learns the counters. */
void sl_tenants_run(struct sl_tenants *t, const struct sl_tenants_sample *s);

/* The daemon's line of a gate, SL_TENANT_TOTAL's too; zeros (open) until shares are known. */
void sl_tenants_gate(const struct sl_tenants *t, unsigned queue, unsigned tenant,
		     struct sl_tenant_gate *gate);

const struct sl_tenant_view *sl_tenants_view(const struct sl_tenants *t, unsigned tenant);
const char *sl_tenant_resource_name(int resource); /* "cycles", ...; "none" */

#endif /* SL_CONTROL_TENANTS_H */
