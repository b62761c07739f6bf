// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_give.c - flows that go to other tables: a bucket is split into parts, or is whole again.
 */
#include "flow_table_impl.h"

/* NULL: no memory, or no place in the chain. */
static struct flow_entry *take_over(struct sl_flow_table *to, const struct flow_entry *e)
{
	struct flow_entry *mine;

	to->heir = true;
	mine = flow_entry_new(to);
	if (mine) {
		memcpy(mine, e, to->stride);
		if (flow_index_insert(to, mine)) {
			flow_entry_free(to, mine);
			mine = NULL;
		} else {
			to->count++;
			flow_index_grow(to);
		}
	}
	to->heir = false;
	return mine;
}

static void give(struct sl_flow_table *t, struct flow_entry *e, const struct sl_flow_heirs *heirs)
{
	const unsigned to = (unsigned)((uint64_t)e->hash >> heirs->shift);
	const struct sl_flow_config *c = t->config;
	struct flow_entry *theirs = take_over(heirs->table[to], e);

	if (!theirs) {
		flow_end(t, e);
		t->counts.evicted++;
		return;
	}
	if (c->flow_moved)
		c->flow_moved(c->self, theirs->data, flow_value(t, theirs), heirs->from,
			      heirs->to + to);
	flow_index_remove(t, e);
	flow_entry_free(t, e);
	t->count--;
	flow_index_shrink(t);
}

uint64_t sl_flow_table_give(struct sl_flow_table *t, const struct sl_flow_heirs *heirs,
			    unsigned budget)
{
	for (unsigned i = 0; i < budget && t->count; i++) {
		struct flow_entry *e = flow_sweep_next(t);

		if (e->stamp)
			give(t, e, heirs);
		/* from the last slab down: each goes as soon as it is empty */
		if (flow_store_sparse(t))
			flow_give_back(t, 1);
	}
	if (!t->count)
		flow_give_back(t, budget);
	return t->count;
}
