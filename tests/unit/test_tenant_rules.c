// SPDX-License-Identifier: GPL-2.0-or-later
/* Tenants' rules: text, overlaps, how many there may be. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/tenant_rules.h"

static struct sl_tenant_rule rule(const char *text)
{
	struct sl_tenant_rule r = {.tenant = 1};
	char err[256] = "";

	cr_assert_eq(sl_tenant_rule_parse(text, &r, err, sizeof(err)), 0, "%s: %s", text, err);
	return r;
}

Test(tenant_rules, text_comes_back)
{
	static const char *const texts[] = {"all",
					    "10.0.0.0/8",
					    "vlan=7",
					    "vni=16777215",
					    "10.0.0.0/8,proto=udp,dport=4789,vlan=0,vni=5",
					    "vlan=4094,vni=0"};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct sl_tenant_rule r = rule(texts[i]);
		char text[128];

		sl_tenant_rule_format(&r, text, sizeof(text));
		cr_expect_str_eq(text, texts[i]);
	}
}

Test(tenant_rules, text_is_refused)
{
	static const struct {
		const char *text, *part;
	} bad[] = {{"vlan=4095", "vlan=0 to vlan=4094"},
		   {"vni=16777216", "vni=16777215"},
		   {"vlan=", "vlan=0 to"},
		   {"10.0.0.0/8,pass", "leave out `pass`"},
		   {"", "no prefix"},
		   {"vlan=1,10.0.0.1/8", "bits set"},
		   {"10.0.0.0/8 dport=80", "put commas"},
		   {"vlan=1 vlan=2", "vlan=0 to"},
		   {"vlan=1,vlan=2", "two rules"},
		   {"vni=1, vni=2", "two rules"},
		   {"vlan=1,port=80,port=443", "two rules"}};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sl_tenant_rule r = {0};
		char err[256] = "";

		cr_expect_eq(sl_tenant_rule_parse(bad[i].text, &r, err, sizeof(err)), -EINVAL);
		cr_expect(strstr(err, bad[i].part), "%s: %s", bad[i].text, err);
	}
}

Test(tenant_rules, overlap_is_at_the_same_end)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} pairs[] = {
		{"10.0.0.0/8", "10.1.0.0/16", true},
		{"10.1.0.0/16", "10.2.0.0/16", false}, /* what goes between them is the first's */
		{"src=10.1.0.0/16", "10.1.2.0/24", true},
		{"src=10.1.0.0/16", "dst=10.1.0.0/16", false},
		{"src=10.1.0.0/16,dst=10.9.0.0/16", "dst=10.9.1.0/24", true},
		{"src=10.1.0.0/16,dst=10.9.0.0/16", "src=10.2.0.0/16,dst=10.9.0.0/16", false},
		{"all", "10.0.0.0/8", true},
		{"vlan=7", "10.0.0.0/8", true},
		{"vlan=7,10.0.0.0/8", "vlan=8,10.0.0.0/8", false},
		{"vni=7", "vni=8", false},
		{"vni=7", "vlan=8", true},
		{"port=80", "port=443", false},
		{"port=80-90", "dport=85", true},
		{"sport=80", "dport=80", false},
		{"10.1.0.0/16,port=80", "10.1.0.0/16,port=81", false},
		{"10.0.0.0/8", "2001:db8::/32", false},
		{"proto=tcp", "proto=udp", false},
	};

	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct sl_tenant_rule a = rule(pairs[i].a), b = rule(pairs[i].b);

		cr_expect_eq(sl_tenant_rules_overlap(&a, &b), pairs[i].overlap, "%s | %s",
			     pairs[i].a, pairs[i].b);
		cr_expect_eq(sl_tenant_rules_overlap(&b, &a), pairs[i].overlap, "%s | %s",
			     pairs[i].b, pairs[i].a);
	}
}

Test(tenant_rules, too_many_rules_are_refused)
{
	struct sl_tenant_rule rules[40];
	struct sl_tenant_match *m = malloc(sizeof(*m));
	char err[256] = "";

	for (unsigned i = 0; i < 40; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%u.0.0/16", i); /* two rows each */
		rules[i] = rule(text);
	}
	cr_expect_eq(sl_tenant_compile(rules, 40, m, err, sizeof(err)), -E2BIG);
	cr_expect(strstr(err, "63"));
	cr_expect_eq(sl_tenant_compile(rules, 31, m, err, sizeof(err)), 0);
	free(m);
}
