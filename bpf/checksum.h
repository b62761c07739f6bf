/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checksum.h - incremental Internet checksums (RFC 1624, equation 3). Sums are of 16-bit words in
 * network order, taken two at a time; the ones' complement sum does not depend on the byte order.
 */
#ifndef SLUICE_CHECKSUM_H
#define SLUICE_CHECKSUM_H

#include <linux/types.h>

#include "compiler.h"

/* `old` gives way to `new` at an even offset. */
static __always_inline __u64 sl_sum_swap(__u64 sum, __u32 old, __u32 new)
{
	return sum + (__u32)~old + new;
}

static __always_inline __u32 sl_sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u32)sum;
}

/* The same words at an odd offset: each byte counts as the other half of its word. */
static __always_inline __u32 sl_sum_odd(__u64 sum)
{
	__u32 folded = sl_sum_fold(sum);

	return (folded >> 8 | folded << 8) & 0xffff;
}

/* A checksum field after the changes in `sum`. */
static __always_inline __u16 sl_sum_apply(__u16 check, __u64 sum)
{
	return (__u16)~sl_sum_fold((__u64)(__u16)~check + sum);
}

#endif /* SLUICE_CHECKSUM_H */
