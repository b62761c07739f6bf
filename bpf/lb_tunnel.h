/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_tunnel.h - direct server return: the packet stays as it is but for a hop less to live, and
 * goes to the server's MAC address, or to the server in a packet of its own.
 *
 * Outer headers: IPv4 or IPv6 as the server's address is. IPPROTO_IPIP or IPPROTO_IPV6 straight in
 * it, or behind a UDP header: GUE's variant 1 (draft-ietf-intarea-gue-09), which Linux's fou and
 * Katran's servers take. As RFC 2003 and 2473 have it for a router that begins a tunnel: the inner
 * packet has a hop less, the outer DF. The traffic class is copied, ECN too (RFC 6040, normal
 * mode).
 */
#ifndef SLUICE_LB_TUNNEL_H
#define SLUICE_LB_TUNNEL_H

#include "lb_choose.h"
#include "lb_error.h"

#define LB_OUTER_TTL 64
#define LB_IP_IPIP 4
#define LB_IP_IPV6 41

/*
 * Outer source of a packet that the stack forwards while it resolves the next hop, if the usual one
 * is the balancer's own, which the stack would not take from outside. RFC 7600 and 6666: nobody's.
 */
#define LB_NOBODY4 0xc0000008u /* 192.0.0.8 */
#define LB_NOBODY6 0x01000000u /* 100::1 */

struct lb_udp {
	__be16 source, dest, length;
	__u16 check;
} SL_WIRE;

/*
 * What differs from flow to flow in outer headers, for the RSS of the server and the routers on the
 * way: GUE's source port, bits of IPIP's source, the flow label. `aim` is taken as it is: who knows
 * the server's hash names the port that it needs. Else a port that belongs to nobody (RFC 6335).
 * The row and the cookie's mask are other bits of the hash.
 */
static __always_inline __u16 lb_entropy(__u64 hash, __u16 aim)
{
	return aim ? aim : (__u16)(hash >> 48) | 0xc000;
}

static __always_inline __u8 lb_outer_proto(const struct lb *k, __u8 forward)
{
	return forward == SL_LB_GUE ? SL_IP_UDP : k->ends.v6 ? LB_IP_IPV6 : LB_IP_IPIP;
}

/* The last word of the outer source. */
static __always_inline __be32 lb_outer_source(const struct sl_lb_tunnel *t, __u16 entropy)
{
	return t->source[3] | bpf_htonl(entropy & t->spread);
}

static __always_inline __u32 lb_outer_size(const struct sl_lb_server *s, __u8 forward)
{
	if (forward == SL_LB_L2)
		return 0;
	return (s->v6 ? sizeof(struct sl_ipv6) : sizeof(struct sl_ipv4)) +
	       (forward == SL_LB_GUE ? sizeof(struct lb_udp) : 0);
}

/* One hop less; of IPv4 it is the upper byte of its word. Returns the traffic class, or -1. */
static __always_inline int lb_age(struct xdp_md *ctx, const struct lb *k)
{
	if (k->ends.v6) {
		struct sl_ipv6 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

		if (!ip)
			return -1;
		ip->hop_limit--;
		return (ip->version_class & 0xf) << 4 | ip->class_flow[0] >> 4;
	} else {
		struct sl_ipv4 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

		if (!ip)
			return -1;
		ip->check = sl_sum_apply(ip->check, sl_sum_swap(0, bpf_htons(0x100), 0));
		ip->ttl--;
		return ip->tos;
	}
}

/*
 * The inner packet's part of the outer UDP checksum, without a look at the data: with the inner
 * pseudo-header they sum up to 0, and so does an IPv4 header by itself. 0: no inner checksum to
 * build on, and then there is no outer one (RFC 6935). 0 is no sum of a packet.
 */
static __always_inline __u64 lb_inner_sum(struct xdp_md *ctx, const struct lb *k)
{
	__u32 where = k->p.proto == SL_IP_TCP ? LB_TCP_CHECK_AT : LB_UDP_CHECK_AT;
	const __u16 *check = lb_at(ctx, k->p.l4_off + where, sizeof(*check));
	__u64 sum = sl_sum_swap(0, bpf_htons(k->p.proto), 0);

	if (!k->p.flow.ports || k->p.proto == SL_IP_SCTP || !check ||
	    (k->p.proto == SL_IP_UDP && !*check))
		return 0;
	if (k->ends.v6) {
		const struct sl_ipv6 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));
		const __u32 *first = (const void *)ip;
		const __u16 *next = (const void *)ip;

		if (!ip || k->p.l4_off != k->p.l3_off + sizeof(*ip))
			return 0;
		return sum + *first + next[3]; /* addresses and length are in both */
	}
	sum = sl_sum_swap(sum, k->p.flow.src[3], 0);
	sum = sl_sum_swap(sum, k->p.flow.dst[3], 0);
	return sl_sum_swap(sum, bpf_htons(k->p.limit - k->p.l4_off), 0);
}

