/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hash.h - the symmetric keyed hash, and Toeplitz by table; for BPF and user space alike.
 *
 * An end of a flow is its address words and port; g(end) = sum of weight * field, mod 2^64. With
 * the ends ordered, hash = (g(lower) + m * g(upper) + protocol) >> 32. That is multiply-shift
 * hashing of a vector (Dietzfelbinger, "Universal hashing and k-wise independent random variables
 * via integer arithmetic without primes", 1996): over random weights two given flows collide no
 * more often than twice at random, whatever the flows, and both orders of the ends agree.
 *
 * Buckets are the low bits, so along a run of consecutive addresses or ports they walk a Kronecker
 * sequence frac(i * w / 2^(32 + log2(buckets))). For most w that spreads runs more evenly than
 * chance would (a random function gives the fullest of 1,024 buckets 1.33 times the mean at 100,000
 * flows); sl_hash_key_init() keeps to such w.
 */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include "parse.h"

/* Words of the key. */
enum {
	SL_KEY_ADDR = 0, /* four: weights of the address words, IPv4 uses the last */
	SL_KEY_PORT = 4,
	SL_KEY_UPPER = 5, /* multiplier of the upper end */
};

/* g of lower and upper end, swapped where the sign bit of `lower_first` is clear. No branch: the
 * direction of the next packet is nobody's to predict. */
static __always_inline __u32 sl_hash_join(const __u64 *key, __u64 src, __u64 dst, __s64 lower_first,
					  __u8 proto)
{
	__u64 diff = (src - dst) & (__u64)(lower_first >> 63);
	__u64 lower = dst + diff, upper = src - diff;

	return (lower + key[SL_KEY_UPPER] * upper + key[SL_KEY_PORT] * ((__u64)proto << 16)) >> 32;
}

static __always_inline __u32 sl_hash_v4(const __u64 *key, const struct sl_tuple *t)
{
	__u64 src = (__u64)t->src[3] << 16 | t->sport;
	__u64 dst = (__u64)t->dst[3] << 16 | t->dport;

	return sl_hash_join(key, key[SL_KEY_ADDR + 3] * t->src[3] + key[SL_KEY_PORT] * t->sport,
			    key[SL_KEY_ADDR + 3] * t->dst[3] + key[SL_KEY_PORT] * t->dport,
			    (__s64)(src - dst), sl_tuple_proto(t));
}

static __always_inline __u64 sl_hash_end6(const __u64 *key, const __u32 *addr, __u16 port)
{
	return key[SL_KEY_ADDR] * addr[0] + key[SL_KEY_ADDR + 1] * addr[1] +
	       key[SL_KEY_ADDR + 2] * addr[2] + key[SL_KEY_ADDR + 3] * addr[3] +
	       key[SL_KEY_PORT] * port;
}

static __always_inline __u32 sl_hash_v6(const __u64 *key, const struct sl_tuple *t)
{
	__u64 x = (__u64)t->src[0] << 32 | t->src[1], y = (__u64)t->dst[0] << 32 | t->dst[1];

	/* The words that decide the order: hosts of one prefix, or of two, seldom a mixture. */
	if (x == y) {
		x = (__u64)t->src[2] << 32 | t->src[3];
		y = (__u64)t->dst[2] << 32 | t->dst[3];
	}
	if (x == y) {
		x = t->sport;
		y = t->dport;
	}
	/* The borrow of x - y in the sign bit. */
	return sl_hash_join(key, sl_hash_end6(key, t->src, t->sport),
			    sl_hash_end6(key, t->dst, t->dport),
			    (__s64)((~x & y) | ((~x | y) & (x - y))), sl_tuple_proto(t));
}

/* The symmetric hash of a tuple; `flags` is struct sl_parsed's. */
static __always_inline __u32 sl_hash(const __u64 *key, const struct sl_tuple *t, __u16 flags)
{
	return flags & SL_META_V4 ? sl_hash_v4(key, t) : sl_hash_v6(key, t);
}

static __always_inline __u32 sl_toeplitz_word(const struct sl_toeplitz *table, unsigned int at,
					      __u32 word)
{
	return table->t[at][word >> 24] ^ table->t[at + 1][word >> 16 & 0xff] ^
	       table->t[at + 2][word >> 8 & 0xff] ^ table->t[at + 3][word & 0xff];
}

/*
 * Toeplitz over source, destination and, where the flow has ports, these: what a NIC computes.
 * Not symmetric unless the key repeats every 16 bits.
 */
static __always_inline __u32 sl_toeplitz_hash(const struct sl_toeplitz *table,
					      const struct sl_tuple *t, __u16 flags)
{
	__u32 ports = (__u32)t->sport << 16 | t->dport, hash = 0;

	if (flags & SL_META_V4) {
		hash = sl_toeplitz_word(table, 0, t->src[3]) ^
		       sl_toeplitz_word(table, 4, t->dst[3]);
		return t->ports ? hash ^ sl_toeplitz_word(table, 8, ports) : hash;
	}
#pragma GCC unroll 1 /* unrolled, it needs more stack than a BPF program has */
	for (unsigned int i = 0; i < 4; i++)
		hash ^= sl_toeplitz_word(table, 4 * i, t->src[i]) ^
			sl_toeplitz_word(table, 16 + 4 * i, t->dst[i]);
	return t->ports ? hash ^ sl_toeplitz_word(table, 32, ports) : hash;
}

#endif /* SLUICE_HASH_H */
