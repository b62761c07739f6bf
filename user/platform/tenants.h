/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tenants.h - tenants into the kernel. Ids are stable: a tenant keeps its own as long as there is a
 * tenant of that name, across restarts of the daemon too, since its counters bear it.
 */
#ifndef SL_PLATFORM_TENANTS_H
#define SL_PLATFORM_TENANTS_H

#include "control/tenant_rules.h"
#include "platform/instance.h"

struct sl_tenants_named {
	unsigned n;
	const char *name[SL_MAX_TENANTS];
	unsigned id[SL_MAX_TENANTS]; /* out */
};

bool sl_tenants_on(const struct sl_instance *inst);

/* Names by id of the tenants in force; empty ones are none. 0 or -errno. */
int sl_tenants_names(const struct sl_instance *inst, char names[SL_MAX_TENANTS][SL_TENANT_NAME]);

/*
 * Put tenants in force: rule.tenant counts from 1 in the order of `named`, whose ids are filled in.
 * Into the entry that is not in force, then the switch, which is atomic for XDP: each packet meets
 * the old rules or the new ones. No name at all takes tenants away. 0 or -errno with a line in err.
 */
int sl_tenants_install(struct sl_instance *inst, struct sl_tenants_named *named,
		       const struct sl_tenant_rule *rules, unsigned n, struct sl_error *err);

#endif /* SL_PLATFORM_TENANTS_H */
