// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first table: equally many buckets for every worker, and no key of the hash that makes one
 * worker's share of the run of flows that a load generator, or a client that opens a connection for
 * each request, makes.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "control/deal.h"
#include "hash.h"
#include "random_key.h"

#define KEYS 250
#define WORKERS_MAX 8

/* How flow i of a run differs from the first. */
struct run {
	const char *name;
	uint32_t src, dst;
	uint16_t sport, dport;
};

static const struct run runs[] = {
	{"source ports", .sport = 1},
	{"every second source port", .sport = 2}, /* connect() of Linux */
	{"destination ports", .dport = 1},
	{"source addresses", .src = 1},
	{"destination addresses", .dst = 1},
	{"address and port", .src = 1, .sport = 1},
};

/* A run of n flows dealt to `workers`: the largest, and the smallest, share over the mean. */
struct shares {
	double most, least;
};

static struct shares deal_run(const __u64 *key, const struct run *r, unsigned n, uint32_t buckets,
			      unsigned workers, const uint32_t end[2])
{
	unsigned count[WORKERS_MAX] = {0}, most = 0, least = n;

	for (unsigned i = 0; i < n; i++) {
		uint32_t hash =
			sl_hash_v4(key, htonl(end[0] + i * r->src), htonl(end[1] + i * r->dst),
				   (uint16_t)(1024 + i * r->sport), (uint16_t)(443 + i * r->dport),
				   IPPROTO_UDP);

		count[sl_deal(hash & (buckets - 1), buckets, workers)]++;
	}
	for (unsigned w = 0; w < workers; w++) {
		most = count[w] > most ? count[w] : most;
		least = count[w] < least ? count[w] : least;
	}
	return (struct shares){(double)most * workers / n, (double)least * workers / n};
}

/*
 * A thousand flows on two workers are as even as ten thousand on four; of a hundred chance alone
 * gives one of two workers up to 1.45 times the mean (4.5 sigma), and never all.
 */
static const struct {
	unsigned flows, workers;
	double least, most;
} bounds[] = {
	{10000, 2, 0.8, 1.2},
	{10000, 4, 0.8, 1.2},
	{1000, 2, 0.7, 1.3},
	{100, 2, 0.4, 1.6},
};
#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static void check_run(const __u64 *key, const struct run *r, uint32_t buckets,
		      const uint32_t end[2])
{
	for (unsigned i = 0; i < BOUNDS; i++) {
		struct shares s =
			deal_run(key, r, bounds[i].flows, buckets, bounds[i].workers, end);

		cr_expect(s.least >= bounds[i].least && s.most <= bounds[i].most,
			  "%s, %u flows, %u buckets, %u workers: %.2f..%.2f of the mean", r->name,
			  bounds[i].flows, buckets, bounds[i].workers, s.least, s.most);
	}
}

Test(deal, no_key_gives_a_run_to_one_worker, .timeout = 120)
{
	for (unsigned k = 0; k < KEYS; k++) {
		const uint32_t end[2] = {(uint32_t)random64(), (uint32_t)random64()};
		__u64 key[SL_HASH_KEY];

		random_key(key);
		for (unsigned r = 0; r < sizeof(runs) / sizeof(runs[0]); r++)
			check_run(key, &runs[r], SL_DEFAULT_BUCKETS, end);
	}
}

Test(deal, workers_get_equally_many_buckets)
{
	for (uint32_t buckets = SL_MIN_BUCKETS; buckets <= SL_MAX_BUCKETS; buckets *= 2)
		for (unsigned workers = 1; workers <= SL_MAX_WORKERS; workers++) {
			unsigned count[SL_MAX_WORKERS] = {0};

			for (uint32_t b = 0; b < buckets; b++) {
				uint16_t w = sl_deal(b, buckets, workers);

				cr_assert_lt(w, workers);
				count[w]++;
			}
			for (unsigned w = 0; w < workers; w++) {
				cr_assert_geq(count[w], buckets / workers);
				cr_assert_leq(count[w], buckets / workers + 1);
			}
		}
}
