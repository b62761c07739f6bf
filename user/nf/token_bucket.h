/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token_bucket.h - a token bucket as one number, by the virtual scheduling algorithm (ITU-T I.371,
 * GCRA): the time at which it will be full again. A full bucket is any time that has passed, so 0
 * is one, and a bucket that nobody asks needs no care.
 *
 * In any span of time no more is taken than the depth and the rate make: costs are rounded up.
 */
#ifndef SL_NF_TOKEN_BUCKET_H
#define SL_NF_TOKEN_BUCKET_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Times count in 1/64 ns: a frame of 64 bytes at 100 Gbit/s is 328 of them, so rounding up costs
 * 0.3 % at most, and CLOCK_MONOTONIC fits for nine years.
 */
#define TOKEN_SHIFT 6
#define TOKEN_FRACTION 16 /* further binary digits of a single token's cost */

struct token_rate {
	uint64_t cost; /* time that a token takes to come, with TOKEN_FRACTION */
	uint64_t depth; /* time that all of them take */
};

/* `rate` tokens a second, 100 at least, or 1 if none takes more than one; `burst` of them at most.
 */
static inline struct token_rate token_rate(double rate, double burst)
{
	double each = 1e9 * (1 << TOKEN_SHIFT) / rate;

	return (struct token_rate){.cost = (uint64_t)ceil(each * (1 << TOKEN_FRACTION)),
				   .depth = (uint64_t)(each * burst)};
}

static inline uint64_t token_time(uint64_t now_ns)
{
	return now_ns << TOKEN_SHIFT;
}

/* What n tokens cost: for 65,535 of them no overflow. */
static inline uint64_t token_cost(const struct token_rate *r, uint32_t n)
{
	return (n * r->cost + (1 << TOKEN_FRACTION) - 1) >> TOKEN_FRACTION;
}

/* Take what costs so much, if it is there. `now` need not grow: an older one only gets less. */
static inline bool token_take(const struct token_rate *r, uint64_t *full_at, uint64_t now,
			      uint64_t cost)
{
	uint64_t next = (*full_at > now ? *full_at : now) + cost;

	if (next - now > r->depth)
		return false;
	*full_at = next;
	return true;
}

#endif /* SL_NF_TOKEN_BUCKET_H */
