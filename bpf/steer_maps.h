/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steer_maps.h - the maps of the steering program, all of the ABI in sluice/maps.h.
 *
 * Sizes are the defaults, for `ip link` and xdp-loader; sluice resizes before it loads. Nothing is
 * pinned by name here: each loader pins differently, so maps are found by the program's map ids.
 */
#ifndef SLUICE_STEER_MAPS_H
#define SLUICE_STEER_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <sluice/tenants.h>

#define SL_ARRAY(map, entries, value_type)                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} map SEC(".maps")

#define SL_DEFAULT_ENTRIES (SL_DEFAULT_BUCKETS + SL_PARTS)

SL_ARRAY(indirection, SL_DEFAULT_ENTRIES, struct sl_row);
SL_ARRAY(bucket_stats, SL_DEFAULT_ENTRIES *SL_MAX_QUEUES, struct sl_bucket_stats);
SL_ARRAY(owners, SL_DEFAULT_ENTRIES, struct sl_owner);
SL_ARRAY(workers, SL_MAX_WORKERS, struct sl_worker);
SL_ARRAY(bucket_cost, SL_DEFAULT_ENTRIES *SL_MAX_WORKERS, struct sl_bucket_cost);
SL_ARRAY(control, 1, struct sl_control);
SL_ARRAY(moves, SL_MOVE_LOG, struct sl_move);
SL_ARRAY(drop_reasons, SL_DROP_REASONS, struct sl_drop_reason);

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, SL_MAX_QUEUES *SL_MAX_WORKERS);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

/* Mode `stack`; in the other one entry each, which nobody reads. */
SL_ARRAY(stack, 1, struct sl_stack);
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_cpu_slot);
} cpus SEC(".maps");

struct grace_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct grace_inner);
} grace SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_toeplitz);
} toeplitz SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sl_match);
} match SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sl_addr);
	__type(value, __u8);
} local_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_STEER_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sl_tenant_match);
} tenant_match SEC(".maps");
SL_ARRAY(tenant_gate, SL_MAX_QUEUES *SL_MAX_TENANTS, struct sl_tenant_gate);
SL_ARRAY(tenant_ring, SL_MAX_QUEUES *SL_MAX_WORKERS, struct sl_tenant_ring);
SL_ARRAY(tenant_work, SL_MAX_WORKERS *SL_MAX_TENANTS, struct sl_tenant_work);

/*
 * A map lives as long as the program that refers to it. These are not XDP's to read, so the
 * program refers to them on a way that is never taken: the loader has entered them into its map
 * ids by the time the verifier finds out and removes the code.
 */
static __noinline int steer_hold_maps(void)
{
	void *const held[] = {&owners,	     &workers,	   &bucket_cost, &moves,
			      &drop_reasons, &grace,	   &xsks,	 &stack,
			      &tenant_match, &tenant_gate, &tenant_ring, &tenant_work};
	__u32 key = 0;

#pragma GCC unroll 12
	for (unsigned int i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		bpf_map_lookup_elem(held[i], &key);
	bpf_redirect_map(&cpus, key, XDP_PASS); /* it knows no other helper */
	return XDP_PASS;
}

#endif /* SLUICE_STEER_MAPS_H */
