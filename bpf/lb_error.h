/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_error.h - what is too big for the next hop is answered by the VIP: "fragmentation needed"
 * (RFC 1191) or "packet too big" (RFC 4443, 3.2), so that its sender makes smaller ones.
 */
#ifndef SLUICE_LB_ERROR_H
#define SLUICE_LB_ERROR_H

#include "lb_packet.h"

/* IP header, and TCP's with a timestamp: who gets the error may want that. A multiple of 4. */
#define LB_QUOTE 128
#define LB_ERROR_TTL 64
#define LB_ERRORS_MAX 1000 /* per CPU and second: Linux's net.ipv4.icmp_msgs_per_sec */
#define LB_V6_MTU_MIN 1280

struct lb_icmp_error {
	__u8 type, code;
	__u16 check;
	__be32 mtu; /* IPv4 has 16 bits of it */
} SL_WIRE;

static __always_inline int lb_error_admit(const struct lb *k)
{
	__u32 zero = 0, second = k->now_ms >> 10;
	struct lb_cpu *cpu = bpf_map_lookup_elem(&lb_cpus, &zero);

	if (!cpu)
		return 0;
	if (cpu->error_second != second) {
		cpu->error_second = second;
		cpu->errors = 0;
	}
	if (cpu->errors >= LB_ERRORS_MAX)
		return 0;
	cpu->errors++;
	return 1;
}

/* IPv4 senders that forbid fragments learn the path's MTU, and IPv6's all. */
static __always_inline int lb_error_wanted(struct xdp_md *ctx, const struct lb *k, __u32 mtu)
{
	const struct sl_ipv4 *ip;

	if (k->p.flags & SL_META_NON_FIRST || k->p.proto == SL_IP_ICMP ||
	    k->p.proto == SL_IP_ICMP6) /* an error about an error */
		return 0;
	if (k->ends.v6)
		return mtu >= LB_V6_MTU_MIN;
	ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));
	return ip && ip->frag_off & bpf_htons(0x4000);
}

static __always_inline int lb_put_error4(struct xdp_md *ctx, const struct lb *k, __u32 mtu)
{
	struct sl_ipv4 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));
	struct lb_icmp_error *icmp =
		lb_at(ctx, k->p.l3_off + sizeof(*ip), sizeof(*icmp) + LB_QUOTE);

	if (!ip || !icmp)
		return -1;
	*ip = (struct sl_ipv4){
		.version_ihl = 0x45,
		.tot_len = bpf_htons(sizeof(*ip) + sizeof(*icmp) + LB_QUOTE),
		.ttl = LB_ERROR_TTL,
		.protocol = SL_IP_ICMP,
		.saddr = k->ends.vip[3],
		.daddr = k->p.flow.src[3],
	};
	ip->check = lb_ipv4_check(ip);
	*icmp = (struct lb_icmp_error){.type = 3, .code = 4, .mtu = bpf_htonl(mtu & 0xffff)};
	icmp->check = (__u16)~sl_sum_fold(
		(__u32)bpf_csum_diff(NULL, 0, (void *)icmp, sizeof(*icmp) + LB_QUOTE, 0));
	return 0;
}

static __always_inline int lb_put_error6(struct xdp_md *ctx, const struct lb *k, __u32 mtu)
{
	struct sl_ipv6 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));
	struct lb_icmp_error *icmp =
		lb_at(ctx, k->p.l3_off + sizeof(*ip), sizeof(*icmp) + LB_QUOTE);
	__u64 sum = bpf_htons(sizeof(*icmp) + LB_QUOTE) + (__u64)bpf_htons(SL_IP_ICMP6);

	if (!ip || !icmp)
		return -1;
	ip->version_class = 0x60;
	__builtin_memset(ip->class_flow, 0, 3);
	ip->payload_len = bpf_htons(sizeof(*icmp) + LB_QUOTE);
	ip->nexthdr = SL_IP_ICMP6;
	ip->hop_limit = LB_ERROR_TTL;
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		ip->saddr[i] = k->ends.vip[i];
		ip->daddr[i] = k->p.flow.src[i];
		sum += (__u64)ip->saddr[i] + ip->daddr[i];
	}
	*icmp = (struct lb_icmp_error){.type = 2, .mtu = bpf_htonl(mtu)};
	sum += (__u32)bpf_csum_diff(NULL, 0, (void *)icmp, sizeof(*icmp) + LB_QUOTE, 0);
	icmp->check = (__u16)~sl_sum_fold(sum);
	return 0;
}

/* The packet, in which nothing is changed yet, becomes the error. 0, or -1. */
static __always_inline int lb_make_error(struct xdp_md *ctx, const struct lb *k, __u32 mtu)
{
	__u32 by = (k->ends.v6 ? sizeof(struct sl_ipv6) : sizeof(struct sl_ipv4)) +
		   sizeof(struct lb_icmp_error);
	struct lb_scratch *w = lb_scratch();
	__u8 *eth, mac[6];
	const char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	long rest = end - data - (long)(k->p.l3_off + LB_QUOTE);

	if (!w || rest < 0 || bpf_xdp_adjust_tail(ctx, (int)-rest) || lb_grow(ctx, w, by))
		return -1;
	if (k->ends.v6 ? lb_put_error6(ctx, k, mtu) : lb_put_error4(ctx, k, mtu))
		return -1;
	eth = lb_at(ctx, 0, 14);
	if (!eth)
		return -1;
	__builtin_memcpy(mac, eth, 6);
	__builtin_memcpy(eth, eth + 6, 6);
	__builtin_memcpy(eth + 6, mac, 6);
	return 0;
}

/* The verdict; counted. */
__noinline int lb_too_big(struct xdp_md *ctx, const struct lb *k, __u32 mtu)
{
	if (!k || !lb_error_wanted(ctx, k, mtu) || !lb_error_admit(k) || lb_make_error(ctx, k, mtu))
		return lb_end(SL_LB_DROP_TOO_BIG, XDP_DROP);
	return lb_end(SL_LB_TOO_BIG, XDP_TX);
}

#endif /* SLUICE_LB_ERROR_H */
