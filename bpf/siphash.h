/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * siphash.h - SipHash-1-3 (Aumasson and Bernstein 2012; the kernel's hsiphash on 64 bits) over two
 * to six words; compiles for BPF and for user space alike.
 */
#ifndef SLUICE_SIPHASH_H
#define SLUICE_SIPHASH_H

#include <linux/types.h>

#include "compiler.h"

struct sl_sip {
	__u64 a, b, c, d;
};

static __always_inline __u64 sl_rotate(__u64 x, unsigned int by)
{
	return x << by | x >> (64 - by);
}

static __always_inline void sl_sip_round(struct sl_sip *s)
{
	s->a += s->b;
	s->b = sl_rotate(s->b, 13) ^ s->a;
	s->a = sl_rotate(s->a, 32);
	s->c += s->d;
	s->d = sl_rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = sl_rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = sl_rotate(s->b, 17) ^ s->c;
	s->c = sl_rotate(s->c, 32);
}

static __always_inline struct sl_sip sl_sip_begin(const __u64 *key)
{
	return (struct sl_sip){key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
			       key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
}

static __always_inline void sl_sip_word(struct sl_sip *s, __u64 word)
{
	s->d ^= word;
	sl_sip_round(s);
	s->a ^= word;
}

/* `bytes`: how many went in, a multiple of eight. */
static __always_inline __u64 sl_sip_end(struct sl_sip *s, __u64 bytes)
{
	sl_sip_word(s, bytes << 56);
	s->c ^= 0xff;
	sl_sip_round(s);
	sl_sip_round(s);
	sl_sip_round(s);
	return s->a ^ s->b ^ s->c ^ s->d;
}

#endif /* SLUICE_SIPHASH_H */
