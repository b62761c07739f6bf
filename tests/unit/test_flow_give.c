// SPDX-License-Identifier: GPL-2.0-or-later
/* Flows that go to other tables, by their hash, and back: none is lost, doubled or made young. */
#include <criterion/criterion.h>
#include <string.h>

#include "dataplane/flow_table.h"

#define HEIRS 16
#define FLOWS 20000u
#define FROM 7u
#define TO 128u
#define MS 1000000ull

struct value {
	uint32_t id;
	uint32_t shard; /* as flow_moved says */
};

static unsigned moved, ended;

static void on_moved(void *self, const void *key, void *value, unsigned from, unsigned to)
{
	struct value *v = value;

	cr_assert_eq(v->shard, from);
	v->shard = to;
	moved++;
}

static void on_end(void *self, const void *key, void *value)
{
	ended++;
}

static struct sl_flow_budget budget;
static const struct sl_flow_config config = {.key_size = sizeof(uint32_t),
					     .value_size = sizeof(struct value),
					     .idle_ms = 10000,
					     .budget = &budget,
					     .flow_end = on_end,
					     .flow_moved = on_moved};

static uint32_t hash_of(uint32_t id)
{
	return (uint32_t)((id + 1) * 0xd6e8feb86659fd93ull >> 32);
}

static struct sl_flow_table *filled(unsigned n)
{
	struct sl_flow_table *t = sl_flow_table_new(&config);

	for (uint32_t id = 0; id < n; id++) {
		struct value *v = sl_flow_lookup(t, &id, hash_of(id), id * MS / 4, 1);

		cr_assert_not_null(v);
		*v = (struct value){id, FROM};
	}
	return t;
}

static void heirs_new(struct sl_flow_table *heir[HEIRS])
{
	for (unsigned i = 0; i < HEIRS; i++)
		heir[i] = sl_flow_table_new(&config);
}

static void heirs_free(struct sl_flow_table *heir[HEIRS])
{
	for (unsigned i = 0; i < HEIRS; i++)
		sl_flow_table_free(heir[i]);
}

static void give_all(struct sl_flow_table *t, const struct sl_flow_heirs *heirs, unsigned some)
{
	uint64_t left = sl_flow_table_count(t), before;

	while (left) {
		before = left;
		left = sl_flow_table_give(t, heirs, some);
		cr_assert(before - left <= some, "no more at once than was asked for");
	}
}

Test(flow_give, by_hash_and_back)
{
	struct sl_flow_table *heir[HEIRS], *t;
	const struct sl_flow_heirs out = {heir, FROM, TO, 28};
	unsigned all = 0;

	budget = (struct sl_flow_budget){.limit = 1ull << 30};
	t = filled(FLOWS);
	heirs_new(heir);
	give_all(t, &out, 128);
	cr_assert_eq(moved, FLOWS);
	cr_assert_eq(sl_flow_table_bytes(t), 0, "and its memory with it");
	for (uint32_t id = 0; id < FLOWS; id++) {
		const unsigned at = hash_of(id) >> 28;
		const struct value *v = sl_flow_peek(heir[at], &id, hash_of(id), FLOWS / 4 * MS);

		cr_assert_not_null(v, "flow %u", id);
		cr_assert_eq(v->id, id);
		cr_assert_eq(v->shard, TO + at);
	}
	/* their idle times came along: the older half goes */
	for (unsigned i = 0; i < HEIRS; i++) {
		while (sl_flow_table_expire(heir[i], 12500 * MS, 100000))
			;
		all += (unsigned)sl_flow_table_count(heir[i]);
	}
	cr_expect(all > FLOWS / 2 - 50 && all < FLOWS / 2 + 50, "%u flows are left", all);
	for (unsigned i = 0; i < HEIRS; i++)
		give_all(heir[i], &(struct sl_flow_heirs){&t, TO + i, FROM, 32}, 100);
	cr_expect_eq(sl_flow_table_count(t), all);
	heirs_free(heir);
	sl_flow_table_free(t);
	cr_expect_eq(budget.used, 0);
	cr_expect_eq(ended, FLOWS);
}

/* At the limit of all memory no flow is lost for being moved. */
Test(flow_give, limit_is_not_asked)
{
	struct sl_flow_table *heir[HEIRS], *t;
	const struct sl_flow_heirs out = {heir, FROM, TO, 28};

	budget = (struct sl_flow_budget){.limit = 1ull << 30};
	t = filled(FLOWS);
	budget.limit = budget.used;
	heirs_new(heir);
	give_all(t, &out, 512);
	cr_expect_eq(moved, FLOWS);
	cr_expect_eq(ended, 0);
	cr_expect_leq(budget.used, budget.limit + budget.limit / 4, "%lu of %lu",
		      (unsigned long)budget.used, (unsigned long)budget.limit);
	heirs_free(heir);
	sl_flow_table_free(t);
}

/* More flows of one hash than a table takes: the last ones end, counted. */
Test(flow_give, no_place)
{
	struct sl_flow_table *one[2], *t;
	struct sl_flow_counts counts;

	budget = (struct sl_flow_budget){.limit = 1ull << 30};
	t = sl_flow_table_new(&config);
	for (unsigned k = 0; k < 2; k++) {
		one[k] = sl_flow_table_new(&config);
		for (uint32_t id = k * 200; id < k * 200 + 200; id++)
			((struct value *)sl_flow_lookup(one[k], &id, 42, 0, 1))->shard = FROM;
		give_all(one[k], &(struct sl_flow_heirs){&t, FROM, TO, 32}, 64);
	}
	counts = sl_flow_table_take_counts(one[1]);
	cr_expect_eq(counts.evicted, 400 - 224);
	cr_expect_eq(ended, 400 - 224);
	cr_expect_eq(sl_flow_table_count(t), 224);
	for (unsigned k = 0; k < 2; k++)
		sl_flow_table_free(one[k]);
	sl_flow_table_free(t);
}
