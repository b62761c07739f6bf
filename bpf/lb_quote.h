/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_quote.h - the packet that an error of ICMP quotes: what it says, and what it is to say. */
#ifndef SLUICE_LB_QUOTE_H
#define SLUICE_LB_QUOTE_H

#include "lb_choose.h"

#define LB_ICMP_CHECK_AT 2

/* Per CPU, as it is too much for a stack. */
struct lb_quote {
	struct sl_tuple flow; /* that is quoted */
	__u32 l3, l4; /* offsets of its headers */
	__u32 check; /* of its TCP or UDP checksum; 0: not in the quote */
	__u32 stamp; /* of TSval; 0: not in the quote */
	__u8 tcp_flags; /* if there is a TSval */
	__u8 outer; /* 1: the error's own end of the same side changes, too */
	__u32 how; /* enum sl_lb_count, a detail */
	struct lb_change change; /* of what is quoted */
	struct lb_choice choice;
	struct lb_hop hop;
};
SL_MAP(lb_quotes, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, __u32, struct lb_quote);

static __always_inline int lb_differ(const __be32 *a, const __be32 *b)
{
	return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) != 0;
}

/* Redirects are for the next hop alone; RFC 4443 and 792 have no more that concern a connection. */
static __always_inline int lb_icmp_relayed(__u8 type, int v6)
{
	return v6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

static __always_inline int lb_quote_v4(struct xdp_md *ctx, const struct lb *k, struct lb_quote *q)
{
	const struct sl_ipv4 *ip = lb_at(ctx, q->l3, sizeof(*ip));
	__u32 length;

	if (!ip)
		return -1;
	length = (ip->version_ihl & 0xf) * 4;
	if (ip->version_ihl >> 4 != 4 || length < sizeof(*ip) || ip->frag_off & bpf_htons(0x3fff))
		return -1;
	q->flow.src[3] = ip->saddr;
	q->flow.dst[3] = ip->daddr;
	q->flow.proto = ip->protocol;
	q->l4 = q->l3 + length;
	return 0;
}

/* Neither TCP nor UDP of servers has extension headers; what has is not ours. */
static __always_inline int lb_quote_v6(struct xdp_md *ctx, const struct lb *k, struct lb_quote *q)
{
	const struct sl_ipv6 *ip = lb_at(ctx, q->l3, sizeof(*ip));

	if (!ip || ip->version_class >> 4 != 6)
		return -1;
	sl_v6_addresses(&q->flow, ip);
	q->flow.proto = ip->nexthdr;
	q->l4 = q->l3 + sizeof(*ip);
	return 0;
}

/* Options may end within one, where the quote does. */
static __always_inline void lb_quote_tcp(struct xdp_md *ctx, const struct lb *k, struct lb_quote *q)
{
	__u32 have = k->p.limit - q->l4, length;
	const __u8 *tcp = lb_at(ctx, q->l4, SL_TCP_HEADER);

	if (have >= LB_TCP_CHECK_AT + 2)
		q->check = q->l4 + LB_TCP_CHECK_AT;
	if (have < SL_TCP_HEADER || !tcp)
		return;
	length = tcp[12] >> 4 << 2;
	q->tcp_flags = tcp[SL_TCP_FLAGS_AT];
	q->stamp = sl_tcp_timestamp((void *)(long)ctx->data, (void *)(long)ctx->data_end,
				    q->l4 & LB_MAX_OFFSET, length < have ? length : have);
}

/* What is quoted. -1: nothing that is ours, or less than the 8 bytes behind the IP header. */
__noinline int lb_quote_parse(struct xdp_md *ctx, const struct lb *k, struct lb_quote *q)
{
	const struct sl_ports *ports;
	const struct sl_icmp *icmp;

	if (!k || !q)
		return -1;
	icmp = lb_at(ctx, k->p.l4_off, sizeof(*icmp));
	if (!icmp || !lb_icmp_relayed(icmp->type, k->ends.v6))
		return -1;
	__builtin_memset(q, 0, sizeof(*q));
	q->l3 = k->p.l4_off + SL_ICMP_QUOTE;
	if (k->ends.v6 ? lb_quote_v6(ctx, k, q) : lb_quote_v4(ctx, k, q))
		return -1;
	ports = lb_at(ctx, q->l4, 8);
	if (!ports || q->l4 + 8 > k->p.limit)
		return -1;
	q->flow.sport = bpf_ntohs(ports->source);
	q->flow.dport = bpf_ntohs(ports->dest);
	if (q->flow.proto == SL_IP_TCP)
		lb_quote_tcp(ctx, k, q);
	else if (q->flow.proto == SL_IP_UDP)
		q->check = q->l4 + LB_UDP_CHECK_AT;
	else
		return -1;
	return 0;
}

/* The ports and the checksum of what is quoted. `l4`: what changed of its pseudo-header. */
static __always_inline int lb_quote_put_l4(struct xdp_md *ctx, const struct lb_quote *q, __u64 l4,
					   __u64 *icmp)
{
	struct sl_ports *ports = lb_at(ctx, q->l4, sizeof(*ports));
	__u16 *check, old;
	__u64 sum = 0;

	if (!ports)
		return -1;
	if (q->change.port) {
		__be16 *port = q->change.source ? &ports->source : &ports->dest;

		sum = sl_sum_swap(0, *port, q->change.port);
		*port = q->change.port;
	}
	*icmp += sum;
	if (!q->check)
		return 0;
	check = lb_at(ctx, q->check, sizeof(*check));
	if (!check)
		return -1;
	old = *check;
	if (q->flow.proto == SL_IP_UDP && !old) /* none was made */
		return 0;
	*check = sl_sum_apply(old, l4 + sum);
	if (q->flow.proto == SL_IP_UDP && !*check)
		*check = 0xffff;
	*icmp = sl_sum_swap(*icmp, old, *check);
	return 0;
}

static __always_inline int lb_quote_put_v4(struct xdp_md *ctx, const struct lb_quote *q, __u64 *l4,
					   __u64 *icmp)
{
	struct sl_ipv4 *ip = lb_at(ctx, q->l3, sizeof(*ip));
	__u16 check;
	__be32 old;

	if (!ip)
		return -1;
	old = q->change.source ? ip->saddr : ip->daddr;
	if (q->change.source)
		ip->saddr = q->change.addr[3];
	else
		ip->daddr = q->change.addr[3];
	check = ip->check;
	ip->check = sl_sum_apply(check, sl_sum_swap(0, old, q->change.addr[3]));
	*l4 = sl_sum_swap(*l4, old, q->change.addr[3]);
	*icmp = sl_sum_swap(sl_sum_swap(*icmp, old, q->change.addr[3]), check, ip->check);
	return 0;
}

static __always_inline int lb_quote_put_v6(struct xdp_md *ctx, const struct lb_quote *q, __u64 *l4,
					   __u64 *icmp)
{
	struct sl_ipv6 *ip = lb_at(ctx, q->l3, sizeof(*ip));
	__u64 sum = 0;

	if (!ip)
		return -1;
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		sum = sl_sum_swap(sum, q->change.source ? ip->saddr[i] : ip->daddr[i],
				  q->change.addr[i]);
		if (q->change.source)
			ip->saddr[i] = q->change.addr[i];
		else
			ip->daddr[i] = q->change.addr[i];
	}
	*l4 += sum;
	*icmp += sum;
	return 0;
}

