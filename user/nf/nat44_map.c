// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>

#include "nf/nat44.h"
#include "nf/wire.h"

/*
 * External ports that are looked at for one mapping, at most. With 1,024 buckets an address has 63
 * for one remote end: four addresses are searched to the end, in some 50 us.
 */
#define TRIES_MAX 256

#define NS_PER_MS 1000000ull

static struct nat_key outer_key(const struct nat_key *inner, uint32_t addr, uint16_t port)
{
	struct nat_key k = *inner;

	k.near = addr;
	k.near_port = port;
	k.outer = 1;
	if (k.proto == PROTO_ICMP)
		k.far_port = port;
	return k;
}

static struct nat_key inner_key(const struct nat_key *outer, const struct nat_entry *e)
{
	struct nat_key k = *outer;

	k.near = e->peer_addr;
	k.near_port = e->peer_port;
	k.outer = 0;
	if (k.proto == PROTO_ICMP)
		k.far_port = e->peer_port;
	return k;
}

static uint32_t hash_of(const struct nat *nat, const struct nat_key *k)
{
	return sl_nf_hash_v4(nat->host, k->near, k->far, k->near_port, k->far_port, k->proto);
}

/* SplitMix64 (Steele 2014): which port is next must not be guessed from the last (RFC 6056). */
static uint64_t draw(struct nat_shard *s, uint64_t now_ns)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15ull ^ now_ns;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* An outer entry that is there, but of a mapping that has ended. */
static bool deserted(const struct nat_find *f, const struct nat_key *outer,
		     const struct nat_entry *e)
{
	struct nat_key k = inner_key(outer, e);
	struct nat_entry *inner = sl_flow_peek(f->table, &k, e->peer_hash, f->now_ns);

	return !inner || inner->peer_addr != outer->near || inner->peer_port != outer->near_port;
}

/* Take {addr, port} for the mapping if it is free. NAT_NO_PORT: it is not. */
static enum nat_result take(const struct nat_find *f, const struct nat_key *inner, uint32_t addr,
			    uint16_t port, uint32_t *hash)
{
	struct nat_key k = outer_key(inner, addr, port);
	struct nat_entry *e;

	*hash = hash_of(f->nat, &k);
	e = sl_flow_peek(f->table, &k, *hash, f->now_ns);
	if (e && !deserted(f, &k, e))
		return NAT_NO_PORT;
	e = sl_flow_lookup(f->table, &k, *hash, f->now_ns, 1);
	if (!e)
		return NAT_NO_ROOM;
	e->peer_addr = inner->near;
	e->peer_port = inner->near_port;
	e->peer_hash = f->hash;
	return NAT_OK;
}

struct chosen {
	uint32_t addr, hash;
	uint16_t port;
};

/* Look for a free port of one address from `start` on, all around; *tries counts down. */
static enum nat_result search_address(const struct nat_find *f, const struct nat_key *inner,
				      struct chosen *c, unsigned start, unsigned *tries)
{
	unsigned from = start, to = f->nat->port_max;
	enum nat_result r = NAT_NO_PORT;

	while (*tries && r == NAT_NO_PORT) {
		int port = sl_nf_find_port_v4(f->nat->host, f->bucket, c->addr, inner->far,
					      inner->far_port, inner->proto, from, to);

		if (port < 0) {
			if (to < start || start == f->nat->port_min)
				break;
			from = f->nat->port_min;
			to = start - 1;
			continue;
		}
		--*tries;
		c->port = htons((uint16_t)port);
		r = take(f, inner, c->addr, c->port, &c->hash);
		from = (unsigned)port + 1;
	}
	return r;
}

/* An inside host has one external address as long as that has ports (RFC 4787 REQ-2). */
static enum nat_result choose(const struct nat_find *f, const struct nat_key *inner,
			      struct chosen *c)
{
	const struct nat *nat = f->nat;
	struct nat_shard *s = nat_shard(nat, f->bucket);
	uint64_t random = draw(s, f->now_ns);
	unsigned ports = nat->port_max - nat->port_min + 1, tries = TRIES_MAX;
	unsigned first = (unsigned)((ntohl(inner->near) * 0x9e3779b97f4a7c15ull >> 32) % nat->pool);
	enum nat_result r = NAT_NO_PORT;

