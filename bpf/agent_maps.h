/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_maps.h - the agent's maps, all of the ABI in sluice/agent.h. */
#ifndef SLUICE_AGENT_MAPS_H
#define SLUICE_AGENT_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <sluice/agent.h>

#include "cookie.h"

#define AGENT_L3 14 /* the kernel has taken tags out of the frame when tc sees it */

#define AGENT_MAP(map, map_type, flags, entries, key_type, value_type)                             \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(map_flags, flags);                                                          \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} map SEC(".maps")

AGENT_MAP(agent_control, BPF_MAP_TYPE_ARRAY, 0, 1, __u32, struct sl_agent_control);
AGENT_MAP(agent_vips, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, SL_AGENT_MAX_VIPS,
	  struct sl_agent_prefix, __u32);
AGENT_MAP(agent_from, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, SL_AGENT_MAX_FROM,
	  struct sl_agent_prefix, __u32);
AGENT_MAP(agent_ports, BPF_MAP_TYPE_HASH, 0, SL_AGENT_MAX_IFACES, __u32, struct sl_agent_port);
AGENT_MAP(agent_services, BPF_MAP_TYPE_HASH, 0, SL_AGENT_MAX_VIPS, struct sl_agent_end,
	  struct sl_agent_service);
AGENT_MAP(agent_handshakes, BPF_MAP_TYPE_LRU_HASH, 0, SL_AGENT_HANDSHAKES, struct sl_lb_ends,
	  __u32);
AGENT_MAP(agent_counts, BPF_MAP_TYPE_PERCPU_ARRAY, 0, SL_AGENT_COUNTS, __u32, __u64);

static __always_inline void agent_count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&agent_counts, &what);

	if (n)
		(*n)++;
}

#endif /* SLUICE_AGENT_MAPS_H */
