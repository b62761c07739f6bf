// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/hook.h"
#include "lb/check.h"
#include "lb/direct.h"
#include "lb/quic.h"
#include "platform/netlink.h"
#include "platform/route.h"

#define NO_ID 0xffff

struct plan {
	const struct sl_lb *lb;
	uint16_t *ids; /* of the servers in the order of the file */
	bool taken[SL_LB_MAX_SERVERS];
	uint32_t next_id; /* of those that were used */
};

const struct sl_lb_vip_entry *sl_lb_find_vip(const struct sl_lb_vip_entry *vips, unsigned n,
					     const struct sl_lb_vip_key *key)
{
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(&vips[i].key, key, sizeof(*key)))
			return &vips[i];
	return NULL;
}

/* How its cookies are made: by whom clients' timestamps are what they are. -1: it has none. */
static int cookies(const struct sl_lb_vip_key *key, unsigned keep)
{
	return key->proto == IPPROTO_TCP && (keep == SL_LB_KEEP_COOKIE ||
					     keep == SL_LB_KEEP_AGENT || keep == SL_LB_KEEP_SLOT)
		       ? (int)keep
		       : -1;
}

/* --- VIPs: clients hold timestamps as they were written until now */

static int check_vip(const struct sl_lb_vip_config *v, const struct sl_lb_vip_entry *old,
		     struct sl_error *err)
{
	int now = cookies(&v->key, v->keep), then = old ? cookies(&old->key, old->vip.keep) : -1;
	char address[64];

	bool nat = v->forward == SL_LB_NAT, was_nat = old && old->vip.forward == SL_LB_NAT;

	if (!old ||
	    (nat == was_nat && now == then &&
	     (now < 0 || (v->bits == old->vip.bits && sl_lb_tier_shift(v) == old->vip.shift))))
		return 0;
	sl_lb_end_text(v->key.addr, v->v6, v->key.port, address, sizeof(address));
	if (nat != was_nat)
		return sl_error_set(
			err, -EINVAL,
			"VIP %s: forward: it is %s, and open connections would break: write "
			"that, or apply without the VIP first",
			address, sl_lb_forward_words[old->vip.forward % 4]);
	if (now != then)
		return sl_error_set(
			err, -EINVAL,
			"VIP %s: keep: it is %s, and open connections would break: write "
			"that, or apply without the VIP first",
			address, sl_lb_keep_word(old->vip.keep));
	if (v->bits == old->vip.bits)
		return sl_error_set(err, -EINVAL,
				    "VIP %s: tier: it has another one, and open connections would "
				    "break: write that, or apply without the VIP first",
				    address);
	return sl_error_set(
		err, -EINVAL,
		"VIP %s: cookie_bits: it has %u, and open connections would break: write "
		"that, or apply without the VIP first",
		address, old->vip.bits);
}

/* --- ids */

static int own_id(const struct sl_lb *lb, unsigned vip, const struct sl_lb_server_config *c)
{
	struct sl_lb_server s;

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++)
		if (sl_lb_server_there(lb, id, &s) && s.vip == vip && s.port == c->port &&
		    !memcmp(s.addr, c->addr, sizeof(s.addr)))
			return (int)id;
	return -1;
}

static bool ever_used(const struct plan *p, uint32_t id)
{
	struct sl_lb_server s;

	sl_lb_server(p->lb, id, &s);
	return p->taken[id] || s.addr[0] || s.addr[1] || s.addr[2] || s.addr[3];
}

/*
 * An id that was given back rests for as long as can be: first the one after the highest that ever
 * was, and once there is none in turn, the one after that which was given anew last.
 */
static int free_id(struct plan *p, unsigned limit)
{
	unsigned from = 0;

	for (uint32_t id = 0; id < limit; id++)
		if (ever_used(p, id))
			from = id + 1;
	if (from < limit)
		return (int)from;
	for (unsigned i = 0; i < limit; i++) {
		unsigned id = (p->next_id + i) % limit;

		if (p->taken[id])
			continue;
		p->next_id = id + 1;
		return (int)id;
	}
	return -1;
}

