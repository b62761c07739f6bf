/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_core.h - the server whose core that a connection would reach is the least busy (CrossRSS,
 * CoNEXT 2020). Which core that is follows from the server's key and table as it reported them; the
 * packet is hashed as it will arrive there.
 *
 * Toeplitz is XOR-linear: H(packet) = H(client's end) ^ H(server's end). The second is made when
 * the server reports, the first once for servers in a row that have the same key.
 */
#ifndef SLUICE_LB_CORE_H
#define SLUICE_LB_CORE_H

#include "hash.h"
#include "lb_choose.h"

#define LB_NO_CORE (~0ull) /* load */

/* H(client's end) by the key `key_id`. */
struct lb_rest {
	__u32 key_id;
	__u32 address, port;
};

/* A server's ends as the connection meets them, and what is known of its cores. */
struct lb_candidate {
	__u64 now_ns;
	__u32 server;
	__be32 address[4];
	__u32 port; /* host order */
	__u32 translated; /* 1: the address is the server's own */
	__u32 hash;
	struct lb_rest rest;
	__u32 flow; /* load of a connection: the same for all that are compared */
	__u32 looks, n, at; /* so many are looked at, of so many; from there on */
	/* the least loaded of those before */
	__u32 best_server, best_core;
	__u64 best;
};

/*
 * The share of a word of the input, the `word`th of it. A function, and its loop not unrolled: with
 * its callers it has to do with what stack is left.
 */
__noinline __u32 lb_toeplitz(const struct sl_lb_cores *c, __u32 word, __u32 value)
{
	__u32 hash = 0;

	if (!c || word > 8)
		return 0;
#pragma GCC unroll 1
	for (__u32 i = 0; i < 8; i++, value <<= 4)
		hash ^= c->toeplitz[8 * word + i][value >> 28];
	return hash;
}

/* `word` is where the address begins. */
static __always_inline __u32 lb_toeplitz_address(const struct sl_lb_cores *c, __u32 v6, __u32 word,
						 const __be32 *address)
{
	__u32 hash = 0;

	if (!v6)
		return lb_toeplitz(c, word, bpf_ntohl(address[3]));
#pragma GCC unroll 1
	for (__u32 i = 0; i < 4; i++)
		hash ^= lb_toeplitz(c, word + i, bpf_ntohl(address[i]));
	return hash;
}

static __always_inline __u32 lb_toeplitz_hash(const struct lb *k, const struct sl_lb_cores *c,
					      struct lb_candidate *to, __u32 fields)
{
	__u32 v6 = k->ends.v6, ports = v6 ? 8 : 2, hash;

	if (to->rest.key_id != c->key_id) {
		to->rest.key_id = c->key_id;
		to->rest.address = lb_toeplitz_address(c, v6, 0, k->ends.client);
		to->rest.port = lb_toeplitz(c, ports, (__u32)k->ends.client_port << 16);
	}
	hash = to->rest.address;
	hash ^= to->translated ? c->address : lb_toeplitz_address(c, v6, v6 ? 4 : 1, to->address);
	if (fields & SL_REPORT_PORTS)
		hash ^= to->rest.port ^ lb_toeplitz(c, ports, to->port);
	return hash;
}

/* Not inlined, for want of stack. */
static __noinline __u32 lb_symmetric_hash(const struct lb *k, const struct sl_lb_cores *c,
					  const struct lb_candidate *to)
{
	return k->ends.v6 ? sl_hash_v6(c->symmetric, k->ends.client, to->address,
				       k->ends.client_port, to->port, k->ends.proto)
			  : sl_hash_v4(c->symmetric, k->ends.client[3], to->address[3],
				       k->ends.client_port, to->port, k->ends.proto);
}

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

/* Toeplitz over what the server's NIC takes of this packet; 0, or -1: nobody can tell. */
__noinline int lb_core_toeplitz(const struct lb *k, const struct sl_lb_cores *c,
				struct lb_candidate *to)
{
	__u32 flow, fields;

	if (!k || !c || !to)
		return -1;
	flow = (k->ends.proto == SL_IP_UDP ? SL_REPORT_UDP4 : SL_REPORT_TCP4) + !!k->ends.v6;
	fields = c->fields[flow & (SL_REPORT_FLOWS - 1)];
	if (!(fields & SL_REPORT_ADDRESSES))
		return -1;
	to->hash = lb_toeplitz_hash(k, c, to, fields);
	return 0;
}

/* What the server will make of the packet. */
static __always_inline int lb_core_hash(const struct lb *k, const struct sl_lb_cores *c,
					struct lb_candidate *to)
{
	if (c->hash != SL_REPORT_SYMMETRIC)
		return lb_core_toeplitz(k, c, to);
	to->hash = lb_symmetric_hash(k, c, to);
	return 0;
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
	to->translated = forward == SL_LB_NAT;
	__builtin_memcpy(to->address, to->translated ? s->addr : k->ends.vip, 16);
	to->port = to->translated && s->port ? bpf_ntohs(s->port) : k->ends.vip_port;
	return lb_cores_of(&to->server);
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
	for (__u32 i = 0; i < SL_LB_CANDIDATES && i < to->looks; i++) {
		if (to->n && i >= to->n)
			break;
		lb_core_candidate(t, k, to);
		cores = lb_core_meet(k, c->vip.forward, to);
		if (cores && !lb_core_hash(k, cores, to))
			lb_core_compare(cores, to);
	}
	if (to->best == LB_NO_CORE)
		return -1;
	lb_core_take(to);
	c->server = to->best_server;
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
		lb_insert(k, c->vip.id, c->server);
	if (c->by_load & LB_BEGIN)
		lb_begin(k, ctl, c);
}

#endif /* SLUICE_LB_CORE_H */
