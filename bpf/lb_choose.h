/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_choose.h - which server gets a packet. */
#ifndef SLUICE_LB_CHOOSE_H
#define SLUICE_LB_CHOOSE_H

#include "lb_packet.h"
#include "lb_quic.h"
#include "lb_table.h"
#include "lb_vips.h"

#define LB_BY_LOAD 1 /* of lb_choice.by_load */
#define LB_INSERT 2 /* with it: into the connection table then */
#define LB_BEGIN 4 /* lb_begin() then */

static __always_inline void lb_forward_ends(struct lb *k)
{
	__builtin_memcpy(k->ends.client, k->p.flow.src, 16);
	__builtin_memcpy(k->ends.vip, k->p.flow.dst, 16);
	k->ends.client_port = k->p.flow.sport;
	k->ends.vip_port = k->p.flow.dport;
	k->ends.proto = k->p.flow.proto;
}

static __always_inline void lb_reply_ends(struct lb *k, const struct sl_lb_reverse *r)
{
	__builtin_memcpy(k->ends.client, k->p.flow.dst, 16);
	__builtin_memcpy(k->ends.vip, r->addr, 16);
	k->ends.client_port = k->p.flow.dport;
	k->ends.vip_port = r->port ? bpf_ntohs(r->port) : k->p.flow.sport;
	k->ends.proto = k->p.flow.proto;
}

static __always_inline void lb_mixed(void)
{
	__u32 zero = 0;
	struct sl_lb_control *ctl = bpf_map_lookup_elem(&lb_control, &zero);

	if (ctl && !ctl->mixed)
		ctl->mixed = 1;
}

static __always_inline int lb_known(const struct lb *k, struct lb_choice *c)
{
	struct sl_lb_connection key;
	const struct sl_lb_server *s;
	const __u32 *known;
	__u32 server, value;

	lb_connection_key(k, c->vip.id, &key);
	known = bpf_map_lookup_elem(&lb_connections, &key);
	if (!known)
		return 0;
	value = *(const volatile __u32 *)known; /* once: server and aim of one entry */
	server = (__u16)value;
	s = bpf_map_lookup_elem(&lb_servers, &server);
	if (!s || s->vip != c->vip.id || (s->state != SL_LB_UP && s->state != SL_LB_DRAIN))
		return 0;
	/* Nothing would ever end a flow of UDP that goes to nobody; TCP's client gives up. */
	if (s->health == SL_LB_FAILING && k->p.proto != SL_IP_TCP)
		return 0;
	c->server = server;
	c->aim = value >> SL_LB_AIM_SHIFT;
	c->how = SL_LB_TABLE;
	return 1;
}

/* The server of a row: of the hash's, or of the next one in turn. */
static __always_inline int lb_pick(const struct lb *k, struct lb_choice *c, __u8 select)
{
	__u32 vip = c->vip.id, zero = 0, row = sl_lb_row(k->hash);
	const struct sl_lb_table *table;
	struct lb_cpu *cpu;
	void *inner;

	if (select != SL_LB_BY_HASH && select != SL_LB_BY_CORE) {
		cpu = bpf_map_lookup_elem(&lb_cpus, &zero);
		if (cpu && vip < SL_LB_MAX_VIPS)
			row = (cpu->turn[vip]++ + bpf_get_smp_processor_id() * 40503u) &
			      (SL_LB_ROWS - 1);
	}
	inner = bpf_map_lookup_elem(&lb_tables, &vip);
	if (!inner)
		return -1;
	table = bpf_map_lookup_elem(inner, &zero);
	if (!table)
		return -1;
	c->server = table->server[row & (SL_LB_ROWS - 1)];
	return c->server == SL_LB_NO_SERVER ? -1 : 0;
}

static __always_inline int lb_has_cookies(const struct sl_lb_vip *vip)
{
	return vip->keep == SL_LB_KEEP_COOKIE || vip->keep == SL_LB_KEEP_AGENT;
}

