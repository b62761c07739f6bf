// SPDX-License-Identifier: GPL-2.0-or-later
/* VIPs and their servers: settings, words, and what goes with what. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "control/lb_select.h"
#include "lb/config_check.h"
#include "lb/config_direct.h"
#include "lb/config_idle.h"
#include "lb/config_quic.h"
#include "lb/config_vip.h"

const char *const sl_lb_state_words[] = {"absent", "up", "drain", "down", NULL};
const char *const sl_lb_forward_words[] = {"nat", "l2", "ipip", "gue", NULL};
/* By enum sl_lb_select; an empty one is nobody's. */
const char *const sl_lb_select_words[] = {"hash", "turn", "core", "",	   "",	   "",
					  "",	  "",	  "awrr", "least", "pow2", NULL};
const char *const sl_lb_metric_words[] = {"connections", "packets", "bytes", "cpu", NULL};

static int set_word(struct sl_yaml *y, const yaml_node_t *node, void *base,
		    const struct sl_yaml_field *f, const char *const *words)
{
	int w = sl_yaml_word(node, words, UINT_MAX);

	if (w < (int)f->min)
		return sl_yaml_bad_value(y, node, f);
	*(unsigned *)((char *)base + f->offset) = (unsigned)w;
	return 0;
}

static SL_YAML_SETTER(set_state)
{
	return set_word(y, node, base, f, sl_lb_state_words);
}

static SL_YAML_SETTER(set_forward)
{
	return set_word(y, node, base, f, sl_lb_forward_words);
}

static SL_YAML_SETTER(set_select)
{
	return set_word(y, node, base, f, sl_lb_select_words);
}

/* Numbers are the ABI's, and not all of them have a word. */
static const char *const keep_words[] = {
	[SL_LB_KEEP_COOKIE] = "cookie", [SL_LB_KEEP_TABLE] = "table", [SL_LB_KEEP_NONE] = "none",
	[SL_LB_KEEP_SLOT] = "slot",	[SL_LB_KEEP_AGENT] = "agent", [SL_LB_KEEP_QUIC] = "quic",
};
#define KEEP_WORDS (sizeof(keep_words) / sizeof(keep_words[0]))

const char *sl_lb_keep_word(unsigned keep)
{
	return keep < KEEP_WORDS && keep_words[keep] ? keep_words[keep] : "?";
}

static SL_YAML_SETTER(set_keep)
{
	const char *text = sl_yaml_text(node);

	for (unsigned i = 0; text && i < KEEP_WORDS; i++)
		if (keep_words[i] && !strcmp(text, keep_words[i])) {
			((struct sl_lb_vip_config *)base)->keep = i;
			return 0;
		}
	return sl_yaml_bad_value(y, node, f);
}

static SL_YAML_SETTER(set_metric)
{
	return set_word(y, node, base, f, sl_lb_metric_words);
}

/* Of a host that packets can be sent to: not loopback, multicast, link-local, IPv4 in IPv6. */
static bool is_host(const __be32 addr[4], bool v6)
{
	const uint32_t high = ntohl(addr[v6 ? 0 : 3]), top = high >> 24;

	if (!v6)
		return top && top != 127 && top >> 4 != 0xe && high != 0xffffffff;
	return top != 0xff && high >> 22 != 0xfe80 >> 6 &&
	       (addr[0] || addr[1] || (addr[2] && addr[2] != htonl(0xffff)));
}

static int no_host(struct sl_yaml *y, const yaml_node_t *node)
{
	return sl_yaml_error(y, node,
			     "\"%s\" is no host's that packets can be sent to (loopback, "
			     "multicast, link-local, ...): write another address",
			     sl_yaml_text(node));
}

/* --- servers */

static SL_YAML_SETTER(set_server_address)
{
	struct sl_lb_server_config *s = base;
	const char *text = sl_yaml_text(node);

	if (!text || sl_lb_end_parse(text, s->addr, &s->v6, &s->port))
		return sl_yaml_bad_value(y, node, f);
	return is_host(s->addr, s->v6) ? 0 : no_host(y, node);
}

static SL_YAML_SETTER(set_id)
{
	unsigned id;
	struct sl_yaml_field whole = *f;
	int rc;

	whole.offset = 0;
	rc = sl_yaml_set_unsigned(y, node, &id, &whole);
	if (!rc)
		((struct sl_lb_server_config *)base)->id = (int)id;
	return rc;
}

static const struct sl_yaml_field server_fields[] = {
	{"address", set_server_address, 0,
	 .mend = "write an address, and a port if it is another than the VIP's: 10.0.0.1:8080, "
		 "[fd00::1]:8080"},
	{"id", set_id, 0, .max = SL_LB_MAX_SERVERS - 1,
	 .mend = "write a number that no other server has"},
	{"quic_id", sl_lb_set_quic_id, 0,
	 .mend = "write a whole number, or one of up to 30 hexadecimal digits: 0x1f"},
	{"weight", sl_yaml_set_unsigned, offsetof(struct sl_lb_server_config, weight), .min = 1,
	 .max = SL_LB_WEIGHT_MAX,
	 .mend = "write a whole number, 1 to 1000; to send it nothing new, state: drain"},
	{"state", set_state, offsetof(struct sl_lb_server_config, state), .min = SL_LB_UP,
	 .mend = "write up, drain or down"},
	{NULL},
};

