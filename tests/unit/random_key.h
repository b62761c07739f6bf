/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random_key.h - hash keys by the hundred, the same in every run of a test. */
#ifndef TESTS_RANDOM_KEY_H
#define TESTS_RANDOM_KEY_H

#include "control/hash_key.h"

/* SplitMix64; each test program has a sequence of its own. */
static inline uint64_t random64(void)
{
	static uint64_t state = 1;
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static inline void random_key(__u64 key[SL_HASH_KEY])
{
	uint64_t seed[SL_HASH_SEED / 8];

	for (unsigned i = 0; i < SL_HASH_SEED / 8; i++)
		seed[i] = random64();
	sl_hash_key_init(key, (const uint8_t *)seed);
}

#endif /* TESTS_RANDOM_KEY_H */
