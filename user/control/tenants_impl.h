/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tenants_impl.h - inside of control/tenants.h.
 *
 *   tenants.c       what is learned of tenants, and their shares by the policy
 *   tenants_gate.c  what XDP's gate and the workers' turns are told
 */
#ifndef SL_CONTROL_TENANTS_IMPL_H
#define SL_CONTROL_TENANTS_IMPL_H

#include "control/tenants.h"

#define COST_UNKNOWN 1000.0 /* cycles a packet, until one was measured */

struct tenant {
	double weight;
	bool known; /* its counters, of the latest sample */
	struct sl_tenant_view view;
	double amount[SL_TENANT_RESOURCES]; /* asked for; in the units of the capacity */
	double peak[SL_TENANT_RESOURCES];
	double given[SL_TENANT_RESOURCES], kept[SL_TENANT_RESOURCES]; /* share, floor */
	double packet_bytes; /* mean */
};

struct sl_tenants {
	unsigned queues;
	struct sl_tenants_opts opts;
	uint64_t then_ns; /* of the latest sample, 0: none */
	bool shared; /* shares are known */
	double capacity[SL_TENANT_RESOURCES]; /* 0: nobody is short of it */
	double depth; /* seconds */
	struct tenant tenant[SL_MAX_TENANTS];
	struct sl_tenant_done done[SL_MAX_TENANTS]; /* latest counters */
	struct sl_tenant_arrived *arrived; /* likewise */
	double *rate; /* packets a second, [queue * SL_MAX_TENANTS + tenant] */
};

/* The sum of all. */
double tenants_weights(const struct sl_tenants *t);

#endif /* SL_CONTROL_TENANTS_IMPL_H */
