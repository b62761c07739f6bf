// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The symmetric hash: both directions, even over runs of consecutive addresses and ports, like
 * chance over random flows, and never the same collisions under another key.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "hash.h"
#include "random_key.h"

#define BUCKETS 1024
#define FLOWS 100000
#define KEYS 25
#define PEAK 1.25

/* A flow in host order, which is what runs count in. */
struct flow {
	uint32_t src[4], dst[4];
	uint16_t sport, dport;
	uint8_t proto;
};

static uint32_t hash_of(const __u64 *key, const struct flow *f, int family)
{
	struct sl_tuple t = {.sport = f->sport, .dport = f->dport, .proto = f->proto, .ports = 1};

	for (unsigned i = 0; i < 4; i++) {
		t.src[i] = htonl(f->src[i]);
		t.dst[i] = htonl(f->dst[i]);
	}
	return sl_hash(key, &t, family == 4 ? SL_META_V4 : SL_META_V6);
}

/* Each turns flow i of a run out of one like every other. */
static void run_src(struct flow *f, uint32_t i)
{
	f->src[3] += i;
}
static void run_dst(struct flow *f, uint32_t i)
{
	f->dst[3] += i;
}
static void run_across(struct flow *f, uint32_t i) /* past the address of the other end */
{
	f->src[3] = f->dst[3] - FLOWS / 2 + i;
}
static void run_sport(struct flow *f, uint32_t i)
{
	f->sport = (uint16_t)i;
	f->src[3] += i >> 16;
}
static void run_dport(struct flow *f, uint32_t i)
{
	f->dport = (uint16_t)i;
	f->dst[3] += i >> 16;
}
static void run_ephemeral(struct flow *f, uint32_t i)
{
	f->sport = (uint16_t)(32768 + i % 28232);
	f->src[3] += i / 28232;
}
static void run_both_ports(struct flow *f, uint32_t i)
{
	f->sport = (uint16_t)(1024 + i % 50000);
	f->dport = (uint16_t)(f->dport + i / 50000);
}
static void run_together(struct flow *f, uint32_t i)
{
	f->src[3] += i;
	f->sport = (uint16_t)(f->sport + i);
}
static void run_pairs(struct flow *f, uint32_t i)
{
	f->src[3] += i;
	f->dst[3] += i;
}
static void run_networks(struct flow *f, uint32_t i)
{
	f->src[3] += i * 256;
}
static void run_grid(struct flow *f, uint32_t i)
{
	f->src[3] += i % 316;
	f->sport = (uint16_t)(f->sport + i / 316);
}
static void run_hosts(struct flow *f, uint32_t i)
{
	f->src[3] += i % 100;
	f->sport = (uint16_t)(f->sport + i / 100);
}
static void run_host_pairs(struct flow *f, uint32_t i)
{
	f->src[3] += i % 254;
	f->dst[3] += i / 254;
}

static const struct {
	const char *name;
	void (*flow)(struct flow *f, uint32_t i);
} runs[] = {
	{"source addresses", run_src},	    {"destination addresses", run_dst},
	{"addresses across", run_across},   {"source ports", run_sport},
	{"destination ports", run_dport},   {"ephemeral ports", run_ephemeral},
	{"both ports", run_both_ports},	    {"address and port", run_together},
	{"both addresses", run_pairs},	    {"networks", run_networks},
	{"address by port", run_grid},	    {"few hosts", run_hosts},
	{"hosts by hosts", run_host_pairs},
};
#define RUNS (sizeof(runs) / sizeof(runs[0]))

static double peak(const __u64 *key, unsigned run, int family, uint8_t proto)
{
	static uint32_t count[BUCKETS];
	uint32_t most = 0;
	struct flow base = {.src = {0x20010db8, 1, 0, (uint32_t)random64()},
			    .dst = {0x20010db8, 2, 0, (uint32_t)random64()},
			    .sport = 40000,
			    .dport = 443,
			    .proto = proto};

	memset(count, 0, sizeof(count));
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct flow f = base;
		uint32_t n;

		runs[run].flow(&f, i);
		n = ++count[hash_of(key, &f, family) & (BUCKETS - 1)];
		if (n > most)
			most = n;
	}
	return most / ((double)FLOWS / BUCKETS);
}

Test(hash, runs_spread_evenly, .timeout = 120)
{
	for (unsigned k = 0; k < KEYS; k++) {
		__u64 key[SL_HASH_KEY];

		random_key(key);
		for (unsigned run = 0; run < RUNS; run++)
			for (int family = 4; family <= 6; family += 2) {
				double p = peak(key, run, family, k & 1 ? 6 : 17);

				cr_expect_leq(p, PEAK, "%s, IPv%d: %.3f", runs[run].name, family,
					      p);
			}
	}
}

