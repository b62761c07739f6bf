/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * agent_tunnel.h - what a balancer put around a packet, and off with it: IP in IP of any two
 * families (RFC 2003, 2473, 4213) and GUE (draft-ietf-intarea-gue-09) of variant 0, as Linux's fou
 * sends it, and of variant 1, as Katran does.
 *
 * Headers are read with bpf_skb_load_bytes(): they need not be in the linear part of the packet.
 */
#ifndef SLUICE_AGENT_TUNNEL_H
#define SLUICE_AGENT_TUNNEL_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "agent_maps.h"
#include "parse.h"

#define AGENT_IP_IPIP 4
#define AGENT_IP_IPV6 41
#define AGENT_ECN 3
#define AGENT_CE 3
#define AGENT_OK (-1)

struct agent_udp {
	__be16 source, dest, length, check;
};

/* Of GUE, variant 0. */
struct agent_gue {
	__u8 version_hlen; /* 2 bits of version, one for control messages, 5 of length in words */
	__u8 proto;
	__be16 flags;
};

struct agent_tunnel {
	__be32 from[4]; /* of the outer header */
	__u32 inner; /* offset of what follows the outer headers so far */
	__u32 end; /* of the outer packet */
	__u32 how; /* enum sl_agent_count, if it is one of ours */
	__u8 proto; /* of what follows */
	__u8 v6, fragment, ecn; /* of the outer header */
	__u8 inner_ecn;
};

/* What each of these returns: AGENT_OK, or the enum sl_agent_count to pass the packet under. */

static __always_inline int agent_outer4(struct __sk_buff *skb, struct agent_tunnel *t)
{
	struct sl_ipv4 ip;

	if (bpf_skb_load_bytes(skb, AGENT_L3, &ip, sizeof(ip)) || ip.version_ihl >> 4 != 4)
		return SL_AGENT_OTHER;
	t->proto = ip.protocol;
	t->from[0] = t->from[1] = t->from[2] = 0;
	t->from[3] = ip.saddr;
	t->inner = AGENT_L3 + (ip.version_ihl & 15) * 4;
	t->end = AGENT_L3 + bpf_ntohs(ip.tot_len);
	t->v6 = 0;
	t->fragment = !!(ip.frag_off & bpf_htons(0x3fff));
	t->ecn = ip.tos & AGENT_ECN;
	/* only the first has a UDP header */
	if (t->proto == SL_IP_UDP && ip.frag_off & bpf_htons(0x1fff))
		return SL_AGENT_OTHER;
	return AGENT_OK;
}

static __always_inline int agent_outer6(struct __sk_buff *skb, struct agent_tunnel *t)
{
	struct sl_ipv6 ip;
	__u8 option[2];

	if (bpf_skb_load_bytes(skb, AGENT_L3, &ip, sizeof(ip)) || ip.version_class >> 4 != 6)
		return SL_AGENT_OTHER;
	t->proto = ip.nexthdr;
	__builtin_memcpy(t->from, ip.saddr, 16);
	t->inner = AGENT_L3 + sizeof(ip);
	t->end = AGENT_L3 + sizeof(ip) + bpf_ntohs(ip.payload_len);
	t->v6 = 1;
	t->fragment = 0;
	t->ecn = ip.class_flow[0] >> 4 & AGENT_ECN;
	/* ip6_tunnel writes how often it may be encapsulated again: RFC 2473, 4.1.1 */
	if (t->proto == SL_V6_DSTOPTS) {
		if (bpf_skb_load_bytes(skb, t->inner, option, sizeof(option)))
			return SL_AGENT_OTHER;
		t->proto = option[0];
		t->inner += (option[1] + 1) * 8;
	}
	if (t->proto == SL_V6_FRAGMENT) {
		if (bpf_skb_load_bytes(skb, t->inner, option, sizeof(option)))
			return SL_AGENT_OTHER;
		t->proto = option[0];
		t->fragment = 1;
		/* a fragment's ports are not looked for */
		return t->proto == SL_IP_UDP ? SL_AGENT_OTHER : AGENT_OK;
	}
	return AGENT_OK;
}