static int add_server(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct sl_lb_vip_config *v = ctx;
	struct sl_lb_server_config *s;
	void *grown = reallocarray(v->servers, i + 1, sizeof(*v->servers));
	int rc;

	if (!grown)
		return sl_yaml_error(y, item, "no memory");
	v->servers = grown;
	v->servers_n = i + 1;
	s = &v->servers[i];
	*s = (struct sl_lb_server_config){.id = -1, .weight = 1, .state = SL_LB_UP};
	rc = sl_yaml_mapping(y, item, server_fields, s);
	if (rc)
		return rc;
	if (!s->addr[0] && !s->addr[1] && !s->addr[2] && !s->addr[3])
		return sl_yaml_error(y, item,
				     "address is missing: write one such as 10.0.0.1:8080");
	return 0;
}

/* --- VIPs */

static SL_YAML_SETTER(set_vip_address)
{
	struct sl_lb_vip_config *v = base;
	const char *text = sl_yaml_text(node);

	if (!text || sl_lb_prefix_parse(text, v->key.addr, &v->v6, &v->prefix) || !v->prefix ||
	    sl_lb_prefix_cut(v->key.addr, sl_lb_prefix_bits(v->prefix, v->v6)))
		return sl_yaml_bad_value(y, node, f);
	return is_host(v->key.addr, v->v6) ? 0 : no_host(y, node);
}

static SL_YAML_SETTER(set_protocol)
{
	static const char *const words[] = {"tcp", "udp", NULL};
	int w = sl_yaml_word(node, words, UINT_MAX);

	if (w < 0)
		return sl_yaml_bad_value(y, node, f);
	((struct sl_lb_vip_config *)base)->key.proto = w ? IPPROTO_UDP : IPPROTO_TCP;
	return 0;
}

static SL_YAML_SETTER(set_port)
{
	const char *text = sl_yaml_text(node);
	__be16 *port = &((struct sl_lb_vip_config *)base)->key.port;

	if (text && !strcmp(text, "any")) {
		*port = 0;
		return 0;
	}
	return !text || sl_lb_port_parse(text, port) ? sl_yaml_bad_value(y, node, f) : 0;
}

static SL_YAML_SETTER(set_servers)
{
	(void)f;
	return sl_yaml_sequence(y, node, add_server, base);
}

static const struct sl_yaml_field vip_fields[] = {
	{"address", set_vip_address, 0,
	 .mend = "write one address, such as 192.0.2.1 or 2001:db8::1"},
	{"protocol", set_protocol, 0, .mend = "write tcp or udp"},
	{"port", set_port, 0, .mend = "write 1 to 65535, or any"},
	{"forward", set_forward, offsetof(struct sl_lb_vip_config, forward),
	 .mend = "write nat, l2, ipip or gue"},
	{"source", sl_lb_set_source, 0,
	 .mend = "write an address of outer headers, 10.0.0.1, or a network of 16 bits or less for "
		 "them, 10.1.0.0/16"},
	{"gue_port", sl_yaml_set_unsigned, offsetof(struct sl_lb_vip_config, gue_port), .min = 1,
	 .max = 65535, .mend = "write the UDP port of the servers' GUE, 1 to 65535"},
	{"select", set_select, offsetof(struct sl_lb_vip_config, select),
	 .mend = "write hash, turn, core, awrr, least or pow2"},
	{"metric", set_metric, offsetof(struct sl_lb_vip_config, metric),
	 .mend = "write connections, packets, bytes or cpu"},
	{"check", sl_lb_set_check, offsetof(struct sl_lb_vip_config, check), .mend = ""},
	{"candidates", sl_yaml_set_unsigned, offsetof(struct sl_lb_vip_config, candidates),
	 .min = 1, .max = SL_LB_CANDIDATES,
	 .mend = "write 1 to 8: servers that are compared for a connection"},
	{"keep", set_keep, offsetof(struct sl_lb_vip_config, keep),
	 .mend = "write cookie, table, slot, agent, quic or none"},
	{"cookie_bits", sl_yaml_set_unsigned, offsetof(struct sl_lb_vip_config, bits),
	 .min = SL_LB_COOKIE_MIN, .max = SL_LB_COOKIE_MAX,
	 .mend = "write a whole number, 8 to 16; 9 is safe for idle connections"},
	{"quic", sl_lb_set_quic, 0, .mend = ""},
	{"tier", sl_yaml_set_unsigned, offsetof(struct sl_lb_vip_config, tier), .min = 1,
	 .max = SL_LB_COOKIE_MAX - 2,
	 .mend = "write how many upper bits of an id name the next balancer: 1 to cookie_bits - 2"},
	{"servers", set_servers, 0, .mend = ""},
	{NULL},
};