static __always_inline int lb_put_udp(struct xdp_md *ctx, __u32 at, __u32 length, __u16 port,
				      __be16 dest, __u64 sum)
{
	struct lb_udp *udp = lb_at(ctx, at, sizeof(*udp));

	if (!udp)
		return -1;
	udp->source = bpf_htons(port);
	udp->dest = dest;
	udp->length = bpf_htons(length);
	udp->check = 0;
	if (!sum)
		return 0;
	sum += (__u64)udp->source + udp->dest + udp->length + udp->length + bpf_htons(SL_IP_UDP);
	udp->check = (__u16)~sl_sum_fold(sum);
	if (!udp->check)
		udp->check = 0xffff;
	return 0;
}

/* What lb_encap() knows of the outer header. */
struct lb_outer {
	__u32 length; /* behind the IP header */
	__u16 entropy;
	__u8 proto, class;
};

static __always_inline int lb_put_outer4(struct xdp_md *ctx, const struct lb *k,
					 const struct sl_lb_server *s, const struct sl_lb_tunnel *t,
					 const struct lb_outer *o)
{
	struct sl_ipv4 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

	if (!ip || lb_put_ethertype(ctx, k, SL_ETH_IPV4))
		return -1;
	ip->version_ihl = 0x45;
	ip->tos = o->class;
	ip->tot_len = bpf_htons(o->length + sizeof(*ip));
	ip->id = 0; /* of what may not be fragmented it has no meaning: RFC 6864 */
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = LB_OUTER_TTL;
	ip->protocol = o->proto;
	ip->check = 0;
	ip->saddr = lb_outer_source(t, o->entropy);
	if (k->resolving && !t->foreign)
		ip->saddr = k->ends.v6 ? bpf_htonl(LB_NOBODY4) : k->p.flow.src[3];
	ip->daddr = s->addr[3];
	ip->check = lb_ipv4_check(ip);
	return 0;
}

/* Adds the addresses to *sum. */
static __always_inline int lb_put_outer6(struct xdp_md *ctx, const struct lb *k,
					 const struct sl_lb_server *s, const struct sl_lb_tunnel *t,
					 const struct lb_outer *o, __u64 *sum)
{
	struct sl_ipv6 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

	if (!ip || lb_put_ethertype(ctx, k, SL_ETH_IPV6))
		return -1;
	ip->version_class = 0x60 | o->class >> 4;
	ip->class_flow[0] = o->class << 4;
	ip->class_flow[1] = o->entropy >> 8;
	ip->class_flow[2] = (__u8)o->entropy;
	ip->payload_len = bpf_htons(o->length);
	ip->nexthdr = o->proto;
	ip->hop_limit = LB_OUTER_TTL;
	__builtin_memcpy(ip->daddr, s->addr, 16);
	__builtin_memcpy(ip->saddr, t->source, 16);
	ip->saddr[3] = lb_outer_source(t, o->entropy);
	if (k->resolving && !t->foreign && k->ends.v6) {
		__builtin_memcpy(ip->saddr, k->p.flow.src, 16);
	} else if (k->resolving && !t->foreign) {
		ip->saddr[0] = bpf_htonl(LB_NOBODY6);
		ip->saddr[1] = ip->saddr[2] = 0;
		ip->saddr[3] = bpf_htonl(1);
	}
	if (!*sum)
		return 0;
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		*sum += (__u64)ip->saddr[i] + ip->daddr[i];
	return 0;
}

/* The outer headers, and one hop less. 0, or -1. */
__noinline int lb_encap(struct xdp_md *ctx, const struct lb *k, const struct lb_choice *c,
			const struct sl_lb_server *s, const struct sl_lb_tunnel *t)
{
	struct lb_scratch *w = lb_scratch();
	struct lb_outer o = {};
	__u64 sum = 0;
	__u32 size;
	int class, gue;

	if (!w || !k || !c || !s || !t)
		return -1;
	gue = c->vip.forward == SL_LB_GUE;
	class = lb_age(ctx, k);
	if (class < 0)
		return -1;
	o.class = (__u8) class;
	o.length = k->length + (gue ? sizeof(struct lb_udp) : 0);
	o.entropy = lb_entropy(k->hash, c->aim);
	o.proto = lb_outer_proto(k, c->vip.forward);
	size = s->v6 ? sizeof(struct sl_ipv6) : sizeof(struct sl_ipv4);
	if (gue && s->v6)
		sum = lb_inner_sum(ctx, k);
	if (lb_grow(ctx, w, gue ? size + sizeof(struct lb_udp) : size))
		return -1;
	if (s->v6 ? lb_put_outer6(ctx, k, s, t, &o, &sum) : lb_put_outer4(ctx, k, s, t, &o))
		return -1;
	return gue ? lb_put_udp(ctx, k->p.l3_off + size, o.length, o.entropy, t->port, sum) : 0;
}

