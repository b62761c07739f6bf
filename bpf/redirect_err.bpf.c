// SPDX-License-Identifier: GPL-2.0-only
/*
 * redirect_err.bpf.c - counts redirects that fail behind XDP's back.
 *
 * bpf_redirect_map() has returned by the time a socket turns out to be bound to another queue, or
 * to be going away, and no socket's statistics tell of it: only this tracepoint does. The causes
 * that XDP_STATISTICS counts are left out, or they would be counted twice.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* XSKMAP's id -> redirects failed. User space enters the maps that it cares for: they stay when the
 * program is replaced. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} redirect_errors SEC(".maps");

SEC("tp_btf/xdp_redirect_err")
int BPF_PROG(redirect_err, const void *dev, const void *xdp, const void *target, int err,
	     __u32 map_type, __u32 map_id)
{
	__u64 *count;

	/* __xsk_rcv(): no buffer, longer than a buffer (both rx_dropped), RX ring full */
	if (err == -ENOMEM || err == -ENOSPC || err == -ENOBUFS)
		return 0;
	count = bpf_map_lookup_elem(&redirect_errors, &map_id);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