/* One that the server has or asks for; NO_ID: any will do. */
static int fixed_id(struct plan *p, const struct sl_lb_vip_config *v,
		    const struct sl_lb_vip_entry *old, const struct sl_lb_server_config *c,
		    uint16_t *to, struct sl_error *err)
{
	int own = old ? own_id(p->lb, old->vip.id, c) : -1, id = own >= 0 ? own : c->id;
	char end[64];

	sl_lb_end_text(c->addr, c->v6, c->port, end, sizeof(end));
	*to = NO_ID;
	if (own >= 0 && c->id >= 0 && own != c->id)
		return sl_error_set(
			err, -EINVAL,
			"server %s: id: it has %d and keeps it, or its connections break: "
			"write that, or remove and apply first",
			end, own);
	if (id >= (int)sl_lb_id_limit(v))
		return sl_error_set(
			err, -EINVAL, "server %s: id: %s: %u ends at %u: write less, or raise %s",
			end, v->tier ? "tier" : "cookie_bits", v->tier ? v->tier : v->bits,
			sl_lb_id_limit(v) - 1, v->tier ? "tier" : "cookie_bits");
	if (own < 0 && id >= 0 && p->taken[id])
		return sl_error_set(err, -EINVAL,
				    "server %s: id: %d is another server's: change it", end, id);
	if (id < 0)
		return 0;
	p->taken[id] = true;
	*to = (uint16_t)id;
	return 0;
}

static int any_id(struct plan *p, const struct sl_lb_vip_config *v,
		  const struct sl_lb_server_config *c, uint16_t *to, struct sl_error *err)
{
	int id = free_id(p, sl_lb_id_limit(v));
	char end[64];

	sl_lb_end_text(c->addr, c->v6, c->port, end, sizeof(end));
	if (id < 0)
		return sl_error_set(err, -EINVAL,
				    "server %s: %u ids are all that cookie_bits: %u has: raise it",
				    end, sl_lb_id_limit(v), v->bits);
	p->taken[id] = true;
	*to = (uint16_t)id;
	return 0;
}

static int plan_ids(struct plan *p, const struct sl_lb_config *config,
		    const struct sl_lb_vip_entry *vips, unsigned n, struct sl_error *err)
{
	uint16_t *to = p->ids;
	struct sl_lb_tunnel tunnel;
	struct sl_lb_server s;
	int rc = 0;

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++)
		p->taken[id] = sl_lb_server_there(p->lb, id, &s);
	for (unsigned i = 0; !rc && i < config->vips_n; i++) {
		const struct sl_lb_vip_config *v = &config->vips[i];
		const struct sl_lb_vip_entry *old = sl_lb_find_vip(vips, n, &v->key);

		rc = check_vip(v, old, err);
		for (unsigned k = 0; !rc && k < v->servers_n; k++)
			rc = sl_lb_tunnel_of(v, &v->servers[k], &tunnel, err);
		for (unsigned k = 0; !rc && k < v->servers_n; k++)
			rc = fixed_id(p, v, old, &v->servers[k], to++, err);
	}
	to = p->ids;
	for (unsigned i = 0; !rc && i < config->vips_n; i++)
		for (unsigned k = 0; !rc && k < config->vips[i].servers_n; k++, to++)
			if (*to == NO_ID)
				rc = any_id(p, &config->vips[i], &config->vips[i].servers[k], to,
					    err);
	to = p->ids;
	for (unsigned i = 0; !rc && i < config->vips_n; to += config->vips[i++].servers_n) {
		const struct sl_lb_vip_config *v = &config->vips[i];
		const struct sl_lb_vip_entry *old = sl_lb_find_vip(vips, n, &v->key);

		rc = sl_lb_quic_check(p->lb, v, old ? old->vip.id : -1, to, err);
	}
	return rc;
}

/* --- interfaces: bpf_fib_lookup() finds no way from one that does not forward */

static bool forwards(const char *ifname, int family)
{
	char file[128], value = '1';
	FILE *f;

	snprintf(file, sizeof(file), "/proc/sys/net/ipv%d/conf/%s/forwarding", family, ifname);
	f = fopen(file, "re");
	if (f) {
		value = (char)fgetc(f);
		fclose(f);
	}
	return value != '0';
}

static int check_ifaces(const struct sl_lb *lb, const struct sl_lb_config *config,
			struct sl_error *err)
{
	bool families[2] = {false};