/* The server that the cookie in the echoed timestamp names: an id, or -1. *wire: the timestamp. */
static __always_inline int lb_cookie_server(struct xdp_md *ctx, const struct lb *k,
					    const struct sl_lb_control *ctl,
					    const struct lb_choice *c, __u32 *wire)
{
	const __u8 *echo = lb_at(ctx, k->option + 4, 4);
	__u32 bits = c->vip.bits, phase, server;
	const struct sl_lb_server *s;
	__u64 hash;

	if (!echo || bits < SL_LB_COOKIE_MIN || bits > SL_LB_COOKIE_MAX)
		return -1;
	*wire = lb_load32(echo);
	phase = sl_cookie_phase(*wire, bits);
	hash = phase == (ctl->phase & 1) ? k->hash : sl_lb_hash(ctl->key[phase & 1], &k->ends);
	server = sl_cookie_server(*wire, hash, bits) >> (c->vip.shift & 15);
	s = bpf_map_lookup_elem(&lb_servers, &server);
	if (!s || s->vip != c->vip.id || s->state == SL_LB_ABSENT) {
		lb_count(SL_LB_BAD_COOKIE);
		return -1;
	}
	if (s->state == SL_LB_DOWN) {
		lb_count(SL_LB_COOKIE_DOWN);
		return -1;
	}
	return (int)server;
}

/* What the cookie says. 1: a server; 0: none; -1: wait for its clock. */
static __always_inline int lb_cookie(struct xdp_md *ctx, const struct lb *k,
				     const struct sl_lb_control *ctl, struct lb_choice *c)
{
	const struct sl_lb_clock *clock;
	__u32 wire, id;
	__u64 now;
	int server = lb_cookie_server(ctx, k, ctl, c, &wire);

	if (server < 0)
		return 0;
	c->server = id = (__u32)server;
	c->how = SL_LB_COOKIE;
	if (c->vip.keep == SL_LB_KEEP_AGENT)
		return 1;
	clock = bpf_map_lookup_elem(&lb_clocks, &id);
	if (!clock || clock->erratic) {
		lb_count(SL_LB_BAD_COOKIE);
		return 0;
	}
	now = *(const volatile __u64 *)&clock->now;
	if (!now) {
		c->how = SL_LB_DROP_NO_CLOCK;
		return -1;
	}
	c->restore_at = k->option + 4;
	c->restored = sl_cookie_restore(wire, c->vip.bits, sl_clock_at(now, k->now_ms));
	return 1;
}

/* The server's agent will have put a cookie into what the client sends next. */
static __always_inline int lb_agent_knows(const struct lb *k, const struct lb_choice *c)
{
	return c->vip.keep == SL_LB_KEEP_AGENT && k->p.proto == SL_IP_TCP && k->option;
}

/* Will the packets after this SYN have no cookie of their server's? */
static __always_inline int lb_no_cookies(const struct lb *k, const struct lb_choice *c)
{
	const struct sl_lb_clock *clock;
	__u32 server = c->server;

	if (c->vip.keep == SL_LB_KEEP_TABLE || c->vip.keep == SL_LB_KEEP_AGENT)
		return !lb_agent_knows(k, c);
	if (c->vip.keep != SL_LB_KEEP_COOKIE)
		return 0;
	if (!k->option)
		return 1;
	clock = bpf_map_lookup_elem(&lb_clocks, &server);
	return clock && (clock->erratic || !clock->now);
}

/*
 * A SYN. Its SYN-ACK is entered in the table, too, but maybe in another balancer's: one that has
 * the answers of connections whose packets come here.
 */
static __always_inline void lb_begin(const struct lb *k, const struct sl_lb_control *ctl,
				     const struct lb_choice *c)
{
	int none = lb_no_cookies(k, c);

	if (none && lb_admit(k, ctl))
		lb_insert(k, c->vip.id, c->server);
	else if (none || (ctl->mixed && c->vip.keep == SL_LB_KEEP_COOKIE))
		lb_forget(k, c->vip.id);
}

/*
 * Neither a cookie nor the table knows it. A UDP flow, say, starts so; of TCP it is the middle of a
 * connection, which the hash finds if no row changed since. What the table does not take goes by
 * the hash as well: in turn, its next packet would go elsewhere.
 */
static __always_inline int lb_unknown(const struct lb *k, const struct sl_lb_control *ctl,
				      struct lb_choice *c, int starts)
{
	/* Of TCP the middle of a connection is entered only where nobody sees its beginning. */
	int seen = k->p.proto == SL_IP_TCP && c->vip.forward == SL_LB_NAT;
	int remember = !seen && c->vip.keep != SL_LB_KEEP_NONE && !lb_agent_knows(k, c);
	int admitted = remember && lb_admit(k, ctl);
	__u8 select = starts && admitted == remember ? c->vip.select : SL_LB_BY_HASH;

