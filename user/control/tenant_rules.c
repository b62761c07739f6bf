// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tenant_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <match.h> /* of bpf/: quotes would find the neighbour */

#define TEXT_MAX 512
#define VLAN_MAX 4094
#define VNI_MAX 0xffffff

/* "vlan=10": its number, -1 if the word is not of that name, -2 if the number is no good. */
static int number_of(const char *word, const char *name, unsigned long max)
{
	const size_t length = strlen(name);
	unsigned long n;
	char *end;

	if (strncmp(word, name, length) != 0)
		return -1;
	word += length;
	n = strtoul(word, &end, 10);
	return *word < '0' || *word > '9' || *end || n > max ? -2 : (int)n;
}

/* Take vlan= and vni= out of the text; what is left is a match rule. */
static int split(char *copy, struct sl_tenant_rule *r, char *rest, char *err, size_t err_size)
{
	char *word, *next = copy;

	*rest = 0;
	while ((word = sl_rule_word(&next))) {
		const int vlan = number_of(word, "vlan=", VLAN_MAX);
		const int vni = number_of(word, "vni=", VNI_MAX);

		if (vlan == -2 || vni == -2) {
			snprintf(err, err_size,
				 "rule: \"%s\": write vlan=0 to vlan=%d, or vni=0 to vni=%d", word,
				 VLAN_MAX, VNI_MAX);
			return -EINVAL;
		}
		if ((vlan >= 0 && r->vlan >= 0) || (vni >= 0 && r->vni >= 0)) {
			snprintf(err, err_size, "rule: \"%s\" is a second one: write two rules",
				 word);
			return -EINVAL;
		}
		if (vlan >= 0)
			r->vlan = vlan;
		else if (vni >= 0)
			r->vni = vni;
		else
			sprintf(rest + strlen(rest), "%s%s", *rest ? "," : "", word);
	}
	return 0;
}

int sl_tenant_rule_parse(const char *text, struct sl_tenant_rule *rule, char *err, size_t err_size)
{
	struct sl_tenant_rule r = {.vlan = SL_VLAN_ANY, .vni = SL_VNI_ANY, .tenant = rule->tenant};
	char copy[TEXT_MAX], rest[TEXT_MAX];
	int rc;

	if (strlen(text) >= sizeof(copy)) {
		snprintf(err, err_size, "rule: longer than %d characters: write several rules",
			 TEXT_MAX - 1);
		return -EINVAL;
	}
	strcpy(copy, text);
	rc = split(copy, &r, rest, err, err_size);
	if (!rc)
		rc = sl_rule_parse(*rest || (r.vlan < 0 && r.vni < 0) ? rest : "all", &r.rule, err,
				   err_size);
	if (!rc && r.rule.pass) {
		snprintf(err, err_size,
			 "rule: \"%s\": a tenant's rule takes: leave out `pass` (what no rule "
			 "takes is nobody's)",
			 text);
		rc = -EINVAL;
	}
	if (!rc)
		*rule = r;
	return rc;
}

int sl_tenant_rule_format(const struct sl_tenant_rule *rule, char *buf, size_t size)
{
	int n = rule->rule.all && (rule->vlan >= 0 || rule->vni >= 0)
			? 0
			: sl_rule_format(&rule->rule, buf, size);
	char more[48] = "";

	if (rule->vlan >= 0)
		sprintf(more, ",vlan=%d", rule->vlan);
	if (rule->vni >= 0)
		sprintf(more + strlen(more), ",vni=%d", rule->vni);
	return n + snprintf(buf + ((size_t)n < size ? n : 0), (size_t)n < size ? size - n : 0, "%s",
			    more + (!n && *more));
}

/* --- overlap */