	for (unsigned i = 0; i < nat->pool && tries && r == NAT_NO_PORT; i++) {
		c->addr = htonl(nat->pool_first + (first + i) % nat->pool);
		r = search_address(f, inner, c,
				   nat->port_min + (unsigned)((random >> 32) * ports >> 32),
				   &tries);
	}
	sl_nf_count(&s->tried, TRIES_MAX - tries);
	if (r == NAT_NO_PORT)
		sl_nf_count(&s->no_port, 1);
	else if (r == NAT_NO_ROOM)
		sl_nf_count(&s->no_room, 1);
	return r;
}

static struct nat_entry *find(const struct nat_find *f, const struct nat_key *key, uint32_t hash)
{
	if (f->error)
		return sl_flow_peek(f->table, key, hash, f->now_ns);
	return sl_flow_lookup(f->table, key, hash, f->now_ns, 0);
}

enum nat_result nat_from_inside(const struct nat_find *f, const struct nat_key *key,
				struct nat_entry *known, struct nat_entry **out)
{
	struct nat_shard *s = nat_shard(f->nat, f->bucket);
	struct nat_entry *e = known;
	enum nat_result r;
	struct chosen c;

	if (!e)
		e = find(f, key, f->hash);
	*out = e;
	if (e)
		return NAT_OK;
	if (f->error)
		return NAT_NO_MAPPING;

	/* the outer entry first: making the inner one last, eviction cannot take it meanwhile */
	r = choose(f, key, &c);
	if (r)
		return r;
	e = sl_flow_lookup(f->table, key, f->hash, f->now_ns, 1);
	if (!e) {
		sl_nf_count(&s->no_room, 1);
		return NAT_NO_ROOM; /* the outer entry is deserted */
	}
	e->peer_addr = c.addr;
	e->peer_port = c.port;
	e->peer_hash = c.hash;
	e->bucket = (uint16_t)f->bucket;
	e->made_ns = f->now_ns;
	sl_nf_count(&s->made, 1);
	sl_nf_count(&s->mappings, 1);
	sl_nf_count(&s->states[CONN_NONE], 1);
	*out = e;
	return NAT_OK;
}

enum nat_result nat_from_outside(const struct nat_find *f, const struct nat_key *key,
				 struct nat_entry *known, struct nat_key *inner,
				 struct nat_entry **out)
{
	struct nat_entry *e = known, *m;

	if (!e)
		e = sl_flow_peek(f->table, key, f->hash, f->now_ns);
	if (!e)
		return NAT_NO_MAPPING;
	*inner = inner_key(key, e);
	m = find(f, inner, e->peer_hash);
	if (!m || m->peer_addr != key->near || m->peer_port != key->near_port) {
		sl_flow_remove(f->table, key, f->hash);
		return NAT_NO_MAPPING;
	}
	if (known) /* the look-up gave it all the table's time */
		sl_flow_expire_in(f->table, e, f->now_ns,
				  m->outer_until > f->now_ns
					  ? (uint32_t)((m->outer_until - f->now_ns) / NS_PER_MS)
					  : 0);
	*out = m;
	return NAT_OK;
}

enum nat_result nat_prolong(const struct nat_find *f, const struct nat_key *inner,
			    struct nat_entry *m)
{
	uint32_t granted = sl_flow_expire_in(f->table, m, f->now_ns, conn_idle_ms(&m->conn));
	struct nat_key k;
	struct nat_entry *e;

	if (f->now_ns + granted * NS_PER_MS <= m->outer_until)
		return NAT_OK;
	k = outer_key(inner, m->peer_addr, m->peer_port);
	e = sl_flow_lookup(f->table, &k, m->peer_hash, f->now_ns, 0);
	if (!e || e->peer_addr != inner->near || e->peer_port != inner->near_port) {
		/* Evicted, and perhaps somebody else's by now. From inside: outside found it. */
		sl_flow_remove(f->table, inner, f->hash);
		return NAT_NO_MAPPING;
	}
	granted = sl_flow_expire_in(f->table, e, f->now_ns, granted / 4 * 5 + 1000);
	m->outer_until = f->now_ns + granted * NS_PER_MS;
	return NAT_OK;
}
