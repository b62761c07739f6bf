// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_store.c - the entries of a flow table, in slabs.
 *
 * Free entries are on a doubly linked list, so that a slab's can be taken off it when the slab
 * goes. Slabs go from the last one down; what still lives there moves to free entries below.
 */
#include <errno.h>

#include "flow_table_impl.h"

/* 4, 4, 8, 16, ... entries: a table doubles while it is small. */
unsigned flow_slab_entries(const struct sl_flow_table *t, uint32_t slab)
{
	unsigned n = FLOW_SLAB_MIN;

	if (slab > 1)
		n = slab < FLOW_BLOCK_FROM ? FLOW_SLAB_MIN << (slab - 1) : FLOW_SLAB_MAX;
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

static struct flow_entry **slab_at(const struct sl_flow_table *t, uint32_t slab)
{
	return flow_at(&t->slabs, slab);
}

/* Memory for the slab behind the last one. Whole blocks are mapped, but charged slab by slab. */
static void *slab_alloc(struct sl_flow_table *t, unsigned n)
{
	uint32_t slab = t->nslabs;
	void *p;

	if (slab < FLOW_BLOCK_FROM)
		return flow_alloc(t, (size_t)n * t->stride);
	if (!flow_charge(t, FLOW_SLAB_BYTES))
		return NULL;
	if ((slab - FLOW_BLOCK_FROM) % FLOW_BLOCK_SLABS)
		return (uint8_t *)*slab_at(t, slab - 1) + FLOW_SLAB_BYTES;
	p = flow_map(FLOW_BLOCK_SLABS * FLOW_SLAB_BYTES);
	if (!p)
		flow_uncharge(t, FLOW_SLAB_BYTES);
	return p;
}

static void slab_release(struct sl_flow_table *t, uint32_t slab, void *p, unsigned n)
{
	if (slab < FLOW_BLOCK_FROM) {
		flow_release(t, p, (size_t)n * t->stride);
		return;
	}
	if ((slab - FLOW_BLOCK_FROM) % FLOW_BLOCK_SLABS)
		flow_drop_pages(p, FLOW_SLAB_BYTES);
	else
		flow_unmap(p, FLOW_BLOCK_SLABS * FLOW_SLAB_BYTES);
	flow_uncharge(t, FLOW_SLAB_BYTES);
}

static int slab_add(struct sl_flow_table *t)
{
	unsigned n = flow_slab_entries(t, t->nslabs);
	struct flow_entry *slab;

	if (flow_segments_grow(t, &t->slabs, t->nslabs + 1))
		return -ENOMEM;
	slab = slab_alloc(t, n);
	if (!slab)
		return -ENOMEM;

	/* Backwards: the list then hands them out in the order of their addresses. */
	for (unsigned i = n; i-- > 0;) {
		struct flow_entry *e = slab_entry(t, slab, i);

		e->stamp = 0;
		list_add(t, e);
	}
	*slab_at(t, t->nslabs++) = slab;
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
	struct flow_entry *slab = *slab_at(t, last);

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
	slab_release(t, last, slab, n);
	flow_segments_shrink(t, &t->slabs, last);
	if (!last)
		flow_settle(t);
}
