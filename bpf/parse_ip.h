/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parse_ip.h - IPv4 and IPv6 to L4; compiles for BPF and for user space alike.
 *
 * Nothing outside [data, end) is ever read. Bounds are compared in the form that the verifier
 * understands (pointer + constant against end). Offsets count from `data`.
 */
#ifndef SLUICE_PARSE_IP_H
#define SLUICE_PARSE_IP_H

#include <linux/types.h>
#include <bpf/bpf_endian.h>

#include <sluice/maps.h>
#include <sluice/packet.h>

#include "compiler.h"

/* The packet has a flow. Any result but these two is an enum sl_steer_count. */
#define SL_PARSED (-1)
/* It is an ICMP error: the caller asks sl_parse_quoted4() or 6() for the flow that it quotes. */
#define SL_PARSE_QUOTE (-2)

/* RFC 8200 4.1 lists six extension headers, one of them twice; a longer chain goes to the stack. */
#define SL_V6_EXT_MAX 8

/* No header starts further in: VLAN tags, IPv6 header, a chain of the longest headers, twice. */
#define SL_MAX_OFFSET 0x7fff

enum {
	SL_ETH_IPV4 = 0x0800,
	SL_ETH_ARP = 0x0806,
	SL_ETH_VLAN = 0x8100,
	SL_ETH_QINQ = 0x88a8,
	SL_ETH_IPV6 = 0x86dd,
	SL_IP_ICMP = 1,
	SL_IP_TCP = 6,
	SL_IP_UDP = 17,
	SL_IP_ICMP6 = 58,
	SL_IP_SCTP = 132,
	SL_V6_HOPOPTS = 0,
	SL_V6_ROUTING = 43,
	SL_V6_FRAGMENT = 44,
	SL_V6_AH = 51,
	SL_V6_DSTOPTS = 60,
};

/* Headers lie at 14 bytes into a frame; only user space has to be told that this is unaligned. */
#ifdef __bpf__
#define SL_WIRE __attribute__((packed, aligned(4)))
#else
#define SL_WIRE __attribute__((packed))
#endif

struct sl_ipv4 {
	__u8 version_ihl, tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__be16 check;
	__be32 saddr, daddr;
} SL_WIRE;

struct sl_ipv6 {
	__u8 version_class, class_flow[3];
	__be16 payload_len;
	__u8 nexthdr, hop_limit;
	__be32 saddr[4], daddr[4];
} SL_WIRE;

struct sl_ports {
	__be16 source, dest;
} SL_WIRE;
#define SL_ICMP_QUOTE 8 /* bytes before what an error quotes */

struct sl_icmp {
	__u8 type, code;
	__be16 check, id, sequence;
} SL_WIRE;

/*
 * What hash and match rules see: the packet's own flow, or for an ICMP error the quoted one.
 * IPv4 addresses are word 3; the other words are not written then.
 */
struct sl_tuple {
	__be32 src[4] __attribute__((aligned(8))), dst[4];
	__u16 sport, dport; /* host order; an ICMP echo has its identifier in both; 0 where there
			       are none */
	__u8 proto; /* IP protocol */
	__u8 ports; /* 1: sport and dport are ports */
	__u8 fragment;
};

struct sl_parsed {
	struct sl_tuple flow;
	__u16 flags; /* enum sl_meta_flags */
	__u16 l3_off, l4_off; /* l4_off 0: no L4 header */
	__u8 proto; /* IP protocol at l4_off */
	__u8 vlans;
	__u32 limit; /* offset of the end of the IP packet; bytes behind it are padding */
};

/*
 * The protocol for the hash. All fragments of a datagram must agree, and only the first has an L4
 * header; RFC 8200 4.5 lets even the next header differ between them: so addresses only.
 */
static __always_inline __u8 sl_tuple_proto(const struct sl_tuple *t)
{
	return t->fragment ? 0 : t->proto;
}

static __always_inline int sl_has_ports(__u8 proto)
{
	return proto == SL_IP_TCP || proto == SL_IP_UDP || proto == SL_IP_SCTP;
}

static __always_inline __u32 sl_l4_min(__u8 proto)
{
	return proto == SL_IP_TCP ? 20 : proto == SL_IP_SCTP ? 12 : 8;
}

