// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lb/config_secret.h"
#include "lb/secret.h"

static int read_secret(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *f,
		       __u64 secret[2])
{
	const char *text = sl_yaml_text(node);

	return text && !sl_secret_parse(text, secret) ? 0 : sl_yaml_bad_value(y, node, f);
}

int sl_lb_set_secret(struct sl_yaml *y, const yaml_node_t *node, void *base,
		     const struct sl_yaml_field *f)
{
	struct sl_lb_config *c = base;

	c->has_secret = true;
	return read_secret(y, node, f, c->secret);
}

int sl_lb_set_before(struct sl_yaml *y, const yaml_node_t *node, void *base,
		     const struct sl_yaml_field *f)
{
	struct sl_lb_config *c = base;

	c->has_before = true;
	return read_secret(y, node, f, c->before);
}

int sl_lb_set_phase(struct sl_yaml *y, const yaml_node_t *node, void *base,
		    const struct sl_yaml_field *f)
{
	const char *text = sl_yaml_text(node);

	if (!text || (strcmp(text, "0") != 0 && strcmp(text, "1") != 0))
		return sl_yaml_bad_value(y, node, f);
	((struct sl_lb_config *)base)->phase = *text - '0';
	return 0;
}

/* The id is in the cookie that the agent writes, so both must mean the same server. */
static const struct sl_lb_server_config *without_id(const struct sl_lb_config *c)
{
	for (unsigned i = 0; i < c->vips_n; i++)
		for (unsigned k = 0; k < c->vips[i].servers_n; k++)
			if (c->vips[i].keep == SL_LB_KEEP_AGENT &&
			    c->vips[i].key.proto == IPPROTO_TCP && c->vips[i].servers[k].id < 0)
				return &c->vips[i].servers[k];
	return NULL;
}

/* Agents may start later than the balancer, so both must know which phase a secret has. */
int sl_lb_secret_check(struct sl_yaml *y, const yaml_node_t *root, struct sl_lb_config *c)
{
	const struct sl_lb_server_config *s = without_id(c);
	bool agents = false;
	char end[64];

	for (unsigned i = 0; i < c->vips_n; i++)
		agents |= c->vips[i].keep == SL_LB_KEEP_AGENT;
	if (agents && !c->has_secret)
		return sl_yaml_error(
			y, root,
			"secret is missing: keep: agent needs the one that the servers' "
			"agents have: openssl rand -hex 16");
	if (s) {
		sl_lb_end_text(s->addr, s->v6, s->port, end, sizeof(end));
		return sl_yaml_error(y, root,
				     "server %s: id is missing: keep: agent needs the one that its "
				     "agent has: write it here and there",
				     end);
	}
	if (agents && c->phase < 0)
		c->phase = 0;
	if ((c->has_before || c->phase > 0) && !c->has_secret)
		return sl_yaml_error(y, root, "secret is missing: %s is about it",
				     c->has_before ? "secret_before" : "secret_phase");
	if (c->has_before && !memcmp(c->before, c->secret, sizeof(c->before)))
		return sl_yaml_error(y, root,
				     "secret_before: it is the secret: write what that was before, "
				     "or will be");
	if (c->has_before && c->phase < 0)
		return sl_yaml_error(y, root,
				     "secret_phase is missing: secret_before has the other one: "
				     "write 0 or 1");
	return 0;
}
