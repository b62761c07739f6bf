// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock_shim.bpf.c - a TCP clock of its own for a network namespace, where all of a host have one.
 * At the namespace's interface: `shim_out` at egress puts f(TSval) in the place of TSval, and
 * `shim_in` at ingress f^-1(TSecr) in that of TSecr, so that the kernel within sees what it sent.
 *
 * f adds an offset, a drift and a jump. It is a function of the timestamp, not of the time: the
 * echo of a timestamp comes back later than it went, and its inverse must be exact.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "parse.h"
#include "tcp_options.h"

char LICENSE[] SEC("license") = "GPL";

/* Milliseconds all. */
struct shim {
	__u32 offset;
	__u32 begin; /* the drift is counted from this timestamp of the kernel's */
	__u32 every; /* gains one in so many; 0: no drift */
	__u32 jump_at, jump;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shim);
} shim_config SEC(".maps");

/* Since `begin`: the kernel's milliseconds into the shifted clock's, and back. */
static __always_inline __u32 shim_drifted(const struct shim *s, __u32 x)
{
	return s->every ? x + x / s->every : x;
}

static __always_inline __u32 shim_straight(const struct shim *s, __u32 y)
{
	return s->every ? y - y / (s->every + 1) : y;
}

static __always_inline __u32 shim_shift(const struct shim *s, __u32 stamp)
{
	__u32 jump = (__s32)(stamp - s->jump_at) >= 0 ? s->jump : 0;

	return s->begin + s->offset + shim_drifted(s, stamp - s->begin) + jump;
}

static __always_inline __u32 shim_back(const struct shim *s, __u32 stamp)
{
	__u32 y = stamp - s->begin - s->offset;

	if ((__s32)(y - shim_drifted(s, s->jump_at - s->begin) - s->jump) >= 0)
		y -= s->jump;
	return s->begin + shim_straight(s, y);
}

/* Where the timestamp option of an IPv4 or IPv6 segment is; 0: none. */
static __always_inline __u32 shim_find(struct __sk_buff *skb, __u32 *tcp, __u8 *flags)
{
	void *data, *end;
	struct sl_ipv4 *ip;
	__u8 *header;
	__u32 length;

	bpf_skb_pull_data(skb, skb->len < 134 ? skb->len : 134);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	ip = data + 14;
	*tcp = skb->protocol == bpf_htons(SL_ETH_IPV6) ? 54 : 34;
	header = data + *tcp;
	if ((void *)(ip + 1) > end || (void *)(header + SL_TCP_HEADER) > end)
		return 0;
	if (skb->protocol == bpf_htons(SL_ETH_IPV4)) {
		if (ip->version_ihl != 0x45 || ip->protocol != SL_IP_TCP)
			return 0;
	} else if (skb->protocol != bpf_htons(SL_ETH_IPV6) ||
		   ((__u8 *)ip)[6] != SL_IP_TCP) { /* next header */
		return 0;
	}
	length = header[12] >> 4 << 2;
	*flags = header[SL_TCP_FLAGS_AT];
	return sl_tcp_timestamp(data, end, *tcp, length);
}

/* The option at an odd offset would be another sum; Linux has it at an even one. */
static __always_inline void shim_store(struct __sk_buff *skb, __u32 tcp, __u32 at, __u32 value)
{
	__be32 old, new = bpf_htonl(value);

	if (bpf_skb_load_bytes(skb, at, &old, 4) || (at - tcp) & 1)
		return;
	bpf_l4_csum_replace(skb, tcp + 16, old, new, 4);
	bpf_skb_store_bytes(skb, at, &new, 4, 0);
}

static __always_inline int shim_run(struct __sk_buff *skb, int out)
{
	__u32 zero = 0, tcp, at;
	const struct shim *s = bpf_map_lookup_elem(&shim_config, &zero);
	__be32 stamp;
	__u8 flags;

	if (!s)
		return TC_ACT_OK;
	at = shim_find(skb, &tcp, &flags);
	if (!at || (!out && !(flags & SL_TCP_ACK)))
		return TC_ACT_OK;
	at += out ? 0 : 4;
	if (bpf_skb_load_bytes(skb, at, &stamp, 4))
		return TC_ACT_OK;
	shim_store(skb, tcp, at,
		   out ? shim_shift(s, bpf_ntohl(stamp)) : shim_back(s, bpf_ntohl(stamp)));
	return TC_ACT_OK;
}

SEC("tc")
int shim_out(struct __sk_buff *skb)
{
	return shim_run(skb, 1);
}

SEC("tc")
int shim_in(struct __sk_buff *skb)
{
	return shim_run(skb, 0);
}