	for (unsigned i = 0; i < config->vips_n; i++)
		for (unsigned k = 0; k <= config->vips[i].servers_n; k++)
			families[k ? config->vips[i].servers[k - 1].v6 : config->vips[i].v6] = true;
	for (unsigned i = 0; i < config->ifaces_n; i++) {
		const char *name = config->ifaces[i];
		struct sl_hook hook;

		if (!if_nametoindex(name))
			return sl_error_set(err, -ENODEV,
					    "interfaces: %s: there is none of that name: `ip link` "
					    "lists them",
					    name);
		if ((families[0] && !forwards(name, 4)) || (families[1] && !forwards(name, 6)))
			return sl_error_set(err, -EPERM,
					    "%s does not forward: sysctl -w net.ipv4.ip_forward=1 "
					    "net.ipv6.conf.all.forwarding=1",
					    name);
		if (!sl_hook_query((int)if_nametoindex(name), &hook) && hook.prog_id &&
		    hook.prog_id != sl_prog_id(lb->prog))
			return sl_error_set(err, -EEXIST,
					    "interfaces: %s carries the XDP program %u, not this "
					    "balancer's: take that off first (ip link set dev %s "
					    "xdp off, or stop who owns it), or leave %s out",
					    name, hook.prog_id, name, name);
	}
	return 0;
}

static bool in_network(const struct sl_lb_vip_config *v, const struct sl_local_addr *addr)
{
	__be32 a[4];

	memcpy(a, &addr->addr, sizeof(a));
	if (addr->v4)
		a[2] = 0;
	sl_lb_prefix_cut(a, sl_lb_prefix_bits(v->prefix, v->v6));
	return addr->v4 == !v->v6 && !memcmp(a, v->key.addr, sizeof(a));
}

static bool own_within(const struct sl_lb_vip_config *v)
{
	struct sl_local_addr *addrs;
	bool own = false;
	unsigned n;

	if (v->prefix == (v->v6 ? 128 : 32) || sl_addr_list(&addrs, &n))
		return false;
	for (unsigned i = 0; i < n; i++)
		own |= in_network(v, &addrs[i]);
	free(addrs);
	return own;
}

/* All that comes for it would go to servers, or nowhere: who logs in to this host there, too. */
static int check_own(const struct sl_lb_config *config, struct sl_error *err)
{
	for (unsigned i = 0; i < config->vips_n; i++) {
		const struct sl_lb_vip_config *v = &config->vips[i];
		struct sl_route way;
		char address[64];

		if ((sl_route_get(v->key.addr, v->v6, &way) || !way.local) && !own_within(v))
			continue;
		sl_lb_end_text(v->key.addr, v->v6, 0, address, sizeof(address));
		return sl_error_set(err, -EINVAL,
				    "VIP %s: address: it is this host's own: write one that no "
				    "host has, or take it off this one",
				    address);
	}
	return 0;
}

/* --- slots: their map is made when the balancer is */

static int check_slots(const struct sl_lb *lb, const struct sl_lb_config *config,
		       struct sl_error *err)
{
	unsigned slots = sl_lb_slots(lb);

	if (!config->slots || sl_lb_blocks(config->slots) * SL_LB_BLOCK_SLOTS == slots)
		return 0;
	return sl_error_set(err, -EINVAL,
			    "slots: it has %u, and connections in them: write that, or `sluice lb "
			    "remove` first",
			    slots);
}

int sl_lb_check(const struct sl_lb *lb, const struct sl_lb_config *config,
		const struct sl_lb_vip_entry *vips, unsigned n, uint16_t **ids, uint32_t *next_id,
		struct sl_error *err)
{
	struct plan *p = calloc(1, sizeof(*p));
	size_t servers = 1;
	int rc = check_ifaces(lb, config, err);

	if (!rc)
		rc = check_own(config, err);
	if (!rc)
		rc = check_slots(lb, config, err);
	for (unsigned i = 0; i < config->vips_n; i++)
		servers += config->vips[i].servers_n;
	*ids = calloc(servers, sizeof(**ids));
	if (!p || !*ids) {
		rc = sl_error_set(err, -ENOMEM, "no memory");
	} else if (!rc) {
		p->lb = lb;
		p->ids = *ids;
		p->next_id = *next_id;
		rc = plan_ids(p, config, vips, n, err);
		*next_id = p->next_id;
	}
	free(p);
	if (!rc)
		return 0;
	free(*ids);
	*ids = NULL;
	return rc;
}
