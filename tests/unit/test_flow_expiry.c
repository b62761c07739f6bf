// SPDX-License-Identifier: GPL-2.0-or-later
/* Flow tables: idle times, sweeps and walks, held against the model. */
#include "flow_model.h"

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

Test(flow_expiry, idle_time_is_exact)
{
	uint64_t start = 12345;

	for (int i = 0; i < 2000; i++) {
		one_idle(1 + i % 50, start);
		one_idle(UINT32_MAX - i, start); /* 49.7 days: the ticks wrap within 52 */
		start += 999999937ull * (i + 1);
	}
}

/* The new owner of a shard may have taken its clock before the old one's last packet. */
Test(flow_expiry, clock_of_another_cpu)
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
Test(flow_expiry, small_sweeps_reach_all)
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
Test(flow_expiry, walk_while_it_shrinks)
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

/* A flow's own time: not before it, at most two ticks after; a look-up starts the table's again. */
Test(flow_expiry, a_time_of_its_own)
{
	struct sl_flow_budget budget = {.limit = UNLIMITED};
	struct sl_flow_config config = {
		.key_size = 8, .value_size = 8, .idle_ms = 7440000, .budget = &budget};
	uint64_t key = 1, now = 5 * MS; /* a machine up for less than the idle time */

	for (uint32_t ms = 0; ms < 7440000; ms = 3 * ms + 1) {
		struct sl_flow_table *t = sl_flow_table_new(&config);
		void *v = sl_flow_lookup(t, &key, 7, now, 1);

		sl_flow_expire_in(t, v, now, ms);
		cr_assert_eq(sl_flow_table_expire(t, now + ms * MS - !!ms, 10), 0, "%u ms", ms);
		v = sl_flow_lookup(t, &key, 7, now, 0);
		cr_assert_not_null(v);
		cr_assert_eq(sl_flow_table_expire(t, now + 7440000 * MS - 1, 10), 0);
		sl_flow_expire_in(t, v, now, ms);
		cr_assert_eq(sl_flow_table_expire(t, now + ms * MS + SLACK_NS, 10), 1, "%u ms", ms);
		v = sl_flow_lookup(t, &key, 7, now, 1);
		sl_flow_expire_in(t, v, now, UINT32_MAX); /* bounded by the table's */
		cr_assert_eq(sl_flow_table_expire(t, now + 7440000 * MS + SLACK_NS, 10), 1);
		sl_flow_table_free(t);
		now += 999999937ull;
	}
}
