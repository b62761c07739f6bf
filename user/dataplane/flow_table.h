/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow_table.h - the flow table of one shard and one NF. See sluice/nf.h for look-ups.
 *
 * One thread at a time: the shard's owner. Grows and shrinks a few entries per operation, so no
 * operation takes longer than a bounded number of steps. Moves between workers by pointer; the
 * release and acquire of the owner word order what the two do.
 *
 * The table trusts the hash: at most 224 flows whose hashes agree in all that the table uses find
 * room, further ones meet the policy below.
 */
#ifndef SL_DATAPLANE_FLOW_TABLE_H
#define SL_DATAPLANE_FLOW_TABLE_H

#include <sluice/nf.h>

enum sl_flow_policy {
	/* No room: the new flow is refused and counted; or, if its tenant is within its part of the
	 * memory, one of a tenant that is not goes, as below. */
	SL_FLOW_REFUSE,
	/*
	 * No room: the flow idle longest in the neighbourhood goes, counted. Never one whose value
	 * was handed out in the same batch. A table without flows has none to give: it refuses.
	 * With tenants only the flow's own tenant's, and those of who is beyond its part.
	 */
	SL_FLOW_EVICT,
};

/* Shared by all tables of a dataplane; the byte account is the only thing that workers share. */
struct sl_flow_budget {
	uint64_t limit; /* bytes, all tables together */
	_Atomic uint64_t
		used; /* changed in chunks when a table grows or shrinks, never per packet */
	enum sl_flow_policy policy;
};

struct sl_flow_counts {
	uint64_t made, expired, evicted, refused, removed;
};

/*
 * Tenants that share the memory: each has a part of it that the others' flows make way for. Called
 * on the thread that has the table.
 */
struct sl_flow_tenants {
	unsigned (*whose)(uint32_t hash); /* the flow of this hash that is made now */
	void (*count)(unsigned tenant, int flows, int64_t bytes); /* come (or gone, below 0) */
	bool (*within)(unsigned tenant, size_t more); /* its part, with so many bytes more? */
};

struct sl_flow_config {
	size_t key_size, value_size;
	uint32_t idle_ms;
	struct sl_flow_budget *budget;
	const struct sl_flow_tenants
		*tenants; /* NULL: flows are nobody's, who comes first has them */
	/* Once for every flow, however it ends. Must not call the table. May be NULL. */
	void (*flow_end)(void *self, const void *key, void *value);
	/* For every flow that sl_flow_table_give() moves. May be NULL. */
	void (*flow_moved)(void *self, const void *key, void *value, unsigned from, unsigned to);
	void *self;
};

/* Bytes of a table without flows. */
size_t sl_flow_table_header(void);

/*
 * An empty table takes no memory beyond its header, which is not charged to the budget. NULL: no
 * memory, or a size out of range (errno EINVAL). `config` must outlive the table.
 */
struct sl_flow_table *sl_flow_table_new(const struct sl_flow_config *config);
/* Calls flow_end for every flow. */
void sl_flow_table_free(struct sl_flow_table *t);

uint64_t sl_flow_table_count(const struct sl_flow_table *t);
/* What it has charged to the budget. */
size_t sl_flow_table_bytes(const struct sl_flow_table *t);
/* What happened since the last call of this function; clears it. */
struct sl_flow_counts sl_flow_table_take_counts(struct sl_flow_table *t);

/*
 * Look at up to `budget` entries from where the last call ended; forget the idle ones. Returns how
 * many went. A flow never goes before its idle_ms, and at most 4.2 ms (two ticks) after, when a
 * sweep or a look-up with `create` meets it. Closes gaps and gives memory back, too: so it wants
 * calling also where idle_ms is 0. Ends the validity of value pointers.
 */
unsigned sl_flow_table_expire(struct sl_flow_table *t, uint64_t now_ns, unsigned budget);

/*
 * Where flows go that leave a table: to table[hash >> shift], or all to table[0] with shift 32.
 * Their shards have these numbers, for flow_moved.
 */
struct sl_flow_heirs {
	struct sl_flow_table *const *table;
	unsigned from, to; /* shard of the giving table; of table[0], the others follow */
	unsigned shift;
};

/*
 * Move up to `budget` flows, with their idle times; returns how many are left. Moving takes memory
 * before it gives any back, and the budget's limit is not asked: a flow that has room keeps it. One
 * for which there is no memory at all, or no place (see above), ends and counts as evicted. Ends
 * the validity of value pointers.
 */
uint64_t sl_flow_table_give(struct sl_flow_table *t, const struct sl_flow_heirs *heirs,
			    unsigned budget);

/*
 * Walk the flows: *cursor 0 starts; returns false at the end. Between calls the table may change; a
 * flow that stays is seen exactly once unless the table is resized meanwhile (then at least once).
 */
bool sl_flow_table_walk(struct sl_flow_table *t, uint64_t *cursor, const void **key, void **value,
			uint64_t *idle_ns, uint64_t now_ns);

#endif /* SL_DATAPLANE_FLOW_TABLE_H */