/* Is it of a tunnel at all? */
static __always_inline int agent_outer(struct __sk_buff *skb, struct agent_tunnel *t)
{
	const struct sl_agent_control *ctl;
	struct agent_udp udp;
	__u32 zero = 0;
	int rc;

	rc = skb->protocol == bpf_htons(SL_ETH_IPV4)   ? agent_outer4(skb, t)
	     : skb->protocol == bpf_htons(SL_ETH_IPV6) ? agent_outer6(skb, t)
						       : SL_AGENT_OTHER;
	if (rc != AGENT_OK)
		return rc;
	t->how = SL_AGENT_IPIP;
	if (t->proto == AGENT_IP_IPIP || t->proto == AGENT_IP_IPV6)
		return AGENT_OK;
	ctl = bpf_map_lookup_elem(&agent_control, &zero);
	if (!ctl || t->proto != SL_IP_UDP || bpf_skb_load_bytes(skb, t->inner, &udp, sizeof(udp)) ||
	    udp.dest != ctl->gue_port)
		return SL_AGENT_OTHER;
	t->inner += sizeof(udp);
	t->how = SL_AGENT_GUE;
	return AGENT_OK;
}

/*
 * Flags announce fields that change what the payload means (a checksum begun, a key), so a packet
 * with one is left alone. Of variant 1 the first bits are those of the inner IP header.
 */
static __always_inline int agent_gue(struct __sk_buff *skb, struct agent_tunnel *t)
{
	struct agent_gue gue;

	if (bpf_skb_load_bytes(skb, t->inner, &gue, sizeof(gue)))
		return SL_AGENT_MALFORMED;
	if (gue.version_hlen >> 6 == 1) {
		t->proto = gue.version_hlen >> 4 == 6 ? AGENT_IP_IPV6 : AGENT_IP_IPIP;
		return AGENT_OK;
	}
	if (gue.version_hlen >> 5 || gue.flags ||
	    (gue.proto != AGENT_IP_IPIP && gue.proto != AGENT_IP_IPV6))
		return SL_AGENT_GUE_UNKNOWN;
	t->proto = gue.proto;
	t->inner += sizeof(gue) + (gue.version_hlen & 31) * 4;
	return AGENT_OK;
}

/* The inner packet must be whole, and its address one of ours. */
static __always_inline int agent_inner4(struct __sk_buff *skb, struct agent_tunnel *t,
					struct sl_agent_prefix *to)
{
	struct sl_ipv4 ip;
	__u32 ihl, length;

	if (bpf_skb_load_bytes(skb, t->inner, &ip, sizeof(ip)))
		return SL_AGENT_MALFORMED;
	ihl = (ip.version_ihl & 15) * 4;
	length = bpf_ntohs(ip.tot_len);
	if (ip.version_ihl >> 4 != 4 || ihl < sizeof(ip) || length < ihl ||
	    t->inner + length > t->end)
		return SL_AGENT_MALFORMED;
	to->addr[0] = to->addr[1] = to->addr[2] = 0;
	to->addr[3] = ip.daddr;
	t->inner_ecn = ip.tos & AGENT_ECN;
	return AGENT_OK;
}

static __always_inline int agent_inner6(struct __sk_buff *skb, struct agent_tunnel *t,
					struct sl_agent_prefix *to)
{
	struct sl_ipv6 ip;

	if (bpf_skb_load_bytes(skb, t->inner, &ip, sizeof(ip)) || ip.version_class >> 4 != 6 ||
	    t->inner + sizeof(ip) + bpf_ntohs(ip.payload_len) > t->end)
		return SL_AGENT_MALFORMED;
	__builtin_memcpy(to->addr, ip.daddr, 16);
	t->inner_ecn = ip.class_flow[0] >> 4 & AGENT_ECN;
	return AGENT_OK;
}

