// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_store.c - memory of a flow table: the byte account, and entries in slabs.
 *
 * Free entries are on a doubly linked list, so that a slab's can be taken off it when the slab
 * goes. Slabs go from the last one down; what still lives there moves to free entries below.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "flow_table_impl.h"

/*
 * Relaxed: the account orders nothing, memory itself is handed on by the allocator's own locks.
 * A compare-and-swap instead of an addition taken back: others must not be refused by a charge that
 * never came about.
 */
static bool budget_take(struct sl_flow_budget *b, size_t bytes)
{
	uint64_t used = atomic_load_explicit(&b->used, memory_order_relaxed);

	do {
		if (bytes > b->limit || used > b->limit - bytes)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&b->used, &used, used + bytes, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void budget_give(struct sl_flow_table *t, size_t bytes)
{
	atomic_fetch_sub_explicit(&t->config->budget->used, bytes, memory_order_relaxed);
	t->bytes -= bytes;
	t->credit -= bytes;
}

/* A small table takes what it needs, so that thousands of them do not hoard; a large one more. */
static size_t credit_goal(const struct sl_flow_table *t)
{
	return t->bytes >= 8 * FLOW_CREDIT ? FLOW_CREDIT : 0;
}

static bool charge(struct sl_flow_table *t, size_t bytes)
{
	size_t need, extra = credit_goal(t);

	if (t->credit >= bytes) {
		t->credit -= bytes;
		return true;
	}
	need = bytes - t->credit;
	if (!extra || !budget_take(t->config->budget, need + extra)) {
		extra = 0;
		if (!budget_take(t->config->budget, need))
			return false;
	}
	t->bytes += need + extra;
	t->credit = extra;
	return true;
}

static void uncharge(struct sl_flow_table *t, size_t bytes)
{
	t->credit += bytes;
	if (t->credit > 2 * credit_goal(t))
		budget_give(t, t->credit - credit_goal(t));
}

/* Give back the credit of a table without flows. */
void flow_settle(struct sl_flow_table *t)
{
	if (t->credit)
		budget_give(t, t->credit);
}

/* Aligned to a cache line where that matters, charged to the budget, not cleared. NULL: no room. */
void *flow_alloc(struct sl_flow_table *t, size_t bytes)
{
	void *p;

	if (!charge(t, bytes))
		return NULL;
	p = bytes % SL_CACHE_LINE ? malloc(bytes) : aligned_alloc(SL_CACHE_LINE, bytes);
	if (!p)
		uncharge(t, bytes);
	return p;
}

void flow_release(struct sl_flow_table *t, void *p, size_t bytes)
{
	free(p);
	uncharge(t, bytes);
}

/* 4, 4, 8, 16, ... entries: a table doubles while it is small. */
unsigned flow_slab_entries(const struct sl_flow_table *t, uint32_t slab)
{
	unsigned n = FLOW_SLAB_MIN;

	if (slab > 1)
		n = slab < 8 ? FLOW_SLAB_MIN << (slab - 1) : FLOW_SLAB_MAX;
	return n < t->slab_max ? n : t->slab_max;
}

static struct flow_free *free_links(struct flow_entry *e)
{
	return (struct flow_free *)e->data;
}

static struct flow_entry *slab_entry(const struct sl_flow_table *t, struct flow_entry *slab,
				     unsigned i)
{
	return (struct flow_entry *)((uint8_t *)slab + (size_t)i * t->stride);
}

static void list_add(struct sl_flow_table *t, struct flow_entry *e)
{
	*free_links(e) = (struct flow_free){.next = t->free_list};
	if (t->free_list)
		free_links(t->free_list)->prev = e;
	t->free_list = e;
}

static void list_del(struct sl_flow_table *t, struct flow_entry *e)
{
	struct flow_free *l = free_links(e);

	if (l->next)
		free_links(l->next)->prev = l->prev;
	if (l->prev)
		free_links(l->prev)->next = l->next;
	else
		t->free_list = l->next;
}

static int slab_add(struct sl_flow_table *t)
{
	unsigned n = flow_slab_entries(t, t->nslabs);
	struct flow_entry *slab;

	if (flow_segments_grow(t, &t->slabs, t->nslabs + 1))
		return -ENOMEM;
	slab = flow_alloc(t, (size_t)n * t->stride);
	if (!slab)
		return -ENOMEM;

	/* Backwards: the list then hands them out in the order of their addresses. */
	for (unsigned i = n; i-- > 0;) {
		struct flow_entry *e = slab_entry(t, slab, i);

		e->stamp = 0;
		list_add(t, e);
	}
	*(struct flow_entry **)flow_at(&t->slabs, t->nslabs++) = slab;
	t->capacity += n;
	return 0;
}

/* An entry that is in nobody's hands yet, or NULL: no room. */
struct flow_entry *flow_entry_new(struct sl_flow_table *t)
{
	struct flow_entry *e;

	if (!t->free_list && slab_add(t))
		return NULL;
	e = t->free_list;
	list_del(t, e);
	return e;
}

void flow_entry_free(struct sl_flow_table *t, struct flow_entry *e)
{
	e->stamp = 0;
	list_add(t, e);
}

/* Without its last slab, a quarter of the table's entries would still be free. */
bool flow_store_sparse(const struct sl_flow_table *t)
{
	uint64_t left;

	if (!t->nslabs)
		return false;
	left = t->capacity - flow_slab_entries(t, t->nslabs - 1);
	return t->count <= left - left / 4;
}

/*
 * Give the last slab back. Requires flow_store_sparse(): there are free entries enough below it.
 * At most FLOW_SLAB_MAX entries move.
 */
void flow_store_retire(struct sl_flow_table *t)
{
	uint32_t last = t->nslabs - 1;
	unsigned n = flow_slab_entries(t, last);
	struct flow_entry *slab = *(struct flow_entry **)flow_at(&t->slabs, last);

	for (unsigned i = 0; i < n; i++) {
		struct flow_entry *e = slab_entry(t, slab, i);

		if (!e->stamp)
			list_del(t, e);
		else
			__builtin_prefetch(flow_bucket(t, flow_bucket_of(t, flow_mix(e->hash))));
	}
	for (unsigned i = 0; i < n; i++) {
		struct flow_entry *to, *e = slab_entry(t, slab, i);

		if (!e->stamp)
			continue;
		to = t->free_list;
		list_del(t, to);
		memcpy(to, e, t->stride);
		flow_index_replace(t, e, to);
	}
	t->nslabs = last;
	t->capacity -= n;
	flow_release(t, slab, (size_t)n * t->stride);
	flow_segments_shrink(t, &t->slabs, last);
	if (!last)
		flow_settle(t);
}
