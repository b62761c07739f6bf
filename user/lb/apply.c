// SPDX-License-Identifier: GPL-2.0-or-later
/* A configuration into the maps of a load balancer, in steps that are whole to every packet. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lb/lb.h"
#include "lb/check.h"
#include "lb/direct.h"
#include "lb/quic.h"
#include "lb/secret.h"
#include "platform/lock.h"
#include "platform/netns.h"

static int refused(struct sl_error *err, const char *what)
{
	return sl_error_set(err, -errno, "cannot write %s: %s", what, strerror(errno));
}

/* An id that is given anew does not begin with what the one before it got. */
static int clear_stats(int map, uint32_t id)
{
	int cpus = libbpf_num_possible_cpus(), rc = -ENOMEM;
	struct sl_lb_stats *none = calloc((size_t)(cpus > 0 ? cpus : 1), sizeof(*none));

	if (none)
		rc = bpf_map_update_elem(map, &id, none, BPF_ANY);
	free(none);
	return rc;
}

/* --- servers */

static void reverse_key(const struct sl_lb_server *s, const struct sl_lb_vip_key *vip,
			struct sl_lb_vip_key *key)
{
	*key = (struct sl_lb_vip_key){.proto = vip->proto, .port = s->port ? s->port : vip->port};
	memcpy(key->addr, s->addr, sizeof(key->addr));
}

static int write_server(const struct sl_lb *lb, uint32_t id, const struct sl_lb_server *s,
			const struct sl_lb_vip_config *v, bool fresh, struct sl_error *err)
{
	struct sl_lb_reverse to = {.server = (uint16_t)id,
				   .vip = s->vip,
				   .port = v->key.port,
				   .keep = (uint8_t)v->keep,
				   .bits = (uint8_t)v->bits};
	struct sl_lb_clock clock = {0};
	struct sl_lb_watch watch = {0};
	struct sl_lb_vip_key from;

	memcpy(to.addr, v->key.addr, sizeof(to.addr));
	reverse_key(s, &v->key, &from);
	if (fresh && bpf_map_update_elem(lb->map[SL_LB_M_CLOCKS], &id, &clock, BPF_ANY))
		return refused(err, "lb_clocks");
	if (fresh && bpf_map_update_elem(lb->map[SL_LB_M_WATCH], &id, &watch, BPF_ANY))
		return refused(err, "lb_watch");
	if (fresh) /* what was reported of who had the id before */
		bpf_map_delete_elem(lb->map[SL_LB_M_CORES], &id);
	if (fresh && clear_stats(lb->map[SL_LB_M_SERVER_STATS], id))
		return refused(err, "lb_server_stats");
	if (v->forward == SL_LB_NAT &&
	    bpf_map_update_elem(lb->map[SL_LB_M_REVERSE], &from, &to, BPF_ANY))
		return refused(err, "lb_reverse");
	if (bpf_map_update_elem(lb->map[SL_LB_M_SERVERS], &id, s, BPF_ANY))
		return refused(err, "lb_servers");
	return 0;
}

/* What the checks found stays while somebody checks. */
static uint8_t kept_health(const struct sl_lb *lb, const struct sl_lb_server *old)
{
	char lock[SL_NAME_MAX + 4];

	sl_lb_run_lock(lb->name, lock);
	return sl_lock_held(lock) ? old->health : SL_LB_UNCHECKED;
}

static int apply_server(const struct sl_lb *lb, const struct sl_lb_vip_config *v, unsigned vip,
			const struct sl_lb_server_config *c, uint32_t id, struct sl_error *err)
{
	struct sl_lb_server s = {.port = c->port,
				 .vip = (uint16_t)vip,
				 .v6 = c->v6,
				 .state = (uint8_t)c->state,
				 .weight = (uint16_t)c->weight},
			    old;
	bool there = sl_lb_server_there(lb, id, &old);
	int rc = sl_lb_tunnel_write(lb, id, v, c, err);

	if (rc)
		return rc;
	memcpy(s.addr, c->addr, sizeof(s.addr));
	if (there)
		s.health = kept_health(lb, &old);
	return write_server(lb, id, &s, v, !there, err);
}

static bool configured(const struct sl_lb_vip_config *v, const struct sl_lb_server *s)
{
	for (unsigned i = 0; v && i < v->servers_n; i++)
		if (v->servers[i].port == s->port &&
		    !memcmp(v->servers[i].addr, s->addr, sizeof(s->addr)))
			return true;
	return false;
}

/* Whose answers come from there may be another server's by now: one that moved to another VIP. */
static void forget_answers(const struct sl_lb *lb, uint32_t id, const struct sl_lb_server *s,
			   const struct sl_lb_vip_key *vip)
{
	struct sl_lb_reverse to;
	struct sl_lb_vip_key from;

	reverse_key(s, vip, &from);
	if (!bpf_map_lookup_elem(lb->map[SL_LB_M_REVERSE], &from, &to) && to.server == id)
		bpf_map_delete_elem(lb->map[SL_LB_M_REVERSE], &from);
}

