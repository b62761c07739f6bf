// SPDX-License-Identifier: GPL-2.0-or-later
/* The vectors of Microsoft's RSS verification suite, as printed in the Intel 82599 datasheet. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "control/toeplitz.h"
#include "hash.h"

static const uint8_t key[SL_TOEPLITZ_KEY] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
	int family;
	const char *src, *dst;
	uint16_t sport, dport;
	uint32_t addresses, all;
} vectors[] = {
	{AF_INET, "66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178},
	{AF_INET, "199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea},
	{AF_INET, "24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a},
	{AF_INET, "38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f},
	{AF_INET, "153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2},
	{AF_INET6, "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5,
	 0x40207d3d},
	{AF_INET6, "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c,
	 0xdde51bbf},
	{AF_INET6, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024,
	 0x4b61e985, 0x02d1feef},
};

Test(toeplitz, published_vectors)
{
	static struct sl_toeplitz table;

	sl_toeplitz_build(key, &table);
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct sl_tuple t = {.sport = vectors[i].sport, .dport = vectors[i].dport};
		bool v4 = vectors[i].family == AF_INET;

		cr_assert_eq(inet_pton(vectors[i].family, vectors[i].src, &t.src[v4 ? 3 : 0]), 1);
		cr_assert_eq(inet_pton(vectors[i].family, vectors[i].dst, &t.dst[v4 ? 3 : 0]), 1);
		cr_expect_eq(sl_toeplitz_hash(&table, &t, v4 ? SL_META_V4 : SL_META_V6),
			     vectors[i].addresses, "%s", vectors[i].src);
		t.ports = 1;
		cr_expect_eq(sl_toeplitz_hash(&table, &t, v4 ? SL_META_V4 : SL_META_V6),
			     vectors[i].all, "%s", vectors[i].src);
	}
}

Test(toeplitz, a_key_that_repeats_is_symmetric)
{
	static struct sl_toeplitz table;
	uint8_t repeats[SL_TOEPLITZ_KEY];
	struct sl_tuple t = {
		.src = {1, 2, 3, 4}, .dst = {5, 6, 7, 8}, .sport = 9, .dport = 10, .ports = 1};
	struct sl_tuple back = {
		.src = {5, 6, 7, 8}, .dst = {1, 2, 3, 4}, .sport = 10, .dport = 9, .ports = 1};

	for (unsigned i = 0; i < sizeof(repeats); i++)
		repeats[i] = i % 2 ? 0x5a : 0x6d;
	sl_toeplitz_build(repeats, &table);
	cr_expect_eq(sl_toeplitz_hash(&table, &t, SL_META_V6),
		     sl_toeplitz_hash(&table, &back, SL_META_V6));
	cr_expect_neq(sl_toeplitz_hash(&table, &t, SL_META_V4), 0);
}

/* What a NIC must be told so that it hashes as the instance does. */
Test(toeplitz, the_key_comes_back_from_the_table)
{
	static struct sl_toeplitz table, again;
	uint8_t back[SL_TOEPLITZ_KEY] = {0};

	sl_toeplitz_build(key, &table);
	sl_toeplitz_key(&table, back);
	cr_assert_arr_eq(back, key, SL_TOEPLITZ_USED - 1);
	cr_assert_eq(back[SL_TOEPLITZ_USED - 1], key[SL_TOEPLITZ_USED - 1] & 0xfe);
	sl_toeplitz_build(back, &again);
	cr_assert_arr_eq(&again, &table, sizeof(table));
}
