/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_maps.h - the agent's maps, all of the ABI in sluice/agent.h. */
#ifndef SLUICE_AGENT_MAPS_H
#define SLUICE_AGENT_MAPS_H

#include <sluice/agent.h>

#include "cookie.h"
#include "map.h"

#define AGENT_L3 14 /* the kernel has taken tags out of the frame when tc sees it */

SL_MAP(agent_control, BPF_MAP_TYPE_ARRAY, 0, 1, __u32, struct sl_agent_control);
SL_MAP(agent_vips, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, SL_AGENT_MAX_VIPS,
       struct sl_agent_prefix, __u32);
SL_MAP(agent_from, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, SL_AGENT_MAX_FROM,
       struct sl_agent_prefix, __u32);
SL_MAP(agent_ports, BPF_MAP_TYPE_HASH, 0, SL_AGENT_MAX_IFACES, __u32, struct sl_agent_port);
SL_MAP(agent_services, BPF_MAP_TYPE_HASH, 0, SL_AGENT_MAX_VIPS, struct sl_agent_end,
       struct sl_agent_service);
SL_MAP(agent_handshakes, BPF_MAP_TYPE_LRU_HASH, 0, SL_AGENT_HANDSHAKES, struct sl_lb_ends, __u32);
SL_MAP(agent_counts, BPF_MAP_TYPE_PERCPU_ARRAY, 0, SL_AGENT_COUNTS, __u32, __u64);

static __always_inline void agent_count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&agent_counts, &what);

	if (n)
		(*n)++;
}

#endif /* SLUICE_AGENT_MAPS_H */
