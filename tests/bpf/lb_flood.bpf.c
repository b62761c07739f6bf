// SPDX-License-Identifier: GPL-2.0-only
/*
 * lb_flood.bpf.c - another packet each time in the one buffer that a test run repeats on, before
 * the load balancer: a usual segment of TCP or a datagram over IPv4, as the caller wrote it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lb_flood.h"

char LICENSE[] SEC("license") = "GPL";

struct lb_flood flood = {};

/* A segment with a header of 32 bytes, and no more. */
struct flood_frame {
	__u8 mac[12];
	__be16 type;
	__be16 ip[4];
	__u8 ttl, protocol;
	__be16 check, saddr[2], daddr[2];
	__be16 sport, dport;
	__be16 seq[2], ack[2];
	__u8 header, flags;
	__be16 window, tcp_check, urgent;
	__be16 option[2], stamp[2], echo[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} flood_next SEC(".maps");

static __always_inline __u32 flood_random(void)
{
	__u64 x = flood.random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	flood.random = x;
	return x >> 32;
}

static __always_inline void flood_two(__be16 *at, __u32 value)
{
	at[0] = bpf_htons(value >> 16);
	at[1] = bpf_htons(value & 0xffff);
}

static __always_inline void flood_change(struct flood_frame *f)
{
	switch (flood.kind) {
	case FLOOD_PORTS:
		f->dport = bpf_htons(flood.at & 0xffff);
		break;
	case FLOOD_ECHOES:
		flood_two(f->echo, flood_random());
		break;
	case FLOOD_OPTIONS:
		f->header = flood_random() & 0xf0;
		flood_two(f->option, flood_random() & 0x0f0f0f0f);
		flood_two(f->stamp, flood_random() & 0x0f0f0f0f);
		flood_two(f->echo, flood_random());
		break;
	case FLOOD_FLAGS:
		f->flags = flood_random() & 0xff;
		break;
	}
}

SEC("xdp")
int lb_flood(struct xdp_md *ctx)
{
	struct flood_frame *f = (void *)(long)ctx->data;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (!flood.kept)
		__builtin_memcpy(flood.original, f, sizeof(*f));
	flood.kept = 1;
	__builtin_memcpy(f, flood.original, sizeof(*f));
	flood_two(f->saddr, 0x0b000000 + flood.at); /* 11.0.0.0 and on */
	flood_change(f);
	flood.at++;
	bpf_tail_call(ctx, &flood_next, 0);
	return XDP_ABORTED;
}
