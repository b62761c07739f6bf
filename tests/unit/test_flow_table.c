// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The flow table against a plain array that knows, for every key, whether its flow lives, since
 * when it is idle, and what the test wrote into its value. Whatever the table does must be what the
 * array allows.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/flow_table.h"

#define MS 1000000ull
/* Two ticks of 2^21 ns: an idle flow may outlive idle_ms by so much when its sweep comes. */
#define SLACK_NS (2ull << 21)
#define UNLIMITED (1ull << 40)
#define CHAIN_FLOWS 224 /* flows of one hash that a table takes */

enum hash_mode { HASH_SPREAD, HASH_SHARD, HASH_FEW, HASH_ONE };

struct model_flow {
	bool lives;
	uint64_t last_ns;
	uint64_t token; /* in the value's first word */
};

struct world {
	struct sl_flow_budget budget;
	struct sl_flow_config config;
	struct sl_flow_table *t;
	struct model_flow *flows;
	unsigned nids;
	enum hash_mode mode;
	uint64_t now, token, lives;
	uint64_t made, ended, refused;
	bool evicting;
	uint64_t rng;
};

static uint64_t next(struct world *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

static uint32_t hash_of(const struct world *w, uint32_t id)
{
	uint32_t h = (uint32_t)((id + 1) * 0xd6e8feb86659fd93ull >> 32);

	switch (w->mode) {
	case HASH_SHARD:
		return h << 10 | 0x155;
	case HASH_FEW:
		return id % 97;
	case HASH_ONE:
		return 0xabcdef01;
	default:
		return h;
	}
}

static void key_of(const struct world *w, uint32_t id, uint8_t key[SL_FLOW_KEY_MAX])
{
	memset(key, 0x5a, SL_FLOW_KEY_MAX);
	memcpy(key + w->config.key_size - sizeof(id), &id, sizeof(id));
}

static uint32_t id_of(const struct world *w, const void *key)
{
	uint8_t expect[SL_FLOW_KEY_MAX];
	uint32_t id;

	memcpy(&id, (const uint8_t *)key + w->config.key_size - sizeof(id), sizeof(id));
	cr_assert_lt(id, w->nids, "a key that was never made");
	key_of(w, id, expect);
	cr_assert_eq(memcmp(expect, key, w->config.key_size), 0);
	return id;
}

static bool idle_at_least(const struct world *w, const struct model_flow *f, uint64_t slack)
{
	return w->config.idle_ms && w->now - f->last_ns >= w->config.idle_ms * MS + slack;
}

static void on_end(void *self, const void *key, void *value)
{
	struct world *w = self;
	struct model_flow *f = &w->flows[id_of(w, key)];

	cr_assert(f->lives, "flow_end for a flow that does not live");
	cr_assert_eq(*(uint64_t *)value, f->token, "flow_end with another flow's value");
	cr_assert(w->evicting || idle_at_least(w, f, 0), "ended before its time");
	f->lives = false;
	w->lives--;
	w->ended++;
}

static void open_world(struct world *w, size_t key_size, enum hash_mode mode, unsigned nids,
		       uint32_t idle_ms, uint64_t limit, enum sl_flow_policy policy)
{
	*w = (struct world){
		.budget = {.limit = limit, .policy = policy},
		.config = {.key_size = key_size,
			   .value_size = 16,
			   .idle_ms = idle_ms,
			   .budget = &w->budget,
			   .flow_end = on_end,
			   .self = w},
		.nids = nids,
		.mode = mode,
		.now = 1000 * MS,
		.rng = 88172645463325252ull + key_size,
	};
	w->flows = calloc(nids, sizeof(*w->flows));
	w->t = sl_flow_table_new(&w->config);
	cr_assert(w->flows && w->t);
}

static void check_counts(struct world *w)
{
	struct sl_flow_counts c = sl_flow_table_take_counts(w->t);

	cr_assert_eq(c.made, w->made);
	cr_assert_eq(c.refused, w->refused);
	cr_assert_eq(c.expired + c.evicted + c.removed, w->ended);
	cr_assert_eq(sl_flow_table_count(w->t), w->lives);
	cr_assert_eq(sl_flow_table_bytes(w->t), w->budget.used);
	cr_assert_leq(w->budget.used, w->budget.limit);
	w->made = w->refused = w->ended = 0;
}

static void close_world(struct world *w)
{
	check_counts(w);
	w->evicting = true;
	sl_flow_table_free(w->t);
	cr_assert_eq(w->lives, 0, "flows without a flow_end");
	cr_assert_eq(w->budget.used, 0, "memory account does not return to 0");
	free(w->flows);
}

/* A look-up of `id` gave `value`: compare with the model, then write a new token. */
static void saw(struct world *w, uint32_t id, uint64_t *value, int create)
{
	struct model_flow *f = &w->flows[id];

	if (!value) {
		cr_assert(!f->lives || (!create && idle_at_least(w, f, 0)));
		w->refused += create != 0;
		return;
	}
	cr_assert_eq((uintptr_t)value % 8, 0);
	if (!f->lives) {
		cr_assert(create, "found a flow that does not live");
		cr_assert(value[0] == 0 && value[1] == 0, "a new flow's value is not zero");
		f->lives = true;
		w->lives++;
		w->made++;
	} else {
		cr_assert_not(idle_at_least(w, f, SLACK_NS), "found long after its time");
		cr_assert_eq(value[0], f->token, "another flow's value");
		cr_assert_eq(value[1], ~f->token);
	}
	f->last_ns = w->now;
	f->token = ++w->token;
	value[0] = f->token;
	value[1] = ~f->token;
}

/* A batch whose values are all written only after the call: so all must be valid at once. */
static void batch(struct world *w, unsigned n, unsigned range, int create)
{
	uint8_t keys[SL_BATCH][SL_FLOW_KEY_MAX];
	struct sl_flow_table *tables[SL_BATCH];
	const void *key[SL_BATCH];
	uint32_t hash[SL_BATCH], id[SL_BATCH];
	void *value[SL_BATCH];
	uint32_t base = next(w) % w->nids;

	for (unsigned i = 0; i < n; i++) {
		id[i] = (base + next(w) % range) % w->nids;
		key_of(w, id[i], keys[i]);
		key[i] = keys[i];
		hash[i] = hash_of(w, id[i]);
		tables[i] = w->t;
	}
	sl_flow_lookup_batch(tables, key, hash, n, w->now, create, value);
	for (unsigned i = 0; i < n; i++)
		saw(w, id[i], value[i], create);
}

static void single(struct world *w, int create)
{
	uint8_t key[SL_FLOW_KEY_MAX];
	uint32_t id = next(w) % w->nids;

	key_of(w, id, key);
	saw(w, id, sl_flow_lookup(w->t, key, hash_of(w, id), w->now, create), create);
}

static void drop(struct world *w, uint32_t id)
{
	uint8_t key[SL_FLOW_KEY_MAX];
	bool lives = w->flows[id].lives, evicting = w->evicting;

	key_of(w, id, key);
	w->evicting = true;
	cr_assert_eq(sl_flow_remove(w->t, key, hash_of(w, id)), lives ? 0 : -ENOENT);
	w->evicting = evicting;
	cr_assert_not(w->flows[id].lives);
}

/* Nothing changes meanwhile: every flow is seen exactly once. */
static void walk(struct world *w)
{
	uint8_t *seen = calloc(w->nids, 1);
	uint64_t cursor = 0, idle, n = 0;
	const void *key;
	void *value;

	while (sl_flow_table_walk(w->t, &cursor, &key, &value, &idle, w->now)) {
		uint32_t id = id_of(w, key);

		cr_assert(w->flows[id].lives);
		cr_assert_eq(*(uint64_t *)value, w->flows[id].token);
		cr_assert_leq(idle, w->now - w->flows[id].last_ns + SLACK_NS / 2);
		cr_assert_geq(idle + SLACK_NS / 2, w->now - w->flows[id].last_ns);
		cr_assert_eq(seen[id]++, 0, "walk saw flow %u twice", id);
		n++;
	}
	cr_assert_eq(n, w->lives);
	cr_assert_not(sl_flow_table_walk(w->t, &cursor, &key, &value, &idle, w->now));
	free(seen);
}

static void sweep_all(struct world *w)
{
	sl_flow_table_expire(w->t, w->now, 1u << 30);
	for (unsigned id = 0; w->config.idle_ms && id < w->nids; id++) {
		if (w->flows[id].lives)
			cr_assert_not(idle_at_least(w, &w->flows[id], SLACK_NS),
				      "outlived a whole sweep");
	}
}

/* Phases that lean to growth or to shrinking, so that the table breathes. */
static void random_operations(struct world *w, unsigned rounds)
{
	for (unsigned r = 0; r < rounds; r++) {
		unsigned what = next(w) % 100, shrinking = r / (rounds / 8 + 1) % 2;

		if (what < (shrinking ? 10 : 60))
			batch(w, 1 + next(w) % SL_BATCH, 1 + next(w) % 200, 1);
		else if (what < 65)
			batch(w, 1 + next(w) % SL_BATCH, 1 + next(w) % 200, 0);
		else if (what < 75)
			single(w, next(w) % 2);
		else if (what < 95)
			for (unsigned i = 0; i < (shrinking ? 60 : 10); i++)
				drop(w, next(w) % w->nids);
		else
			sl_flow_table_expire(w->t, w->now, next(w) % 300);
		if (w->config.idle_ms)
			w->now += next(w) % (MS / 5);
		if (r % 64 == 0)
			check_counts(w);
		if (r % 8192 == 0) {
			walk(w);
			sweep_all(w);
		}
	}
	walk(w);
}

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
	size_t peak;

	open_world(&w, 40, HASH_SHARD, 300000, 0, UNLIMITED, SL_FLOW_REFUSE);
	for (int turn = 0; turn < 2; turn++) {
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

/* A flow goes at its time: not a nanosecond before, and at most two ticks after. */
static void one_idle(uint32_t idle_ms, uint64_t start)
{
	struct world w;
	uint64_t idle = idle_ms * MS;

	open_world(&w, 8, HASH_SPREAD, 1, idle_ms, UNLIMITED, SL_FLOW_REFUSE);
	w.now = start;
	single(&w, 1);
	w.now = start + idle - 1;
	cr_assert_eq(sl_flow_table_expire(w.t, w.now, 10), 0);
	single(&w, 0);
	cr_assert_eq(w.flows[0].last_ns, w.now, "must be found, and touched");
	start = w.now;
	w.now = start + idle - 1;
	cr_assert_eq(sl_flow_table_expire(w.t, w.now, 10), 0);
	w.now = start + idle + SLACK_NS;
	single(&w, 0);
	single(&w, 1);
	cr_assert_eq(w.made, 2, "a flow past its time is made anew");
	w.now += idle + SLACK_NS;
	cr_assert_eq(sl_flow_table_expire(w.t, w.now, 10), 1);
	cr_assert_eq(sl_flow_table_count(w.t), 0);
	close_world(&w);
}

Test(flow_table, idle_time_is_exact)
{
	uint64_t start = 12345;

	for (int i = 0; i < 2000; i++) {
		one_idle(1 + i % 50, start);
		one_idle(UINT32_MAX - i, start); /* 49.7 days: the ticks wrap within 52 */
		start += 999999937ull * (i + 1);
	}
}

/* The new owner of a shard may have taken its clock before the old one's last packet. */
Test(flow_table, clock_of_another_cpu)
{
	struct world w;

	open_world(&w, 8, HASH_SPREAD, 1, 1, UNLIMITED, SL_FLOW_REFUSE);
	single(&w, 1);
	cr_assert_eq(sl_flow_table_expire(w.t, w.now - 100 * MS, 10), 0);
	w.now -= 100 * MS;
	w.flows[0].last_ns = w.now;
	single(&w, 0);
	cr_assert_eq(w.made, 1);
	close_world(&w);
}

/* A sweep in small steps covers the table, also while flows come and slabs go. */
Test(flow_table, small_sweeps_reach_all)
{
	struct world w;

	open_world(&w, 16, HASH_SHARD, 50000, 100, UNLIMITED, SL_FLOW_REFUSE);
	while (w.lives < 40000)
		batch(&w, SL_BATCH, 3000, 1);
	w.now += 100 * MS + SLACK_NS;
	for (int i = 0; i < 50000 / 50 && w.lives; i++)
		sl_flow_table_expire(w.t, w.now, 50);
	cr_assert_eq(w.lives, 0);
	close_world(&w);
}

/* Flows go and slabs are given back between the steps of a walk: those that stay are all seen. */
Test(flow_table, walk_while_it_shrinks)
{
	struct world w;
	uint64_t cursor = 0, idle;
	const void *key;
	void *value;
	uint8_t *seen;

	open_world(&w, 40, HASH_SHARD, 20000, 0, UNLIMITED, SL_FLOW_REFUSE);
	seen = calloc(w.nids, 1);
	while (w.lives < 15000)
		batch(&w, SL_BATCH, 3000, 1);
	while (sl_flow_table_walk(w.t, &cursor, &key, &value, &idle, w.now)) {
		uint32_t victim = next(&w) % w.nids;

		seen[id_of(&w, key)] = 1;
		if (victim % 10)
			drop(&w, victim);
		sl_flow_table_expire(w.t, w.now, 64);
	}
	for (uint32_t id = 0; id < w.nids; id++)
		cr_assert(!w.flows[id].lives || seen[id], "walk missed flow %u", id);
	free(seen);
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
