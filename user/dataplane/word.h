/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * word.h - rows and owner words as the 64-bit words that they are loaded, stored and swapped as,
 * and epochs as the serial numbers that they compare as (RFC 1982).
 */
#ifndef SL_DATAPLANE_WORD_H
#define SL_DATAPLANE_WORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sluice/maps.h>

static inline struct sl_row row_unpack(uint64_t word)
{
	struct sl_row row;

	memcpy(&row, &word, sizeof(row));
	return row;
}

static inline uint64_t row_pack(struct sl_row row)
{
	uint64_t word;

	memcpy(&word, &row, sizeof(word));
	return word;
}

/* The row for another worker: nothing is announced of it any more. */
static inline struct sl_row row_to(struct sl_row row, uint16_t worker)
{
	row.worker = worker;
	row.next = 0;
	return row;
}

static inline struct sl_owner owner_unpack(uint64_t word)
{
	struct sl_owner owner;

	memcpy(&owner, &word, sizeof(owner));
	return owner;
}

static inline uint64_t owner_pack(struct sl_owner owner)
{
	uint64_t word;

	memcpy(&word, &owner, sizeof(word));
	return word;
}

static inline struct sl_row row_load(const uint64_t *row)
{
	return row_unpack(__atomic_load_n(row, __ATOMIC_ACQUIRE));
}

/* Acquire: pairs with the release in handover_release(), so the shard's state is seen too. */
static inline struct sl_owner owner_load(const uint64_t *owner)
{
	return owner_unpack(__atomic_load_n(owner, __ATOMIC_ACQUIRE));
}

/* Its owner and next are those of `here`, in whatever epoch. Acquire as above. */
static inline bool owner_is(const uint64_t *owner, uint64_t here)
{
	const uint64_t mask = owner_pack((struct sl_owner){.owner = 0xffff, .next = 0xffff});

	return (__atomic_load_n(owner, __ATOMIC_ACQUIRE) & mask) == here;
}

/* Of a row or a word: whose packets and shards are parts'. */
static inline bool to_parts(uint16_t worker)
{
	return worker >= SL_TO_PARTS && worker < SL_TO_PARTS + SL_SPLITS;
}

/* a at or after b. Wrong only for epochs 2^31 apart. */
static inline bool epoch_reached(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

#endif /* SL_DATAPLANE_WORD_H */
