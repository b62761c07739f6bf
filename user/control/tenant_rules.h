/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tenant_rules.h - which packets are whose: tenants' match rules from text to the table that XDP
 * reads. Pure.
 *
 * A tenant's rule is a match rule (match.h) that may name a VLAN and a VNI too. Two tenants' rules
 * overlap if a packet meets both at the same end: 10.0.0.0/8 and 10.1.0.0/16 do, 10.1.0.0/16 and
 * 10.2.0.0/16 do not, though both accept what goes from one to the other. Such a packet belongs to
 * the tenant that is listed first.
 */
#ifndef SL_CONTROL_TENANT_RULES_H
#define SL_CONTROL_TENANT_RULES_H

#include <sluice/tenants.h>

#include "control/match.h"

#define SL_VLAN_ANY (-1)
#define SL_VNI_ANY (-1)

struct sl_tenant_rule {
	struct sl_rule rule;
	int vlan; /* outermost tag, 0: without; SL_VLAN_ANY */
	int vni; /* of VXLAN or Geneve; SL_VNI_ANY */
	unsigned tenant; /* whose: 1..SL_TENANT_TOTAL - 1 */
};

/*
 * Parse one rule: as sl_rule_parse(), and "vlan=N" (0 to 4094), "vni=N" (0 to 16777215). `pass` is
 * refused: what is nobody's needs no rule. -EINVAL with one line in err.
 */
int sl_tenant_rule_parse(const char *text, struct sl_tenant_rule *rule, char *err, size_t err_size);
/* As text that is read back. Returns as snprintf. */
int sl_tenant_rule_format(const struct sl_tenant_rule *rule, char *buf, size_t size);

/* Is there a packet that meets both at the same end? */
bool sl_tenant_rules_overlap(const struct sl_tenant_rule *a, const struct sl_tenant_rule *b);

/* Compile n rules; names stay as they are. -E2BIG with a line in err. */
int sl_tenant_compile(const struct sl_tenant_rule *rules, unsigned n, struct sl_tenant_match *out,
		      char *err, size_t err_size);

#endif /* SL_CONTROL_TENANT_RULES_H */