/* The server itself must be the next hop: a router would send the VIP's packet back. */
static __always_inline int lb_on_link(const struct bpf_fib_lookup *fib,
				      const struct sl_lb_server *s)
{
	if (!s->v6)
		return fib->family == LB_AF_INET && fib->ipv4_dst == s->addr[3];
	return fib->family == LB_AF_INET6 && fib->ipv6_dst[0] == s->addr[0] &&
	       fib->ipv6_dst[1] == s->addr[1] && fib->ipv6_dst[2] == s->addr[2] &&
	       fib->ipv6_dst[3] == s->addr[3];
}

static __always_inline long lb_direct_route(struct xdp_md *ctx, struct lb_scratch *w,
					    const struct sl_lb_server *s,
					    const struct sl_lb_tunnel *t, int l2)
{
	long rc;

	__builtin_memset(&w->fib, 0, sizeof(w->fib));
	w->fib.tot_len = 1; /* asks for the route's MTU */
	w->fib.ifindex = ctx->ingress_ifindex;
	if (s->v6) {
		w->fib.family = LB_AF_INET6;
		__builtin_memcpy(w->fib.ipv6_src, t->source, 16);
		__builtin_memcpy(w->fib.ipv6_dst, s->addr, 16);
	} else {
		w->fib.family = LB_AF_INET;
		w->fib.ipv4_src = t->source[3];
		w->fib.ipv4_dst = s->addr[3];
	}
	rc = bpf_fib_lookup(ctx, &w->fib, sizeof(w->fib), 0);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return rc;
	if (l2 && !lb_on_link(&w->fib, s))
		return BPF_FIB_LKUP_RET_UNREACHABLE;
	w->hop.ifindex = w->fib.ifindex;
	w->hop.mtu = w->fib.mtu_result;
	__builtin_memcpy(w->hop.macs.dst, w->fib.dmac, 6);
	__builtin_memcpy(w->hop.macs.src, w->fib.smac, 6);
	return rc;
}

/* As lb_server_hop(), into w->hop. */
static __always_inline long lb_direct_hop(struct xdp_md *ctx, const struct lb *k, __u32 id,
					  struct lb_scratch *w, const struct sl_lb_server *s,
					  const struct sl_lb_tunnel *t, int l2)
{
	struct lb_hop *known = bpf_map_lookup_elem(&lb_hops, &id);
	long rc;

	if (lb_hop_fresh(known, k->now_ms)) {
		w->hop = *known;
		return BPF_FIB_LKUP_RET_SUCCESS;
	}
	rc = lb_direct_route(ctx, w, s, t, l2);
	if (known && rc == BPF_FIB_LKUP_RET_SUCCESS) {
		w->hop.until_ms = k->now_ms + LB_HOP_MS;
		*known = w->hop;
	}
	return rc;
}

/*
 * To the chosen server. Where the next hop's MAC address is not known, the packet goes up the stack
 * in an outer header from somebody else than the balancer, and the stack forwards it. Under
 * SL_LB_L2, too: the server's MAC address is known then, the packet itself is lost if the server
 * does not decapsulate.
 */
__noinline int lb_direct(struct xdp_md *ctx, struct lb *k, const struct lb_choice *c)
{
	const struct sl_lb_server *s;
	const struct sl_lb_tunnel *t;
	struct lb_scratch *w = lb_scratch();
	__u32 id, size;
	long rc;
	int l2;

	if (!w || !k || !c)
		return XDP_DROP;
	id = c->server;
	s = bpf_map_lookup_elem(&lb_servers, &id);
	t = bpf_map_lookup_elem(&lb_tunnels, &id);
	if (!s || !t || s->state == SL_LB_ABSENT)
		return lb_end(SL_LB_DROP_NO_SERVER, XDP_DROP);
	if (lb_hops_left(ctx, k) <= 1)
		return lb_end(SL_LB_DROP_TTL, XDP_DROP);
	l2 = c->vip.forward == SL_LB_L2;
	rc = lb_direct_hop(ctx, k, id, w, s, t, l2);
	k->resolving = rc == BPF_FIB_LKUP_RET_NO_NEIGH;
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && !k->resolving)
		return lb_end(SL_LB_DROP_NO_ROUTE, XDP_DROP);
	size = lb_outer_size(s, c->vip.forward);
	if (!k->resolving && w->hop.mtu && k->length + size > w->hop.mtu)
		return lb_too_big(ctx, k, w->hop.mtu - size);
	lb_count_forward(k, c);
	if (l2 && !k->resolving ? lb_age(ctx, k) < 0 : lb_encap(ctx, k, c, s, t))
		return lb_end(SL_LB_DROP_MALFORMED, XDP_DROP);
	if (k->resolving)
		return lb_end(SL_LB_RESOLVE, XDP_PASS);
	lb_count(c->how);
	return lb_send(ctx, k, &w->hop);
}

#endif /* SLUICE_LB_TUNNEL_H */
