/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_slot.h - VIPs that keep each connection in a slot: slot.h on packets. */
#ifndef SLUICE_LB_SLOT_H
#define SLUICE_LB_SLOT_H

#include "lb_choose.h"
#include "slot.h"

static __always_inline struct sl_lb_block *lb_block(const struct lb *k,
						    const struct sl_lb_control *ctl, __u64 *hash)
{
	__u32 at;

	*hash = sl_lb_hash(ctl->slot_key, &k->ends);
	at = sl_slot_block(*hash, ctl->slot_blocks);
	return bpf_map_lookup_elem(&lb_slots, &at);
}

/* The pair of timestamps at k->option. */
static __always_inline int lb_slot_segment(struct xdp_md *ctx, const struct lb *k,
					   struct sl_slot_segment *g)
{
	const __u8 *at = lb_at(ctx, k->option, 8);

	if (!at)
		return 0;
	g->stamp = lb_load32(at);
	g->echo = lb_load32(at + 4);
	g->now_ms = k->now_ms;
	g->tcp_flags = k->tcp_flags;
	return 1;
}

static __always_inline int lb_slot_serves(struct lb_choice *c, __u32 server)
{
	const struct sl_lb_server *s = bpf_map_lookup_elem(&lb_servers, &server);

	if (!s || s->vip != c->vip.id || s->state == SL_LB_ABSENT)
		return 0;
	if (s->state == SL_LB_DOWN) {
		lb_count(SL_LB_COOKIE_DOWN);
		return 0;
	}
	c->server = server;
	c->how = SL_LB_SLOT;
	return 1;
}

/* Is the segment's slot its connection's? A packet that has none goes as with SL_LB_KEEP_TABLE. */
static __always_inline int lb_slot_forward(struct xdp_md *ctx, const struct lb *k,
					   const struct sl_lb_control *ctl, struct lb_choice *c)
{
	struct sl_slot_segment g = {};
	struct sl_lb_block *b;

	if (!k->option || (k->tcp_flags & (SL_TCP_SYN | SL_TCP_ACK)) != SL_TCP_ACK)
		return 0;
	b = lb_block(k, ctl, &g.hash);
	if (!b || !lb_slot_segment(ctx, k, &g))
		return 0;
	if (!sl_slot_use(b, &g)) {
		lb_count(SL_LB_SLOT_UNKNOWN);
		return 0;
	}
	if (!lb_slot_serves(c, g.server))
		return 0;
	c->stamp = g.stamp;
	c->restore_at = k->option + 4;
	c->restored = g.echo;
	return 1;
}

/* The quote of a server's segment, its TSval where the client's TSecr would be. */
static __always_inline int lb_slot_quote(struct xdp_md *ctx, const struct lb *k,
					 const struct sl_lb_control *ctl, struct lb_choice *c)
{
	const __u8 *at = lb_at(ctx, k->option + 4, 4);
	struct sl_lb_block *b;
	__u32 server, stamp;
	__u64 hash;

	b = lb_block(k, ctl, &hash);
	if (!b || !at || !sl_slot_quoted(b, hash, lb_load32(at), &server, &stamp) ||
	    !lb_slot_serves(c, server))
		return 0;
	c->restore_at = k->option + 4;
	c->restored = stamp;
	return 1;
}

/* A slot for what a SYN-ACK answers: after some that are over were freed, and again if none is. */
static __always_inline int lb_slot_take(struct sl_lb_block *b, const struct sl_slot_start *start)
{
	__u32 cpu = bpf_get_smp_processor_id(), freed = 0;
	int at = -1;

	for (int pressed = 0; pressed < 2 && at < 0; pressed++) {
		freed += sl_slot_sweep(b, cpu, start->now_ms, pressed);
		at = sl_slot_take(b, cpu, start);
	}
	lb_count_more(SL_LB_SLOT_FREED, freed);
	lb_count(at < 0 ? SL_LB_SLOT_FULL : SL_LB_SLOT_TAKEN);
	return at;
}

/* A server's segment with timestamps at k->option: how they go to the client, in *change. */
__noinline int lb_slot_reply(struct xdp_md *ctx, const struct lb *k,
			     const struct sl_lb_control *ctl, __u32 server,
			     struct lb_change *change)
{
	struct sl_slot_segment g = {.from_server = 1, .server = server};
	struct sl_slot_start start;
	struct sl_lb_block *b;
	int at;

	if (!k || !ctl || !change)
		return 0;
	b = lb_block(k, ctl, &g.hash);
	if (!b || !lb_slot_segment(ctx, k, &g))
		return 0;
	if (!(k->tcp_flags & SL_TCP_SYN)) {
		if (!sl_slot_use(b, &g))
			return 0;
		change->at = k->option;
		change->value = g.stamp;
		change->pair_at = k->option + 4;
		change->pair = g.echo;
		return 1;
	}
	start.hash = g.hash;
	start.server = server;
	start.now_ms = g.now_ms;
	start.client_stamp = g.echo;
	start.server_stamp = g.stamp;
	at = k->tcp_flags & SL_TCP_ACK ? lb_slot_take(b, &start) : -1;
	if (at < 0)
		return 0;
	change->at = k->option;
	change->value = sl_slot_wire(g.stamp, (__u32)at);
	return 1;
}

#endif /* SLUICE_LB_SLOT_H */
