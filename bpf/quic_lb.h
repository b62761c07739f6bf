/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * quic_lb.h - QUIC-LB, draft-ietf-quic-load-balancers-19: a server's id in the connection ids that
 * it issues, and out of them. Compiles for BPF and for user space alike; encoding is user space's.
 *
 * A connection id is its first octet (three bits name the configuration, five are the length of
 * what follows, or random), then server id and nonce: as they are, or encrypted by AES-128, in one
 * pass where both together are a block, else by a Feistel network of four. Numbers below have their
 * first octet topmost.
 */
#ifndef SLUICE_QUIC_LB_H
#define SLUICE_QUIC_LB_H

#include <linux/types.h>

#include <sluice/lb.h>

#include "aes.h"
#include "compiler.h"

/* Where all passes in one are too much for a stack, as in BPF, functions of their own. In place; 0.
 */
#ifndef SL_QUIC_ENCRYPT
#define SL_QUIC_ENCRYPT sl_quic_encrypt
#define SL_QUIC_DECRYPT sl_quic_decrypt
#endif

_Static_assert(SL_AES_WORDS == SL_LB_QUIC_KEY_WORDS, "round keys are the ABI's");

static __always_inline int sl_quic_encrypt(const struct sl_lb_quic_config *c,
					   struct sl_aes_block *b)
{
	*b = sl_aes_encrypt(c->encrypt, *b);
	return 0;
}

static __always_inline int sl_quic_decrypt(const struct sl_lb_quic_config *c,
					   struct sl_aes_block *b)
{
	*b = sl_aes_decrypt(c->decrypt, *b);
	return 0;
}

/* Zeros where a shift of C has no meaning. */
static __always_inline __u64 sl_quic_left(__u64 x, __u32 bits)
{
	return bits < 64 ? x << (bits & 63) : 0;
}

static __always_inline __u64 sl_quic_right(__u64 x, __u32 bits)
{
	return bits < 64 ? x >> (bits & 63) : 0;
}

static __always_inline struct sl_aes_block sl_quic_shift_right(struct sl_aes_block b, __u32 bits)
{
	if (bits >= 64)
		return (struct sl_aes_block){0, sl_quic_right(b.high, bits - 64)};
	return (struct sl_aes_block){b.high >> bits,
				     b.low >> bits | sl_quic_left(b.high, 64 - bits)};
}

/* The topmost `bits` of a block are ones. */
static __always_inline struct sl_aes_block sl_quic_mask(__u32 bits)
{
	return (struct sl_aes_block){bits < 64 ? ~sl_quic_right(~0ULL, bits) : ~0ULL,
				     bits < 64 ? 0 : ~sl_quic_right(~0ULL, bits - 64)};
}

/*
 * Halves of what follows the first octet, each at the top of a block. With an odd number of octets
 * they share the middle one: the left half ends with its upper four bits, the right begins with the
 * lower ones, four zeros before them.
 */
struct sl_quic_halves {
	struct sl_aes_block left, right, left_mask, right_mask;
	__u32 second; /* where the right half begins, bits */
};

static __always_inline void sl_quic_split(const __u64 body[3], __u32 octets,
					  struct sl_quic_halves *h)
{
	__u32 far, by;
	__u64 a, b, c;

	h->left_mask = sl_quic_mask(4 * octets);
	h->right_mask = sl_quic_shift_right(h->left_mask, octets & 1 ? 4 : 0);
	h->second = octets / 2 * 8;
	far = h->second >= 64;
	by = h->second - 64 * far;
	a = far ? body[1] : body[0];
	b = far ? body[2] : body[1];
	c = far ? 0 : body[2];
	h->left.high = body[0] & h->left_mask.high;
	h->left.low = body[1] & h->left_mask.low;
	h->right.high = (sl_quic_left(a, by) | sl_quic_right(b, 64 - by)) & h->right_mask.high;
	h->right.low = (sl_quic_left(b, by) | sl_quic_right(c, 64 - by)) & h->right_mask.low;
}

/* One pass: `to` by what `from` gives; `b` is for its block. */
static __always_inline void sl_quic_pass(const struct sl_lb_quic_config *c, struct sl_aes_block *to,
					 const struct sl_aes_block *from,
					 const struct sl_aes_block *mask, __u32 pass,
					 struct sl_aes_block *b)
{
	__u32 octets = c->server_id_length + c->nonce_length;

	b->high = from->high;
	b->low = from->low | octets << 8 | pass;
	SL_QUIC_ENCRYPT(c, b);
	to->high = (to->high ^ b->high) & mask->high;
	to->low = (to->low ^ b->low) & mask->low;
}

/* Server id and nonce into *b, what of them is in its 16 octets. Of the nonce it may be garbage. */
static __always_inline void sl_quic_four_passes(const struct sl_lb_quic_config *c,
						struct sl_quic_halves *h, struct sl_aes_block *b)
{
	struct sl_aes_block right;

