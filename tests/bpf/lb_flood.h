/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_flood.h - what test_lb_flood and its program share. */
#ifndef TESTS_BPF_LB_FLOOD_H
#define TESTS_BPF_LB_FLOOD_H

#include <linux/types.h>

#define LB_FLOOD_FRAME 66 /* Ethernet, IPv4, TCP with timestamps */

/* What differs from packet to packet. */
enum lb_flood_kind {
	FLOOD_SOURCES, /* nothing but the source */
	FLOOD_PORTS, /* the VIP's port */
	FLOOD_ECHOES, /* the echoed timestamp */
	FLOOD_OPTIONS, /* 12 bytes of options, and how long the header says that it is */
	FLOOD_FLAGS, /* the flags of TCP */
};

struct lb_flood {
	__u32 kind; /* enum lb_flood_kind */
	__u32 at; /* of the next packet; no two have the same source */
	__u64 random; /* not 0 */
	__u32 kept; /* 1: in `original` is the packet that the caller wrote */
	__u8 original[LB_FLOOD_FRAME] __attribute__((aligned(4)));
};

#endif /* TESTS_BPF_LB_FLOOD_H */
