/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * toeplitz.h - the Toeplitz hash that NICs compute, as a table for the `toeplitz` map.
 */
#ifndef SL_CONTROL_TOEPLITZ_H
#define SL_CONTROL_TOEPLITZ_H

#include <stdint.h>

#include <sluice/maps.h>

/*
 * Fill *out from a key, most significant bit first as NICs take it: for every set bit i of the
 * input, the 32 key bits from i on are XORed. A key of 40 bytes (the usual) is enough for
 * addresses and ports of IPv6; the rest of SL_TOEPLITZ_KEY may be zero. Pure. Microsoft,
 * "Introduction to Receive Side Scaling", RSS hashing functions.
 */
void sl_toeplitz_build(const uint8_t key[SL_TOEPLITZ_KEY], struct sl_toeplitz *out);

/* The same by half bytes: XOR of t[2 i][input byte i >> 4] ^ t[2 i + 1][input byte i & 15]. */
void sl_toeplitz_halves(const uint8_t key[SL_TOEPLITZ_KEY], uint32_t t[2 * SL_TOEPLITZ_INPUT][16]);

/* The first bytes of the key that a table was built from: all that it uses, but for the very last
 * bit, which is in no hash. */
#define SL_TOEPLITZ_USED (SL_TOEPLITZ_INPUT + 4)
void sl_toeplitz_key(const struct sl_toeplitz *table, uint8_t key[SL_TOEPLITZ_USED]);

#endif /* SL_CONTROL_TOEPLITZ_H */