/*
 * Servers that `v` does not name (NULL: all of them) go; the rows must not name them any more. The
 * address stays: a packet that is on its way there needs it, and the id is seen to have been used.
 */
static void remove_servers(const struct sl_lb *lb, unsigned vip, const struct sl_lb_vip_key *key,
			   const struct sl_lb_vip_config *v)
{
	struct sl_lb_server s;

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++) {
		if (!sl_lb_server_there(lb, id, &s) || s.vip != vip || configured(v, &s))
			continue;
		forget_answers(lb, id, &s, key);
		s.state = SL_LB_ABSENT;
		bpf_map_update_elem(lb->map[SL_LB_M_SERVERS], &id, &s, BPF_ANY);
	}
}

/* Before rows are dealt anew: who is to go gets none. */
static void drain_servers(const struct sl_lb *lb, unsigned vip, const struct sl_lb_vip_config *v)
{
	struct sl_lb_server s;

	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++)
		if (sl_lb_server_there(lb, id, &s) && s.vip == vip && !configured(v, &s)) {
			s.state = SL_LB_DRAIN;
			bpf_map_update_elem(lb->map[SL_LB_M_SERVERS], &id, &s, BPF_ANY);
		}
}

/* --- VIPs */

static bool same_vip(const struct sl_lb_vip_key *a, const struct sl_lb_vip_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* After a change of `lb_vips`: CPUs look up anew what they have seen of it. */
static int renew(const struct sl_lb *lb)
{
	struct sl_lb_control ctl;
	uint32_t zero = 0;
	int rc = bpf_map_lookup_elem(lb->map[SL_LB_M_CONTROL], &zero, &ctl);

	ctl.generation++;
	return rc ? rc : bpf_map_update_elem(lb->map[SL_LB_M_CONTROL], &zero, &ctl, BPF_ANY);
}

static int enter(const struct sl_lb *lb, const struct sl_lb_vip_key *key,
		 const struct sl_lb_vip *vip)
{
	int rc = bpf_map_update_elem(lb->map[SL_LB_M_VIPS], key, vip, BPF_ANY);

	return rc ? rc : renew(lb);
}

static void leave(const struct sl_lb *lb, const struct sl_lb_vip_key *key)
{
	bpf_map_delete_elem(lb->map[SL_LB_M_VIPS], key);
	renew(lb);
}

static struct sl_lb_network network_key(const struct sl_lb_vip_key *key, bool v6, unsigned prefix)
{
	struct sl_lb_network network = {.bits = sl_lb_prefix_bits(prefix, v6)};

	memcpy(network.addr, key->addr, sizeof(network.addr));
	return network;
}

/* Before its VIPs: a packet that finds the network and no VIP is of none. */
static int enter_network(const struct sl_lb *lb, const struct sl_lb_vip_config *v)
{
	const struct sl_lb_network key = network_key(&v->key, v->v6, v->prefix),
				   old = network_key(&v->key, v->v6,
						     sl_lb_vip_prefix(lb, v->key.addr));
	struct sl_lb_network_base base;
	int rc = 0;

	memcpy(base.addr, v->key.addr, sizeof(base.addr));
	if (v->prefix < (v->v6 ? 128u : 32u))
		rc = bpf_map_update_elem(lb->map[SL_LB_M_NETWORKS], &key, &base, BPF_ANY);
	if (!rc && old.bits != key.bits)
		bpf_map_delete_elem(lb->map[SL_LB_M_NETWORKS], &old);
	return rc;
}

/* After the last of its VIPs. Nothing if it is none. */
static void leave_network(const struct sl_lb *lb, const struct sl_lb_vip_key *vip)
{
	const bool v6 = vip->addr[0] || vip->addr[1] || vip->addr[2];
	const struct sl_lb_network key = network_key(vip, v6, sl_lb_vip_prefix(lb, vip->addr));

	bpf_map_delete_elem(lb->map[SL_LB_M_NETWORKS], &key);
}

/* The address alone, for ARP, echo and fragments. */
static struct sl_lb_vip_key address_key(struct sl_lb_vip_key key)
{
	key.proto = 0;
	key.port = 0;
	return key;
}

static int vip_id(const struct sl_lb_vip_entry *vips, unsigned n, const struct sl_lb_vip_key *key,
		  const bool *taken)
{
	const struct sl_lb_vip_entry *old = sl_lb_find_vip(vips, n, key);

	if (old)
		return old->vip.id;
	for (int id = 0; id < SL_LB_MAX_VIPS; id++)
		if (!taken[id])
			return id;
	return -1;
}

/* Servers, rows, then the VIP itself: once it is there it can be served. */
static int apply_vip(const struct sl_lb *lb, const struct sl_lb_vip_config *v, unsigned id,
		     const uint16_t *ids, struct sl_error *err)
{
	struct sl_lb_vip vip = {.id = (uint16_t)id,
				.forward = (uint8_t)v->forward,
				.select = (uint8_t)v->select,
				.keep = (uint8_t)v->keep,
				.bits = (uint8_t)v->bits,
				.candidates = (uint8_t)v->candidates,
				.shift = (uint8_t)sl_lb_tier_shift(v)};
	struct sl_lb_vip_key key = v->key, address = address_key(key);
	int rc = 0;

	drain_servers(lb, id, v);
	for (unsigned i = 0; !rc && i < v->servers_n; i++)
		rc = apply_server(lb, v, id, &v->servers[i], ids[i], err);
	if (!rc)
		rc = sl_lb_deal(lb, id, v->select, err);
	if (!rc)
		rc = sl_lb_quic_enter(lb, v, id, ids, err);
	if (rc)
		return rc;
	if (enter_network(lb, v))
		return refused(err, "lb_networks");
	if (enter(lb, &key, &vip) || enter(lb, &address, &vip))
		return refused(err, "lb_vips");
	sl_lb_quic_leave(lb, v, id, ids);
	remove_servers(lb, id, &v->key, v);
	return 0;
}

static void remove_vips(const struct sl_lb *lb, const struct sl_lb_config *config,
			const struct sl_lb_vip_entry *vips, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bool stays = false, shared = false;

		for (unsigned k = 0; k < config->vips_n; k++) {
			struct sl_lb_vip_key key = config->vips[k].key;
			struct sl_lb_vip_key a = address_key(key), b = address_key(vips[i].key);

			stays |= same_vip(&key, &vips[i].key);
			shared |= same_vip(&a, &b);
		}
		if (stays)
			continue;
		leave(lb, &vips[i].key);
		if (!shared) {
			struct sl_lb_vip_key address = address_key(vips[i].key);

			leave(lb, &address);
			leave_network(lb, &vips[i].key);
		}
		sl_lb_quic_leave(lb, NULL, vips[i].vip.id, NULL);
		remove_servers(lb, vips[i].vip.id, &vips[i].key, NULL);
	}
}

