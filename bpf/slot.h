/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slot.h - connections in slots (Cheetah, NSDI 2020, section 5: the stateful load balancer). What a
 * packet carries is the slot's index, so finding it is one look at a known place. Compiles for BPF
 * and for user space alike.
 *
 * Timestamps carry it in both directions, for a server's answer must find the slot too:
 *
 *	on the wire = (timestamp << SL_LB_SLOT_BITS) + add
 *
 * with an `add` that ends in the slot's index. The server's is just that. The client's is chosen so
 * that its first one on the wire is above the timestamp in its SYN, by little, for the server has
 * seen that. What comes back is exact: of the timestamps that it may be, the nearest to the end's
 * last one, of which the upper half is near enough. No clock is asked for, so a server may have an
 * offset for each connection.
 *
 * A slot is one of these, and changes by compare-and-swap of `state`, so that of all CPUs one has
 * done it:
 *
 *	free    in a stack of its block, or above `fresh`; or just out of a stack, its taker's own
 *	young   since the SYN-ACK. A block has few, so a flood of SYNs gets no more; the client's
 *	        first packet confirms it if it echoes just what the SYN-ACK said, all of which is
 *	        in it: the client's last timestamp is not needed before the client's first
 *	live    until it was idle for long, and shorter after FIN or RST: a last ACK may be lost and
 *	        asked for again
 *	orphan  to be freed, but CPUs were at the stacks all the time: the sweep tries again
 *
 * Each SYN-ACK sweeps some slots of its block; no daemon is needed. Stacks are one for each CPU
 * (modulo SL_LB_SLOT_STACKS), which goes to the others' when its own is empty: the hash chooses the
 * block, so any CPU may need any block. Heads count changes, so that a head that came back is not
 * taken for the one that was read.
 */
#ifndef SLUICE_SLOT_H
#define SLUICE_SLOT_H

#include "slot_state.h"

/* RFC 5382, REQ-5: 2 hours 4 minutes for established connections, 4 minutes for others. */
#define SL_SLOT_IDLE_MS 7440000
#define SL_SLOT_HALF_MS 240000
#define SL_SLOT_CLOSED_MS 60000 /* Linux's TIME-WAIT */
#define SL_SLOT_PRESSED_MS 3000 /* the same while new connections find no slot: two lost ACKs */
#define SL_SLOT_YOUNG_MS 5000 /* a round trip, however long */
/* Of clocks of CPUs that differ: not yet is not long ago. */
#define SL_SLOT_BEHIND 256 /* ticks */
#define SL_SLOT_SWEEP 8 /* slots a SYN-ACK; an eighth is swept too late then at most */

/* --- stacks */

/* -1: empty, or others were at it each time. */
static __always_inline int sl_slot_pop_one(struct sl_lb_block *b, __u64 *head)
{
	for (int i = 0; i < 2; i++) {
		__u64 old = SL_SLOT_GET(*head);
		__u32 at = ((__u32)old - 1) & (SL_LB_BLOCK_SLOTS - 1);

		if (!(__u32)old)
			return -1;
		if (sl_slot_swap_word(head, old,
				      ((old >> 32) + 1) << 32 | SL_SLOT_GET(b->slot[at].seen.next)))
			return (int)at;
	}
	return -1;
}

SL_SLOT_FUNCTION int sl_slot_pop(struct sl_lb_block *b, __u32 cpu)
{
	__u32 fresh;
	int at;

	if (!b)
		return -1;
	for (__u32 i = 0; i < SL_LB_SLOT_STACKS; i++) {
		at = sl_slot_pop_one(b, &b->free[(cpu + i) & (SL_LB_SLOT_STACKS - 1)]);
		if (at >= 0)
			return at;
	}
	/* Looked at first: asked for again and again, it must not come round to 0. */
	if (SL_SLOT_GET(b->fresh) >= SL_LB_BLOCK_SLOTS)
		return -1;
	fresh = sl_slot_count(&b->fresh, 1);
	return fresh < SL_LB_BLOCK_SLOTS ? (int)fresh : -1;
}

