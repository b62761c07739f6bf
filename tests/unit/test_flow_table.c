// SPDX-License-Identifier: GPL-2.0-or-later
/* Flow tables: look-ups, growth, shrinking and the memory bound, held against the model. */
#include <pthread.h>

#include "flow_model.h"

static void run_random(size_t key_size, enum hash_mode mode, unsigned nids, uint32_t idle_ms,
		       unsigned rounds)
{
	struct world w;

	open_world(&w, key_size, mode, nids, idle_ms, UNLIMITED, SL_FLOW_REFUSE);
	random_operations(&w, rounds);
	cr_assert_eq(w.refused, 0);
	close_world(&w);
}

Test(flow_table, random_key4)
{
	run_random(4, HASH_SPREAD, 30000, 0, 60000);
}

Test(flow_table, random_key16_idle)
{
	run_random(16, HASH_SHARD, 20000, 400, 60000);
}

Test(flow_table, random_key40_idle)
{
	run_random(40, HASH_SHARD, 50000, 1500, 60000);
}

Test(flow_table, random_colliding)
{
	run_random(4, HASH_FEW, 97 * 64, 0, 30000);
	run_random(16, HASH_FEW, 97 * 64, 700, 30000);
	run_random(40, HASH_ONE, CHAIN_FLOWS, 50, 30000);
}

Test(flow_table, empty_takes_nothing_one_flow_little)
{
	struct world w;

	open_world(&w, 40, HASH_SPREAD, 8, 0, UNLIMITED, SL_FLOW_REFUSE);
	cr_assert_eq(sl_flow_table_bytes(w.t), 0);
	cr_assert_eq(sl_flow_table_expire(w.t, w.now, 100), 0);
	single(&w, 0);
	cr_assert_eq(sl_flow_table_bytes(w.t), 0);
	single(&w, 1);
	cr_assert_leq(sl_flow_table_bytes(w.t), 256);
	close_world(&w);
}

/* Up to 300,000 flows and down to 1 %: the memory follows, and not a flow is lost on the way. */
Test(flow_table, grows_and_gives_back)
{
	struct world w;

	open_world(&w, 40, HASH_SHARD, 300000, 0, UNLIMITED, SL_FLOW_REFUSE);
	for (int turn = 0; turn < 2; turn++) {
		size_t peak;

		while (w.lives < w.nids * 95 / 100)
			batch(&w, SL_BATCH, 5000, 1);
		check_counts(&w);
		walk(&w);
		peak = sl_flow_table_bytes(w.t);
		cr_assert_leq(peak, w.lives * 100, "%zu bytes for %lu flows", peak, w.lives);
		for (uint32_t id = 0; id < w.nids; id++) {
			if (id % 100)
				drop(&w, id);
		}
		for (int i = 0; i < 5000; i++)
			sl_flow_table_expire(w.t, w.now, 64);
		check_counts(&w);
		walk(&w);
		cr_assert_leq(sl_flow_table_bytes(w.t), peak / 40);
	}
	for (uint32_t id = 0; id < w.nids; id++)
		drop(&w, id);
	for (int i = 0; i < 100; i++)
		sl_flow_table_expire(w.t, w.now, 64);
	cr_assert_eq(sl_flow_table_bytes(w.t), 0, "an empty table keeps memory");
	close_world(&w);
}

Test(flow_table, refuses_beyond_the_limit)
{
	struct world w;
	uint64_t full;

	open_world(&w, 40, HASH_SHARD, 20000, 0, 100000, SL_FLOW_REFUSE);
	for (int i = 0; i < 2000; i++)
		batch(&w, SL_BATCH, 300, 1);
	full = w.lives;
	cr_assert_gt(full, 900);
	cr_assert_gt(w.refused, 0);
	for (int i = 0; i < 2000; i++)
		batch(&w, SL_BATCH, 300, 1);
	cr_assert_eq(w.lives, full, "a full table must keep what it has");
	check_counts(&w);
	for (uint32_t id = 0; id < 20000; id += 2)
		drop(&w, id);
	batch(&w, SL_BATCH, 300, 1);
	check_counts(&w);
	random_operations(&w, 20000);
	close_world(&w);
}

static void evict_random(size_t key_size, enum hash_mode mode, uint64_t limit)
{
	struct world w;

	open_world(&w, key_size, mode, 20000, 0, limit, SL_FLOW_EVICT);
	w.evicting = true;
	for (int i = 0; i < 20000; i++) {
		uint64_t before = w.refused;

		w.now += MS;
		batch(&w, 16, 300, 1);
		cr_assert(w.refused == before || mode == HASH_ONE, "nothing to evict?");
		check_counts(&w);
	}
	random_operations(&w, 20000);
	close_world(&w);
}

Test(flow_table, evicts_beyond_the_limit)
{
	evict_random(4, HASH_SHARD, 100000);
	evict_random(16, HASH_FEW, 50000);
	evict_random(40, HASH_ONE, UNLIMITED);
}

