// SPDX-License-Identifier: GPL-2.0-or-later
/* The classifier against one rule after the other, and what it costs as rules become many. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nf/classify.h"
#include "random_key.h"

#define MAPPED ((classify_addr_t)0xffff << 32)
#define KEYS 4096

static uint32_t linear(const struct classify_rule *r, unsigned n, const struct classify_key *k)
{
	for (unsigned i = 0; i < n; i++)
		if (classify_accepts(&r[i], k))
			return r[i].number;
	return CLASSIFY_NONE;
}

static unsigned below(unsigned n)
{
	return (unsigned)(random64() % n);
}

static void prefix(struct classify_rule *r, unsigned side, uint32_t addr, unsigned bits)
{
	uint32_t rest = bits ? (1ull << (32 - bits)) - 1 : UINT32_MAX;

	r->min[side] = MAPPED | (addr & ~rest);
	r->max[side] = MAPPED | (addr | rest);
}

/* Networks that are somebody's: half of all addresses lie in 10.0.0.0/8. */
static uint32_t address(void)
{
	return below(2) ? 10u << 24 | below(1 << 24) : (uint32_t)random64();
}

/* As filter sets are: prefixes of all lengths, wildcards, services, ranges of ports. */
static struct classify_rule a_rule(uint32_t number)
{
	static const uint8_t lengths[] = {0, 0, 0, 8, 12, 16, 16, 20, 24, 24, 24, 28, 32, 32, 32};
	struct classify_rule r = classify_any(number);
	unsigned port = below(4);

	/* none but the last accepts whatever comes */
	for (unsigned side = 0; side < 2; side++)
		prefix(&r, side, address(),
		       side == number % 2 ? 16 + below(17) : lengths[below(sizeof(lengths))]);
	if (port) {
		r.word_min[CLASSIFY_PROTO] = r.word_max[CLASSIFY_PROTO] = below(2) ? 6 : 17;
		r.word_min[CLASSIFY_DPORT] = r.word_max[CLASSIFY_DPORT] = (uint16_t)below(2000);
	}
	if (port == 2)
		r.word_max[CLASSIFY_DPORT] = (uint16_t)(r.word_min[CLASSIFY_DPORT] + below(3000));
	if (port == 3 && !below(4)) {
		r.word_min[CLASSIFY_SPORT] = 1024;
		r.word_max[CLASSIFY_SPORT] = 65535;
	}
	if (!below(10))
		r.word_min[CLASSIFY_IFACE] = r.word_max[CLASSIFY_IFACE] = (uint16_t)below(2);
	if (!below(10))
		r.states = (uint16_t)(1 + below(15));
	return r;
}

/* Anywhere, or within one of the rules, as packets of a network with such rules are. */
static struct classify_key a_key(const struct classify_rule *rules, unsigned n)
{
	struct classify_key k = {.addr = {MAPPED | address(), MAPPED | address()},
				 .word = {(uint16_t)below(65536), (uint16_t)below(4000),
					  below(2) ? 6 : 17, (uint16_t)below(2), 0,
					  (uint16_t)below(4)}};
	const struct classify_rule *r = &rules[below(n)];

	for (unsigned side = 0; below(4) && side < 2; side++)
		k.addr[side] =
			r->min[side] + random64() % ((r->max[side] - r->min[side]) / 2 + 1) * 2;
	for (unsigned w = 0; w <= CLASSIFY_PROTO; w++)
		if (below(4))
			k.word[w] = (uint16_t)(r->word_min[w] +
					       below(r->word_max[w] - r->word_min[w] + 1u));
	return k;
}

static struct classify_rule *rules_of(unsigned n, struct classify_rule (*make)(uint32_t))
{
	struct classify_rule *r = calloc(n + 1, sizeof(*r));

	for (unsigned i = 0; i < n; i++)
		r[i] = make(i);
	return r;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct cost {
	double probes, ns, linear_ns;
	unsigned worst, copies;
};

/* Every answer is that of the linear scan; the mean and the most of probes, and the times. */
static struct cost cost_of(unsigned n, struct classify_rule (*make)(uint32_t))
{
	struct classify_rule *rules = rules_of(n, make);
	struct classifier *c = classifier_new(rules, n);
	struct classify_key *key = calloc(KEYS, sizeof(*key));
	uint32_t *found = calloc(KEYS, sizeof(*found));
	struct cost cost = {.copies = classifier_copies(c)};
	unsigned probes, scans = n > 1000 ? KEYS / 4 : KEYS;
	uint64_t sum = 0;
	double t;

