/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_core.h - the server whose core that a connection would reach is the least busy (CrossRSS,
 * CoNEXT 2020). Which core that is follows from the server's key and table as it reported them; the
 * packet is hashed as it will arrive there (lb_core_hash.h).
 *
 * In a tunnel the flow's own entropy leads to one core of each server, as its ends do without one,
 * and needs no memory. A connection that is entered in the table anyway can have another entropy
 * there: then several of each server are compared.
 */
#ifndef SLUICE_LB_CORE_H
#define SLUICE_LB_CORE_H

#include "lb_choose.h"
#include "lb_core_hash.h"

#define LB_NO_CORE (~0ull) /* load */
/* Cores compared for a connection, at most. 16 are no better: docs/load-balancer.md, CrossRSS. */
#define LB_LOOKS SL_LB_CANDIDATES

static __always_inline int lb_core_fresh(const struct sl_lb_cores *c, __u64 now_ns)
{
	return *(const volatile __u64 *)&c->until_ns > now_ns;
}

static __always_inline struct sl_lb_cores *lb_cores_of(const __u32 *server)
{
	/* Linux 6.1 takes no key out of what a global function was lent. */
	__u32 zero = 0, key = *server;
	void *inner = bpf_map_lookup_elem(&lb_cores, &key);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/* The core that to->hash leads to. */
static __always_inline __u32 lb_core_reached(const struct sl_lb_cores *c, __u32 hash)
{
	__u32 core = c->core[hash & c->mask & (SL_REPORT_ENTRIES - 1)];

	if (core >= SL_REPORT_SPLIT)
		core = c->split[(core << 4 | hash >> 28) & (SL_REPORT_SPLITS - 1)];
	return core;
}

/* Is it the least loaded of those so far? With what was added to it since the report. */
__noinline int lb_core_compare(const struct sl_lb_cores *c, struct lb_candidate *to)
{
	__u64 load;
	__u32 core;

	if (!c || !to || !lb_core_fresh(c, to->now_ns))
		return -1;
	core = lb_core_reached(c, to->hash);
	if (core >= SL_REPORT_CORES || core >= c->cores)
		return -1;
	load = c->load[core] + ((__u64)c->added[core] * to->flow) / SL_LB_ADDED_FLOW;
	if (load >= to->best)
		return 0;
	to->best = load;
	to->best_server = to->server;
	to->best_core = core;
	to->best_aim = to->aim;
	return 0;
}

static __always_inline void lb_core_take(struct lb_candidate *to)
{
	struct sl_lb_cores *c = lb_cores_of(&to->best_server);
	__u32 core = to->best_core;

	if (!c || core >= SL_REPORT_CORES)
		return;
	__sync_fetch_and_add(&c->added[core], SL_LB_ADDED_FLOW);
	__sync_fetch_and_add(&c->chosen[core], 1);
}

/* Few servers are all looked at, from anywhere on, so that equals are alike; of many some rows. */
static __always_inline void lb_core_candidate(const struct sl_lb_table *t, const struct lb *k,
					      struct lb_candidate *to)
{
	if (to->n) {
		to->server = t->few[to->at & (SL_LB_CANDIDATES - 1)];
		to->at = to->at + 1 < to->n ? to->at + 1 : 0;
		return;
	}
	to->server = t->server[to->at & (SL_LB_ROWS - 1)];
	to->at += (__u32)k->hash | 1; /* odd: no row twice */
}

/* Here for want of stack. */
SL_MAP(lb_candidates, BPF_MAP_TYPE_PERCPU_ARRAY, 0, 1, __u32, struct lb_candidate);

/* How to->server meets the connection. */
static __always_inline struct sl_lb_cores *lb_core_meet(const struct lb *k, __u8 forward,
							struct lb_candidate *to)
{
	const struct sl_lb_server *s = bpf_map_lookup_elem(&lb_servers, &to->server);

	if (!s || s->state != SL_LB_UP)
		return NULL;
	if (forward == SL_LB_NAT || forward == SL_LB_L2)
		lb_core_see(k, s, forward, to);
	else if (lb_core_see_outer(k, s, to, forward))
		return NULL;
	return lb_cores_of(&to->server);
}

/*
 * How many outer entropies are compared for a server: one, the flow's own, unless the table will
 * have it. Not of QUIC: its connections leave the table for a connection id.
 */
static __always_inline __u32 lb_core_aims(const struct lb_choice *c, const struct lb_candidate *to)
{
	if (c->vip.forward == SL_LB_NAT || c->vip.forward == SL_LB_L2 ||
	    c->vip.keep == SL_LB_KEEP_QUIC || !(c->by_load & LB_INSERT) || !to->looks)
		return 1;
	return to->looks < LB_LOOKS ? LB_LOOKS / to->looks : 1;
}

/* The next of them, or the first of the next server. They differ in the bits of any `spread`. */
static __always_inline void lb_core_next(const struct sl_lb_table *t, const struct lb *k,
					 struct lb_candidate *to)
{
	if (!to->aimed)
		lb_core_candidate(t, k, to);
	to->aim = to->aims > 1 ? lb_entropy(k->hash + ((__u64)to->aimed << 48), 0) : 0;
	to->aimed = to->aimed + 1 < to->aims ? to->aimed + 1 : 0;
}

/*
 * c->server is the row's. A server of whose cores nothing is known, because it does not report, has
 * the share that its rows give it, no less and no more: the others share what is theirs by their
 * loads.
 */
static __always_inline int lb_core_pick(const struct lb *k, const struct sl_lb_table *t,
					struct lb_choice *c, struct lb_candidate *to)
{
	struct sl_lb_cores *cores;

	to->server = c->server; /* Linux 6.1 takes no key out of what a function is given */
	cores = lb_cores_of(&to->server);
	to->now_ns = bpf_ktime_get_coarse_ns();
	if (!cores || !lb_core_fresh(cores, to->now_ns))
		return -1;
	to->flow = cores->flow;
	to->rest.key_id = 0;
	to->best = LB_NO_CORE;
	to->n = t->few_n;
	to->at = to->n ? (__u32)(k->hash >> 48) * to->n >> 16 : sl_lb_row(k->hash);
	to->looks = c->vip.candidates;
	if (to->n && to->looks > to->n)
		to->looks = to->n;
	to->aims = lb_core_aims(c, to);
	to->aimed = 0;
	for (__u32 i = 0; i < LB_LOOKS && i < to->looks * to->aims; i++) {
		lb_core_next(t, k, to);
		cores = lb_core_meet(k, c->vip.forward, to);
		if (cores && !lb_core_hash(cores, to))
			lb_core_compare(cores, to);
	}
	if (to->best == LB_NO_CORE)
		return -1;
	lb_core_take(to);
	c->server = to->best_server;
	c->aim = to->best_aim;
	return 0;
}

/* What lb_choose() leaves to do where connections go by load. */
__noinline int lb_core_choose(const struct lb *k, struct lb_choice *c)
{
	const struct sl_lb_table *table = NULL;
	struct lb_candidate *to;
	__u32 vip, zero = 0;
	void *inner;

	if (!k || !c)
		return -1;
	vip = c->vip.id;
	inner = bpf_map_lookup_elem(&lb_tables, &vip);
	if (inner)
		table = bpf_map_lookup_elem(inner, &zero);
	to = bpf_map_lookup_elem(&lb_candidates, &zero);
	lb_count(table && to && !lb_core_pick(k, table, c, to) ? SL_LB_BY_LOAD : SL_LB_UNREPORTED);
	return 0;
}

/* Into the connection table what belongs there. A function for want of stack. */
static __noinline void lb_core_enter(const struct lb *k, const struct sl_lb_control *ctl,
				     const struct lb_choice *c)
{
	if (c->by_load & LB_INSERT)
		lb_insert(k, c->vip.id, c->server | (__u32)c->aim << SL_LB_AIM_SHIFT);
	if (c->by_load & LB_BEGIN)
		lb_begin(k, ctl, c);
}

#endif /* SLUICE_LB_CORE_H */
