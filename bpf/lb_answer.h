/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_answer.h - a VIP is nobody's address, so the balancer answers for it: ARP (RFC 826), neighbour
 * solicitations (RFC 4861, 7.2) and echo requests.
 */
#ifndef SLUICE_LB_ANSWER_H
#define SLUICE_LB_ANSWER_H

#include "lb_choose.h"

#define LB_ECHO_TTL 64 /* of answers; a request's may be too short for the way back */

struct lb_arp {
	__be16 hardware, protocol;
	__u8 hardware_len, protocol_len;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender[4];
	__u8 target_mac[6];
	__u8 target[4];
} __attribute__((packed));

struct lb_solicitation {
	__u8 type, code;
	__u16 check;
	__be32 flags;
	__be32 target[4];
	__u8 option, option_len; /* source link-layer address; an advertisement's is the target's */
	__u8 mac[6];
} SL_WIRE;

/* Back to where it came from. */
static __always_inline void lb_turn_round(__u8 *eth, const __u8 *mac)
{
	__builtin_memcpy(eth, eth + 6, 6);
	__builtin_memcpy(eth + 6, mac, 6);
}

/* The MAC address of the interface, as user space entered it. */
static __always_inline int lb_own_mac(struct xdp_md *ctx, const struct lb *k, __u8 *mac)
{
	__u32 ifindex = ctx->ingress_ifindex;
	const struct sl_lb_port *port = bpf_map_lookup_elem(&lb_ports, &ifindex);

	if (!port)
		return -1;
	__builtin_memcpy(mac, port->mac, 6);
	return 0;
}

static __always_inline int lb_answer_arp(struct xdp_md *ctx, const struct lb *k)
{
	struct lb_arp *arp = lb_at(ctx, 14 + 4 * (k->p.vlans & 3), sizeof(*arp));
	__u8 *eth = lb_at(ctx, 0, 14), mac[6];
	__be32 target[4] = {};

	if (!arp || !eth || arp->hardware != bpf_htons(1) || arp->protocol != bpf_htons(0x800) ||
	    arp->hardware_len != 6 || arp->protocol_len != 4 || arp->operation != bpf_htons(1))
		return 0;
	__builtin_memcpy(&target[3], arp->target, 4);
	if (!lb_is_vip(target) || lb_own_mac(ctx, k, mac))
		return 0;
	lb_turn_round(eth, mac);
	arp->operation = bpf_htons(2);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, 6);
	__builtin_memcpy(arp->target, arp->sender, 4);
	__builtin_memcpy(arp->sender_mac, mac, 6);
	__builtin_memcpy(arp->sender, &target[3], 4);
	return 1;
}

/* The whole ICMPv6 checksum of an advertisement of 32 bytes: RFC 8200, 8.1. */
static __always_inline __u16 lb_advertisement_check(const struct sl_ipv6 *ip,
						    const struct lb_solicitation *nd)
{
	const __u16 *word = (const __u16 *)nd;
	__u64 sum = bpf_htonl(sizeof(*nd)) + (__u64)bpf_htonl(SL_IP_ICMP6);

#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		sum += (__u64)ip->saddr[i] + ip->daddr[i];
#pragma GCC unroll 16
	for (unsigned int i = 0; i < sizeof(*nd) / 2; i++)
		sum += word[i];
	return (__u16)~sl_sum_fold(sum);
}

/*
 * Only solicitations with the asker's link-layer address in the first option, as all hosts send to
 * the multicast group; others (duplicate address detection, from ::) are no question to us.
 */
static __always_inline int lb_answer_nd(struct xdp_md *ctx, const struct lb *k)
{
	__u32 off = 14 + 4 * (k->p.vlans & 3);
	struct sl_ipv6 *ip = lb_at(ctx, off, sizeof(*ip));
	struct lb_solicitation *nd = lb_at(ctx, off + sizeof(*ip), sizeof(*nd));
	__u8 *eth = lb_at(ctx, 0, 14), mac[6];
	__be32 target[4];

	if (!ip || !nd || !eth || ip->nexthdr != SL_IP_ICMP6 || ip->hop_limit != 255 ||
	    nd->type != 135 || nd->code || nd->option != 1 || nd->option_len != 1 ||
	    ip->payload_len != bpf_htons(sizeof(*nd)))
		return 0;
	__builtin_memcpy(target, nd->target, 16);
	if (!lb_is_vip(target) || lb_own_mac(ctx, k, mac))
		return 0;
	lb_turn_round(eth, mac);
	__builtin_memcpy(ip->daddr, ip->saddr, 16);
	__builtin_memcpy(ip->saddr, target, 16);
	nd->type = 136;
	nd->flags = bpf_htonl(0x60000000); /* solicited, override */
	nd->option = 2;
	__builtin_memcpy(nd->mac, mac, 6);
	nd->check = 0;
	nd->check = lb_advertisement_check(ip, nd);
	return 1;
}

/* The addresses change places, which no checksum notices; the type becomes `reply`. */
static __always_inline int lb_answer_echo(struct xdp_md *ctx, const struct lb *k)
{
	__u8 request = k->p.flags & SL_META_V6 ? 128 : 8, reply = k->p.flags & SL_META_V6 ? 129 : 0;
	struct sl_icmp *icmp = lb_at(ctx, k->p.l4_off, sizeof(*icmp));
	__u8 *eth = lb_at(ctx, 0, 14), mac[6];

	if (!icmp || !eth || icmp->type != request || icmp->code ||
	    !(lb_is_vip(k->p.flow.dst) || lb_in_network(k)))
		return 0;
	__builtin_memcpy(mac, eth, 6);
	if (k->p.flags & SL_META_V6) {
		struct sl_ipv6 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

		if (!ip)
			return 0;
		__builtin_memcpy(ip->saddr, k->p.flow.dst, 16);
		__builtin_memcpy(ip->daddr, k->p.flow.src, 16);
		ip->hop_limit = LB_ECHO_TTL;
	} else {
		struct sl_ipv4 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

		if (!ip)
			return 0;
		ip->saddr = k->p.flow.dst[3];
		ip->daddr = k->p.flow.src[3];
		/* the upper byte of its word */
		ip->check = sl_sum_apply(ip->check, sl_sum_swap(0, bpf_htons(ip->ttl << 8),
								bpf_htons(LB_ECHO_TTL << 8)));
		ip->ttl = LB_ECHO_TTL;
	}
	lb_turn_round(eth, mac);
	icmp->check = sl_sum_apply(icmp->check, sl_sum_swap(0, request, reply));
	icmp->type = reply;
	return 1;
}

/* 1: the packet is the answer now. `rc`: what sl_parse() said. */
__noinline int lb_answer(struct xdp_md *ctx, const struct lb *k, int rc)
{
	if (!k)
		return 0;
	if (rc == SL_PASS_ARP)
		return lb_answer_arp(ctx, k);
	if (rc == SL_PASS_ND)
		return lb_answer_nd(ctx, k);
	if (k->p.proto == SL_IP_ICMP || k->p.proto == SL_IP_ICMP6)
		return lb_answer_echo(ctx, k);
	return 0;
}

#endif /* SLUICE_LB_ANSWER_H */
