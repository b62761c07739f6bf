// SPDX-License-Identifier: GPL-2.0-or-later
/* Tenants' flows in one memory: whose they are, and who makes way for whom where it is short. */
#include <criterion/criterion.h>
#include <string.h>

#include "dataplane/flow_table.h"

#define HOG 1u
#define LIGHT 2u
#define LIMIT (1u << 18)
#define MS 1000000ull

struct value {
	uint32_t id, tenant;
};

static unsigned making; /* the tenant whose flow is made next */
static int64_t flows[3], bytes[3];
static unsigned ended[3];

static unsigned whose(uint32_t hash)
{
	return making;
}

static void count(unsigned tenant, int n, int64_t size)
{
	flows[tenant] += n;
	bytes[tenant] += size;
}

/* Half of what all have. */
static bool within(unsigned tenant, size_t more)
{
	return bytes[tenant] + (int64_t)more <= (bytes[0] + bytes[HOG] + bytes[LIGHT]) / 2;
}

static void on_end(void *self, const void *key, void *value)
{
	ended[((struct value *)value)->tenant]++;
}

static const struct sl_flow_tenants tenants = {whose, count, within};
static struct sl_flow_budget budget;
static const struct sl_flow_config config = {.key_size = 40,
					     .value_size = sizeof(struct value),
					     .idle_ms = 1000,
					     .budget = &budget,
					     .tenants = &tenants,
					     .flow_end = on_end};

static struct sl_flow_table *table(enum sl_flow_policy policy)
{
	budget = (struct sl_flow_budget){.limit = LIMIT, .policy = policy};
	return sl_flow_table_new(&config);
}

static uint32_t hash_of(uint32_t id)
{
	return (uint32_t)((id + 1) * 0xd6e8feb86659fd93ull >> 32);
}

static struct value *flow(struct sl_flow_table *t, unsigned tenant, uint32_t id, uint64_t now)
{
	uint32_t key[10] = {id, tenant};
	struct value *v;

	making = tenant;
	v = sl_flow_lookup(t, key, hash_of(id), now, 1);
	if (v && !v->tenant)
		*v = (struct value){id, tenant};
	return v;
}

/* How many of n flows are made. */
static unsigned make(struct sl_flow_table *t, unsigned tenant, uint32_t first, unsigned n)
{
	unsigned made = 0;

	for (uint32_t id = first; id < first + n; id++)
		made += flow(t, tenant, id, MS) != NULL;
	return made;
}

static void over(struct sl_flow_table *t)
{
	sl_flow_table_free(t);
	for (unsigned i = 0; i < 3; i++)
		cr_expect(!flows[i] && !bytes[i], "%u: %ld, %ld", i, flows[i], bytes[i]);
	cr_expect_eq(budget.used, 0);
}

Test(flow_tenants, counts_are_of_who_made_the_flow_and_end_with_it)
{
	struct sl_flow_table *t = table(SL_FLOW_REFUSE);

	make(t, HOG, 0, 300);
	make(t, LIGHT, 1000, 20);
	cr_expect(flows[HOG] == 300 && flows[LIGHT] == 20);
	cr_expect_eq(bytes[HOG], 300 * 64, "a tenant lies where the entry had room");
	make(t, HOG, 0, 300); /* found */
	cr_expect_eq(flows[HOG], 300);
	for (unsigned i = 0; i < 20; i++)
		sl_flow_table_expire(t, 1500 * MS, 1000);
	cr_expect(flows[HOG] == 0 && flows[LIGHT] == 0);
	/* idle too long, and found before the sweep comes: whoever comes now makes it anew */
	flow(t, HOG, 7, 2000 * MS);
	making = LIGHT;
	cr_expect_not_null(sl_flow_lookup(t, (uint32_t[10]){7, HOG}, hash_of(7), 4000 * MS, 1));
	cr_expect(flows[HOG] == 0 && flows[LIGHT] == 1);
	over(t);
}

Test(flow_tenants, who_is_within_its_part_is_never_refused)
{
	struct sl_flow_table *t = table(SL_FLOW_REFUSE);
	unsigned n = make(t, HOG, 0, 20000);

	cr_expect(n > 2000 && n < 5000, "%u", n);
	cr_expect_eq(make(t, HOG, 30000, 10), 0, "no room");
	cr_expect_eq(make(t, LIGHT, 40000, n / 3), n / 3);
	cr_expect(ended[HOG] > n / 4 && !ended[LIGHT]);
	cr_expect_eq(make(t, HOG, 50000, 10), 0, "nor for the one who had it all");
	cr_expect_eq(ended[LIGHT], 0);
	make(t, LIGHT, 60000, n);
	cr_expect(flows[LIGHT] <= flows[HOG] + 1 && flows[LIGHT] > flows[HOG] - 30, "%ld of %ld",
		  flows[LIGHT], flows[HOG]);
	over(t);
}

Test(flow_tenants, eviction_takes_from_oneself_and_from_who_has_too_much)
{
	struct sl_flow_table *t = table(SL_FLOW_EVICT);
	unsigned n = make(t, HOG, 0, 20000);
	const int64_t had = flows[HOG];

	cr_expect_eq(n, 20000, "its own make way");
	cr_expect_eq(make(t, LIGHT, 40000, 200), 200);
	cr_expect(flows[LIGHT] == 200 && flows[HOG] <= had - 200);
	make(t, HOG, 60000, 20000);
	cr_expect_eq(flows[LIGHT], 200, "and nobody else's");
	cr_expect_eq(ended[LIGHT], 0);
	over(t);
}

/* The part is nobody's while memory is not short. */
Test(flow_tenants, what_others_leave_is_anybodys)
{
	struct sl_flow_table *t = table(SL_FLOW_REFUSE);

	make(t, LIGHT, 0, 1);
	cr_expect_eq(make(t, HOG, 10, 2000), 2000);
	cr_expect_eq(ended[HOG] + ended[LIGHT], 0);
	over(t);
}

Test(flow_tenants, a_flow_that_goes_to_a_part_keeps_its_tenant)
{
	struct sl_flow_table *t = table(SL_FLOW_REFUSE), *heir = sl_flow_table_new(&config);
	const struct sl_flow_heirs heirs = {&heir, 0, 1, 32};

	make(t, HOG, 0, 500);
	make(t, LIGHT, 1000, 100);
	while (sl_flow_table_give(t, &heirs, 64))
		;
	cr_expect(flows[HOG] == 500 && flows[LIGHT] == 100);
	sl_flow_table_free(t);
	cr_expect(flows[HOG] == 500 && flows[LIGHT] == 100);
	over(heir);
}