static int read_control(const struct sl_lb *lb, struct sl_lb_control *ctl, struct sl_error *err)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(lb->map[SL_LB_M_CONTROL], &zero, ctl)
		       ? refused(err, "lb_control")
		       : 0;
}

static int apply_control(struct sl_lb *lb, const struct sl_lb_config *config, uint32_t next_id,
			 struct sl_error *err)
{
	struct sl_lb_control ctl;
	int rc = read_control(lb, &ctl, err);

	if (rc)
		return rc;
	if (!ctl.slot_key[0] && !ctl.slot_key[1] &&
	    getrandom(ctl.slot_key, sizeof(ctl.slot_key), 0) != sizeof(ctl.slot_key))
		return refused(err, "a secret");
	ctl.slot_blocks = sl_lb_slots(lb) / SL_LB_BLOCK_SLOTS;
	ctl.inserts_max = config->inserts_max;
	ctl.netns = sl_netns_self();
	ctl.next_id = next_id;
	return sl_secret_store(lb->map[SL_LB_M_CONTROL], &ctl, ctl.key, &ctl.phase, config)
		       ? refused(err, "lb_control")
		       : 0;
}

static int apply_vips(const struct sl_lb *lb, const struct sl_lb_config *config,
		      const struct sl_lb_vip_entry *vips, unsigned n, const uint16_t *ids,
		      struct sl_error *err)
{
	bool taken[SL_LB_MAX_VIPS] = {false};
	int rc = 0;

	for (unsigned i = 0; i < n; i++)
		taken[vips[i].vip.id % SL_LB_MAX_VIPS] = true;
	for (unsigned i = 0; !rc && i < config->vips_n; ids += config->vips[i++].servers_n) {
		int id = vip_id(vips, n, &config->vips[i].key, taken);

		if (id < 0)
			return sl_error_set(err, -ENOSPC,
					    "more than %d VIPs, with those to be removed: "
					    "apply without those first",
					    SL_LB_MAX_VIPS);
		if (!taken[id] && clear_stats(lb->map[SL_LB_M_VIP_STATS], (uint32_t)id))
			return refused(err, "lb_vip_stats");
		taken[id] = true;
		rc = apply_vip(lb, &config->vips[i], (unsigned)id, ids, err);
	}
	return rc;
}

