/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_vips.h - whose packet it is: a VIP's, a network's, or a server's answer. */
#ifndef SLUICE_LB_VIPS_H
#define SLUICE_LB_VIPS_H

#include "lb_packet.h"

static __always_inline void lb_key(struct sl_lb_vip_key *key, __u8 proto, __u16 port,
				   const __be32 *addr)
{
	key->proto = proto;
	key->fragments = 0;
	key->port = bpf_htons(port);
	__builtin_memcpy(key->addr, addr, 16);
}

/* An entry for the port, then one for all ports. */
static __always_inline const struct sl_lb_vip *lb_find_vip(__u8 proto, __u16 port,
							   const __be32 *addr)
{
	const struct sl_lb_vip *vip;
	struct sl_lb_vip_key key;

	lb_key(&key, proto, port, addr);
	vip = bpf_map_lookup_elem(&lb_vips, &key);
	if (vip || !port)
		return vip;
	key.port = 0;
	return bpf_map_lookup_elem(&lb_vips, &key);
}

/*
 * A usual packet's VIP, from the line of those seen last if it is there. The generation is read
 * first: what was looked up while user space changed `lb_vips` is of the one before.
 */
static __always_inline int lb_vip_usual(const struct lb *k, const struct sl_lb_control *ctl,
					struct sl_lb_vip *found)
{
	__u32 generation = *(const volatile __u32 *)&ctl->generation;
	__be32 addr = k->p.flow.dst[3];
	__u32 at = (k->p.flow.dport ^ addr ^ addr >> 24) & (LB_VIP_LINES - 1);
	struct lb_vip_line *line = bpf_map_lookup_elem(&lb_vip_lines, &at);
	const struct sl_lb_vip *vip;

	if (line && line->addr == addr && line->port == k->p.flow.dport && line->known &&
	    line->generation == generation) {
		*found = line->vip;
		return 1;
	}
	vip = lb_find_vip(k->p.proto, k->p.flow.dport, k->p.flow.dst);
	if (!vip)
		return 0;
	*found = *vip;
	if (line) {
		line->addr = addr;
		line->port = k->p.flow.dport;
		line->known = 1;
		line->generation = generation;
		line->vip = *vip;
	}
	return 1;
}

static __always_inline int lb_is_vip(const __be32 *addr)
{
	return lb_find_vip(0, 0, addr) != NULL;
}

/* *key of an address becomes that of its network. Functions of networks are not static, for the
 * verifier takes each by itself then, and so does the stack. */
__noinline int lb_network(struct sl_lb_vip_key *key)
{
	struct sl_lb_network at = {.bits = 128};
	const struct sl_lb_network_base *base;

	if (!key)
		return 0;
	__builtin_memcpy(at.addr, key->addr, 16);
	base = bpf_map_lookup_elem(&lb_networks, &at);
	if (!base)
		return 0;
	__builtin_memcpy(key->addr, base->addr, 16);
	return 1;
}

/* The VIP of a tuple's destination, or source, that is a network. */
__noinline int lb_network_vip(const struct sl_tuple *t, __u32 source, struct sl_lb_vip *found)
{
	struct sl_lb_vip_key key;
	const struct sl_lb_vip *vip;

	if (!t || !found)
		return 0;
	lb_key(&key, t->fragment ? 0 : t->proto,
	       t->fragment ? 0
	       : source	   ? t->sport
			   : t->dport,
	       source ? t->src : t->dst);
	if (!lb_network(&key))
		return 0;
	vip = lb_find_vip(key.proto, bpf_ntohs(key.port), key.addr);
	if (!vip)
		return 0;
	*found = *vip;
	return 1;
}

/* Is the destination a network's that is a VIP? */
__noinline int lb_in_network(const struct lb *k)
{
	struct sl_lb_vip_key key;

	if (!k)
		return 0;
	lb_key(&key, 0, 0, k->p.flow.dst);
	return lb_network(&key);
}

/*
 * Not for us, so up the stack; but what is for a VIP's address and none of its services, as a scan
 * of its ports, would only be forwarded by the stack, back to where it came from. `drop`: how that
 * is counted.
 */
static __always_inline int lb_leave(const struct lb *k, __u32 drop)
{
	if (lb_is_vip(k->p.flow.dst) || lb_in_network(k))
		return lb_end(drop, XDP_DROP);
	return lb_end(SL_LB_PASSED, XDP_PASS);
}

static __always_inline int lb_not_ours(const struct lb *k)
{
	return lb_leave(k, SL_LB_DROP_NO_VIP);
}

/* Is the packet for a VIP? A fragment has no ports: for a VIP's address then. */
static __always_inline int lb_vip(const struct lb *k, const struct sl_lb_control *ctl,
				  struct sl_lb_vip *found)
{
	const struct sl_tuple *t = &k->p.flow;
	const struct sl_lb_vip *vip;

	if (k->usual)
		return lb_vip_usual(k, ctl, found);
	vip = t->fragment ? lb_find_vip(0, 0, t->dst) : lb_find_vip(t->proto, t->dport, t->dst);
	if (!vip)
		return 0;
	*found = *vip;
	return 1;
}

static __always_inline const struct sl_lb_reverse *lb_reverse_of(__u8 proto, __u16 port,
								 const __be32 *addr)
{
	const struct sl_lb_reverse *r;
	struct sl_lb_vip_key key;

	lb_key(&key, proto, port, addr);
	r = bpf_map_lookup_elem(&lb_reverse, &key);
	if (r)
		return r;
	key.port = 0;
	return bpf_map_lookup_elem(&lb_reverse, &key);
}

static __always_inline const struct sl_lb_reverse *lb_server_of(const struct lb *k)
{
	return lb_reverse_of(k->p.flow.proto, k->p.flow.sport, k->p.flow.src);
}

#endif /* SLUICE_LB_VIPS_H */
