// SPDX-License-Identifier: GPL-2.0-or-later
/* Match rules as text. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/match.h"

#define RULE_TEXT_MAX 512

static const struct {
	const char *name;
	int number;
} protos[] = {
	{"tcp", 6}, {"udp", 17}, {"sctp", 132}, {"icmp", 1}, {"icmp6", 58}, {"esp", 50},
};
#define PROTOS (sizeof(protos) / sizeof(protos[0]))

static __attribute__((format(printf, 3, 4))) int refuse(char *err, size_t size, const char *fmt,
							...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int parse_number(const char *text, unsigned max, unsigned *out)
{
	unsigned long n;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (*end || errno || n > max)
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

static bool has_host_bits(const struct sl_prefix *p, unsigned bits)
{
	for (unsigned i = p->length; i < bits; i++)
		if (p->addr[i / 8] & 0x80 >> i % 8)
			return true;
	return false;
}

static int parse_prefix(const char *word, const char *text, struct sl_prefix *p, char *err,
			size_t size)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned bits, length;

	if (p->family)
		return refuse(err, size,
			      "rule: \"%s\" is a second prefix of that side: write two rules",
			      word);
	if (n >= sizeof(addr))
		goto no_prefix;
	memcpy(addr, text, n);
	addr[n] = 0;
	memset(p, 0, sizeof(*p));
	if (inet_pton(AF_INET, addr, p->addr) == 1)
		p->family = 4;
	else if (inet_pton(AF_INET6, addr, p->addr) == 1)
		p->family = 6;
	else
		goto no_prefix;

	bits = length = p->family == 4 ? 32 : 128;
	if (slash && parse_number(slash + 1, bits, &length))
		return refuse(err, size, "rule: \"%s\": the length of an IPv%u prefix is 0 to %u",
			      word, p->family, bits);
	p->length = (uint8_t)length;
	if (has_host_bits(p, bits))
		return refuse(err, size,
			      "rule: \"%s\" has bits set behind its %u: clear them, or write /%u",
			      word, length, bits);
	return 0;

no_prefix:
	return refuse(err, size,
		      "rule: \"%s\" is no prefix: write 10.0.0.0/8, 2001:db8::/32 or an address",
		      word);
}

static bool any_port(const struct sl_port_range *p)
{
	return p->min == 0 && p->max == 65535;
}

static int parse_ports(const char *word, const char *text, struct sl_port_range *range, char *err,
		       size_t size)
{
	char low[8];
	const char *dash = strchr(text, '-');
	size_t n = dash ? (size_t)(dash - text) : strlen(text);
	unsigned min, max;

	if (!any_port(range))
		return refuse(err, size, "rule: \"%s\" is a second range: write two rules", word);
	if (n >= sizeof(low))
		goto no_range;
	memcpy(low, text, n);
	low[n] = 0;
	if (parse_number(low, 65535, &min) || parse_number(dash ? dash + 1 : low, 65535, &max) ||
	    min > max)
		goto no_range;
	range->min = (uint16_t)min;
	range->max = (uint16_t)max;
	return 0;

no_range:
	return refuse(err, size, "rule: \"%s\": write a port from 0 to 65535, or a range as 80-90",
		      word);
}

static int parse_proto(const char *word, const char *text, int *proto, char *err, size_t size)
{
	unsigned n;

	if (*proto >= 0)
		return refuse(err, size, "rule: \"%s\" is a second protocol: write two rules",
			      word);
	for (unsigned i = 0; i < PROTOS; i++)
		if (!strcmp(text, protos[i].name)) {
			*proto = protos[i].number;
			return 0;
		}
	if (parse_number(text, 255, &n))
		return refuse(err, size,
			      "rule: \"%s\": write tcp, udp, sctp, icmp, icmp6, esp or 0 to 255",
			      word);
	*proto = (int)n;
	return 0;
}

static int parse_word(const char *word, struct sl_rule *r, char *err, size_t size)
{
	if (word[strcspn(word, " \t")])
		return refuse(err, size, "rule: \"%s\": put commas between its parts", word);
	if (!strcmp(word, "all"))
		r->all = true;
	else if (!strcmp(word, "pass"))
		r->pass = true;
	else if (!strncmp(word, "src=", 4))
		return parse_prefix(word, word + 4, &r->src, err, size);
	else if (!strncmp(word, "dst=", 4))
		return parse_prefix(word, word + 4, &r->dst, err, size);
	else if (!strncmp(word, "proto=", 6))
		return parse_proto(word, word + 6, &r->proto, err, size);
	else if (!strncmp(word, "port=", 5))
		return parse_ports(word, word + 5, &r->port, err, size);
	else if (!strncmp(word, "sport=", 6))
		return parse_ports(word, word + 6, &r->sport, err, size);
	else if (!strncmp(word, "dport=", 6))
		return parse_ports(word, word + 6, &r->dport, err, size);
	else if (strchr(word, '='))
		return refuse(
			err, size,
			"rule: \"%s\" is no setting: write src=, dst=, proto=, port=, sport= or "
			"dport=",
			word);
	else
		return parse_prefix(word, word, &r->prefix, err, size);
	return 0;
}

/* What single words cannot tell: that they contradict each other. */
static int check_rule(const char *text, const struct sl_rule *r, char *err, size_t size)
{
	const struct sl_prefix *p[] = {&r->prefix, &r->src, &r->dst};
	bool ports = !any_port(&r->port) || !any_port(&r->sport) || !any_port(&r->dport);
	bool named = r->prefix.family || r->src.family || r->dst.family || r->proto >= 0 || ports;
	unsigned family = 0;

	if (r->all == named)
		return refuse(
			err, size,
			r->all ? "rule: \"%s\": `all` stands alone: leave out `all` or the rest"
			       : "rule: \"%s\" names nothing: write `all` to mean every packet",
			text);
	if (ports && r->proto >= 0 && r->proto != 6 && r->proto != 17 && r->proto != 132)
		return refuse(err, size,
			      "rule: \"%s\": only tcp, udp and sctp have ports: leave one out",
			      text);
	for (unsigned i = 0; i < 3; i++) {
		if (family && p[i]->family && p[i]->family != family)
			return refuse(err, size,
				      "rule: \"%s\" mixes IPv4 and IPv6: write a rule for each",
				      text);
		family |= p[i]->family;
	}
	return 0;
}

