/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gen.h - what the generator's BPF program and its user-space half share: flows, the choice of the
 * next flow, the stamp and its checksum. Compiles for BPF and for user space.
 */
#ifndef SLUICE_GEN_H
#define SLUICE_GEN_H

#include <linux/types.h>
#include <bpf/bpf_endian.h>

#include "compiler.h"

#define SL_STAMP_MAGIC 0x5347 /* "SG" */
/* Ethernet, IPv6 and TCP headers: the longest that are built; what is shorter is followed by zeros
 */
#define SL_GEN_HEADERS 74

/*
 * The last 24 bytes of every tracked frame: of the UDP or TCP payload in generated packets, of an
 * Ethernet trailer behind the IP packet in captured ones. Network byte order.
 */
struct sl_stamp {
	__be16 magic; /* SL_STAMP_MAGIC */
	__be16 run; /* of one run of the generator: packets of an earlier one are not counted */
	__be32 flow;
	__be64 seq; /* of the flow, from 0 */
	__be64 time_ns; /* CLOCK_MONOTONIC when the packet was built */
} __attribute__((packed, aligned(2)));
_Static_assert(sizeof(struct sl_stamp) == 24, "three words");

struct sl_gen_flow {
	__u64 seq; /* of the next packet */
	__u16 sum; /* ones' complement sum of pseudo header, L4 header and the constant part of the
		      payload: all but the stamp's seq and time */
	__u8 check_off; /* where the L4 checksum goes, from the start of the frame */
	__u8 udp; /* a checksum of 0 is sent as 0xffff (RFC 768) */
	__u32 queue; /* index in the list of TX queues */
	__u8 headers[80]; /* SL_GEN_HEADERS bytes of the frame, checksum 0 */
};
_Static_assert(sizeof(struct sl_gen_flow) == 96, "a multiple of 8, as mmapped arrays have it");

/*
 * One column of an alias table (Walker 1977, Vose 1991): column i stands for rank i if the draw is
 * below `cut`, else for rank `alias`.
 */
struct sl_alias {
	__u32 cut;
	__u32 alias;
};

/* splitmix64 (Steele, Lea, Flood 2014): one addition of state, and every seed is good. */
static __always_inline __u64 sl_gen_random(__u64 *state)
{
	__u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Column of a draw among n: the high word scaled (Lemire 2019); the low word is compared with
 * cut. */
static __always_inline __u32 sl_alias_column(__u64 draw, __u32 n)
{
	return ((draw >> 32) * n) >> 32;
}

static __always_inline __u32 sl_alias_rank(const struct sl_alias *a, __u32 column, __u64 draw)
{
	return (__u32)draw < a->cut ? column : a->alias;
}

/* Ranks are turned round by `shift` < n: which flows are hot changes, how hot does not. */
static __always_inline __u32 sl_gen_shifted(__u32 rank, __u32 shift, __u32 n)
{
	__u32 flow = rank + shift;

	return flow >= n ? flow - n : flow;
}

/* The ones' complement sum (RFC 1071) of a 64-bit word in memory order, not yet folded. */
static __always_inline __u64 sl_sum64(__be64 word)
{
	return (__u64)(__u32)word + (__u64)(word >> 32);
}

static __always_inline __u16 sl_sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

/*
 * The L4 checksum of a packet of flow f with these stamp words. In a frame of odd length the stamp
 * lies at an odd offset: its bytes then count in swapped places (RFC 1071 2(B)).
 */
static __always_inline __u16 sl_gen_check(const struct sl_gen_flow *f, __be64 seq, __be64 time_ns,
					  int odd)
{
	__u16 stamp = sl_sum_fold(sl_sum64(seq) + sl_sum64(time_ns));
	__u16 check;

	if (odd)
		stamp = (__u16)(stamp << 8 | stamp >> 8);
	check = (__u16)~sl_sum_fold((__u64)f->sum + stamp);
	return check || !f->udp ? check : 0xffff;
}

#endif /* SLUICE_GEN_H */
