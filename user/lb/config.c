// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/lb_select.h"
#include "platform/config_values.h"
#include "lb/config_idle.h"
#include "lb/config_secret.h"
#include "lb/config_vip.h"
#include "platform/pin.h"

#define INSERTS_DEFAULT 125000 /* per CPU and second: what Katran takes for a flood */

static SL_YAML_SETTER(set_metrics)
{
	const char *text = sl_yaml_text(node);
	struct sl_lb_config *c = base;

	c->metrics = text && strcmp(text, "off") != 0;
	if (text && !c->metrics)
		return 0;
	return text && !sl_listen_parse(text, &c->metrics_addr) ? 0 : sl_yaml_bad_value(y, node, f);
}

static SL_YAML_SETTER(set_reports)
{
	const char *text = sl_yaml_text(node);
	__be32 addr[4];
	__be16 port;
	bool v6;

	if (!text || strlen(text) >= sizeof(((struct sl_lb_config *)base)->reports) ||
	    sl_lb_end_parse(text, addr, &v6, &port))
		return sl_yaml_bad_value(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

static SL_YAML_SETTER(set_version)
{
	const char *text = sl_yaml_text(node);

	return text && !strcmp(text, "1") ? 0 : sl_yaml_bad_value(y, node, f);
}

static SL_YAML_SETTER(set_name)
{
	const char *text = sl_yaml_text(node);
	struct sl_error why;

	if (!text || strchr(text, '.') || sl_instance_name_check(text, &why))
		return sl_yaml_bad_value(y, node, f);
	strcpy((char *)base + f->offset, text);
	return 0;
}

static int add_iface(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct sl_lb_config *c = ctx;
	const char *text = sl_yaml_text(item);

	if (!text || !*text || strlen(text) >= IF_NAMESIZE || i >= SL_LB_MAX_IFACES)
		return sl_yaml_error(y, item, "write the name of an interface, %d of them at most",
				     SL_LB_MAX_IFACES);
	strcpy(c->ifaces[i], text);
	c->ifaces_n = i + 1;
	return 0;
}

static SL_YAML_SETTER(set_ifaces)
{
	(void)f;
	return sl_yaml_sequence(y, node, add_iface, base);
}

static const struct sl_yaml_field fields[] = {
	{"version", set_version, 0, .mend = "write 1"},
	{"name", set_name, offsetof(struct sl_lb_config, name),
	 .mend = "write 1 to 31 letters, digits, dashes, underscores"},
	{"interfaces", set_ifaces, 0, .mend = ""},
	{"secret", sl_lb_set_secret, 0,
	 .mend = "write 32 hexadecimal digits, the same on every balancer: openssl rand -hex 16"},
	{"secret_before", sl_lb_set_before, 0,
	 .mend = "write the 32 hexadecimal digits that secret was before"},
	{"secret_phase", sl_lb_set_phase, 0,
	 .mend = "write 0 or 1, another than for the secret before"},
	{"inserts", sl_yaml_set_unsigned, offsetof(struct sl_lb_config, inserts_max), .max = 1e9,
	 .mend = "write a whole number: new entries of the connection table, per CPU and second"},
	{"metrics", set_metrics, 0,
	 .mend = "write a loopback address and a port, such as 127.0.0.1:9465, or off"},
	{"reports", set_reports, offsetof(struct sl_lb_config, reports),
	 .mend = "write an address, and a port if it is another than 7077: 10.0.0.9"},
	{"refill", sl_yaml_set_duration, offsetof(struct sl_lb_config, refill_ns), .min = 0.01,
	 .max = 10, .mend = "write a time from 10ms to 10s, such as 50ms"},
	{"slots", sl_yaml_set_unsigned, offsetof(struct sl_lb_config, slots),
	 .min = SL_LB_BLOCK_SLOTS, .max = SL_LB_BLOCKS_MAX * SL_LB_BLOCK_SLOTS,
	 .mend = "write a whole number, 512 to 16777216: connections of VIPs with keep: slot"},
	{"vips", sl_lb_set_vips, 0, .mend = ""},
	{NULL},
};

/* A packet finds its network, and by that its VIPs. */
static int check_networks(struct sl_yaml *y, const yaml_node_t *root, const struct sl_lb_config *c)
{
	for (unsigned a = 0; a < c->vips_n; a++)
		for (unsigned b = 0; b < a; b++) {
			const struct sl_lb_vip_config *v = &c->vips[a], *w = &c->vips[b];
			char text[64];

			if (v->prefix == w->prefix ||
			    memcmp(v->key.addr, w->key.addr, sizeof(v->key.addr)) != 0)
				continue;
			sl_lb_end_text(v->key.addr, v->v6, 0, text, sizeof(text));
			return sl_yaml_error(y, root,
					     "vips: %s is there with /%u and with /%u: write one "
					     "prefix for all its ports",
					     text, w->prefix, v->prefix);
		}
	return 0;
}

static __be16 port_of(const struct sl_lb_vip_config *v, const struct sl_lb_server_config *s)
{
	return s->port ? s->port : v->key.port;
}

/* Both get a client's packets from the balancer under another address than they answer from. */
static bool share(const struct sl_lb_vip_config *v, const struct sl_lb_server_config *s,
		  const struct sl_lb_vip_config *w, const struct sl_lb_server_config *t)
{
	return v->key.proto == w->key.proto && !memcmp(s->addr, t->addr, sizeof(s->addr)) &&
	       (v == w || (v->forward == SL_LB_NAT && w->forward == SL_LB_NAT));
}

/* Is a port of `t` one of all the ports of `s`? Not where it is the port of one address. */
static bool within_any(const struct sl_lb_vip_config *v, const struct sl_lb_vip_config *w,
		       const struct sl_lb_server_config *t)
{
	return !v->key.port && w->key.port &&
	       (memcmp(v->key.addr, w->key.addr, sizeof(v->key.addr)) != 0 ||
		port_of(w, t) != w->key.port);
}

/*
 * Under NAT, VIPs cannot share a server's end: its answers would have two VIPs to come from.
 */
static int check_pair(struct sl_yaml *y, const yaml_node_t *root, const struct sl_lb_vip_config *v,
		      const struct sl_lb_server_config *s, const struct sl_lb_vip_config *w,
		      const struct sl_lb_server_config *t)
{
	const __be16 sp = port_of(v, s), tp = port_of(w, t);
	char end[64];

	if (s->id >= 0 && s->id == t->id)
		return sl_yaml_error(y, root, "id: %d is given to two servers: change one", s->id);
	if (!share(v, s, w, t))
		return 0;
	sl_lb_end_text(s->addr, s->v6, sp ? sp : tp, end, sizeof(end));
	if (sp == tp)
		return sl_yaml_error(y, root, "servers: %s is there twice%s", end,
				     v == w ? ": remove one"
					    : ", and its answers could be of either VIP: give it a "
					      "port for each");
	if (within_any(v, w, t) || within_any(w, v, s))
		return sl_yaml_error(y, root,
				     "servers: %s is of a VIP with a port and of a VIP with port "
				     "any: give it another address for one of them",
				     end);
	return 0;
}

static int check_ends(struct sl_yaml *y, const yaml_node_t *root, const struct sl_lb_config *c)
{
	int rc = 0;

	for (unsigned a = 0; !rc && a < c->vips_n; a++)
		for (unsigned i = 0; !rc && i < c->vips[a].servers_n; i++)
			for (unsigned b = 0; !rc && b <= a; b++)
				for (unsigned k = 0; !rc && k < (b == a ? i : c->vips[b].servers_n);
				     k++)
					rc = check_pair(y, root, &c->vips[a],
							&c->vips[a].servers[i], &c->vips[b],
							&c->vips[b].servers[k]);
	return rc;
}

/* A secret that nobody was told cannot sign. */
static int check_secret(struct sl_yaml *y, const yaml_node_t *root, const struct sl_lb_config *c)
{
	for (unsigned i = 0; !c->has_secret && i < c->vips_n; i++) {
		const struct sl_lb_vip_config *v = &c->vips[i];
		bool core = v->select == SL_LB_BY_CORE;

		if (core || (v->metric == SL_LB_BY_CPU &&
			     sl_lb_select_by_load((enum sl_lb_select)v->select)))
			return sl_yaml_error(y, root,
					     "%s: servers sign their reports by the "
					     "secret: write one: openssl rand -hex 16",
					     core ? "select: core" : "metric: cpu");
	}
	return 0;
}

int sl_lb_config_read(const char *file, struct sl_lb_config *config, struct sl_error *err)
{
	struct sl_yaml y;
	yaml_node_t *root;
	int rc = sl_yaml_open(&y, file, err);

	*config = (struct sl_lb_config){.name = "lb", .phase = -1, .inserts_max = INSERTS_DEFAULT};
	if (rc)
		return rc;
	root = yaml_document_get_root_node(&y.doc);
	if (!root)
		rc = sl_yaml_error(&y, NULL, "the file is empty: see sluice-lb(5)");
	if (!rc)
		rc = sl_yaml_mapping(&y, root, fields, config);
	if (!rc && !config->ifaces_n)
		rc = sl_yaml_error(&y, root,
				   "interfaces: name those that face clients and servers");
	if (!rc)
		rc = check_secret(&y, root, config);
	if (!rc)
		rc = check_networks(&y, root, config);
	if (!rc)
		rc = check_ends(&y, root, config);
	if (!rc)
		rc = sl_lb_secret_check(&y, root, config);
	if (!rc)
		rc = sl_lb_check_idle_file(&y, root, config);
	yaml_document_delete(&y.doc);
	if (rc)
		sl_lb_config_free(config);
	return rc;
}

void sl_lb_config_free(struct sl_lb_config *config)
{
	for (unsigned i = 0; i < config->vips_n; i++)
		free(config->vips[i].servers);
	free(config->vips);
	config->vips = NULL;
	config->vips_n = 0;
}
