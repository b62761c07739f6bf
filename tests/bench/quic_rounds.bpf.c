// SPDX-License-Identifier: GPL-2.0-only
/*
 * quic_rounds.bpf.c - a QUIC packet with another connection id each time for the load balancer, in
 * the one buffer that a test run repeats on. The load balancer's source is taken whole, so that
 * what is measured is what is shipped.
 */
#include "../../bpf/lb.bpf.c"

#include "quic_rounds.h"

struct quic_rounds_state rounds = {};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} rounds_next SEC(".maps");

/* All is written again, as the translation changed it; nobody verifies the checksums. */
SEC("xdp")
int quic_round(struct xdp_md *ctx)
{
	__u32 *w = (void *)(long)ctx->data, i = rounds.next++ & (QUIC_ROUNDS_CIDS - 1);
	__u16 *eth = (void *)w;
	__u32 *ip = (void *)(eth + 7);
	__u8 *quic = (void *)(ip + 7);

	if ((void *)(quic + 21) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	w[0] = 2;
	w[1] = 2;
	w[2] = 2;
	eth[6] = bpf_htons(SL_ETH_IPV4);
	ip[0] = bpf_htonl(0x45000000 | (QUIC_ROUNDS_FRAME - 14));
	ip[1] = bpf_htonl(0x12344000);
	ip[2] = bpf_htonl(0x40115678);
	ip[3] = bpf_htonl(QUIC_ROUNDS_CLIENT);
	ip[4] = bpf_htonl(QUIC_ROUNDS_VIP);
	ip[5] = bpf_htonl((20000 + i) << 16 | QUIC_ROUNDS_PORT);
	ip[6] = bpf_htonl((QUIC_ROUNDS_FRAME - 34) << 16 | 0x9abc);
	quic[0] = 0x40;
	__builtin_memcpy(quic + 1, rounds.cid[i], 20);
	bpf_tail_call(ctx, &rounds_next, 0);
	return XDP_ABORTED;
}

/* In the place of a load balancer: what is left is the price of a round. */
SEC("xdp")
int quic_nothing(struct xdp_md *ctx)
{
	return XDP_REDIRECT;
}