	for (unsigned i = 0; i < KEYS; i++)
		key[i] = a_key(rules, n);
	t = now();
	for (unsigned i = 0; i < KEYS; i++) {
		found[i] = classifier_find(c, &key[i], &probes);
		sum += probes;
		cost.worst = probes > cost.worst ? probes : cost.worst;
	}
	cost.ns = (now() - t) / KEYS;
	cost.probes = (double)sum / KEYS;
	t = now();
	for (unsigned i = 0; i < scans; i++)
		cr_assert_eq(found[i], linear(rules, n, &key[i]), "key %u of %u rules", i, n);
	cost.linear_ns = (now() - t) / scans;
	printf("{\"rules\":%u,\"probes\":%.1f,\"worst\":%u,\"copies\":%u,\"ns\":%.0f,"
	       "\"linear_ns\":%.0f}\n",
	       n, cost.probes, cost.worst, cost.copies, cost.ns, cost.linear_ns);
	classifier_free(c);
	free(rules);
	free(key);
	free(found);
	return cost;
}

Test(classify, first_match_at_a_cost_that_hardly_grows)
{
	struct cost few = cost_of(100, a_rule), more = cost_of(1000, a_rule),
		    many = cost_of(10000, a_rule);

	cr_expect_lt(more.probes, 4 * few.probes);
	cr_expect_lt(many.probes, 4 * more.probes);
	cr_expect_lt(many.probes, 250);
	cr_expect_lt(many.ns, many.linear_ns / 4);
	cr_expect_lt(many.copies, 60000);
}

/* Services on hosts: nothing to tell them apart but the last bits and the port. */
static struct classify_rule service(uint32_t number)
{
	struct classify_rule r = classify_any(number);

	prefix(&r, CLASSIFY_DST, 10u << 24 | number / 4, 32);
	r.word_min[CLASSIFY_PROTO] = r.word_max[CLASSIFY_PROTO] = 6;
	r.word_min[CLASSIFY_DPORT] = r.word_max[CLASSIFY_DPORT] = (uint16_t)(80 + number % 4);
	return r;
}

/* Ranges around one value: each overlaps all others, none lies beside another. */
static struct classify_rule nested(uint32_t number)
{
	struct classify_rule r = classify_any(number);

	r.word_min[CLASSIFY_DPORT] = (uint16_t)(32000 - number * 3);
	r.word_max[CLASSIFY_DPORT] = (uint16_t)(32001 + number * 3);
	return r;
}

static struct classify_rule alike(uint32_t number)
{
	return classify_any(number);
}

Test(classify, sets_that_are_hard_to_take_apart)
{
	struct cost c = cost_of(10000, service);

	cr_expect_lt(c.probes, 60);
	c = cost_of(10000, nested);
	cr_expect_lt(c.probes, 120);
	c = cost_of(3000, alike); /* the first is it */
	cr_expect_lt(c.probes, 10);
}

static struct classify_rule tiny(uint32_t number)
{
	struct classify_rule r = classify_any(number);

	for (unsigned w = 0; w < CLASSIFY_WORDS; w++) {
		r.word_min[w] = (uint16_t)below(4);
		r.word_max[w] = (uint16_t)(r.word_min[w] + below(3));
	}
	for (unsigned side = 0; side < 2; side++) {
		r.min[side] = below(4);
		r.max[side] = r.min[side] + below(3);
	}
	r.states = (uint16_t)below(16);
	return r;
}

/* Few values, so that rules meet, touch and cover each other in every way. */
Test(classify, ends_of_intervals)
{
	for (unsigned round = 0; round < 200; round++) {
		unsigned n = below(60);
		struct classify_rule *rules = rules_of(n, tiny);
		struct classifier *c = classifier_new(rules, n);

		for (unsigned i = 0; i < 500; i++) {
			struct classify_key k = {.addr = {below(6), below(6)}};

			for (unsigned w = 0; w < CLASSIFY_WORDS; w++)
				k.word[w] = (uint16_t)below(5);
			cr_assert_eq(classifier_find(c, &k, NULL), linear(rules, n, &k));
		}
		classifier_free(c);
		free(rules);
	}
}

Test(classify, whole_range_of_addresses)
{
	struct classify_rule r[2] = {classify_any(0), classify_any(1)};
	struct classify_key k = {.addr = {~(classify_addr_t)0, 0}};
	struct classifier *c;

	r[0].max[CLASSIFY_SRC]--;
	c = classifier_new(r, 2);
	cr_expect_eq(classifier_find(c, &k, NULL), 1);
	k.addr[CLASSIFY_SRC]--;
	cr_expect_eq(classifier_find(c, &k, NULL), 0);
	classifier_free(c);
}
