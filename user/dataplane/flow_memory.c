// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_memory.c - memory of a flow table, and its part in the byte account of all.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

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

/* The flow is charged elsewhere and gives that back soon. */
static void budget_force(struct sl_flow_budget *b, size_t bytes)
{
	atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed);
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

/* False: no room. */
bool flow_charge(struct sl_flow_table *t, size_t bytes)
{
	size_t need, extra = credit_goal(t);

	if (t->credit >= bytes) {
		t->credit -= bytes;
		return true;
	}
	need = bytes - t->credit;
	if (!extra || !budget_take(t->config->budget, need + extra)) {
		extra = 0;
		if (t->heir)
			budget_force(t->config->budget, need);
		else if (!budget_take(t->config->budget, need))
			return false;
	}
	t->bytes += need + extra;
	t->credit = extra;
	return true;
}

void flow_uncharge(struct sl_flow_table *t, size_t bytes)
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

/* Zeroed, and touched page by page only as it is used. NULL: no memory. */
void *flow_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Unmapping within a mapping may need a mapping more than the kernel allows: then pages must do. */
void flow_unmap(void *p, size_t bytes)
{
	if (munmap(p, bytes))
		flow_drop_pages(p, bytes);
}

/* Give pages back, keep the addresses. Where pages are larger, they go with the block. */
void flow_drop_pages(void *p, size_t bytes)
{
	madvise(p, bytes, MADV_DONTNEED);
}

/* Charged to the budget; whole cache lines are aligned to one; not cleared. NULL: no room. */
void *flow_alloc(struct sl_flow_table *t, size_t bytes)
{
	void *p;

	if (!flow_charge(t, bytes))
		return NULL;
	if (bytes >= FLOW_MAP_BYTES)
		p = flow_map(bytes);
	else
		p = bytes % SL_CACHE_LINE ? malloc(bytes) : aligned_alloc(SL_CACHE_LINE, bytes);
	if (!p)
		flow_uncharge(t, bytes);
	return p;
}

void flow_release(struct sl_flow_table *t, void *p, size_t bytes)
{
	if (bytes >= FLOW_MAP_BYTES)
		flow_unmap(p, bytes);
	else
		free(p);
	flow_uncharge(t, bytes);
}
