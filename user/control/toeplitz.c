// SPDX-License-Identifier: GPL-2.0-or-later
/* Toeplitz is linear over GF(2): a byte's share of the hash depends on its place and value only. */
#include "control/toeplitz.h"

_Static_assert(SL_TOEPLITZ_INPUT + 4 <= SL_TOEPLITZ_KEY, "a window of 32 bits for the last bit");

/* The 32 key bits from `bit` on. */
static uint32_t key_window(const uint8_t *key, unsigned bit)
{
	uint64_t window = 0;

	for (unsigned i = 0; i < 5; i++)
		window = window << 8 | key[bit / 8 + i];
	return (uint32_t)(window >> (8 - bit % 8));
}

void sl_toeplitz_build(const uint8_t key[SL_TOEPLITZ_KEY], struct sl_toeplitz *out)
{
	for (unsigned at = 0; at < SL_TOEPLITZ_INPUT; at++) {
		uint32_t window[8];

		for (unsigned bit = 0; bit < 8; bit++)
			window[bit] = key_window(key, 8 * at + bit);
		for (unsigned value = 0; value < 256; value++) {
			uint32_t hash = 0;

			for (unsigned bit = 0; bit < 8; bit++)
				if (value & 0x80u >> bit)
					hash ^= window[bit];
			out->t[at][value] = hash;
		}
	}
}

void sl_toeplitz_halves(const uint8_t key[SL_TOEPLITZ_KEY], uint32_t t[2 * SL_TOEPLITZ_INPUT][16])
{
	for (unsigned at = 0; at < 2 * SL_TOEPLITZ_INPUT; at++)
		for (unsigned value = 0; value < 16; value++) {
			t[at][value] = 0;
			for (unsigned bit = 0; bit < 4; bit++)
				if (value & 8u >> bit)
					t[at][value] ^= key_window(key, 4 * at + bit);
		}
}

void sl_toeplitz_key(const struct sl_toeplitz *table, uint8_t key[SL_TOEPLITZ_USED])
{
	const unsigned last = SL_TOEPLITZ_INPUT - 1;

	/* The hash of a lone first bit is the window from there on; that of a byte's last bit lies
	 * seven bits further. */
	for (unsigned at = 0; at < SL_TOEPLITZ_INPUT; at++)
		key[at] = (uint8_t)(table->t[at][0x80] >> 24);
	for (unsigned i = 1; i < 4; i++)
		key[last + i] = (uint8_t)(table->t[last][0x80] >> (24 - 8 * i));
	key[last + 4] = (uint8_t)(table->t[last][0x01] << 1);
}
