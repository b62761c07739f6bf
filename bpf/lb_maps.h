/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_maps.h - the load balancer's maps, all of the ABI in sluice/lb.h. Sizes are defaults. */
#ifndef SLUICE_LB_MAPS_H
#define SLUICE_LB_MAPS_H

#include <sluice/lb.h>

#include "map.h"

SL_MAP(lb_control, BPF_MAP_TYPE_ARRAY, 0, 1, __u32, struct sl_lb_control);
SL_MAP(lb_networks, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, SL_LB_MAX_VIPS, struct sl_lb_network,
       struct sl_lb_network_base);
SL_MAP(lb_vips, BPF_MAP_TYPE_HASH, 0, 4 * SL_LB_MAX_VIPS, struct sl_lb_vip_key, struct sl_lb_vip);
SL_MAP(lb_servers, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, SL_LB_MAX_SERVERS, __u32,
       struct sl_lb_server);
SL_MAP(lb_tunnels, BPF_MAP_TYPE_ARRAY, 0, SL_LB_MAX_SERVERS, __u32, struct sl_lb_tunnel);
SL_MAP(lb_reverse, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 2 * SL_LB_MAX_SERVERS,
       struct sl_lb_vip_key, struct sl_lb_reverse);
SL_MAP(lb_clocks, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, SL_LB_MAX_SERVERS, __u32, struct sl_lb_clock);
SL_MAP(lb_watch, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, SL_LB_MAX_SERVERS, __u32, struct sl_lb_watch);
SL_MAP(lb_connections, BPF_MAP_TYPE_LRU_HASH, BPF_F_NO_COMMON_LRU, 262144, struct sl_lb_connection,
       __u32);
SL_MAP(lb_slots, BPF_MAP_TYPE_ARRAY, 0, 512, __u32, struct sl_lb_block);
SL_MAP(lb_ports, BPF_MAP_TYPE_HASH, 0, 64, __u32, struct sl_lb_port);
SL_MAP(lb_counts, BPF_MAP_TYPE_PERCPU_ARRAY, 0, SL_LB_COUNTS, __u32, __u64);
SL_MAP(lb_vip_stats, BPF_MAP_TYPE_PERCPU_ARRAY, 0, SL_LB_MAX_VIPS, __u32, struct sl_lb_stats);
SL_MAP(lb_server_stats, BPF_MAP_TYPE_PERCPU_ARRAY, 0, SL_LB_MAX_SERVERS, __u32, struct sl_lb_stats);

struct lb_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct sl_lb_table));
};

/* One update puts a whole table in the place of another: no packet sees half of one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SL_LB_MAX_VIPS);
	__type(key, __u32);
	__array(values, struct lb_table);
} lb_tables SEC(".maps");

struct lb_quic_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct sl_lb_quic));
};

/* Likewise: no packet sees the key of one configuration with the lengths of another. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SL_LB_MAX_VIPS);
	__type(key, __u32);
	__array(values, struct lb_quic_table);
} lb_quic SEC(".maps");
SL_MAP(lb_quic_servers, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 2 * SL_LB_MAX_SERVERS,
       struct sl_lb_quic_server, __u32);

struct lb_cores {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct sl_lb_cores));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SL_LB_MAX_SERVERS);
	__type(key, __u32);
	__array(values, struct lb_cores);
} lb_cores SEC(".maps");

/* The next hop of a server, looked up again after LB_HOP_MS. */
#define LB_HOP_MS 100
struct lb_macs {
	__u8 dst[6], src[6];
} __attribute__((aligned(4))); /* as in a frame but for the alignment: copied by words */
struct lb_hop {
	__u32 until_ms;
	__u32 ifindex; /* 0: never looked up */
	__u32 mtu;
	struct lb_macs macs;
};
SL_MAP(lb_hops, BPF_MAP_TYPE_PERCPU_ARRAY, 0, SL_LB_MAX_SERVERS, __u32, struct lb_hop);

/*
 * Per CPU: new entries of the connection table in this second, errors relayed and errors told, and
 * the row whose turn it is.
 */
struct lb_cpu {
	__u32 second, inserted;
	__u32 icmp_second, icmps;
	__u32 error_second, errors;
	__u32 turn[SL_LB_MAX_VIPS];
};
SL_MAP(lb_cpus, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, __u32, struct lb_cpu);

/* VIPs of TCP over IPv4 that a CPU has seen lately, by address and port. */
#define LB_VIP_LINES 64
struct lb_vip_line {
	__be32 addr;
	__u16 port, known;
	__u32 generation; /* of `lb_vips` when it was looked up */
	struct sl_lb_vip vip;
};
SL_MAP(lb_vip_lines, BPF_MAP_TYPE_PERCPU_ARRAY, 0, LB_VIP_LINES, __u32, struct lb_vip_line);

/* Per CPU: what is too large for the stack, of which main program and functions share 512 bytes. */
struct lb_scratch {
	struct bpf_fib_lookup fib;
	struct lb_hop hop;
	__u8 ethernet[24];
};
SL_MAP(lb_scratches, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, __u32, struct lb_scratch);

static __always_inline struct lb_scratch *lb_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lb_scratches, &zero);
}

static __always_inline void lb_count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&lb_counts, &what);

	if (n)
		(*n)++;
}

static __always_inline void lb_count_more(__u32 what, __u32 by)
{
	__u64 *n = by ? bpf_map_lookup_elem(&lb_counts, &what) : NULL;

	if (n)
		*n += by;
}

#endif /* SLUICE_LB_MAPS_H */
