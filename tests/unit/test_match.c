// SPDX-License-Identifier: GPL-2.0-or-later
/* Match rules: text, its errors, and the compiled table against a plain reading of the rules. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/match.h"
#include <match.h> /* of bpf/ */

static void parse(const char *text, struct sl_rule *rule)
{
	char err[256] = "";

	cr_assert_eq(sl_rule_parse(text, rule, err, sizeof(err)), 0, "%s: %s", text, err);
}

Test(match, text_comes_back)
{
	static const char *const texts[] = {
		"all",
		"all,pass",
		"10.0.0.0/8",
		"2001:db8::/32,pass",
		"src=10.1.0.0/16,dst=192.168.0.0/24",
		"10.0.0.0/8,proto=tcp,port=80",
		"proto=udp,sport=53,dport=1024-65535",
		"proto=47",
		"dst=::/0,proto=icmp6",
	};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sl_rule rule, again;
		char text[128], small[5];

		parse(texts[i], &rule);
		cr_expect_eq(sl_rule_format(&rule, text, sizeof(text)), (int)strlen(texts[i]));
		cr_expect_str_eq(text, texts[i]);
		parse(text, &again);
		cr_expect_eq(sl_rule_format(&rule, small, sizeof(small)), (int)strlen(texts[i]),
			     "as snprintf");
		cr_expect_eq(strlen(small), strlen(texts[i]) < 4 ? strlen(texts[i]) : 4);
	}
}

Test(match, an_address_alone_is_a_host)
{
	struct sl_rule rule;

	parse(" 10.1.2.3\t , proto=tcp ", &rule);
	cr_expect_eq(rule.prefix.family, 4);
	cr_expect_eq(rule.prefix.length, 32);
	parse("dst=2001:db8::1", &rule);
	cr_expect_eq(rule.dst.length, 128);
}

Test(match, errors_name_the_word)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{"", "\"\""},
		{"10.0.0.0/33", "10.0.0.0/33"},
		{"10.0.0.1/8", "10.0.0.1/8"},
		{"10.0.0/8", "10.0.0/8"},
		{"eth0", "eth0"},
		{"src=10.0.0.0/8,src=11.0.0.0/8", "src=11.0.0.0/8"},
		{"proto=tpc", "proto=tpc"},
		{"proto=256", "proto=256"},
		{"port=0-70000", "port=0-70000"},
		{"port=90-80", "port=90-80"},
		{"port=", "port="},
		{"port=-1", "port=-1"},
		{"vlan=7", "vlan=7"},
		{"all,10.0.0.0/8", "all"},
		{"pass", "pass"},
		{"proto=icmp,port=80", "ports"},
		{"src=10.0.0.0/8,dst=2001:db8::/32", "IPv4 and IPv6"},
		{"10.0.0.0/8,", "\"\""},
		{"10.0.0.0/8 proto=tcp", "commas"},
		{"proto=tcp\tport=80", "commas"},
		{"port=80,port=443", "port=443\" is a second"},
		{"proto=tcp,proto=udp", "proto=udp\" is a second"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sl_rule rule = {.proto = 99};
		char err[256] = "";

		cr_expect_eq(sl_rule_parse(cases[i].text, &rule, err, sizeof(err)), -EINVAL, "%s",
			     cases[i].text);
		cr_expect(strstr(err, cases[i].word), "%s: %s", cases[i].text, err);
		cr_expect_null(strchr(err, '\n'));
		cr_expect_eq(rule.proto, 99, "a rule that is refused is not touched");
	}
}

Test(match, too_many_rules_are_refused)
{
	struct sl_rule rules[SL_MAX_RULES + 1];
	static struct sl_match m;
	char err[256] = "";

	for (unsigned i = 0; i <= SL_MAX_RULES; i++)
		parse("src=10.0.0.0/8", &rules[i]);
	cr_expect_eq(sl_match_compile(rules, SL_MAX_RULES, NULL, 0, &m, err, sizeof(err)), 0);
	cr_expect_eq(sl_match_compile(rules, SL_MAX_RULES + 1, NULL, 0, &m, err, sizeof(err)),
		     -E2BIG);
	cr_expect(strstr(err, "rule 64 of 64"), "%s", err);
	for (unsigned i = 0; i < 32; i++) /* two rows each */
		parse("10.0.0.0/8", &rules[i]);
	cr_expect_eq(sl_match_compile(rules, 32, NULL, 0, &m, err, sizeof(err)), -E2BIG);
}

/* --- the table against the rules read one by one */

