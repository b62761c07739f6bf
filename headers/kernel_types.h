/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_types.h - structures inside the kernel that our programs read, as far as they
 * read them. No installed header has them; the loader finds each member by its name in the running
 * kernel's BTF (CO-RE), so what is left out here, and its order, does not matter.
 */
#ifndef SL_HEADERS_KERNEL_TYPES_H
#define SL_HEADERS_KERNEL_TYPES_H

#include <linux/types.h>

struct net_device {
	int ifindex;
} __attribute__((preserve_access_index));

struct task_struct {
	__s32 pid; /* of the thread; 0: idle */
	__s32 tgid; /* of the process */
	int nr_cpus_allowed;
} __attribute__((preserve_access_index));

/* A connection's offset of its timestamps: established, in its handshake, in TIME_WAIT. */
struct tcp_sock {
	__u32 tsoffset;
} __attribute__((preserve_access_index));

struct tcp_request_sock {
	__u32 ts_off;
} __attribute__((preserve_access_index));

struct tcp_timewait_sock {
	__u32 tw_ts_offset;
} __attribute__((preserve_access_index));

#endif /* SL_HEADERS_KERNEL_TYPES_H */
