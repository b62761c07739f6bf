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

/*
 * The hash from g of both ends. The source is the lower end if `order` is negative. No branch: the
 * direction of the next packet is nobody's to predict, and without the asm clang makes one.
 */
static __always_inline __u32 sl_hash_join(const __u64 *key, __u64 src, __u64 dst, __s64 order,
					  __u8 proto)
{
	__u64 diff;

	asm("" : "+r"(order));
	diff = (src - dst) & (__u64)(order >> 63);
	src -= diff; /* now the upper end */
	dst += diff;
	return (dst + key[SL_KEY_UPPER] * src + key[SL_KEY_PORT] * ((__u64)proto << 16)) >> 32;
}

static __always_inline __u32 sl_hash_v4(const __u64 *key, __be32 saddr, __be32 daddr, __u16 sport,
					__u16 dport, __u8 proto)
{
	__u64 src = bpf_ntohl(saddr), dst = bpf_ntohl(daddr);
	__s64 order = (__s64)(src << 16 | sport) - (__s64)(dst << 16 | dport);

	return sl_hash_join(key, key[SL_KEY_ADDR + 3] * src + key[SL_KEY_PORT] * sport,
			    key[SL_KEY_ADDR + 3] * dst + key[SL_KEY_PORT] * dport, order, proto);
}

/* Half an IPv6 address. The address has no alignment; where that is slow, so is __bpf__'s verifier
 * strict, and the program would be refused, never wrong. */
static __always_inline __u64 sl_hash_half6(const __be32 *addr)
{
	__u64 half;

#ifdef __bpf__
	half = *(const __u64 *)addr;
#else
	__builtin_memcpy(&half, addr, sizeof(half));
#endif
	return bpf_be64_to_cpu(half);
}

static __always_inline __u64 sl_hash_end6(const __u64 *key, __u64 upper, __u64 lower, __u16 port)
{
	return key[SL_KEY_ADDR] * (upper >> 32) + key[SL_KEY_ADDR + 1] * (__u32)upper +
	       key[SL_KEY_ADDR + 2] * (lower >> 32) + key[SL_KEY_ADDR + 3] * (__u32)lower +
	       key[SL_KEY_PORT] * port;
}

static __always_inline __u32 sl_hash_v6(const __u64 *key, const __be32 *saddr, const __be32 *daddr,
					__u16 sport, __u16 dport, __u8 proto)
{
	__u64 x = sl_hash_half6(saddr), x_lower = sl_hash_half6(saddr + 2), y, y_lower, src, dst;

	src = sl_hash_end6(key, x, x_lower, sport);
	asm volatile("" : "+r"(src) : : "memory"); /* one end at a time, for want of registers */
	y = sl_hash_half6(daddr);
	y_lower = sl_hash_half6(daddr + 2);
	dst = sl_hash_end6(key, y, y_lower, dport);

	/* Branches that are easy to predict: hosts of one prefix, or of two, seldom a mixture. */
	if (x == y) {
		x = x_lower;
		y = y_lower;
		if (unlikely(x == y)) {
			x = sport;
			y = dport;
		}
	}
	/* The borrow of x - y in the sign bit. */
	return sl_hash_join(key, src, dst, (__s64)((~x & y) | ((~x | y) & (x - y))), proto);
}

/* The symmetric hash of a tuple; `flags` is struct sl_parsed's. */
static __always_inline __u32 sl_hash(const __u64 *key, const struct sl_tuple *t, __u16 flags)
{
	return flags & SL_META_V4
		       ? sl_hash_v4(key, t->src[3], t->dst[3], t->sport, t->dport,
				    sl_tuple_proto(t))
		       : sl_hash_v6(key, t->src, t->dst, t->sport, t->dport, sl_tuple_proto(t));
}

static __always_inline __u32 sl_toeplitz_word(const struct sl_toeplitz *table, unsigned int at,
					      __be32 word)
{
	const __u8 *b = (const __u8 *)&word;

	return table->t[at][b[0]] ^ table->t[at + 1][b[1]] ^ table->t[at + 2][b[2]] ^
	       table->t[at + 3][b[3]];
}

/*
 * Toeplitz over source, destination and, where the flow has ports, these: what a NIC computes.
 * Not symmetric unless the key repeats every 16 bits.
 */
static __always_inline __u32 sl_toeplitz_hash(const struct sl_toeplitz *table,
					      const struct sl_tuple *t, __u16 flags)
{
	__be32 ports = bpf_htonl((__u32)t->sport << 16 | t->dport);
	__u32 hash = 0;

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