	sl_quic_pass(c, &h->left, &h->right, &h->left_mask, 4, b);
	sl_quic_pass(c, &h->right, &h->left, &h->right_mask, 3, b);
	sl_quic_pass(c, &h->left, &h->right, &h->left_mask, 2, b);
	/* The left half is known by now; a fourth only where the id goes on in the right. */
	if (c->server_id_length > c->nonce_length)
		sl_quic_pass(c, &h->right, &h->left, &h->right_mask, 1, b);
	right = sl_quic_shift_right(h->right, h->second);
	b->high = h->left.high | right.high;
	b->low = h->left.low | right.low;
}

/* The server id that the octets behind the first one carry, as a number. `h`, `b`: to work in. */
static __always_inline void sl_quic_decode(const struct sl_lb_quic_config *c, const __u64 body[3],
					   struct sl_quic_halves *h, struct sl_aes_block *b,
					   __u64 id[2])
{
	struct sl_aes_block number;

	b->high = body[0];
	b->low = body[1];
	if (c->keyed && c->server_id_length + c->nonce_length == 16) {
		SL_QUIC_DECRYPT(c, b);
	} else if (c->keyed) {
		sl_quic_split(body, c->server_id_length + c->nonce_length, h);
		sl_quic_four_passes(c, h, b);
	}
	number = sl_quic_shift_right(*b, 128 - 8 * c->server_id_length);
	id[0] = number.high;
	id[1] = number.low;
}

static __always_inline __u64 sl_quic_load(const __u8 *octets)
{
	__u64 v = 0;

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		v = v << 8 | octets[i];
	return v;
}

/* Can a connection id have these lengths? */
static inline int sl_quic_lengths_fit(unsigned int server_id, unsigned int nonce)
{
	return server_id >= 1 && server_id <= SL_LB_QUIC_SERVER_ID_MAX &&
	       nonce >= SL_LB_QUIC_NONCE_MIN && server_id + nonce <= SL_LB_QUIC_CID_MAX - 1;
}

/* `key`: 16 octets, or NULL. The lengths must fit. */
static inline void sl_quic_configure(struct sl_lb_quic_config *c, unsigned int server_id,
				     unsigned int nonce, const __u8 *key)
{
	*c = (struct sl_lb_quic_config){.used = 1,
					.server_id_length = (__u8)server_id,
					.nonce_length = (__u8)nonce,
					.keyed = !!key};
	if (key)
		sl_aes_expand(key, c->encrypt, c->decrypt);
}

static inline void sl_quic_store(__u8 *octets, __u64 v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		octets[i] = (__u8)v;
}

/* The octets behind the first in their place: by four passes, halves into body. */
static inline void sl_quic_join(__u64 body[3], const struct sl_quic_halves *h)
{
	__u32 far = h->second >= 64, by = h->second - 64 * far;
	__u64 moved[3] = {sl_quic_right(h->right.high, by),
			  sl_quic_left(h->right.high, 64 - by) | sl_quic_right(h->right.low, by),
			  sl_quic_left(h->right.low, 64 - by)};

	body[0] = h->left.high | (far ? 0 : moved[0]);
	body[1] = h->left.low | (far ? moved[0] : moved[1]);
	body[2] = far ? moved[1] : moved[2];
}

/*
 * A connection id of this server: cid[0 .. returned length - 1]. `first`: the configuration's id in
 * the upper three bits, the others as they are to be. `nonce` must never repeat under one key.
 */
static inline unsigned int sl_quic_encode(const struct sl_lb_quic_config *c, __u8 first,
					  const __u64 id[2], const __u8 *nonce,
					  __u8 cid[SL_LB_QUIC_CID_MAX])
{
	__u8 text[24] = {0};
	__u32 octets = c->server_id_length + c->nonce_length;
	struct sl_quic_halves h;
	struct sl_aes_block b;
	__u64 body[3];

	for (unsigned int i = 0; i < c->server_id_length; i++) {
		unsigned int shift = 8 * (c->server_id_length - 1 - i);

		text[i] = (__u8)(shift < 64 ? id[1] >> shift : id[0] >> (shift - 64));
	}
	for (unsigned int i = 0; i < c->nonce_length; i++)
		text[c->server_id_length + i] = nonce[i];
	for (unsigned int i = 0; i < 3; i++)
		body[i] = sl_quic_load(text + 8 * i);
	if (c->keyed && octets == 16) {
		b = sl_aes_encrypt(c->encrypt, (struct sl_aes_block){body[0], body[1]});
		body[0] = b.high;
		body[1] = b.low;
	} else if (c->keyed) {
		sl_quic_split(body, octets, &h);
		sl_quic_pass(c, &h.right, &h.left, &h.right_mask, 1, &b);
		sl_quic_pass(c, &h.left, &h.right, &h.left_mask, 2, &b);
		sl_quic_pass(c, &h.right, &h.left, &h.right_mask, 3, &b);
		sl_quic_pass(c, &h.left, &h.right, &h.left_mask, 4, &b);
		sl_quic_join(body, &h);
	}
	for (unsigned int i = 0; i < 3; i++)
		sl_quic_store(text + 8 * i, body[i]);
	cid[0] = first;
	for (unsigned int i = 0; i < octets; i++)
		cid[1 + i] = text[i];
	return 1 + octets;
}

#endif /* SLUICE_QUIC_LB_H */
