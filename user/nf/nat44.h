/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat44.h - mappings of nat44 (nat44_map.c makes and finds them, nat44.c has the packets).
 *
 * The table of a shard has two entries for each mapping, in the same shard because the external
 * port is chosen for it: `inner`, found by packets from inside, is the mapping; `outer`, found by
 * packets from outside, only says which. An outer entry whose inner one has ended counts for
 * nothing and is taken over when its port is wanted.
 */
#ifndef SL_NF_NAT44_H
#define SL_NF_NAT44_H

#include "nf/conn.h"

/* Addresses and ports in network order. An echo has its identifier at both ends. */
struct nat_key {
	uint32_t near, far; /* near: the inside host, or what stands for it outside */
	uint16_t near_port, far_port;
	uint8_t proto;
	uint8_t outer; /* 1: near is an external address */
	uint16_t resv;
};
_Static_assert(sizeof(struct nat_key) == 16, "no padding: keys are compared as bytes");

struct nat_entry {
	struct conn conn; /* inner: side 0 is inside */
	uint32_t peer_addr; /* the other entry's near end; 0: the entry is new */
	uint16_t peer_port;
	uint16_t bucket;
	uint32_t peer_hash; /* under which the other entry is filed */
	uint32_t resv;
	uint64_t outer_until; /* inner: how long the outer entry lasts, ns */
	uint64_t made_ns;
	uint64_t packets[2], bytes[2]; /* inner: [0] from inside */
};

/* Of a shard. */
struct nat_shard {
	uint64_t mappings, made, tried; /* tried: external ports looked at */
	uint64_t no_port, no_room; /* mappings refused */
	uint64_t states[CONN_STATES];
	uint64_t random; /* the owner's; what is above is counters */
};

struct nat {
	const struct sl_nf_host *host;
	uint32_t pool_first; /* host order */
	unsigned pool; /* addresses */
	unsigned port_min, port_max;
};

/* The longest idle time, and a quarter, by which outer entries last longer. */
#define NAT_IDLE_MS (CONN_IDLE_MAX_MS / 4 * 5)

enum nat_result { NAT_OK = 0, NAT_NO_MAPPING, NAT_NO_PORT, NAT_NO_ROOM };

/* A packet's way to its mapping. */
struct nat_find {
	const struct nat *nat;
	struct sl_flow_table *table;
	uint32_t hash; /* of the packet */
	uint32_t bucket;
	uint64_t now_ns;
	bool error; /* an ICMP error: it neither makes nor prolongs a mapping (RFC 5508 REQ-9) */
};

/*
 * The mapping of a packet from inside, made if there is none. `known` is what a look-up has just
 * found, or NULL. *out is valid until the next look-up.
 */
enum nat_result nat_from_inside(const struct nat_find *f, const struct nat_key *key,
				struct nat_entry *known, struct nat_entry **out);

/* The mapping of a packet from outside, whose key is `key`; *inner its inside end. */
enum nat_result nat_from_outside(const struct nat_find *f, const struct nat_key *key,
				 struct nat_entry *known, struct nat_key *inner,
				 struct nat_entry **out);

/* After conn_packet(): the mapping lasts as long as its state says, and so does its outer entry. */
enum nat_result nat_prolong(const struct nat_find *f, const struct nat_key *inner,
			    struct nat_entry *mapping);

static inline struct nat_shard *nat_shard(const struct nat *nat, uint32_t bucket)
{
	return sl_nf_shard(nat->host, bucket);
}

static inline bool nat_in_pool(const struct nat *nat, uint32_t addr)
{
	return __builtin_bswap32(addr) - nat->pool_first < nat->pool;
}

#endif /* SL_NF_NAT44_H */