static void random_flow(struct flow *f)
{
	for (unsigned i = 0; i < 4; i++) {
		f->src[i] = (uint32_t)random64();
		f->dst[i] = (uint32_t)random64();
	}
	f->sport = (uint16_t)random64();
	f->dport = (uint16_t)random64();
	f->proto = random64() & 1 ? 6 : 17;
}

static struct flow reversed(const struct flow *f)
{
	struct flow r = {.sport = f->dport, .dport = f->sport, .proto = f->proto};

	memcpy(r.src, f->dst, sizeof(r.src));
	memcpy(r.dst, f->src, sizeof(r.dst));
	return r;
}

Test(hash, both_directions_agree)
{
	__u64 key[SL_HASH_KEY];

	random_key(key);
	for (unsigned i = 0; i < 100000; i++) {
		struct flow f, r;

		random_flow(&f);
		if (i % 4 == 1) /* hosts of one network, and of one prefix */
			memcpy(f.dst, f.src, 8);
		if (i % 4 == 2) /* a host and itself */
			memcpy(f.dst, f.src, 16);
		r = reversed(&f);
		cr_assert_eq(hash_of(key, &f, 4), hash_of(key, &r, 4));
		cr_assert_eq(hash_of(key, &f, 6), hash_of(key, &r, 6));
	}
}

/* Pearson's test at about 4.5 sigma, for every number of buckets' low and the upper bits. */
Test(hash, random_flows_are_random)
{
	for (unsigned k = 0; k < KEYS; k++)
		for (int family = 4; family <= 6; family += 2)
			for (unsigned shift = 0; shift <= 22; shift += 11) {
				static uint32_t count[BUCKETS];
				double chi = 0, mean = (double)FLOWS / BUCKETS;
				__u64 key[SL_HASH_KEY];

				random_key(key);
				memset(count, 0, sizeof(count));
				for (unsigned i = 0; i < FLOWS; i++) {
					struct flow f;

					random_flow(&f);
					count[hash_of(key, &f, family) >> shift & (BUCKETS - 1)]++;
				}
				for (unsigned b = 0; b < BUCKETS; b++)
					chi += (count[b] - mean) * (count[b] - mean) / mean;
				cr_expect_lt(chi, 1023 + 4.5 * 45.2, "IPv%d: %.0f", family, chi);
				cr_expect_gt(chi, 1023 - 4.5 * 45.2, "IPv%d: %.0f", family, chi);
			}
}

/*
 * Flows made to collide under a hash of XOR, of sum, or of either end alone: under a key they meet
 * no more often than chance lets them.
 */
Test(hash, no_collision_survives_the_key)
{
	unsigned met[6] = {0};

	for (unsigned k = 0; k < 400; k++) {
		__u64 key[SL_HASH_KEY];
		struct flow f, g[6];

		for (unsigned i = 0; i < SL_HASH_KEY; i++)
			key[i] = random64() | 1;
		random_flow(&f);
		for (unsigned i = 0; i < 6; i++)
			g[i] = f;
		g[0].src[3] ^= 0x5a5a; /* same XOR of the ends */
		g[0].dst[3] ^= 0x5a5a;
		g[1].src[3] += 100; /* same sum */
		g[1].dst[3] -= 100;
		g[2].sport += 100;
		g[2].dport -= 100;
		g[3].sport = f.dport; /* ports swapped, addresses not */
		g[3].dport = f.sport;
		g[4].src[3] += BUCKETS; /* same low bits */
		g[5].proto = f.proto == 6 ? 17 : 6;
		for (unsigned i = 0; i < 6; i++)
			met[i] += (hash_of(key, &f, 4) & (BUCKETS - 1)) ==
				  (hash_of(key, &g[i], 4) & (BUCKETS - 1));
	}
	for (unsigned i = 0; i < 6; i++)
		cr_expect_leq(met[i], 6, "%u: %u of 400", i, met[i]);
}

Test(hash, fragments_go_by_addresses_only)
{
	struct sl_tuple first = {.src = {[3] = 1}, .dst = {[3] = 2}, .proto = 17, .fragment = 1};
	struct sl_tuple later = first;
	__u64 key[SL_HASH_KEY];

	random_key(key);
	later.proto = 60; /* RFC 8200 4.5 lets the next header differ */
	cr_expect_eq(sl_hash(key, &first, SL_META_V6), sl_hash(key, &later, SL_META_V6));
}

Test(hash, a_seed_gives_one_key)
{
	uint8_t seed[SL_HASH_SEED] = {1, 2, 3}, other[SL_HASH_SEED] = {1, 2, 4};
	__u64 a[SL_HASH_KEY], b[SL_HASH_KEY], c[SL_HASH_KEY];

	sl_hash_key_init(a, seed);
	sl_hash_key_init(b, seed);
	sl_hash_key_init(c, other);
	cr_expect_eq(memcmp(a, b, sizeof(a)), 0);
	cr_expect_neq(memcmp(a, c, sizeof(a)), 0);
}
