/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * available.h - how much memory a process may still take.
 */
#ifndef SL_PLATFORM_AVAILABLE_H
#define SL_PLATFORM_AVAILABLE_H

#include <stdint.h>

#define SL_GROUP_MAX 128

/* Bytes; UINT64_MAX where nothing is known or nothing limits. */
struct sl_available {
	uint64_t machine; /* MemAvailable: without swapping */
	uint64_t group; /* left under the tightest limit of the memory cgroups that we are in */
	uint64_t huge; /* reserved huge pages that sl_area_map() may get; not part of `machine` */
	char name[SL_GROUP_MAX]; /* of the cgroup whose limit is the tightest, or "" */
};

/*
 * Read /proc/meminfo and, where it is to be read, the memory cgroup and those above it, version 2
 * or
 * 1. `root` stands in front of every path; "" outside of tests. Never fails.
 */
void sl_available_read(const char *root, struct sl_available *a);

#endif /* SL_PLATFORM_AVAILABLE_H */
