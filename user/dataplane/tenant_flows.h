/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tenant_flows.h - whose flows are: what flow tables ask and tell where tenants share their memory.
 * A table is told by its hash which flow is made; whose it is, the batch in hand says.
 */
#ifndef SL_DATAPLANE_TENANT_FLOWS_H
#define SL_DATAPLANE_TENANT_FLOWS_H

#include "dataplane/flow_table.h"

struct worker;
struct sl_dataplane;

/* For flow tables made while the instance has tenants. */
extern const struct sl_flow_tenants tenant_flows;

/* This thread does the worker's work from here on. */
void tenant_flows_here(struct worker *w);

/* All tables are empty: before the first worker starts. */
void tenant_flows_reset(const struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_TENANT_FLOWS_H */