static int check_servers(struct sl_yaml *y, const yaml_node_t *item,
			 const struct sl_lb_vip_config *v)
{
	for (unsigned i = 0; i < v->servers_n; i++) {
		if (!memcmp(v->servers[i].addr, v->key.addr, sizeof(v->key.addr)))
			return sl_yaml_error(y, item,
					     "servers[%u]: address: it is the VIP's: write the "
					     "server's own",
					     i);
		if (v->servers[i].id >= (int)sl_lb_id_limit(v))
			return sl_yaml_error(
				y, item,
				"servers[%u]: id: %s: %u ends at %u: write less, or raise %s", i,
				v->tier ? "tier" : "cookie_bits", v->tier ? v->tier : v->bits,
				sl_lb_id_limit(v) - 1, v->tier ? "tier" : "cookie_bits");
	}
	return 0;
}

static int check_vip(struct sl_yaml *y, const yaml_node_t *item, struct sl_lb_vip_config *v)
{
	int rc = sl_lb_check_forward(y, item, v);

	if (!rc)
		rc = check_servers(y, item, v);
	if (rc)
		return rc;
	if (v->key.proto == IPPROTO_TCP && v->keep == SL_LB_KEEP_NONE && v->select != SL_LB_BY_HASH)
		return sl_yaml_error(y, item,
				     "keep: none, select: %s: a connection's second packet goes "
				     "by the hash: write select: hash or keep: table",
				     sl_lb_select_words[v->select]);
	if (v->keep == SL_LB_KEEP_SLOT && v->bits != SL_LB_SLOT_BITS)
		return sl_yaml_error(y, item,
				     "cookie_bits: with keep: slot it is %d: write that, or leave "
				     "it out",
				     SL_LB_SLOT_BITS);
	for (unsigned i = 0; !v->key.port && i < v->servers_n; i++)
		if (v->servers[i].port)
			return sl_yaml_error(
				y, item,
				"port: any: an answer from a server's port %u could be "
				"of all of the VIP's: leave the servers' ports out, or "
				"write the VIP's",
				ntohs(v->servers[i].port));
	if (sl_lb_check_quic(y, item, v))
		return -EINVAL;
	return sl_lb_check_check(y, item, &v->check, v->key.proto == IPPROTO_UDP, !v->key.port);
}

static int add_vip(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct sl_lb_config *c = ctx;
	void *grown = reallocarray(c->vips, i + 1, sizeof(*c->vips));
	struct sl_lb_vip_config *v;
	int rc;

	if (!grown || i >= SL_LB_MAX_VIPS)
		return sl_yaml_error(y, item, "more than %d VIPs: leave some out", SL_LB_MAX_VIPS);
	c->vips = grown;
	c->vips_n = i + 1;
	v = &c->vips[i];
	*v = (struct sl_lb_vip_config){
		.key.proto = IPPROTO_TCP, .keep = SL_LB_UNSAID, .metric = SL_LB_UNSAID};
	sl_lb_check_default(&v->check);
	rc = sl_yaml_mapping(y, item, vip_fields, v);
	if (rc)
		return rc;
	if (!v->key.addr[0] && !v->key.addr[1] && !v->key.addr[2] && !v->key.addr[3])
		return sl_yaml_error(y, item, "address is missing: write one such as 192.0.2.1");
	if (v->keep == SL_LB_UNSAID)
		v->keep = v->forward == SL_LB_NAT ? SL_LB_KEEP_COOKIE : SL_LB_KEEP_TABLE;
	rc = sl_lb_check_idle(y, item, v);
	sl_lb_fill_in(v);
	if (!rc)
		rc = check_vip(y, item, v);
	if (rc)
		return rc;
	for (unsigned k = 0; k < i; k++)
		if (!memcmp(&c->vips[k].key, &v->key, sizeof(v->key)))
			return sl_yaml_error(y, item, "the same VIP twice: remove one");
	return 0;
}

SL_YAML_SETTER(sl_lb_set_vips)
{
	(void)f;
	return sl_yaml_sequence(y, node, add_vip, base);
}

unsigned sl_lb_tier_shift(const struct sl_lb_vip_config *v)
{
	return v->tier ? v->bits - 1 - v->tier : 0;
}

unsigned sl_lb_id_limit(const struct sl_lb_vip_config *v)
{
	if (v->tier)
		return 1u << v->tier;
	return v->key.proto == IPPROTO_TCP &&
			       (v->keep == SL_LB_KEEP_COOKIE || v->keep == SL_LB_KEEP_AGENT)
		       ? 1u << (v->bits - 1)
		       : SL_LB_MAX_SERVERS;
}