/* A walk along extension headers. */
struct sl_chain {
	__u32 off; /* of the next header */
	__u32 limit; /* where the packet ends */
	__u16 flags; /* SL_META_FRAGMENT and SL_META_NON_FIRST are added */
	__u8 proto; /* type of the next header */
};

/*
 * Walk to the L4 header. A fragment header with more fragments or an offset ends the chain too:
 * what follows is not there in every fragment. The mask tells the verifier what the lengths imply.
 */
static __always_inline int sl_parse_chain(const void *data, const void *end, struct sl_chain *c)
{
	__u32 off = c->off;

	for (int i = 0; i < SL_V6_EXT_MAX; i++) {
		const __u8 *h;
		__u8 type = c->proto;

		if (type != SL_V6_HOPOPTS && type != SL_V6_ROUTING && type != SL_V6_DSTOPTS &&
		    type != SL_V6_AH && type != SL_V6_FRAGMENT)
			return SL_PARSED;
		off &= SL_MAX_OFFSET;
		h = (const __u8 *)data + off;
		if ((const void *)(h + 8) > end)
			return SL_PASS_TRUNCATED;

		c->proto = h[0];
		if (type == SL_V6_FRAGMENT) {
			__u16 where = (__u16)h[2] << 8 | h[3];

			off += 8;
			if (where & 0xfff9)
				c->flags |= SL_META_FRAGMENT;
			if (where & 0xfff8)
				c->flags |= SL_META_NON_FIRST;
		} else if (type == SL_V6_AH) {
			off += (h[1] + 2) * 4;
		} else {
			off += (h[1] + 1) * 8;
		}
		c->off = off;
		if (off > c->limit)
			return SL_PASS_TRUNCATED;
		if (c->flags & SL_META_FRAGMENT)
			return SL_PARSED;
	}
	return SL_PASS_UNKNOWN;
}

static __always_inline void sl_v6_addresses(struct sl_tuple *t, const struct sl_ipv6 *ip)
{
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		t->src[i] = ip->saddr[i];
		t->dst[i] = ip->daddr[i];
	}
}

/* TCP, UDP, SCTP: ports. The whole fixed header must be there, or the packet is no use to an NF. */
static __always_inline int sl_parse_ports(const void *data, const void *end, __u32 off, __u32 limit,
					  struct sl_parsed *p)
{
	const struct sl_ports *ports = (const void *)((const char *)data + off);

	if (off + sl_l4_min(p->proto) > limit || (const void *)(ports + 1) > end)
		return SL_PASS_TRUNCATED;
	p->flow.sport = bpf_ntohs(ports->source);
	p->flow.dport = bpf_ntohs(ports->dest);
	p->flow.ports = 1;
	p->flags |= SL_META_PORTS;
	return SL_PARSED;
}

static __always_inline int sl_parse_icmp4(const void *data, const void *end, __u32 off, __u32 limit,
					  struct sl_parsed *p)
{
	const struct sl_icmp *icmp = (const void *)((const char *)data + off);

	if (off + sizeof(*icmp) > limit || (const void *)(icmp + 1) > end)
		return SL_PASS_TRUNCATED;
	switch (icmp->type) {
	case 0: /* echo reply */
	case 8: /* echo request: the identifier is the same both ways */
		p->flow.sport = p->flow.dport = bpf_ntohs(icmp->id);
		break;
	case 3: /* destination unreachable */
	case 4: /* source quench */
	case 5: /* redirect */
	case 11: /* time exceeded */
	case 12: /* parameter problem */
		return SL_PARSE_QUOTE;
	default:
		break;
	}
	return SL_PARSED;
}

static __always_inline int sl_parse_icmp6(const void *data, const void *end, __u32 off, __u32 limit,
					  struct sl_parsed *p)
{
	const struct sl_icmp *icmp = (const void *)((const char *)data + off);

	if (off + sizeof(*icmp) > limit || (const void *)(icmp + 1) > end)
		return SL_PASS_TRUNCATED;
	if (icmp->type >= 133 && icmp->type <= 137)
		return SL_PASS_ND;
	if (icmp->type < 128) /* RFC 4443 2.1: an error */
		return SL_PARSE_QUOTE;
	if (icmp->type == 128 || icmp->type == 129)
		p->flow.sport = p->flow.dport = bpf_ntohs(icmp->id);
	return SL_PARSED;
}