char *sl_rule_word(char **rest)
{
	char *word = strsep(rest, ",");
	size_t n;

	if (!word)
		return NULL;
	word += strspn(word, " \t");
	for (n = strlen(word); n && (word[n - 1] == ' ' || word[n - 1] == '\t'); n--)
		word[n - 1] = 0;
	return word;
}

int sl_rule_parse(const char *text, struct sl_rule *rule, char *err, size_t err_size)
{
	const struct sl_port_range any = {0, 65535};
	struct sl_rule r = {.port = any, .sport = any, .dport = any, .proto = -1};
	char copy[RULE_TEXT_MAX], *word, *rest = copy;
	int rc;

	if (strlen(text) >= sizeof(copy))
		return refuse(err, err_size, "rule: longer than %d characters: write several rules",
			      RULE_TEXT_MAX - 1);
	strcpy(copy, text);
	while ((word = sl_rule_word(&rest))) {
		rc = parse_word(word, &r, err, err_size);
		if (rc)
			return rc;
	}
	rc = check_rule(text, &r, err, err_size);
	if (!rc)
		*rule = r;
	return rc;
}

/* A text that grows in a buffer as snprintf would: `length` counts what did not fit too. */
struct text {
	char *buf;
	size_t size, length;
};

static __attribute__((format(printf, 2, 3))) void add(struct text *t, const char *fmt, ...)
{
	bool room = t->length < t->size;
	va_list ap;

	va_start(ap, fmt);
	t->length += (size_t)vsnprintf(room ? t->buf + t->length : NULL,
				       room ? t->size - t->length : 0, fmt, ap);
	va_end(ap);
}

static void add_prefix(struct text *t, const char *name, const struct sl_prefix *p)
{
	char addr[INET6_ADDRSTRLEN];

	if (!p->family)
		return;
	inet_ntop(p->family == 4 ? AF_INET : AF_INET6, p->addr, addr, sizeof(addr));
	add(t, "%s%s%s/%u", t->length ? "," : "", name, addr, p->length);
}

static void add_ports(struct text *t, const char *name, const struct sl_port_range *p)
{
	if (any_port(p))
		return;
	add(t, "%s%s%u", t->length ? "," : "", name, p->min);
	if (p->max != p->min)
		add(t, "-%u", p->max);
}

static void add_proto(struct text *t, int proto)
{
	if (proto < 0)
		return;
	add(t, "%sproto=", t->length ? "," : "");
	for (unsigned i = 0; i < PROTOS; i++)
		if (protos[i].number == proto) {
			add(t, "%s", protos[i].name);
			return;
		}
	add(t, "%d", proto);
}

int sl_rule_format(const struct sl_rule *rule, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	if (size)
		*buf = 0;
	if (rule->all)
		add(&t, "all");
	add_prefix(&t, "", &rule->prefix);
	add_prefix(&t, "src=", &rule->src);
	add_prefix(&t, "dst=", &rule->dst);
	add_proto(&t, rule->proto);
	add_ports(&t, "port=", &rule->port);
	add_ports(&t, "sport=", &rule->sport);
	add_ports(&t, "dport=", &rule->dport);
	if (rule->pass)
		add(&t, "%spass", t.length ? "," : "");
	return (int)t.length;
}