/* A full table of old flows and one young: the young one outlives as many new ones as fit. */
Test(flow_table, evicts_the_idle)
{
	struct world w;
	uint8_t key[SL_FLOW_KEY_MAX];

	open_world(&w, 16, HASH_ONE, 10000, 0, UNLIMITED, SL_FLOW_EVICT);
	w.evicting = true;
	key_of(&w, 0, key);
	for (uint32_t id = 0; id < 10000; id++) {
		uint8_t other[SL_FLOW_KEY_MAX];

		w.now += 10 * MS;
		key_of(&w, id, other);
		saw(&w, id, sl_flow_lookup(w.t, other, hash_of(&w, id), w.now, 1), 1);
		saw(&w, 0, sl_flow_lookup(w.t, key, hash_of(&w, 0), w.now, 0), 0);
		cr_assert(w.flows[0].lives);
		cr_assert(id < CHAIN_FLOWS || !w.flows[id - CHAIN_FLOWS + 1].lives);
	}
	close_world(&w);
}

Test(flow_table, too_many_of_one_hash_are_refused)
{
	struct world w;

	open_world(&w, 40, HASH_ONE, 1000, 0, UNLIMITED, SL_FLOW_REFUSE);
	for (int i = 0; i < 200; i++)
		batch(&w, SL_BATCH, 1000, 1);
	cr_assert_eq(w.lives, CHAIN_FLOWS);
	check_counts(&w);
	close_world(&w);
}

Test(flow_table, rejects_sizes)
{
	struct sl_flow_budget budget = {.limit = UNLIMITED};
	struct sl_flow_config none = {.key_size = 0, .budget = &budget};
	struct sl_flow_config long_key = {.key_size = 41, .budget = &budget};
	struct sl_flow_config long_value = {.key_size = 8, .value_size = 257, .budget = &budget};

	cr_assert_null(sl_flow_table_new(&none));
	cr_assert_null(sl_flow_table_new(&long_key));
	cr_assert_null(sl_flow_table_new(&long_value));
}

/* Odd sizes: neighbours must not overlap. */
Test(flow_table, every_size)
{
	struct sl_flow_budget budget = {.limit = UNLIMITED};

	for (size_t ks = 1; ks <= SL_FLOW_KEY_MAX; ks++) {
		for (size_t vs = 0; vs <= 256; vs += 19) {
			struct sl_flow_config c = {
				.key_size = ks, .value_size = vs, .budget = &budget};
			struct sl_flow_table *t = sl_flow_table_new(&c);
			uint8_t key[SL_FLOW_KEY_MAX] = {0};

			for (int i = 0; i < 200; i++) {
				key[0] = (uint8_t)i;
				memset(sl_flow_lookup(t, key, i << 10, 1, 1), i, vs);
			}
			for (int i = 0; i < 200; i++) {
				uint8_t expect[256], *value;

				key[0] = (uint8_t)i;
				memset(expect, i, sizeof(expect));
				value = sl_flow_lookup(t, key, i << 10, 1, 0);
				cr_assert(value && !memcmp(value, expect, vs));
			}
			sl_flow_table_free(t);
		}
	}
	cr_assert_eq(budget.used, 0);
}

/* A shard of usual size that has calmed down is as small as one that was never larger. */
Test(flow_table, small_table_shrinks)
{
	struct world w;

	open_world(&w, 40, HASH_SHARD, 900, 0, UNLIMITED, SL_FLOW_REFUSE);
	while (w.lives < 900)
		single(&w, 1);
	for (uint32_t id = 20; id < 900; id++)
		drop(&w, id);
	for (int i = 0; i < 40; i++)
		sl_flow_table_expire(w.t, w.now, 64);
	cr_assert_leq(sl_flow_table_bytes(w.t), 5000);
	walk(&w);
	close_world(&w);
}

/* Whatever the largest number of flows was: without flows a table has no memory. */
Test(flow_table, gives_back_at_every_size)
{
	for (unsigned n = 1; n < 400; n++) {
		struct world w;

		open_world(&w, 16, n % 3 ? HASH_SHARD : HASH_FEW, n, 0, UNLIMITED, SL_FLOW_REFUSE);
		while (w.lives < n)
			single(&w, 1);
		for (uint32_t id = 0; id < n; id++)
			drop(&w, id);
		for (int i = 0; i < 20; i++)
			sl_flow_table_expire(w.t, w.now, 64);
		cr_assert_eq(w.budget.used, 0, "%lu bytes are left of %u flows", w.budget.used, n);
		close_world(&w);

		open_world(&w, 16, HASH_SHARD, n, 0, UNLIMITED, SL_FLOW_REFUSE);
		while (w.lives < n)
			single(&w, 1);
		close_world(&w);
	}
}

struct sharer {
	struct sl_flow_budget *budget;
	uint32_t seed;
};

static void *share(void *arg)
{
	struct sharer *s = arg;
	struct sl_flow_config c = {.key_size = 4, .value_size = 8, .budget = s->budget};

	for (uint32_t round = 0; round < 30; round++) {
		struct sl_flow_table *t = sl_flow_table_new(&c);

		for (uint32_t i = 0; i < 20000; i++) {
			uint32_t key = i * 2654435761u + s->seed;

			sl_flow_lookup(t, &key, key, i, 1);
		}
		sl_flow_table_free(t);
	}
	return NULL;
}

/* Workers share nothing but the account: it must neither drift nor exceed the limit. */
Test(flow_table, shared_account)
{
	struct sl_flow_budget budget = {.limit = 1000000, .policy = SL_FLOW_EVICT};
	struct sharer s[3];
	pthread_t thread[3];

	for (uint32_t i = 0; i < 3; i++) {
		s[i] = (struct sharer){&budget, i * 7919};
		cr_assert_eq(pthread_create(&thread[i], NULL, share, &s[i]), 0);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	cr_assert_eq(budget.used, 0);
}