/* What is quoted, then the error around it. 0, or -1 if it is shorter than it says. */
__noinline int lb_quote_change(struct xdp_md *ctx, const struct lb *k, struct lb_quote *q)
{
	__u64 l4 = 0, icmp = 0, sum = 0;
	struct lb_change *c;
	__u16 *check;
	void *at;

	if (!k || !q)
		return -1;
	c = &q->change;
	if (c->at) {
		at = lb_at(ctx, c->at, 4);
		if (!at)
			return -1;
		sum = sl_sum_swap(0, bpf_htonl(lb_load32(at)), bpf_htonl(c->value));
		lb_store32(at, c->value);
		/* both headers before it are of an even length */
		l4 = icmp = (c->at - q->l4) & 1 ? sl_sum_odd(sum) : sum;
	}
	if (k->ends.v6 ? lb_quote_put_v6(ctx, q, &l4, &icmp) : lb_quote_put_v4(ctx, q, &l4, &icmp))
		return -1;
	if (lb_quote_put_l4(ctx, q, l4, &icmp))
		return -1;
	c->source = !c->source;
	if (!q->outer)
		__builtin_memcpy(c->addr, k->p.flow.src, 16);
	sum = 0;
	if (k->ends.v6 ? lb_put_v6(ctx, k, c, &sum) : lb_put_v4(ctx, k, c, &sum))
		return -1;
	check = lb_at(ctx, k->p.l4_off + LB_ICMP_CHECK_AT, sizeof(*check));
	if (!check)
		return -1;
	/* ICMPv6 has a pseudo-header */
	*check = sl_sum_apply(*check, k->ends.v6 ? icmp + sum : icmp);
	return 0;
}

#endif /* SLUICE_LB_QUOTE_H */
