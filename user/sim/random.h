/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * random.h - pseudo-random numbers of a simulation: xoshiro256+ (Blackman, Vigna 2018) and what is
 * made of it. The same seed gives the same numbers on every machine.
 */
#ifndef SL_SIM_RANDOM_H
#define SL_SIM_RANDOM_H

#include <math.h>
#include <stdint.h>

struct sim_random {
	uint64_t s[4];
};

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): every bit of x decides every bit out. */
static inline uint64_t sim_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* A number of its own for each pair. */
static inline uint64_t sim_hash(uint64_t seed, uint64_t x)
{
	return sim_mix(sim_mix(seed + 0x9e3779b97f4a7c15ULL) ^ (x + 1) * 0x9e3779b97f4a7c15ULL);
}

/* Streams of one seed are independent. */
static inline void sim_random_init(struct sim_random *r, uint64_t seed, uint64_t stream)
{
	for (unsigned i = 0; i < 4; i++)
		r->s[i] = sim_hash(seed, stream * 4 + i);
}

static inline uint64_t sim_random_bits(struct sim_random *r)
{
	uint64_t *s = r->s, sum = s[0] + s[3], t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return sum;
}

/* In (0, 1): never an end, so that its logarithm exists. */
static inline double sim_random_unit(struct sim_random *r)
{
	return ((double)(sim_random_bits(r) >> 12) + 0.5) * 0x1p-52;
}

/* Mean 1. */
static inline double sim_random_exponential(struct sim_random *r)
{
	return -log(sim_random_unit(r));
}

/* Mean 0, deviation 1 (Box, Muller 1958). */
static inline double sim_random_normal(struct sim_random *r)
{
	return sqrt(-2 * log(sim_random_unit(r))) * cos(6.283185307179586 * sim_random_unit(r));
}

#endif /* SL_SIM_RANDOM_H */
