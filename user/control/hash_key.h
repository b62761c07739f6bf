/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash_key.h - keys of the symmetric hash (bpf/hash.h).
 */
#ifndef SL_CONTROL_HASH_KEY_H
#define SL_CONTROL_HASH_KEY_H

#include <stdint.h>

#include <sluice/maps.h>

/* Random bytes that a key is made of. */
#define SL_HASH_SEED 32

/*
 * Make control.hash_key from random bytes. Any key keeps the hash's collision bound; about one
 * in thirty, though, spreads some run of consecutive addresses or ports over the buckets worse
 * than 1.25 times the mean, and such weights are drawn again. Deterministic: the same seed gives
 * the same key. Pure; takes about 10 ms.
 */
void sl_hash_key_init(__u64 key[SL_HASH_KEY], const uint8_t seed[SL_HASH_SEED]);

#endif /* SL_CONTROL_HASH_KEY_H */