/* Is it from a balancer and for a VIP, and is what it says of itself true? */
static __always_inline int agent_judge(struct __sk_buff *skb, struct agent_tunnel *t)
{
	struct sl_agent_prefix from = {.bits = 128};
	struct sl_agent_prefix to = {.bits = 128};
	int rc = AGENT_OK;

	__builtin_memcpy(from.addr, t->from, sizeof(from.addr));
	if (!bpf_map_lookup_elem(&agent_from, &from))
		return SL_AGENT_NOT_FROM;
	if (t->fragment)
		return SL_AGENT_FRAGMENT;
	if (t->how == SL_AGENT_GUE)
		rc = agent_gue(skb, t);
	if (rc != AGENT_OK)
		return rc;
	if (t->end > skb->len)
		return SL_AGENT_MALFORMED;
	rc = t->proto == AGENT_IP_IPV6 ? agent_inner6(skb, t, &to) : agent_inner4(skb, t, &to);
	if (rc != AGENT_OK)
		return rc;
	return bpf_map_lookup_elem(&agent_vips, &to) ? AGENT_OK : SL_AGENT_NOT_VIP;
}

/* Congestion that a router told of in the outer header: RFC 6040, 4.2. */
static __always_inline int agent_mark(struct __sk_buff *skb, const struct agent_tunnel *t)
{
	__u8 byte;

	if (t->ecn != AGENT_CE || t->inner_ecn == AGENT_CE)
		return 0;
	if (bpf_skb_load_bytes(skb, AGENT_L3 + 1, &byte, 1))
		return -1;
	if (t->proto == AGENT_IP_IPV6) {
		byte |= AGENT_CE << 4;
		return bpf_skb_store_bytes(skb, AGENT_L3 + 1, &byte, 1, BPF_F_RECOMPUTE_CSUM);
	}
	/* the lower byte of its word */
	if (bpf_l3_csum_replace(skb, AGENT_L3 + 10, bpf_htons(byte), bpf_htons(byte | AGENT_CE), 2))
		return -1;
	byte |= AGENT_CE;
	return bpf_skb_store_bytes(skb, AGENT_L3 + 1, &byte, 1, 0);
}

/*
 * The outer headers off. To change the family before Linux 6.3 there is only
 * bpf_skb_change_proto(), which makes the header that it takes for the outer one 20 bytes longer or
 * shorter; what is left of it goes as well.
 */
static __always_inline int agent_decap(struct __sk_buff *skb, const struct agent_tunnel *t)
{
	int length = (int)(t->inner - AGENT_L3), v6 = t->proto == AGENT_IP_IPV6;
	__be16 type = v6 ? bpf_htons(SL_ETH_IPV6) : bpf_htons(SL_ETH_IPV4);

	if (v6 != t->v6) {
		if (bpf_skb_change_proto(skb, type, 0))
			return -1;
		length += v6 ? 20 : -20;
	}
	/* what was received in segments of one size still was */
	if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	if (v6 != t->v6 && bpf_skb_store_bytes(skb, AGENT_L3 - 2, &type, sizeof(type), 0))
		return -1;
	return agent_mark(skb, t);
}

/* AGENT_OK: nothing is around the packet any more. */
static __always_inline int agent_open(struct __sk_buff *skb, struct agent_tunnel *t)
{
	int rc = agent_outer(skb, t);

	if (rc == AGENT_OK)
		rc = agent_judge(skb, t);
	if (rc != AGENT_OK)
		return rc;
	if (t->ecn == AGENT_CE && !t->inner_ecn)
		return SL_AGENT_DROP_ECN;
	return agent_decap(skb, t) ? SL_AGENT_DROP_FAILED : AGENT_OK;
}

#endif /* SLUICE_AGENT_TUNNEL_H */
