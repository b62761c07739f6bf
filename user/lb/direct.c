// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lb/direct.h"
#include "platform/route.h"

static bool tunnelled(unsigned forward)
{
	return forward == SL_LB_IPIP || forward == SL_LB_GUE;
}

/* XDP sends out of interfaces, and sees what comes in by them. */
static int local_server(const struct sl_lb_server_config *c, struct sl_error *err)
{
	char end[64];

	sl_lb_end_text(c->addr, c->v6, 0, end, sizeof(end));
	return sl_error_set(err, -EINVAL,
			    "server %s: it is an address of this host, which packets through the "
			    "balancer do not reach: name another host",
			    end);
}

static int check_way(const struct sl_lb_vip_config *v, const struct sl_lb_server_config *c,
		     struct sl_route *way, struct sl_error *err)
{
	int rc = sl_route_get(c->addr, c->v6, way);
	char end[64];

	sl_lb_end_text(c->addr, c->v6, 0, end, sizeof(end));
	if (rc)
		return sl_error_set(
			err, -EINVAL,
			"server %s: no route to it (%s), and forward: %s needs one now: "
			"add it, then apply again",
			end, strerror(-rc), sl_lb_forward_words[v->forward]);
	if (way->local)
		return local_server(c, err);
	if (way->routed && v->forward == SL_LB_L2)
		return sl_error_set(err, -EINVAL,
				    "server %s: it is behind a router, and forward: l2 needs it on "
				    "the link: write forward: ipip or gue",
				    end);
	return 0;
}

int sl_lb_tunnel_of(const struct sl_lb_vip_config *v, const struct sl_lb_server_config *c,
		    struct sl_lb_tunnel *t, struct sl_error *err)
{
	struct sl_route way;
	int rc;

	*t = (struct sl_lb_tunnel){
		.port = htons((uint16_t)(v->gue_port ? v->gue_port : SL_LB_GUE_PORT))};
	if (v->forward == SL_LB_NAT) /* a way to it may come later */
		return !sl_route_get(c->addr, c->v6, &way) && way.local ? local_server(c, err) : 0;
	rc = check_way(v, c, &way, err);
	if (rc)
		return rc;
	memcpy(t->source, v->has_source ? v->source : way.source, sizeof(t->source));
	t->spread = v->spread;
	t->foreign = v->has_source && (sl_route_get(t->source, c->v6, &way) || !way.local);
	if (tunnelled(v->forward) && !t->source[0] && !t->source[1] && !t->source[2] &&
	    !t->source[3]) {
		char end[64];

		sl_lb_end_text(c->addr, c->v6, 0, end, sizeof(end));
		return sl_error_set(err, -EINVAL,
				    "server %s: this host has no address to send from: give it "
				    "one, or write source:",
				    end);
	}
	return 0;
}

int sl_lb_tunnel_write(const struct sl_lb *lb, uint32_t id, const struct sl_lb_vip_config *v,
		       const struct sl_lb_server_config *c, struct sl_error *err)
{
	struct sl_lb_tunnel t, old = {0};
	int rc = sl_lb_tunnel_of(v, c, &t, err);

	if (rc)
		return rc;
	bpf_map_lookup_elem(lb->map[SL_LB_M_TUNNELS], &id, &old);
	t.kept = old.kept;
	if (bpf_map_update_elem(lb->map[SL_LB_M_TUNNELS], &id, &t, BPF_ANY))
		return sl_error_set(err, -errno, "cannot write lb_tunnels: %s", strerror(errno));
	return 0;
}

/* --- neighbours */

static void mark(const struct sl_lb *lb, uint32_t id, bool kept)
{
	struct sl_lb_tunnel t;

	if (bpf_map_lookup_elem(lb->map[SL_LB_M_TUNNELS], &id, &t))
		return;
	t.kept = kept;
	bpf_map_update_elem(lb->map[SL_LB_M_TUNNELS], &id, &t, BPF_ANY);
}

static bool is_kept(const struct sl_lb *lb, uint32_t id)
{
	struct sl_lb_tunnel t;

	return !bpf_map_lookup_elem(lb->map[SL_LB_M_TUNNELS], &id, &t) && t.kept;
}

static bool ever_used(const struct sl_lb_server *s)
{
	return s->addr[0] || s->addr[1] || s->addr[2] || s->addr[3];
}

/* Those that `stays` does not name (by VIP, NULL: all). A server may be two VIPs': so first. */
static void release(const struct sl_lb *lb, const bool *stays)
{
	struct sl_lb_server s;
	struct sl_route way;

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++) {
		sl_lb_server(lb, id, &s);
		if (!ever_used(&s) || !is_kept(lb, id) ||
		    (stays && s.state != SL_LB_ABSENT && s.vip < SL_LB_MAX_VIPS && stays[s.vip]))
			continue;
		if (!sl_route_get(s.addr, s.v6, &way))
			sl_neighbour_release(&way);
		mark(lb, id, false);
	}
}

void sl_lb_neighbours(const struct sl_lb *lb)
{
	bool direct[SL_LB_MAX_VIPS] = {false};
	struct sl_lb_vip_entry *vips;
	struct sl_lb_server s;
	struct sl_route way;
	unsigned n;

	if (sl_lb_vips(lb, &vips, &n))
		return;
	for (unsigned i = 0; i < n; i++)
		direct[vips[i].vip.id % SL_LB_MAX_VIPS] = vips[i].vip.forward != SL_LB_NAT;
	free(vips);
	release(lb, direct);
	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++)
		if (sl_lb_server_there(lb, id, &s) && direct[s.vip % SL_LB_MAX_VIPS] &&
		    !sl_route_get(s.addr, s.v6, &way) && sl_neighbour_keep(&way) > 0)
			mark(lb, id, true);
}

void sl_lb_forget(struct sl_lb *lb)
{
	release(lb, NULL);
	sl_lb_remove(lb);
}

/* --- fragments */

static struct sl_lb_vip_key fragment_key(struct sl_lb_vip_key key)
{
	key.port = 0;
	key.fragments = 1;
	return key;
}

static int enter_fragments(const struct sl_lb *lb, const struct sl_lb_config *config,
			   const struct sl_lb_vip_key *key)
{
	struct sl_lb_vip_key fragments = fragment_key(*key), other;
	struct sl_lb_vip vip;
	unsigned same = 0;

	for (unsigned i = 0; i < config->vips_n; i++) {
		other = fragment_key(config->vips[i].key);
		same += !memcmp(&fragments, &other, sizeof(other));
	}
	if (same == 1 && !bpf_map_lookup_elem(lb->map[SL_LB_M_VIPS], key, &vip) &&
	    vip.forward != SL_LB_NAT)
		return bpf_map_update_elem(lb->map[SL_LB_M_VIPS], &fragments, &vip, BPF_ANY);
	bpf_map_delete_elem(lb->map[SL_LB_M_VIPS], &fragments);
	return 0;
}

int sl_lb_fragments(const struct sl_lb *lb, const struct sl_lb_config *config,
		    const struct sl_lb_vip_entry *before, unsigned n, struct sl_error *err)
{
	for (unsigned i = 0; i < n; i++) {
		struct sl_lb_vip_key key = fragment_key(before[i].key);

		bpf_map_delete_elem(lb->map[SL_LB_M_VIPS], &key);
	}
	for (unsigned i = 0; i < config->vips_n; i++)
		if (enter_fragments(lb, config, &config->vips[i].key))
			return sl_error_set(err, -errno, "cannot write lb_vips: %s",
					    strerror(errno));
	return 0;
}
