// SPDX-License-Identifier: GPL-2.0-only
/*
 * pins.bpf.c - the maps of pins.h. No program: an object is how a map gets its types.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "pins.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SL_MAX_RULES);
	__type(key, __u32);
	__type(value, struct sl_pin_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SL_MAX_IFACES);
	__type(key, __u32);
	__type(value, struct sl_pin_iface);
} ifaces SEC(".maps");
