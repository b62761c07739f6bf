// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <netinet/in.h>

#include "control/lb_select.h"
#include "lb/config_check.h"
#include "lb/config_idle.h"

#define REFILL_DEFAULT_NS 100000000

static int idle(struct sl_yaml *y, const yaml_node_t *node, const char *setting, const char *of)
{
	return sl_yaml_error(y, node, "%s is of %s only: write that, or leave it out", setting, of);
}

static bool by_load(const struct sl_lb_vip_config *v)
{
	return sl_lb_select_by_load((enum sl_lb_select)v->select);
}

static bool has_cookies(const struct sl_lb_vip_config *v)
{
	return v->key.proto == IPPROTO_TCP &&
	       (v->keep == SL_LB_KEEP_COOKIE || v->keep == SL_LB_KEEP_AGENT ||
		v->keep == SL_LB_KEEP_SLOT);
}

static int check_check(struct sl_yaml *y, const yaml_node_t *item,
		       const struct sl_lb_check_config *c)
{
	const char *http = *c->path	   ? "check.path"
			   : *c->host	   ? "check.host"
			   : c->status_min ? "check.status"
					   : NULL;
	const char *udp = *c->send ? "check.send" : *c->expect ? "check.expect" : NULL;

	if (c->type == SL_LB_CHECK_OFF) /* for now, maybe */
		return 0;
	if (http && c->type != SL_LB_CHECK_HTTP)
		return idle(y, item, http, "check.type: http");
	return udp && c->type != SL_LB_CHECK_UDP ? idle(y, item, udp, "check.type: udp") : 0;
}

int sl_lb_check_idle(struct sl_yaml *y, const yaml_node_t *item, const struct sl_lb_vip_config *v)
{
	if (v->candidates && v->select != SL_LB_BY_CORE)
		return idle(y, item, "candidates", "select: core");
	if (v->metric != SL_LB_UNSAID && !by_load(v))
		return idle(y, item, "metric", "select: awrr, least and pow2");
	if (v->bits && !has_cookies(v))
		return idle(y, item, "cookie_bits", "TCP with keep: cookie or agent");
	return check_check(y, item, &v->check);
}

void sl_lb_fill_in(struct sl_lb_vip_config *v)
{
	if (!v->candidates)
		v->candidates = SL_LB_CANDIDATES;
	if (v->metric == SL_LB_UNSAID)
		v->metric = SL_LB_BY_CONNECTIONS;
	if (!v->bits)
		v->bits = SL_LB_COOKIE_DEFAULT;
	sl_lb_check_fill_in(&v->check);
}

int sl_lb_check_idle_file(struct sl_yaml *y, const yaml_node_t *root, struct sl_lb_config *c)
{
	bool slots = false, load = false, reports = false;

	for (unsigned i = 0; i < c->vips_n; i++) {
		const struct sl_lb_vip_config *v = &c->vips[i];

		slots |= has_cookies(v) && v->keep == SL_LB_KEEP_SLOT;
		load |= by_load(v);
		reports |= v->select == SL_LB_BY_CORE || (by_load(v) && v->metric == SL_LB_BY_CPU);
	}
	if (c->vips_n && c->slots && !slots)
		return idle(y, root, "slots", "TCP with keep: slot");
	if (c->vips_n && c->refill_ns && !load)
		return idle(y, root, "refill", "select: awrr, least and pow2");
	if (c->vips_n && *c->reports && !reports)
		return idle(y, root, "reports", "select: core and metric: cpu");
	if (!c->refill_ns)
		c->refill_ns = REFILL_DEFAULT_NS;
	return 0;
}
