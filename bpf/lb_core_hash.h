/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_core_hash.h - what a server makes of a packet's ends, as they will arrive there. Of a packet
 * in a tunnel these are the outer header's, since NIC and XDP come before whatever takes that off.
 *
 * Toeplitz is XOR-linear: H(packet) = H(client's end) ^ H(server's end). The second is made when
 * the server reports, the first once for servers in a row that have the same key.
 */
#ifndef SLUICE_LB_CORE_HASH_H
#define SLUICE_LB_CORE_HASH_H

#include "hash.h"
#include "lb_tunnel.h"

/* H(client's end) by the key `key_id`. */
struct lb_rest {
	__u32 key_id;
	__u32 address, port;
};

/* A server's ends as the connection meets them, and what is known of its cores. */
struct lb_candidate {
	__u64 now_ns;
	struct sl_lb_ends seen; /* by the server, of the packet */
	__u32 server;
	__u32 own; /* 1: seen.vip is the server's own address */
	__u32 hash;
	struct lb_rest rest;
	__u32 flow; /* load of a connection: the same for all that are compared */
	__u32 looks, n, at; /* so many are looked at, of so many; from there on */
	__u32 aims, aimed; /* so many outer entropies of each, this one is next */
	__u16 aim, best_aim; /* as lb_choice's */
	__u32 best_server, best_core; /* the least loaded of those before, with best_aim */
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

static __always_inline __u32 lb_toeplitz_hash(const struct sl_lb_cores *c, struct lb_candidate *to,
					      __u32 fields)
{
	__u32 v6 = to->seen.v6, ports = v6 ? 8 : 2, hash;

	if (to->rest.key_id != c->key_id) {
		to->rest.key_id = c->key_id;
		to->rest.address = lb_toeplitz_address(c, v6, 0, to->seen.client);
		to->rest.port = lb_toeplitz(c, ports, (__u32)to->seen.client_port << 16);
	}
	hash = to->rest.address;
	hash ^= to->own ? c->address : lb_toeplitz_address(c, v6, v6 ? 4 : 1, to->seen.vip);
	if (fields & SL_REPORT_PORTS)
		hash ^= to->rest.port ^ lb_toeplitz(c, ports, to->seen.vip_port);
	return hash;
}

/* IP in IP has no ports, and a NIC no setting for what it takes of that: the addresses. */
static __always_inline __u32 lb_core_fields(const struct sl_lb_cores *c,
					    const struct sl_lb_ends *seen)
{
	__u32 flow = (seen->proto == SL_IP_UDP ? SL_REPORT_UDP4 : SL_REPORT_TCP4) + !!seen->v6;

	if (seen->proto == LB_IP_IPIP || seen->proto == LB_IP_IPV6)
		return SL_REPORT_ADDRESSES;
	return c->fields[flow & (SL_REPORT_FLOWS - 1)];
}

/* Toeplitz over what the server's NIC takes of this packet; 0, or -1: nobody can tell. */
__noinline int lb_core_toeplitz(const struct sl_lb_cores *c, struct lb_candidate *to)
{
	__u32 fields;

	if (!c || !to)
		return -1;
	fields = lb_core_fields(c, &to->seen);
	if (!(fields & SL_REPORT_ADDRESSES))
		return -1;
	to->hash = lb_toeplitz_hash(c, to, fields);
	return 0;
}

/* Not inlined, for want of stack. */
static __noinline __u32 lb_symmetric_hash(const struct sl_lb_cores *c,
					  const struct sl_lb_ends *seen)
{
	return seen->v6 ? sl_hash_v6(c->symmetric, seen->client, seen->vip, seen->client_port,
				     seen->vip_port, seen->proto)
			: sl_hash_v4(c->symmetric, seen->client[3], seen->vip[3], seen->client_port,
				     seen->vip_port, seen->proto);
}

/* What the server will make of the packet, into to->hash; 0, or -1. */
static __always_inline int lb_core_hash(const struct sl_lb_cores *c, struct lb_candidate *to)
{
	if (c->hash != SL_REPORT_SYMMETRIC)
		return lb_core_toeplitz(c, to);
	to->hash = lb_symmetric_hash(c, &to->seen);
	return 0;
}

/* The packet's own ends, translated or not. */
static __always_inline void lb_core_see(const struct lb *k, const struct sl_lb_server *s,
					__u8 forward, struct lb_candidate *to)
{
	to->seen = k->ends;
	to->own = forward == SL_LB_NAT;
	if (!to->own)
		return;
	__builtin_memcpy(to->seen.vip, s->addr, 16);
	if (s->port)
		to->seen.vip_port = bpf_ntohs(s->port);
}

/* The ends of the outer header that lb_encap() will write. 0, or -1. */
__noinline int lb_core_see_outer(const struct lb *k, const struct sl_lb_server *s,
				 struct lb_candidate *to, __u32 forward)
{
	const struct sl_lb_tunnel *t;
	__u32 server;
	__u16 entropy;

	if (!k || !s || !to)
		return -1;
	server = to->server;
	t = bpf_map_lookup_elem(&lb_tunnels, &server);
	if (!t)
		return -1;
	entropy = lb_entropy(k->hash, to->aim);
	__builtin_memcpy(to->seen.client, t->source, 16);
	to->seen.client[3] = lb_outer_source(t, entropy);
	__builtin_memcpy(to->seen.vip, s->addr, 16);
	to->seen.proto = lb_outer_proto(k, forward);
	to->seen.client_port = forward == SL_LB_GUE ? entropy : 0;
	to->seen.vip_port = forward == SL_LB_GUE ? bpf_ntohs(t->port) : 0;
	to->seen.v6 = s->v6;
	to->own = 1;
	to->rest.key_id = 0;
	return 0;
}

#endif /* SLUICE_LB_CORE_HASH_H */
