// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lb/agent_config.h"
#include "platform/netlink.h"

/* sl_local_addr has IPv4 as ::ffff:a.b.c.d, the balancer's maps as ::a.b.c.d. */
int sl_agent_self(struct sl_agent_vip *self, unsigned max)
{
	struct sl_local_addr *addrs;
	unsigned n;
	int rc = sl_addr_list(&addrs, &n);

	if (rc)
		return rc;
	for (unsigned i = 0; i < n && i < max; i++) {
		memcpy(self[i].addr, &addrs[i].addr, sizeof(self[i].addr));
		if (addrs[i].v4)
			self[i].addr[2] = 0;
	}
	free(addrs);
	return (int)(n < max ? n : max);
}

static bool is_self(const __be32 addr[4], const struct sl_agent_vip *self, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(addr, self[i].addr, sizeof(self[i].addr)))
			return true;
	return false;
}

/* What comes in a tunnel is for this VIP. */
static int add_vip(const struct sl_lb_vip_config *v, struct sl_agent_config *config,
		   struct sl_error *err)
{
	struct sl_agent_prefix prefix = {.bits = sl_lb_prefix_bits(v->prefix, v->v6)};

	memcpy(prefix.addr, v->key.addr, sizeof(prefix.addr));
	for (unsigned i = 0; i < config->vips_n; i++)
		if (!memcmp(&config->vips[i], &prefix, sizeof(prefix)))
			return 0;
	if (config->vips_n == SL_AGENT_MAX_VIPS)
		return sl_error_set(err, -EINVAL, "more than %d VIPs: leave some out",
				    SL_AGENT_MAX_VIPS);
	config->vips[config->vips_n++] = prefix;
	return 0;
}

/* The agent has one. `config` has none until a VIP says. */
static int set_gue_port(const struct sl_lb_vip_config *v, struct sl_agent_config *config,
			struct sl_error *err)
{
	__be16 port = htons((uint16_t)(v->gue_port ? v->gue_port : SL_AGENT_GUE_PORT));

	if (config->gue_port && config->gue_port != port)
		return sl_error_set(err, -EINVAL,
				    "gue_port: this host's VIPs have %u and %u: write one for all "
				    "of them",
				    ntohs(config->gue_port), ntohs(port));
	config->gue_port = port;
	return 0;
}

/*
 * Under NAT the server is written to at its own address; else the VIP itself is there, and the
 * packet as the client sent it.
 */
static int add_service(const struct sl_lb_vip_config *v, const struct sl_lb_server_config *s,
		       struct sl_agent_config *config, struct sl_error *err)
{
	const bool nat = v->forward == SL_LB_NAT;
	struct sl_agent_end end = {.port = nat && s->port ? s->port : v->key.port};
	struct sl_agent_service service = {
		.port = v->key.port, .server = (__u16)s->id, .bits = (__u8)v->bits};

	if (config->services_n == SL_AGENT_MAX_VIPS)
		return sl_error_set(err, -EINVAL, "more than %d VIPs: leave some out",
				    SL_AGENT_MAX_VIPS);
	memcpy(end.addr, nat ? s->addr : v->key.addr, sizeof(end.addr));
	memcpy(service.vip, v->key.addr, sizeof(service.vip));
	config->ends[config->services_n] = end;
	config->services[config->services_n++] = service;
	return 0;
}

int sl_agent_from_lb(const struct sl_lb_config *lb, const struct sl_agent_vip *self, unsigned n,
		     struct sl_agent_config *config, struct sl_error *err)
{
	unsigned found = 0;
	int rc = 0;

	for (unsigned i = 0; i < lb->vips_n; i++) {
		const struct sl_lb_vip_config *v = &lb->vips[i];

		/* its servers are balancers */
		for (unsigned k = 0; !rc && !v->tier && k < v->servers_n; k++) {
			if (!is_self(v->servers[k].addr, self, n))
				continue;
			found++;
			if (v->forward == SL_LB_IPIP || v->forward == SL_LB_GUE)
				rc = add_vip(v, config, err);
			if (!rc && v->forward == SL_LB_GUE)
				rc = set_gue_port(v, config, err);
			if (!rc && v->key.proto == IPPROTO_TCP && v->keep == SL_LB_KEEP_AGENT)
				rc = add_service(v, &v->servers[k], config, err);
		}
	}
	if (rc)
		return rc;
	return found ? 0
		     : sl_error_set(err, -ENOENT,
				    "none of its servers is this host: write its address among the "
				    "servers, or say --self ADDRESS");
}
