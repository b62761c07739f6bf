// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpumap_drops.bpf.c - counts packets that found a CPU's queue full. XDP has redirected them by
 * then, and only this tracepoint tells.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 cpumap_id = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs, set by the loader */
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

SEC("tp_btf/xdp_cpumap_enqueue")
int BPF_PROG(cpumap_enqueue, int map_id, unsigned int processed, unsigned int dropped, int to_cpu)
{
	__u32 cpu = to_cpu;
	__u64 *n;

	if (map_id != (int)cpumap_id || !dropped)
		return 0;
	n = bpf_map_lookup_elem(&drops, &cpu);
	if (n)
		__sync_fetch_and_add(n, dropped);
	return 0;
}