	c->how = starts ? SL_LB_NEW : SL_LB_HASHED;
	if (lb_pick(k, c, select)) {
		c->how = SL_LB_DROP_NO_SERVER;
		return -1;
	}
	if (select == SL_LB_BY_CORE) {
		c->by_load = LB_BY_LOAD | (admitted ? LB_INSERT : 0) | (seen ? LB_BEGIN : 0);
		return 0;
	}
	if (admitted)
		lb_insert(k, c->vip.id, c->server);
	else if (remember && starts)
		lb_forget(k, c->vip.id);
	if (seen && starts)
		lb_begin(k, ctl, c);
	return 0;
}

/*
 * All but the usual ways. `asked`: the cookie was, and names nobody. 0 and *c, or -1 and the reason
 * in c->how.
 */
__noinline int lb_choose_any(struct xdp_md *ctx, const struct lb *k,
			     const struct sl_lb_control *ctl, struct lb_choice *c, int asked)
{
	int tcp, starts, cookie, rc;

	if (!k || !ctl || !c)
		return -1;
	tcp = k->p.proto == SL_IP_TCP;
	starts = !tcp || (k->tcp_flags & (SL_TCP_SYN | SL_TCP_ACK)) == SL_TCP_SYN;
	if (c->vip.keep == SL_LB_KEEP_QUIC)
		starts = lb_quic_starts(ctx, k);
	cookie = tcp && !starts && lb_has_cookies(&c->vip);
	if (c->vip.keep == SL_LB_KEEP_NONE || (tcp && starts))
		return lb_unknown(k, ctl, c, starts);
	if ((!cookie || !k->option || asked || ctl->mixed) && lb_known(k, c))
		return 0;
	if (cookie && k->option && k->tcp_flags & SL_TCP_ACK) {
		rc = asked ? 0 : lb_cookie(ctx, k, ctl, c);
		if (rc)
			return rc < 0 ? rc : 0;
		if (!asked && !ctl->mixed && lb_known(k, c))
			return 0;
	} else if (cookie) {
		lb_count(SL_LB_NO_OPTION);
		if (k->tcp_flags & SL_TCP_RST)
			lb_count(SL_LB_RST_NO_OPTION);
	}
	return lb_unknown(k, ctl, c, starts);
}

/* The same. What nearly all packets come for is asked for here, without a call. */
static __always_inline int lb_choose(struct xdp_md *ctx, const struct lb *k,
				     const struct sl_lb_control *ctl, struct lb_choice *c)
{
	int rc = 0, asked;

	asked = lb_has_cookies(&c->vip) && k->usual && !ctl->mixed &&
		(k->tcp_flags & (SL_TCP_SYN | SL_TCP_ACK)) == SL_TCP_ACK;
	if (asked)
		rc = lb_cookie(ctx, k, ctl, c);
	if (!rc && c->vip.keep == SL_LB_KEEP_QUIC && lb_quic_route(ctx, k, c))
		return 0;
	if (!rc)
		return lb_choose_any(ctx, k, ctl, c, asked);
	return rc < 0 ? rc : 0;
}

/* A fragment has no ports: its server is that of its addresses and protocol. 0, or -1. */
__noinline int lb_choose_fragment(const struct lb *k, struct lb_choice *c)
{
	const struct sl_lb_vip *vip;
	struct sl_lb_vip_key key;

	if (!k || !c)
		return -1;
	lb_key(&key, k->p.proto, 0, k->p.flow.dst);
	key.fragments = 1;
	vip = bpf_map_lookup_elem(&lb_vips, &key);
	if (!vip && lb_network(&key))
		vip = bpf_map_lookup_elem(&lb_vips, &key);
	c->how = SL_LB_DROP_FRAGMENT;
	if (!vip || vip->forward == SL_LB_NAT)
		return -1;
	c->vip = *vip;
	c->how = SL_LB_DROP_NO_SERVER;
	if (lb_pick(k, c, SL_LB_BY_HASH))
		return -1;
	c->how = SL_LB_FRAGMENT;
	return 0;
}

static __always_inline void lb_count_forward(const struct lb *k, const struct lb_choice *c)
{
	__u32 server = c->server, vip = c->vip.id; /* Linux 6.1 takes no key that is a caller's */
	struct sl_lb_stats *s = bpf_map_lookup_elem(&lb_server_stats, &server);

	for (int i = 0; i < 2; i++) {
		if (s) {
			s->packets++;
			s->bytes += k->length;
			s->connections += c->how == SL_LB_NEW;
		}
		s = bpf_map_lookup_elem(&lb_vip_stats, &vip);
	}
}

#endif /* SLUICE_LB_CHOOSE_H */
