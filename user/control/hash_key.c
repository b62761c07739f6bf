// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Draw weights until runs of flows spread evenly.
 *
 * The bucket of flow i of a run is bits 32.. of c + i * w: a Kronecker sequence, even unless
 * w / 2^(32 + bits) lies close to a fraction with a small denominator. What is even over
 * TRIAL_BUCKETS is so over fewer: their buckets are unions of these.
 */
#include <stdbool.h>
#include <string.h>

#include "control/hash_key.h"
#include "hash.h"

#define TRIAL_BUCKETS SL_DEFAULT_BUCKETS
#define TRIAL_FLOWS 100000
/*
 * The product promises 1.25 times the mean of 97.7 flows: 24 more. A run whose port wraps, or which
 * crosses the address of the other end, is several; each may have its share of these.
 */
#define RUN_EXCESS 8
#define RUN_PARTS 10 /* lengths of runs that are looked at */
#define GRID_PEAK 1.15
#define TRIES 100000

struct seed {
	uint64_t state[4];
};

/* SplitMix64 (Steele, Lea, Flood, 2014) over each word in turn: the words of the seed stay apart.
 */
static uint64_t draw(struct seed *s, unsigned word)
{
	uint64_t z = s->state[word % 4] += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Fullest bucket over the mean for rows x columns flows, weights v and w. */
static double grid_peak(uint64_t v, unsigned rows, uint64_t w, unsigned columns)
{
	uint32_t count[TRIAL_BUCKETS] = {0}, peak = 0;

	for (unsigned i = 0; i < rows; i++)
		for (unsigned j = 0; j < columns; j++)
			count[(i * v + j * w) >> 32 & (TRIAL_BUCKETS - 1)]++;
	for (unsigned b = 0; b < TRIAL_BUCKETS; b++)
		if (count[b] > peak)
			peak = count[b];
	return peak / ((double)rows * columns / TRIAL_BUCKETS);
}

/* No bucket gets far ahead of the mean at any time along a run. */
static bool run_is_even(uint64_t w)
{
	uint32_t count[TRIAL_BUCKETS] = {0}, peak = 0;
	uint64_t at = 0;

	for (unsigned part = 1; part <= RUN_PARTS; part++) {
		for (unsigned i = 0; i < TRIAL_FLOWS / RUN_PARTS; i++, at += w) {
			uint32_t n = ++count[at >> 32 & (TRIAL_BUCKETS - 1)];

			if (n > peak)
				peak = n;
		}
		if (peak > RUN_EXCESS + part * (TRIAL_FLOWS / RUN_PARTS) / TRIAL_BUCKETS)
			return false;
	}
	return true;
}

/* Runs with the steps that address plans have: hosts, every second, /24 networks. */
static bool address_is_even(uint64_t w)
{
	return run_is_even(w) && run_is_even(2 * w) && run_is_even(256 * w);
}

/* Two fields that count up together, one against the other, or every value of one for each of
 * the other. */
static bool pair_is_even(uint64_t v, uint64_t w)
{
	return run_is_even(v + w) && run_is_even(v - w) && grid_peak(v, 316, w, 316) <= GRID_PEAK &&
	       grid_peak(v, 1000, w, 100) <= GRID_PEAK && grid_peak(v, 100, w, 1000) <= GRID_PEAK;
}

void sl_hash_key_init(__u64 key[SL_HASH_KEY], const uint8_t seed[SL_HASH_SEED])
{
	__u64 *host = &key[SL_KEY_ADDR + 3], *port = &key[SL_KEY_PORT];
	__u64 *upper = &key[SL_KEY_UPPER];
	struct seed s;
	unsigned try;

	memcpy(s.state, seed, sizeof(s.state));
	for (unsigned i = SL_KEY_ADDR; i < SL_KEY_ADDR + 3; i++)
		for (try = 0; try < TRIES; try++) {
			key[i] = draw(&s, i) | 1;
			if (run_is_even(key[i]))
				break;
		}
	for (try = 0; try < TRIES; try++) {
		*host = draw(&s, 3) | 1;
		if (address_is_even(*host))
			break;
	}
	for (try = 0; try < TRIES; try++) {
		*port = draw(&s, 0) | 1;
		if (run_is_even(*port) && run_is_even(2 * *port) && pair_is_even(*host, *port))
			break;
	}
	/* The upper end's weights are its multiples of the lower end's: every pair of fields. */
	for (try = 0; try < TRIES; try++) {
		*upper = draw(&s, 1) | 1;
		if (address_is_even(*upper * *host) && run_is_even(*upper * *port) &&
		    run_is_even(*upper * key[SL_KEY_ADDR]) &&
		    run_is_even(*upper * key[SL_KEY_ADDR + 1]) &&
		    run_is_even(*upper * key[SL_KEY_ADDR + 2]) &&
		    pair_is_even(*upper * *host, *upper * *port) &&
		    pair_is_even(*host, *upper * *host) && pair_is_even(*host, *upper * *port) &&
		    pair_is_even(*port, *upper * *host) && pair_is_even(*port, *upper * *port))
			break;
	}
}
