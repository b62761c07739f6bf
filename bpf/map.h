/* SPDX-License-Identifier: GPL-2.0-only */
/* map.h - a BPF map in a line. */
#ifndef SLUICE_MAP_H
#define SLUICE_MAP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SL_MAP(map, map_type, flags, entries, key_type, value_type)                                \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(map_flags, flags);                                                          \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} map SEC(".maps")

#endif /* SLUICE_MAP_H */
