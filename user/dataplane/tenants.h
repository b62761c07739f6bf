/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tenants.h - what each tenant's packets cost a worker: cycles, bytes, places in its rings. Asked
 * for once a round; where there are no tenants that is all.
 */
#ifndef SL_DATAPLANE_TENANTS_H
#define SL_DATAPLANE_TENANTS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/tenants.h>
#include <sluice/nf.h>

struct worker;

/* Of the batch in hand, and costs as sampled. */
struct sl_tenant_meter {
	bool on; /* the instance has tenants: as of this round */
	uint64_t present; /* bit: tenant in the batch */
	uint64_t holding; /* bit: its `slots` are not 0 */
	uint32_t packets[SL_MAX_TENANTS];
	uint32_t bytes[SL_MAX_TENANTS];
	uint32_t cost[SL_MAX_TENANTS]; /* cycles a packet in the chain, a moving average */
	uint32_t rest; /* cycles a packet outside of it, likewise */
	/* of all flow entries' bytes, the part that is a tenant's in any case; as of parts_ns */
	double part[SL_MAX_TENANTS];
	uint64_t parts_ns;
};

static inline unsigned tenant_of(const struct sl_meta *meta)
{
	return meta->flags & SL_META_TENANT ? meta->tenant % SL_MAX_TENANTS : 0;
}

/* Cycles that a packet of the tenant is expected to take. */
static inline uint64_t tenant_cost(const struct sl_tenant_meter *m, unsigned tenant)
{
	return (uint64_t)m->cost[tenant] + m->rest;
}

struct sl_tenant_ring *tenant_ring_of(const struct worker *w, unsigned ring);

/* Nobody takes from this worker's rings: XDP lets everything in. Before it starts and as it ends.
 */
void tenants_close(const struct worker *w);

/* A round begins; before anything is received. */
void tenants_round(struct worker *w);

/* The packet with this stamp is the latest of n that were taken out of the ring. */
void tenants_taken(struct worker *w, unsigned ring, const struct sl_meta *last);

/* The batch is complete; no NF has seen it. */
void tenants_batch(struct worker *w);

/* A packet of the tenant took so many cycles in the chain. */
void tenants_sample(struct worker *w, unsigned tenant, uint64_t cycles);

/* The round took so many cycles: they are divided among the tenants of the batch. */
void tenants_account(struct worker *w, uint64_t cycles);

#endif /* SL_DATAPLANE_TENANTS_H */
