// SPDX-License-Identifier: GPL-2.0-or-later
/* AES-128, and connection ids of QUIC-LB: the draft's vectors, and another implementation's. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef SL_NETTLE
#include <nettle/aes.h>
#endif

#include "../../bpf/quic_lb.h"

static uint64_t state = 1;

static uint32_t draw(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 32);
}

static void draw_octets(uint8_t *to, unsigned n)
{
	while (n--)
		*to++ = (uint8_t)draw();
}

/* Octets of hexadecimal digits; how many. */
static unsigned octets(const char *hex, uint8_t *to)
{
	unsigned n = 0;

	for (; hex[0] && hex[1]; hex += 2)
		cr_assert_eq(sscanf(hex, "%2hhx", &to[n++]), 1);
	return n;
}

static struct sl_aes_block block(const uint8_t *b)
{
	return (struct sl_aes_block){sl_quic_load(b), sl_quic_load(b + 8)};
}

static void expect_aes(const uint8_t key[16], const uint8_t plain[16], const uint8_t cipher[16])
{
	uint32_t encrypt[SL_AES_WORDS], decrypt[SL_AES_WORDS];
	struct sl_aes_block p = block(plain), c = block(cipher), out;

	sl_aes_expand(key, encrypt, decrypt);
	out = sl_aes_encrypt(encrypt, p);
	cr_expect(out.high == c.high && out.low == c.low, "%016llx%016llx", out.high, out.low);
	out = sl_aes_decrypt(decrypt, c);
	cr_expect(out.high == p.high && out.low == p.low, "%016llx%016llx", out.high, out.low);
}

/* FIPS 197, appendices B and C.1; SP 800-38A, F.1.1. */
Test(aes, published_vectors)
{
	static const char *const vectors[][3] = {
		{"2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734",
		 "3925841d02dc09fbdc118597196a0b32"},
		{"000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
		 "69c4e0d86a7b0430d8cdb78070b4c55a"},
		{"2b7e151628aed2a6abf7158809cf4f3c", "6bc1bee22e409f96e93d7e117393172a",
		 "3ad77bb40d7a3660a89ecaf32466ef97"},
		{"2b7e151628aed2a6abf7158809cf4f3c", "ae2d8a571e03ac9c9eb76fac45af8e51",
		 "f5d3d58503b9699de785895a96fdbaaf"},
		{"2b7e151628aed2a6abf7158809cf4f3c", "30c81c46a35ce411e5fbc1191a0a52ef",
		 "43b1cd7f598ece23881b00e3ed030688"},
		{"2b7e151628aed2a6abf7158809cf4f3c", "f69f2445df4f9b17ad2b417be66c3710",
		 "7b0c785e27e8ad3f8223207104725dd4"},
	};
	uint8_t v[3][16];

	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		for (unsigned k = 0; k < 3; k++)
			octets(vectors[i][k], v[k]);
		expect_aes(v[0], v[1], v[2]);
	}
}

/* FIPS 197, A.1: the last round key. */
Test(aes, round_keys)
{
	uint32_t encrypt[SL_AES_WORDS], decrypt[SL_AES_WORDS];
	uint8_t key[16];

	octets("2b7e151628aed2a6abf7158809cf4f3c", key);
	sl_aes_expand(key, encrypt, decrypt);
	cr_expect_eq(encrypt[4], 0xa0fafe17);
	cr_expect_eq(encrypt[40], 0xd014f9a8);
	cr_expect_eq(encrypt[43], 0xb6630ca6);
	cr_expect_eq(decrypt[0], 0xd014f9a8);
	cr_expect_eq(decrypt[40], 0x2b7e1516);
}

Test(aes, random_blocks_as_by_nettle)
{
#ifdef SL_NETTLE
	uint8_t key[16], plain[16], cipher[16];
	struct aes128_ctx ctx;

	for (unsigned i = 0; i < 20000; i++) {
		draw_octets(key, 16);
		draw_octets(plain, 16);
		aes128_set_encrypt_key(&ctx, key);
		aes128_encrypt(&ctx, 16, cipher, plain);
		expect_aes(key, plain, cipher);
	}
#else
	cr_skip("nettle's headers are not installed: nettle-dev");
#endif
}