/*
 * The IPv4 packet at data + off. SL_PARSED, SL_PARSE_QUOTE, or the
 * reason to leave it to the stack.
 */
static __always_inline int sl_parse_ipv4(const void *data, const void *end, __u32 off,
					 struct sl_parsed *p)
{
	const struct sl_ipv4 *ip = (const void *)((const char *)data + off);
	__u32 ihl, length, where;

	if ((const void *)(ip + 1) > end)
		return SL_PASS_TRUNCATED;
	if (ip->version_ihl >> 4 != 4)
		return SL_PASS_UNKNOWN;
	ihl = (ip->version_ihl & 0xf) * 4;
	length = bpf_ntohs(ip->tot_len);
	if (ihl < sizeof(*ip) || length < ihl ||
	    length > (__u32)((const char *)end - (const char *)ip))
		return SL_PASS_TRUNCATED;

	p->flags = SL_META_V4;
	p->limit = off + length;
	p->l3_off = off;
	p->l4_off = off + ihl;
	p->proto = p->flow.proto = ip->protocol;
	p->flow.src[3] = ip->saddr;
	p->flow.dst[3] = ip->daddr;
	p->flow.sport = p->flow.dport = 0;
	p->flow.ports = p->flow.fragment = 0;

	where = ip->frag_off & bpf_htons(0x3fff);
	if (unlikely(where)) {
		p->flow.fragment = 1;
		p->flags |= SL_META_FRAGMENT;
		if (where & bpf_htons(0x1fff)) {
			p->flags |= SL_META_NON_FIRST;
			p->l4_off = 0;
		}
		return SL_PARSED;
	}
	if (likely(sl_has_ports(p->proto)))
		return sl_parse_ports(data, end, off + ihl, off + length, p);
	if (p->proto == SL_IP_ICMP)
		return sl_parse_icmp4(data, end, off + ihl, off + length, p);
	return SL_PARSED;
}

/*
 * The IPv6 header at data + off. SL_PARSED, or the reason to leave it to the stack. If p->proto has
 * no ports then, sl_parse_chain() comes next; sl_parse_ipv6_l4() last.
 */
static __always_inline int sl_parse_ipv6(const void *data, const void *end, __u32 off,
					 struct sl_parsed *p)
{
	const struct sl_ipv6 *ip = (const void *)((const char *)data + off);

	if ((const void *)(ip + 1) > end)
		return SL_PASS_TRUNCATED;
	if (ip->version_class >> 4 != 6)
		return SL_PASS_UNKNOWN;
	p->l3_off = off;
	p->l4_off = off + sizeof(*ip);
	p->limit = p->l4_off + bpf_ntohs(ip->payload_len);
	if (p->limit > (__u32)((const char *)end - (const char *)data))
		return SL_PASS_TRUNCATED;

	p->flags = SL_META_V6;
	p->proto = ip->nexthdr;
	sl_v6_addresses(&p->flow, ip);
	p->flow.sport = p->flow.dport = 0;
	p->flow.ports = p->flow.fragment = 0;
	return SL_PARSED;
}

/* What a walk along the extension headers found. */
static __always_inline void sl_parse_chain_end(struct sl_parsed *p, const struct sl_chain *c)
{
	p->l4_off = c->off & SL_MAX_OFFSET;
	p->proto = c->proto;
	p->flags |= c->flags;
}

/* The L4 header of an IPv6 packet, at p->l4_off. SL_PARSED, SL_PARSE_QUOTE, or the reason to pass.
 */
static __always_inline int sl_parse_ipv6_l4(const void *data, const void *end, struct sl_parsed *p)
{
	__u32 off = p->l4_off;

	p->flow.proto = p->proto;
	if (unlikely(p->flags & SL_META_FRAGMENT)) {
		p->flow.fragment = 1;
		if (p->flags & SL_META_NON_FIRST)
			p->l4_off = 0;
		return SL_PARSED;
	}
	if (likely(sl_has_ports(p->proto)))
		return sl_parse_ports(data, end, off, p->limit, p);
	if (p->proto == SL_IP_ICMP6)
		return sl_parse_icmp6(data, end, off, p->limit, p);
	return SL_PARSED;
}

#endif /* SLUICE_PARSE_IP_H */
