/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow_model.h - the flow table against a plain array that knows, for every key, whether its flow
 * lives, since when it is idle, and what the test wrote into its value. Whatever the table does
 * must be what the array allows.
 */
#ifndef FLOW_MODEL_H
#define FLOW_MODEL_H

#include <criterion/criterion.h>
#include <errno.h>
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

static inline uint64_t next(struct world *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

static inline uint32_t hash_of(const struct world *w, uint32_t id)
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

static inline void key_of(const struct world *w, uint32_t id, uint8_t key[SL_FLOW_KEY_MAX])
{
	memset(key, 0x5a, SL_FLOW_KEY_MAX);
	memcpy(key + w->config.key_size - sizeof(id), &id, sizeof(id));
}

static inline uint32_t id_of(const struct world *w, const void *key)
{
	uint8_t expect[SL_FLOW_KEY_MAX];
	uint32_t id;

	memcpy(&id, (const uint8_t *)key + w->config.key_size - sizeof(id), sizeof(id));
	cr_assert_lt(id, w->nids, "a key that was never made");
	key_of(w, id, expect);
	cr_assert_eq(memcmp(expect, key, w->config.key_size), 0);
	return id;
}

static inline bool idle_at_least(const struct world *w, const struct model_flow *f, uint64_t slack)
{
	return w->config.idle_ms && w->now - f->last_ns >= w->config.idle_ms * MS + slack;
}

static inline void on_end(void *self, const void *key, void *value)
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

static inline void open_world(struct world *w, size_t key_size, enum hash_mode mode, unsigned nids,
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

static inline void check_counts(struct world *w)
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

static inline void close_world(struct world *w)
{
	check_counts(w);
	w->evicting = true;
	sl_flow_table_free(w->t);
	cr_assert_eq(w->lives, 0, "flows without a flow_end");
	cr_assert_eq(w->budget.used, 0, "memory account does not return to 0");
	free(w->flows);
}

/* A look-up of `id` gave `value`: compare with the model, then write a new token. */
static inline void saw(struct world *w, uint32_t id, uint64_t *value, int create)
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
static inline void batch(struct world *w, unsigned n, unsigned range, int create)
{
	uint8_t keys[SL_BATCH][SL_FLOW_KEY_MAX];
	struct sl_flow_table *tables[SL_BATCH] = {0};
	const void *key[SL_BATCH] = {0};
	uint32_t hash[SL_BATCH] = {0}, id[SL_BATCH];
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

static inline void single(struct world *w, int create)
{
	uint8_t key[SL_FLOW_KEY_MAX];
	uint32_t id = next(w) % w->nids;

	key_of(w, id, key);
	saw(w, id, sl_flow_lookup(w->t, key, hash_of(w, id), w->now, create), create);
}

static inline void drop(struct world *w, uint32_t id)
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
static inline void walk(struct world *w)
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

static inline void sweep_all(struct world *w)
{
	sl_flow_table_expire(w->t, w->now, 1u << 30);
	for (unsigned id = 0; w->config.idle_ms && id < w->nids; id++) {
		if (w->flows[id].lives)
			cr_assert_not(idle_at_least(w, &w->flows[id], SLACK_NS),
				      "outlived a whole sweep");
	}
}

/* Phases that lean to growth or to shrinking, so that the table breathes. */
static inline void random_operations(struct world *w, unsigned rounds)
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

#endif /* FLOW_MODEL_H */