static bool prefix_has(const struct sl_prefix *p, const uint8_t *addr, unsigned family)
{
	if (!p->family)
		return true;
	if (p->family != family)
		return false;
	for (unsigned i = 0; i < p->length; i++)
		if ((p->addr[i / 8] ^ addr[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static bool ports_have(const struct sl_port_range *r, uint16_t port, bool ports)
{
	if (r->min == 0 && r->max == 65535)
		return true;
	return ports && port >= r->min && port <= r->max;
}

static bool rule_accepts(const struct sl_rule *r, const struct sl_tuple *t, unsigned family)
{
	const uint8_t *src = (const uint8_t *)&t->src[family == 4 ? 3 : 0];
	const uint8_t *dst = (const uint8_t *)&t->dst[family == 4 ? 3 : 0];

	return (r->proto < 0 || r->proto == t->proto) && prefix_has(&r->src, src, family) &&
	       prefix_has(&r->dst, dst, family) &&
	       (prefix_has(&r->prefix, src, family) || prefix_has(&r->prefix, dst, family)) &&
	       ports_have(&r->sport, t->sport, t->ports) &&
	       ports_have(&r->dport, t->dport, t->ports) &&
	       (ports_have(&r->port, t->sport, t->ports) ||
		ports_have(&r->port, t->dport, t->ports));
}

/* Few values, so that rules and packets meet. */
static void random_rule(struct sl_rule *rule)
{
	char text[256];
	unsigned n = 0, kind = rand() % 6;

	if (kind == 0)
		n += sprintf(text + n, "proto=%s,", rand() % 2 ? "tcp" : "17");
	if (kind == 1)
		n += sprintf(text + n, "port=%d,", rand() % 3);
	if (kind == 2)
		n += sprintf(text + n, "sport=1-%d,dport=2,", 1 + rand() % 3);
	if (kind == 3)
		n += sprintf(text + n, "2001:db8:%d::/%d,", rand() % 2, 48 + rand() % 3 * 8);
	if (kind == 4)
		n += sprintf(text + n, "src=2001:db8::%d:%d,", rand() % 2, rand() % 2);
	if (kind != 3 && kind != 4 && rand() % 2)
		n += sprintf(text + n, "10.%d.0.0/%d,", rand() % 2, 16 + rand() % 9);
	if (kind != 3 && kind != 4)
		n += sprintf(text + n, "dst=10.%d.%d.0/24,", rand() % 2, rand() % 2);
	if (rand() % 3 == 0)
		n += sprintf(text + n, "pass,");
	text[n - 1] = 0;
	parse(text, rule);
}

static void random_tuple(struct sl_tuple *t, unsigned family)
{
	memset(t, 0, sizeof(*t));
	t->proto = rand() % 3 ? rand() % 2 ? 6 : 17 : 1;
	t->ports = t->proto != 1;
	t->sport = rand() % 4;
	t->dport = rand() % 4;
	if (family == 4) {
		t->src[3] = htonl(0x0a000000 + (rand() % 2 << 16) + (rand() % 2 << 8) + rand() % 2);
		t->dst[3] = htonl(0x0a000000 + (rand() % 2 << 16) + (rand() % 2 << 8) + rand() % 2);
		return;
	}
	t->src[0] = t->dst[0] = htonl(0x20010db8);
	t->src[1] = htonl(rand() % 2 << 16);
	t->dst[1] = htonl(rand() % 2 << 16);
	t->src[3] = htonl((rand() % 2 << 16) + rand() % 2);
	t->dst[3] = htonl((rand() % 2 << 16) + rand() % 2);
}

Test(match, agrees_with_a_plain_reading, .timeout = 60)
{
	unsigned taken = 0, passed = 0;

	srand(7);
	for (unsigned round = 0; round < 300; round++) {
		struct sl_rule rules[15];
		static struct sl_match m;
		unsigned n = 1 + rand() % 15;
		char err[256] = "";

		for (unsigned i = 0; i < n; i++)
			random_rule(&rules[i]);
		cr_assert_eq(sl_match_compile(rules, n, NULL, 0, &m, err, sizeof(err)), 0, "%s",
			     err);
		for (unsigned i = 0; i < 200; i++) {
			unsigned family = i & 1 ? 4 : 6;
			struct sl_tuple t;
			bool take = false;

			random_tuple(&t, family);
			for (unsigned r = 0; r < n; r++)
				if (rule_accepts(&rules[r], &t, family)) {
					take = !rules[r].pass;
					break;
				}
			cr_assert_eq(sl_match(&m, &t, family == 4 ? SL_META_V4 : SL_META_V6, 0),
				     take ? SL_MATCH_TAKE : SL_MATCH_PASS);
			taken += take;
			passed += !take;
		}
	}
	cr_expect_gt(taken, 10000, "%u", taken);
	cr_expect_gt(passed, 10000, "%u", passed);
}

Test(match, the_filter_accepts_every_local_address)
{
	struct sl_addr local[3] = {{{[10] = 0xff, [11] = 0xff, 10, 1, 2, 3}},
				   {{[10] = 0xff, [11] = 0xff, 255, 255, 255, 255}},
				   {{0xfe, 0x80, [15] = 1}}};
	static struct sl_match m;
	struct sl_tuple t = {.proto = 6, .ports = 1};
	struct sl_rule all;
	char err[64];

	parse("all", &all);
	cr_assert_eq(sl_match_compile(&all, 1, local, 3, &m, err, sizeof(err)), 0);
	t.dst[3] = inet_addr("10.1.2.3");
	cr_expect_eq(sl_match(&m, &t, SL_META_V4, 0), SL_MATCH_ASK_LOCAL);
	cr_expect_eq(sl_match(&m, &t, SL_META_V4, 1), SL_MATCH_TAKE, "SL_CTL_LOCAL");
	t.dst[3] = inet_addr("255.255.255.255");
	cr_expect_eq(sl_match(&m, &t, SL_META_V4, 0), SL_MATCH_ASK_LOCAL);
	t.dst[3] = inet_addr("10.1.2.4");
	cr_expect_eq(sl_match(&m, &t, SL_META_V4, 0), SL_MATCH_TAKE);
	memcpy(t.dst, local[2].b, 16);
	cr_expect_eq(sl_match(&m, &t, SL_META_V6, 0), SL_MATCH_ASK_LOCAL);
	/* an error is local by its own destination, which only the map can tell */
	t.dst[3] = inet_addr("10.1.2.4");
	cr_expect_eq(sl_match(&m, &t, SL_META_V4 | SL_META_ICMP_ERROR, 0), SL_MATCH_ASK_LOCAL);
}

Test(match, every_bit_has_a_slot_of_its_own)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < 64; i++)
		seen |= 1ULL << sl_match_slot(1ULL << i);
	cr_expect_eq(seen, UINT64_MAX);
}