static bool prefixes_meet(const struct sl_prefix *a, const struct sl_prefix *b)
{
	const unsigned bits = a->length < b->length ? a->length : b->length;

	if (a->family != b->family)
		return false;
	for (unsigned i = 0; i < bits; i++)
		if ((a->addr[i / 8] ^ b->addr[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

/*
 * An end as two rules see it: what each wants there (up to two prefixes, two ranges), and whether
 * both name it. False if nothing can be what both want.
 */
struct end {
	const struct sl_prefix *prefix[4];
	struct sl_port_range ports;
	bool named[2][2]; /* [addresses, ports][rule] */
};

static bool add_prefix(struct end *e, unsigned who, const struct sl_prefix *p)
{
	if (!p->family)
		return true;
	e->named[0][who] = true;
	for (unsigned i = 0; i < 4; i++) {
		if (!e->prefix[i]) {
			e->prefix[i] = p;
			return true;
		}
		if (!prefixes_meet(e->prefix[i], p))
			return false;
	}
	return true;
}

static bool add_ports(struct end *e, unsigned who, const struct sl_port_range *p)
{
	if (p->min == 0 && p->max == 65535)
		return true;
	e->named[1][who] = true;
	if (p->min > e->ports.min)
		e->ports.min = p->min;
	if (p->max < e->ports.max)
		e->ports.max = p->max;
	return e->ports.min <= e->ports.max;
}

/* A rule, with the end that its sideless prefix and port are taken for. */
static bool add_rule(struct end ends[2], unsigned who, const struct sl_rule *r, unsigned prefix_end,
		     unsigned port_end)
{
	return add_prefix(&ends[SL_SRC], who, &r->src) && add_prefix(&ends[SL_DST], who, &r->dst) &&
	       add_prefix(&ends[prefix_end], who, &r->prefix) &&
	       add_ports(&ends[SL_SRC], who, &r->sport) &&
	       add_ports(&ends[SL_DST], who, &r->dport) &&
	       add_ports(&ends[port_end], who, &r->port);
}

/* Both name what: at the same end somewhere, or only one names it at all. */
static bool same_end(const struct end ends[2], unsigned what)
{
	const bool(*s)[2] = ends[SL_SRC].named, (*d)[2] = ends[SL_DST].named;

	if ((s[what][0] && s[what][1]) || (d[what][0] && d[what][1]))
		return true;
	return !(s[what][0] || d[what][0]) || !(s[what][1] || d[what][1]);
}

/* `ways`: for both rules, which end the sideless prefix and the sideless port stand for. */
static bool meet(const struct sl_rule *a, const struct sl_rule *b, unsigned ways)
{
	struct end ends[2] = {{.ports = {0, 65535}}, {.ports = {0, 65535}}};

	return add_rule(ends, 0, a, ways & 1, ways >> 1 & 1) &&
	       add_rule(ends, 1, b, ways >> 2 & 1, ways >> 3 & 1) && same_end(ends, 0) &&
	       same_end(ends, 1);
}

static bool differ(int a, int b)
{
	return a >= 0 && b >= 0 && a != b;
}

bool sl_tenant_rules_overlap(const struct sl_tenant_rule *a, const struct sl_tenant_rule *b)
{
	if (differ(a->vlan, b->vlan) || differ(a->vni, b->vni) ||
	    differ(a->rule.proto, b->rule.proto))
		return false;
	for (unsigned ways = 0; ways < 16; ways++)
		if (meet(&a->rule, &b->rule, ways))
			return true;
	return false;
}

/* --- the table */

static void put_vlan(struct sl_tenant_match *m, uint64_t bits, int vlan)
{
	for (int i = 0; i < 64; i++) {
		if (vlan < 0 || (vlan & 63) == i)
			m->vlan[0][i] |= bits;
		if (vlan < 0 || vlan >> 6 == i)
			m->vlan[1][i] |= bits;
	}
}

static void put_vni(struct sl_tenant_match *m, uint64_t bits, int vni)
{
	if (vni >= 0)
		m->vnis |= bits;
	for (int byte = 0; byte < 3; byte++)
		for (int i = 0; i < 256; i++)
			if (vni < 0 || (vni >> (16 - 8 * byte) & 255) == i)
				m->vni[byte][i] |= bits;
}

int sl_tenant_compile(const struct sl_tenant_rule *rules, unsigned n, struct sl_tenant_match *out,
		      char *err, size_t err_size)
{
	struct sl_rule plain[SL_MAX_RULES] = {0};
	unsigned bit = 0;
	int rc;

	if (n > SL_MAX_RULES) {
		snprintf(err, err_size, "tenants: %u rules, %d at most: merge prefixes", n,
			 SL_MAX_RULES);
		return -E2BIG;
	}
	memset(out, 0, offsetof(struct sl_tenant_match, name));
	for (unsigned i = 0; i < n; i++)
		plain[i] = rules[i].rule;
	rc = sl_match_compile(plain, n, NULL, 0, &out->match, err, err_size);
	for (unsigned i = 0; i < n && !rc; i++)
		for (unsigned rows = sl_match_rows(&plain[i]); rows; rows--, bit++) {
			put_vlan(out, 1ull << bit, rules[i].vlan);
			put_vni(out, 1ull << bit, rules[i].vni);
			out->tenant[sl_match_slot(1ull << bit)] = (uint8_t)rules[i].tenant;
		}
	return rc;
}