SL_SLOT_FUNCTION int sl_slot_push(struct sl_lb_block *b, __u32 cpu, __u32 at)
{
	if (!b)
		return 0;
	for (__u32 i = 0; i < 2 * SL_LB_SLOT_STACKS; i++) {
		__u64 *head = &b->free[(cpu + i) & (SL_LB_SLOT_STACKS - 1)];
		__u64 old = SL_SLOT_GET(*head);

		SL_SLOT_SET(b->slot[at & (SL_LB_BLOCK_SLOTS - 1)].seen.next, (__u16)old);
		if (sl_slot_swap_word(head, old, ((old >> 32) + 1) << 32 | (at + 1)))
			return 1;
	}
	return 0;
}

/* --- life of a slot */

/* Ticks, fewer than which a slot that was used so long ago may show. */
static __always_inline __s32 sl_slot_ticks(__s32 ms)
{
	return (ms + (1 << SL_LB_SLOT_TICK_BITS) - 1) >> SL_LB_SLOT_TICK_BITS;
}

static __always_inline __s32 sl_slot_idle(__u16 tick, __u32 now_ms)
{
	return (__u16)(sl_slot_tick(now_ms) - tick + SL_SLOT_BEHIND) - SL_SLOT_BEHIND;
}

/* `pressed`: a new connection found none. `idle`: ticks. */
static __always_inline int sl_slot_expired(__u32 flags, __s32 idle, int pressed)
{
	__u32 kind = flags & SL_SLOT_KIND, ends = SL_SLOT_CLIENT_FIN | SL_SLOT_SERVER_FIN;

	if (kind == SL_SLOT_YOUNG)
		return idle > sl_slot_ticks(SL_SLOT_YOUNG_MS);
	if (kind != SL_SLOT_LIVE)
		return kind == SL_SLOT_ORPHAN;
	if (flags & SL_SLOT_RST || (flags & ends) == ends)
		return idle > sl_slot_ticks(pressed ? SL_SLOT_PRESSED_MS : SL_SLOT_CLOSED_MS);
	return idle > sl_slot_ticks(flags & ends ? SL_SLOT_HALF_MS : SL_SLOT_IDLE_MS);
}

/* 1: it was freed here. `state` is what was read of it. */
SL_SLOT_FUNCTION int sl_slot_free(struct sl_lb_block *b, __u32 cpu, __u32 at, __u32 state)
{
	__u32 freed = (state & ~(__u32)SL_SLOT_FLAGS) | SL_SLOT_FREE;
	struct sl_lb_slot *s;

	if (!b)
		return 0;
	s = &b->slot[at & (SL_LB_BLOCK_SLOTS - 1)];
	if (!sl_slot_swap(&s->state, state, freed))
		return 0;
	/* Free and in no stack: nobody else's until it is in one. */
	if ((sl_slot_flags(state) & SL_SLOT_KIND) == SL_SLOT_YOUNG)
		sl_slot_count(&b->young, (__u32)-1);
	if (sl_slot_push(b, cpu, at))
		return 1;
	sl_slot_swap(&s->state, freed, freed | SL_SLOT_ORPHAN);
	return 0;
}

/* Returns how many it freed. */
SL_SLOT_FUNCTION __u32 sl_slot_sweep(struct sl_lb_block *b, __u32 cpu, __u32 now_ms, int pressed)
{
	__u32 from, freed = 0;

	if (!b)
		return 0;
	from = sl_slot_count(&b->swept, SL_SLOT_SWEEP);
	for (__u32 i = 0; i < SL_SLOT_SWEEP; i++) {
		__u32 at = (from + i) & (SL_LB_BLOCK_SLOTS - 1);
		__u32 state = SL_SLOT_GET(b->slot[at].state);
		__s32 idle = sl_slot_idle(SL_SLOT_GET(b->slot[at].seen.tick), now_ms);

		if (sl_slot_expired(sl_slot_flags(state), idle, pressed))
			freed += sl_slot_free(b, cpu, at, state);
	}
	return freed;
}

/* What a SYN-ACK tells of a connection. */
struct sl_slot_start {
	__u64 hash;
	__u32 server, now_ms;
	__u32 client_stamp, server_stamp;
};

