// SPDX-License-Identifier: GPL-2.0-or-later
#include "platform/config_tenants.h"
#include "platform/config_values.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HALF_LIFE_NS 10000000000ull
#define WEIGHT_MIN 0.001
#define WEIGHT_MAX 1000000

static const struct {
	const char *name;
	enum sl_policy policy;
} policies[] = {{"maxmin", SL_POLICY_MAXMIN},
		{"drf", SL_POLICY_DRF},
		{"sdrf", SL_POLICY_SDRF},
		{"drfq", SL_POLICY_DRFQ},
		{"karma", SL_POLICY_KARMA}};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

const char *sl_policy_name(enum sl_policy policy)
{
	for (unsigned i = 0; i < POLICIES; i++)
		if (policies[i].policy == policy)
			return policies[i].name;
	return "?";
}

static SL_YAML_SETTER(set_policy)
{
	const char *text = sl_yaml_text(node);

	for (unsigned i = 0; text && i < POLICIES; i++)
		if (!strcmp(text, policies[i].name)) {
			*(enum sl_policy *)((char *)base + f->offset) = policies[i].policy;
			return 0;
		}
	return sl_yaml_bad_value(y, node, f);
}

static SL_YAML_SETTER(set_bandwidth)
{
	static const struct {
		const char *unit;
		double bits;
	} units[] = {{"bit", 1}, {"Kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}};
	const char *text = sl_yaml_text(node);
	char *end;
	double v;

	if (!text || !isdigit((unsigned char)*text))
		return sl_yaml_bad_value(y, node, f);
	v = strtod(text, &end);
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		v *= units[i].bits;
		if (v < f->min || v > f->max)
			return sl_yaml_bad_value(y, node, f);
		memcpy((char *)base + f->offset, &v, sizeof(v));
		return 0;
	}
	return sl_yaml_bad_value(y, node, f);
}

static SL_YAML_SETTER(set_name)
{
	const char *text = sl_yaml_text(node);

	if (!text || !strcmp(text, "others") || !sl_config_is_name(text, SL_TENANT_NAME))
		return sl_yaml_bad_value(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

/* --- one tenant */

struct reading {
	struct sl_tenants_config *all;
	struct sl_tenant_config one;
	unsigned rules; /* of it */
};

static int check_overlap(struct sl_yaml *y, const yaml_node_t *item, const char *text,
			 const struct sl_tenants_config *all, const struct sl_tenant_rule *rule)
{
	char other[256];

	for (unsigned i = 0; i < all->rules_n; i++) {
		const struct sl_tenant_rule *o = &all->rule[i];

		if (o->tenant == rule->tenant || !sl_tenant_rules_overlap(o, rule))
			continue;
		sl_tenant_rule_format(o, other, sizeof(other));
		return sl_yaml_error(y, item,
				     "\"%s\" overlaps \"%s\" of tenant %s: make one narrower, or "
				     "leave one out",
				     text, other, all->tenant[o->tenant - 1].name);
	}
	return 0;
}

static int add_rule(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct reading *r = ctx;
	struct sl_tenants_config *all = r->all;
	struct sl_tenant_rule rule = {.tenant = all->n + 1};
	const char *text = sl_yaml_text(item);
	char err[256] = "";
	int rc;

	if (!text)
		return sl_yaml_error(y, item,
				     "expected a rule: write 10.1.0.0/16, vlan=10 or vni=7");
	if (all->rules_n == SL_MAX_RULES)
		return sl_yaml_error(y, item, "more than %d rules of all tenants: join prefixes",
				     SL_MAX_RULES);
	if (sl_tenant_rule_parse(text, &rule, err, sizeof(err)))
		return sl_yaml_error(y, item, "%s", err);
	rc = check_overlap(y, item, text, all, &rule);
	if (rc)
		return rc;
	all->rule[all->rules_n++] = rule;
	r->rules++;
	return 0;
}

static SL_YAML_SETTER(set_rules)
{
	return sl_yaml_sequence(y, node, add_rule, base);
}

#define ONE(member) .offset = offsetof(struct reading, one.member)

static const struct sl_yaml_field tenant_fields[] = {
	{"name", set_name, ONE(name),
	 .mend = "write at most 23 letters, digits, '-', '_' or '.'; not others"},
	{"match", set_rules, .mend = "write rules such as [10.1.0.0/16, vlan=10]"},
	{"weight", sl_yaml_set_fraction, ONE(weight), WEIGHT_MIN, WEIGHT_MAX,
	 "write a weight from 0.001 on, such as 1 or 2.5"},
	{0},
};

static int add_tenant(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct sl_tenants_config *all = ctx;
	struct reading r = {.all = all, .one = {.weight = 1}};
	int rc;

	if (all->n == SL_TENANT_TOTAL - 1)
		return sl_yaml_error(y, item, "more than %d tenants: join some",
				     SL_TENANT_TOTAL - 1);
	rc = sl_yaml_mapping(y, item, tenant_fields, &r);
	if (rc)
		return rc;
	if (!*r.one.name)
		return sl_yaml_error(y, item, "name is missing: write name: gold");
	if (!r.rules)
		return sl_yaml_error(y, item, "match is missing: write match: [10.1.0.0/16]");
	for (unsigned k = 0; k < all->n; k++)
		if (!strcmp(all->tenant[k].name, r.one.name))
			return sl_yaml_error(y, item, "name \"%s\" is taken: choose another",
					     r.one.name);
	all->tenant[all->n++] = r.one;
	return 0;
}

static SL_YAML_SETTER(set_list)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return sl_yaml_error(y, node,
				     "expected a list: write one \"- name: ...\" a tenant");
	return sl_yaml_sequence(y, node, add_tenant, base);
}

/* --- all of them */

#define ALL(member) .offset = offsetof(struct sl_tenants_config, member)

static const struct sl_yaml_field fields[] = {
	{"policy", set_policy, ALL(policy), .mend = "write maxmin, drf, sdrf, drfq or karma"},
	{"half_life", sl_yaml_set_duration, ALL(half_life_ns), 0.01, 86400,
	 "write a time from 10ms to 1440min, such as 10s"},
	{"borrowable", sl_yaml_set_fraction, ALL(borrowable), 0, 1,
	 "write a part of the equal share from 0 to 1, such as 0.5"},
	{"bandwidth", set_bandwidth, ALL(bandwidth), 1e3, 1e13,
	 "write bits a second from 1Kbit to 10000Gbit, such as 10Gbit"},
	{"others", sl_yaml_set_fraction, ALL(others), WEIGHT_MIN, WEIGHT_MAX,
	 "write a weight from 0.001 on, such as 1 or 0.1"},
	{"list", set_list, .mend = "write a list"},
	{0},
};

/* Compiles too: what the rules become must fit the table of XDP. */
SL_YAML_SETTER(sl_config_set_tenants)
{
	struct sl_tenants_config *t = (struct sl_tenants_config *)((char *)base + f->offset);
	struct sl_tenant_match *match;
	char err[256] = "";
	int rc;

	t->policy = SL_POLICY_DRF;
	t->half_life_ns = HALF_LIFE_NS;
	t->borrowable = 0.5;
	t->others = 1;
	rc = sl_yaml_mapping(y, node, fields, t);
	if (rc)
		return rc;
	if (!t->n)
		return sl_yaml_error(y, node,
				     "list is missing: write list: and one \"- name: "
				     "...\" a tenant");
	match = malloc(sizeof(*match));
	if (!match)
		return sl_error_set(y->err, -ENOMEM, "%s: no memory", y->file);
	if (sl_tenant_compile(t->rule, t->rules_n, match, err, sizeof(err)))
		rc = sl_yaml_error(y, node, "%s", err);
	free(match);
	return rc;
}
