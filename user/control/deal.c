// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Along a run of consecutive ports or addresses buckets walk in equal steps (bpf/hash.h). Dealt in
 * turn, or block by block, a step close to a multiple of the workers, or to nothing, gives a run of
 * hundreds of flows to one worker: for about one key of a hundred. No step fits an order without a
 * pattern.
 */
#include "control/deal.h"

#define ROUNDS 3
#define ODD 0x9e3779b1u /* 2^32 / golden ratio: Knuth's multiplicative hash */

/* A permutation of 0..buckets-1: a shift less than the width and a multiplication by an odd number
 * can each be undone. */
static uint32_t scramble(uint32_t bucket, uint32_t buckets)
{
	const unsigned half = ((unsigned)__builtin_ctz(buckets) + 1) / 2;

	for (unsigned i = 0; i < ROUNDS; i++) {
		bucket ^= bucket >> half;
		bucket = bucket * ODD & (buckets - 1);
	}
	return bucket ^ bucket >> half;
}

uint16_t sl_deal(uint32_t bucket, uint32_t buckets, unsigned workers)
{
	return (uint16_t)(scramble(bucket, buckets) % workers);
}
