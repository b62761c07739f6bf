/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shard_worst.h - what a single operation costs at worst while one table grows to all the flows and
 * shrinks again.
 *
 * The same operations run several times. What an operation costs every time is the table's doing;
 * what it costs but once is an interrupt's, or the hypervisor's. So of each operation the least
 * time counts, and of all operations the most; the plain maximum is told too.
 */
#ifndef SHARD_WORST_H
#define SHARD_WORST_H

#include <time.h>

#include "shard_contenders.h"

#define WORST_RUNS 5

enum worst_op { WORST_CREATE, WORST_REMOVE, WORST_EXPIRE, WORST_OPS };

struct worst {
	uint32_t flows;
	uint32_t *ns[WORST_OPS]; /* least time of the i-th operation */
	uint32_t raw[WORST_OPS]; /* most time in any run */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void worst_note(struct worst *w, enum worst_op op, uint32_t i, uint64_t began)
{
	uint32_t ns = (uint32_t)(now_ns() - began);

	if (ns < w->ns[op][i])
		w->ns[op][i] = ns;
	if (ns > w->raw[op])
		w->raw[op] = ns;
}

/* One table for all: larger than any shard should ever be. */
static void worst_run(struct worst *w)
{
	struct stream s = {.threads = 1};
	struct sl_flow_budget budget;
	struct sl_flow_config config;
	struct sl_flow_table *t;
	struct sl_flow_key key;
	uint64_t began;

	tables_open(&budget, &config, &t, 1);
	for (uint32_t i = 0; i < w->flows; i++) {
		stream_key(&key, i, 0);
		began = now_ns();
		if (!sl_flow_lookup(t, &key, stream_hash(&s, i, 0), 0, 1))
			abort();
		worst_note(w, WORST_CREATE, i, began);
	}
	for (uint32_t i = 0; i < w->flows; i++) {
		stream_key(&key, i, 0);
		began = now_ns();
		if (sl_flow_remove(t, &key, stream_hash(&s, i, 0)))
			abort();
		worst_note(w, WORST_REMOVE, i, began);
		if (i % SL_BATCH)
			continue;
		began = now_ns();
		sl_flow_table_expire(t, 0, SL_BATCH);
		worst_note(w, WORST_EXPIRE, i, began);
	}
	sl_flow_table_free(t);
}

static uint32_t worst_of(const struct worst *w, enum worst_op op)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < w->flows; i++) {
		if (w->ns[op][i] != UINT32_MAX && w->ns[op][i] > most)
			most = w->ns[op][i];
	}
	return most;
}

/* Prints a line; returns the worst of all operations, ns. */
static uint32_t worst_measure(uint32_t flows)
{
	struct worst w = {.flows = flows};
	uint32_t ns[WORST_OPS], worst = 0;

	for (int op = 0; op < WORST_OPS; op++) {
		w.ns[op] = malloc(flows * sizeof(*w.ns[op]));
		if (!w.ns[op])
			abort();
		memset(w.ns[op], 0xff, flows * sizeof(*w.ns[op]));
	}
	for (int i = 0; i < WORST_RUNS; i++)
		worst_run(&w);
	for (int op = 0; op < WORST_OPS; op++) {
		ns[op] = worst_of(&w, op);
		worst = ns[op] > worst ? ns[op] : worst;
		free(w.ns[op]);
	}
	printf("{\"bench\":\"shard\",\"worst\":{\"create_ns\":%u,\"remove_ns\":%u,\"expire64_ns\":%"
	       "u,"
	       "\"raw_create_ns\":%u,\"raw_remove_ns\":%u,\"raw_expire64_ns\":%u}}\n",
	       ns[WORST_CREATE], ns[WORST_REMOVE], ns[WORST_EXPIRE], w.raw[WORST_CREATE],
	       w.raw[WORST_REMOVE], w.raw[WORST_EXPIRE]);
	return worst;
}

#endif /* SHARD_WORST_H */