/* Appendix of the draft, "Load Balancer Test Vectors", and the example of its encryption. */
static const struct vector {
	unsigned config;
	const char *key, *server_id, *nonce, *cid;
} vectors[] = {
	{0, NULL, "c4605e", "4504cc4f", "07c4605e4504cc4f"},
	/* Printed with half an octet of the nonce and of the first octet lost. */
	{1, NULL, "350d28b420", "3487d9700b", "2a350d28b4203487d9700b"},
#define KEY "8f95f09245765f80256934e50c66207f"
	{0, KEY, "ed793a", "ee080dbf", "0720b1d07b359d3c"},
	{1, KEY, "ed793a51d49b8f5fab65", "ee080dbf48", "2fcc381bc74cb4fbad2823a3d1f8fed2"},
	{2, KEY, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", "504dd2d05a7b0de9b2b9907afb5ecf8cc3"},
	/* The draft says configuration 3 and prints the first octet of 0. */
	{0, KEY, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d",
	 "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"},
	{0, "fdf726a9893ec05c0632d3956680baf0", "31441a", "9c69c275", "0767947d29be054a"},
};

static void number(const uint8_t *b, unsigned n, __u64 id[2])
{
	id[0] = id[1] = 0;
	for (unsigned i = 0; i < n; i++) {
		id[0] = id[0] << 8 | id[1] >> 56;
		id[1] = id[1] << 8 | b[i];
	}
}

static void body_of(const uint8_t *cid, __u64 body[3])
{
	uint8_t padded[24] = {0};

	memcpy(padded, cid + 1, SL_LB_QUIC_CID_MAX - 1);
	for (unsigned i = 0; i < 3; i++)
		body[i] = sl_quic_load(padded + 8 * i);
}

static void decode(const struct sl_lb_quic_config *c, const __u64 body[3], __u64 id[2])
{
	struct sl_quic_halves halves;
	struct sl_aes_block work;

	sl_quic_decode(c, body, &halves, &work, id);
}

static void expect_cid(const struct vector *v)
{
	uint8_t key[16], sid[16], nonce[20], cid[20] = {0}, out[20] = {0};
	unsigned sid_n = octets(v->server_id, sid), nonce_n = octets(v->nonce, nonce);
	unsigned cid_n = octets(v->cid, cid), n;
	struct sl_lb_quic_config c;
	__u64 id[2], got[2], body[3];

	if (v->key)
		octets(v->key, key);
	sl_quic_configure(&c, sid_n, nonce_n, v->key ? key : NULL);
	number(sid, sid_n, id);
	n = sl_quic_encode(&c, (uint8_t)(v->config << 5 | (sid_n + nonce_n)), id, nonce, out);
	cr_expect_eq(n, cid_n, "%s", v->cid);
	for (unsigned i = 0; i < n; i++)
		cr_expect_eq(out[i], cid[i], "%s: octet %u is %02x", v->cid, i, out[i]);
	body_of(cid, body);
	decode(&c, body, got);
	cr_expect(got[0] == id[0] && got[1] == id[1], "%s: %llx%016llx", v->cid, got[0], got[1]);
}

Test(quic_lb, vectors_of_the_draft)
{
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		expect_cid(&vectors[i]);
}

/* All lengths, plain and encrypted, with garbage behind the connection id as in a packet. */
Test(quic_lb, every_length_there_and_back)
{
	struct sl_lb_quic_config c;
	uint8_t key[16], nonce[20], sid[16], cid[20];
	__u64 id[2], got[2], body[3];
	unsigned n;

	for (unsigned s = 1; s <= SL_LB_QUIC_SERVER_ID_MAX; s++)
		for (unsigned o = 4; s + o <= 19; o++)
			for (unsigned i = 0; i < 200; i++) {
				draw_octets(key, 16);
				draw_octets(nonce, o);
				draw_octets(sid, s);
				draw_octets(cid, sizeof(cid));
				number(sid, s, id);
				sl_quic_configure(&c, s, o, i & 1 ? key : NULL);
				n = sl_quic_encode(&c, 0x40, id, nonce, cid);
				cr_assert_eq(n, 1 + s + o);
				body_of(cid, body);
				decode(&c, body, got);
				cr_assert(got[0] == id[0] && got[1] == id[1],
					  "%u and %u octets: %llx%016llx, not %llx%016llx", s, o,
					  got[0], got[1], id[0], id[1]);
			}
}

#ifdef SL_NETTLE
/* The four passes as the draft writes them: octet by octet, halves in arrays. */
static void draft_pass(const struct aes128_ctx *aes, uint8_t *to, const uint8_t *from,
		       unsigned half, unsigned length, unsigned pass)
{
	uint8_t in[16] = {0}, out[16];

	memcpy(in, from, half);
	in[14] = (uint8_t)length;
	in[15] = (uint8_t)pass;
	aes128_encrypt(aes, 16, out, in);
	for (unsigned i = 0; i < half; i++)
		to[i] ^= out[i];
	if (length & 1 && pass & 1)
		to[0] &= 0x0f;
	else if (length & 1)
		to[half - 1] &= 0xf0;
}

static void draft_encrypt(const uint8_t key[16], uint8_t *text, unsigned length)
{
	unsigned half = (length + 1) / 2, odd = length & 1;
	struct aes128_ctx aes;
	uint8_t left[10], right[10];

	memcpy(left, text, half);
	memcpy(right, text + length - half, half);
	if (odd) {
		left[half - 1] &= 0xf0;
		right[0] &= 0x0f;
	}
	aes128_set_encrypt_key(&aes, key);
	for (unsigned pass = 1; pass <= 4; pass++)
		draft_pass(&aes, pass & 1 ? right : left, pass & 1 ? left : right, half, length,
			   pass);
	memcpy(text + length - half, right, half);
	if (odd)
		left[half - 1] |= right[0];
	memcpy(text, left, half);
}
#endif

Test(quic_lb, every_length_as_the_draft_writes_it)
{
#ifdef SL_NETTLE
	struct sl_lb_quic_config c;
	uint8_t key[16], text[20], cid[20], nonce[20];
	struct aes128_ctx aes;
	__u64 id[2];

	for (unsigned length = 5; length <= 19; length++)
		for (unsigned i = 0; i < 500; i++) {
			unsigned s = 1 + draw() % (length - 4 < 15 ? length - 4 : 15);

			draw_octets(key, 16);
			draw_octets(text, length);
			number(text, s, id);
			memcpy(nonce, text + s, length - s);
			if (length == 16) {
				aes128_set_encrypt_key(&aes, key);
				aes128_encrypt(&aes, 16, text, text);
			} else {
				draft_encrypt(key, text, length);
			}
			sl_quic_configure(&c, s, length - s, key);
			sl_quic_encode(&c, 0, id, nonce, cid);
			for (unsigned k = 0; k < length; k++)
				cr_assert_eq(cid[1 + k], text[k], "%u of %u octets", k, length);
		}
#else
	cr_skip("nettle's headers are not installed: nettle-dev");
#endif
}

Test(quic_lb, lengths)
{
	cr_expect(sl_quic_lengths_fit(1, 4));
	cr_expect(sl_quic_lengths_fit(15, 4));
	cr_expect(sl_quic_lengths_fit(1, 18));
	cr_expect_not(sl_quic_lengths_fit(0, 8));
	cr_expect_not(sl_quic_lengths_fit(4, 3));
	cr_expect_not(sl_quic_lengths_fit(16, 3));
	cr_expect_not(sl_quic_lengths_fit(15, 5));
}