/* A young slot, or -1. */
SL_SLOT_FUNCTION int sl_slot_take(struct sl_lb_block *b, __u32 cpu, const struct sl_slot_start *c)
{
	union sl_lb_slot_seen seen;
	struct sl_lb_slot *s;
	__u32 old;
	int at;

	if (!b || !c || SL_SLOT_GET(b->young) >= SL_LB_BLOCK_YOUNG)
		return -1;
	at = sl_slot_pop(b, cpu);
	if (at < 0)
		return -1;
	s = &b->slot[at & (SL_LB_BLOCK_SLOTS - 1)];
	seen.tick = sl_slot_tick(c->now_ms);
	seen.client_add = (__u16)(sl_slot_add(c->client_stamp, (__u32)at) >> 16);
	seen.client_last = (__u16)c->server_stamp;
	seen.server_last = (__u16)(c->server_stamp >> 16);
	SL_SLOT_SET(s->key, sl_slot_key(c->hash));
	SL_SLOT_SET(s->seen.all, seen.all);
	sl_slot_count(&b->young, 1);
	/* Its taker's own, so it succeeds; the barrier pairs with the re-reading in sl_slot_use()
	 */
	old = SL_SLOT_GET(s->state);
	sl_slot_swap(&s->state, old,
		     sl_slot_state(c->server, sl_slot_generation(old) + 1, SL_SLOT_YOUNG));
	return at;
}

/* The flags after a segment from one end; a reset that the other end does not heed is undone. */
static __always_inline __u32 sl_slot_after(__u32 flags, __u8 tcp_flags, int from_server)
{
	flags &= ~(__u32)SL_SLOT_RST;
	if (tcp_flags & SL_TCP_RST)
		flags |= SL_SLOT_RST;
	if (tcp_flags & SL_TCP_FIN)
		flags |= from_server ? SL_SLOT_SERVER_FIN : SL_SLOT_CLIENT_FIN;
	return flags;
}

/* What was read is of one connection, the slot still its own, and what the segment tells noted. */
static __always_inline int sl_slot_note(struct sl_lb_block *b, struct sl_lb_slot *s, __u32 state,
					__u8 tcp_flags, int from_server)
{
	for (int i = 0; i < 3; i++) {
		__u32 seen = SL_SLOT_GET(s->state), old = sl_slot_flags(seen);
		__u32 kind = old & SL_SLOT_KIND, new = sl_slot_after(old, tcp_flags, from_server);

		if (!sl_slot_same(seen, state) || (kind != SL_SLOT_LIVE && kind != SL_SLOT_YOUNG))
			return 0;
		if (!from_server)
			new = (new & ~(__u32)SL_SLOT_KIND) | SL_SLOT_LIVE;
		if (new == old)
			return 1;
		if (!sl_slot_swap(&s->state, seen, seen - old + new))
			continue;
		if (kind == SL_SLOT_YOUNG && !from_server)
			sl_slot_count(&b->young, (__u32)-1);
		return 1;
	}
	return 1; /* others noted theirs, and the slot was there */
}

/* A segment between a client and a VIP, and what becomes of it. */
struct sl_slot_segment {
	__u64 hash;
	__u32 now_ms;
	__u32 stamp, echo; /* in: as they came; out: as they go on */
	__u32 server; /* out; in, of an answer: whose it is */
	__u8 tcp_flags;
	__u8 from_server;
};

/* What a slot has of a connection; that all is of the same is not known before it was noted. */
struct sl_slot_read {
	__u32 state;
	union sl_lb_slot_seen seen;
};

/* 1: the key is that of `hash`, and there is a connection. */
static __always_inline int sl_slot_read(const struct sl_lb_slot *s, __u64 hash,
					struct sl_slot_read *r)
{
	__u32 kind;

	r->state = SL_SLOT_GET(s->state);
	kind = sl_slot_flags(r->state) & SL_SLOT_KIND;
	if (SL_SLOT_GET(s->key) != sl_slot_key(hash) ||
	    (kind != SL_SLOT_LIVE && kind != SL_SLOT_YOUNG))
		return 0;
	r->seen.all = SL_SLOT_GET(s->seen.all);
	return 1;
}

static __always_inline int sl_slot_is_young(const struct sl_slot_read *r)
{
	return (sl_slot_flags(r->state) & SL_SLOT_KIND) == SL_SLOT_YOUNG;
}

