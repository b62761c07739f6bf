// SPDX-License-Identifier: GPL-2.0-or-later
/* How a VIP's packets get to servers, and what that excludes. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/config_direct.h"

/* ADDRESS or ADDRESS/PREFIX: the rest differs from flow to flow, 16 bits of it at most. */
SL_YAML_SETTER(sl_lb_set_source)
{
	struct sl_lb_vip_config *v = base;
	const char *text = sl_yaml_text(node);
	unsigned prefix, rest;

	if (!text || sl_lb_prefix_parse(text, v->source, &v->source_v6, &prefix))
		return sl_yaml_bad_value(y, node, f);
	rest = (v->source_v6 ? 128 : 32) - prefix;
	if (rest > 16)
		return sl_yaml_bad_value(y, node, f);
	v->spread = (__u16)((1u << rest) - 1);
	sl_lb_prefix_cut(v->source, 128 - rest);
	v->has_source = true;
	return 0;
}

static int check_nat(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_vip_config *v)
{
	if (v->has_source || v->gue_port)
		return sl_yaml_error(y, item,
				     "%s: forward: nat has no outer header: leave it out, or write "
				     "forward: %s",
				     v->has_source ? "source" : "gue_port",
				     v->has_source ? "ipip" : "gue");
	for (unsigned i = 0; i < v->servers_n; i++)
		if (v->servers[i].v6 != v->v6)
			return sl_yaml_error(
				y, item,
				"servers[%u]: address: the VIP is IPv%c and this is "
				"not: write an address of the same family, or forward: "
				"ipip",
				i, v->v6 ? '6' : '4');
	return 0;
}

/* What the servers answer does not pass here, and what they get is not translated. */
static int check_direct(struct sl_yaml *y, const yaml_node_t *item,
			const struct sl_lb_vip_config *v)
{
	const char *forward = sl_lb_forward_words[v->forward];

	if (v->keep == SL_LB_KEEP_COOKIE || v->keep == SL_LB_KEEP_SLOT)
		return sl_yaml_error(
			y, item,
			"keep: %s: with forward: %s a server's answers do not pass "
			"here, so no cookie gets into them: write keep: agent, keep: table, or "
			"forward: nat",
			sl_lb_keep_word(v->keep), forward);
	if (v->has_source && v->forward == SL_LB_L2)
		return sl_yaml_error(y, item,
				     "source: forward: l2 has no outer header: leave it out");
	if (v->gue_port && v->forward != SL_LB_GUE)
		return sl_yaml_error(
			y, item, "gue_port: forward: %s has no UDP header: leave it out", forward);
	if (v->check.passive > 0)
		return sl_yaml_error(y, item,
				     "check.passive: with forward: %s a server's answers do not "
				     "pass here: leave it out, the probes tell",
				     forward);
	for (unsigned i = 0; i < v->servers_n; i++) {
		if (v->servers[i].port && v->servers[i].port != v->key.port)
			return sl_yaml_error(y, item,
					     "servers[%u]: port %u: forward: %s leaves the VIP's "
					     "port in the packet: leave the port out",
					     i, ntohs(v->servers[i].port), forward);
		if (v->has_source && v->servers[i].v6 != v->source_v6)
			return sl_yaml_error(y, item,
					     "source: it is IPv%c and servers[%u] is not: leave it "
					     "out, or make two VIPs of it",
					     v->source_v6 ? '6' : '4', i);
	}
	return 0;
}

/* A translated answer would not know which address of a network it is to come from; nor does the
 * agent look for cookies at more than one. */
static int check_network(struct sl_yaml *y, const yaml_node_t *item,
			 const struct sl_lb_vip_config *v)
{
	if (v->prefix == (v->v6 ? 128 : 32))
		return 0;
	if (v->forward == SL_LB_NAT)
		return sl_yaml_error(
			y, item,
			"address: a network: with forward: nat an answer would not know "
			"which of its addresses it is to come from: write an address, or "
			"forward: l2, ipip or gue");
	if (v->keep == SL_LB_KEEP_AGENT)
		return sl_yaml_error(
			y, item,
			"address: a network: keep: agent needs one address: write keep: "
			"table, or an address");
	return 0;
}

/* The next tier must see the VIP, and takes nothing out of tunnels before its program sees it. */
static int check_tier(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_vip_config *v)
{
	if (v->forward != SL_LB_L2 || v->keep != SL_LB_KEEP_AGENT || v->key.proto != IPPROTO_TCP)
		return sl_yaml_error(y, item,
				     "tier: the next balancers get TCP as it came, and write the "
				     "cookies: write protocol: tcp, forward: l2 and keep: agent");
	if (v->tier > v->bits - 2)
		return sl_yaml_error(
			y, item,
			"tier: %u of the %u bits that an id has leave none to the next "
			"balancer's servers: write 1 to %u, or raise cookie_bits",
			v->tier, v->bits - 1, v->bits - 2);
	for (unsigned i = 0; i < v->servers_n; i++)
		if (v->servers[i].id < 0)
			return sl_yaml_error(y, item,
					     "servers[%u]: id is missing: with tier it is what the "
					     "ids of its servers begin with: write one",
					     i);
	return 0;
}

int sl_lb_check_forward(struct sl_yaml *y, const yaml_node_t *item,
			const struct sl_lb_vip_config *v)
{
	int rc = (v->forward == SL_LB_NAT ? check_nat : check_direct)(y, item, v);

	if (!rc)
		rc = check_network(y, item, v);
	return !rc && v->tier ? check_tier(y, item, v) : rc;
}