int sl_lb_apply(struct sl_lb *lb, const struct sl_lb_config *config, struct sl_error *err)
{
	struct sl_lb_vip_entry *vips;
	struct sl_lb_control ctl;
	uint16_t *ids = NULL;
	unsigned n;
	int rc = sl_lb_vips(lb, &vips, &n);

	if (rc)
		return sl_error_set(err, rc, "cannot read the VIPs: %s", strerror(-rc));
	rc = read_control(lb, &ctl, err);
	if (!rc)
		rc = sl_lb_check(lb, config, vips, n, &ids, &ctl.next_id, err);
	if (!rc)
		rc = sl_secret_check(ctl.key, ctl.phase, config, err);
	if (!rc)
		rc = apply_control(lb, config, ctl.next_id, err);
	if (!rc)
		rc = apply_vips(lb, config, vips, n, ids, err);
	if (!rc)
		rc = sl_lb_fragments(lb, config, vips, n, err);
	if (!rc)
		remove_vips(lb, config, vips, n);
	free(ids);
	free(vips);
	if (!rc)
		sl_lb_neighbours(lb);
	sl_lb_tidy(lb);
	for (unsigned i = 0; !rc && i < config->ifaces_n; i++)
		rc = sl_lb_attach(lb, config->ifaces[i], err);
	return rc;
}

static const struct sl_lb_vip_entry *vip_of(const struct sl_lb_vip_entry *vips, unsigned n,
					    unsigned id)
{
	for (unsigned i = 0; i < n; i++)
		if (vips[i].vip.id == id)
			return &vips[i];
	return NULL;
}

/* As in the file, or with the port that it has from its VIP. */
static bool is_end(const struct sl_lb_server *s, const struct sl_lb_vip_entry *vip,
		   const __be32 addr[4], __be16 port)
{
	return !memcmp(s->addr, addr, sizeof(s->addr)) &&
	       (s->port == port || (!s->port && vip->key.port == port));
}

static int set_server(const struct sl_lb *lb, uint32_t id, struct sl_lb_server *s,
		      const struct sl_lb_vip_entry *vip, enum sl_lb_state state, unsigned weight,
		      struct sl_error *err)
{
	if (state != SL_LB_ABSENT)
		s->state = (uint8_t)state;
	if (weight)
		s->weight = (uint16_t)weight;
	if (bpf_map_update_elem(lb->map[SL_LB_M_SERVERS], &id, s, BPF_ANY))
		return refused(err, "lb_servers");
	return sl_lb_deal(lb, s->vip, vip->vip.select, err);
}

int sl_lb_set(struct sl_lb *lb, const __be32 addr[4], __be16 port, enum sl_lb_state state,
	      unsigned weight, struct sl_error *err)
{
	struct sl_lb_vip_entry *vips;
	struct sl_lb_server s;
	unsigned vips_n;
	int n = 0, rc = sl_lb_vips(lb, &vips, &vips_n);

	if (rc)
		return sl_error_set(err, rc, "cannot read the VIPs: %s", strerror(-rc));
	for (uint32_t id = 0; !rc && id < SL_LB_MAX_SERVERS; id++) {
		const struct sl_lb_vip_entry *vip =
			sl_lb_server_there(lb, id, &s) ? vip_of(vips, vips_n, s.vip) : NULL;

		if (!vip || !is_end(&s, vip, addr, port))
			continue;
		rc = set_server(lb, id, &s, vip, state, weight, err);
		n++;
	}
	free(vips);
	if (rc)
		return rc;
	return n ? n
		 : sl_error_set(err, -ENOENT,
				"there is no such server: `sluice lb show` lists them");
}

static bool has_agents(const struct sl_lb *lb)
{
	struct sl_lb_vip_entry *vips;
	bool has = false;
	unsigned n;

	if (sl_lb_vips(lb, &vips, &n))
		return false;
	for (unsigned i = 0; i < n; i++)
		has |= vips[i].vip.keep == SL_LB_KEEP_AGENT;
	free(vips);
	return has;
}

int sl_lb_rotate(struct sl_lb *lb, const __u64 secret[2], struct sl_error *err)
{
	struct sl_lb_control ctl;
	uint32_t zero = 0;
	int rc;

	if (has_agents(lb))
		return sl_error_set(err, -EBUSY,
				    "VIPs with keep: agent need their servers to know the secret: "
				    "change secret and secret_phase in the file, apply it here and "
				    "then give it to the agents");
	rc = read_control(lb, &ctl, err);
	if (rc)
		return rc;
	memcpy(ctl.key[(ctl.phase & 1) ^ 1], secret, 16);
	/* first the secret, then its use */
	if (bpf_map_update_elem(lb->map[SL_LB_M_CONTROL], &zero, &ctl, BPF_ANY))
		return refused(err, "lb_control");
	ctl.phase ^= 1;
	return bpf_map_update_elem(lb->map[SL_LB_M_CONTROL], &zero, &ctl, BPF_ANY)
		       ? refused(err, "lb_control")
		       : 0;
}