/*
 * A young one is the client's that echoes the SYN-ACK's timestamp, or another packet of the client
 * was here since: the swap reads again, and pairs with the one in sl_slot_note().
 */
static __always_inline int sl_slot_confirms(struct sl_lb_slot *s, const struct sl_slot_read *r,
					    __u32 stamp)
{
	return !sl_slot_is_young(r) ||
	       stamp == ((__u32)r->seen.server_last << 16 | r->seen.client_last) ||
	       !sl_slot_swap(&s->state, r->state, r->state);
}

/* An end's last timestamp. Never of the slot's next connection, which may be young: the word was
 * read before the state, and the swap fails if it was written since. */
static __always_inline void sl_slot_follow(struct sl_lb_slot *s, __u32 state, int from_server,
					   __u32 stamp)
{
	for (int i = 0; i < 4; i++) {
		union sl_lb_slot_seen old = {.all = SL_SLOT_GET(s->seen.all)}, new = old;
		__u32 now;

		if (from_server)
			new.server_last = (__u16)(stamp >> 16);
		else
			new.client_last = (__u16)(stamp >> 16);
		if (new.all == old.all)
			return;
		now = SL_SLOT_GET(s->state);
		if (!sl_slot_same(now, state) ||
		    (sl_slot_flags(now) & SL_SLOT_KIND) != SL_SLOT_LIVE ||
		    sl_slot_swap_word(&s->seen.all, old.all, new.all))
			return;
	}
}

/*
 * 1: the slot that the echo names is this connection's, and the segment's timestamps are as the
 * other end wants them. 0: it is not, and nothing was changed.
 */
static __always_inline int sl_slot_use(struct sl_lb_block *b, struct sl_slot_segment *g)
{
	__u32 at = g->echo & (SL_LB_BLOCK_SLOTS - 1), server, stamp, client_add;
	struct sl_lb_slot *s = &b->slot[at];
	__u16 tick = sl_slot_tick(g->now_ms);
	struct sl_slot_read r;

	if (!sl_slot_read(s, g->hash, &r))
		return 0;
	server = sl_slot_server(r.state);
	client_add = (__u32)r.seen.client_add << 16 | at;
	stamp = g->from_server
			? sl_slot_stamp(g->echo, client_add, sl_slot_last(r.seen.client_last))
			: sl_slot_stamp(g->echo, at, sl_slot_last(r.seen.server_last));
	/* A server has nothing to echo of a young one that has the slot in it. */
	if (g->from_server ? server != g->server || sl_slot_is_young(&r)
			   : !sl_slot_confirms(s, &r, stamp))
		return 0;
	/* Before the note, or FINs would be taken for old ones; who has it next takes no harm, nor
	 * does a stack. Not at each packet: a line that is not written to stays with all CPUs. */
	if (r.seen.tick != tick)
		SL_SLOT_SET(s->seen.tick, tick);
	if (!sl_slot_note(b, s, r.state, g->tcp_flags, g->from_server))
		return 0;
	/* By what was read: the word again would have to wait for the tick's store. */
	if ((g->from_server ? r.seen.server_last : r.seen.client_last) != (__u16)(g->stamp >> 16))
		sl_slot_follow(s, r.state, g->from_server, g->stamp);
	g->server = server;
	g->stamp = sl_slot_wire(g->stamp, g->from_server ? at : client_add);
	g->echo = stamp;
	return 1;
}

/*
 * What an error quotes of a server's segment, which a client has seen: 1 and the server and its own
 * timestamp, or 0.
 */
static __always_inline int sl_slot_quoted(const struct sl_lb_block *b, __u64 hash, __u32 wire,
					  __u32 *server, __u32 *stamp)
{
	__u32 at = wire & (SL_LB_BLOCK_SLOTS - 1);
	struct sl_slot_read r;

	if (!sl_slot_read(&b->slot[at], hash, &r))
		return 0;
	*server = sl_slot_server(r.state);
	*stamp = sl_slot_stamp(wire, at, sl_slot_last(r.seen.server_last));
	return 1;
}

#endif /* SLUICE_SLOT_H */
