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
 * with an `add` for each end and connection, chosen so that the first one on the wire is just
 * above the timestamp that the other end has seen (in the SYN) and ends in the slot's index. What
 * comes back is exact: of the timestamps that it may be, the nearest to the end's last one. No
 *clock is asked for, so a server may have an offset for each connection.
 *
 * A slot is one of these, and changes by compare-and-swap of `state`, so that of all CPUs one has
 * done it:
 *
 *	free    in a stack of its block, or above `fresh`; or just out of a stack, its taker's own
 *	young   since the SYN-ACK. A block has few, so a flood of SYNs gets no more; the client's
 *	        first packet confirms it if it echoes just what the SYN-ACK said
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

#include <linux/types.h>

#include <sluice/lb.h>

#include "cookie.h"
#include "tcp_options.h"

enum sl_slot_flags {
	SL_SLOT_FREE = 0,
	SL_SLOT_YOUNG = 1,
	SL_SLOT_LIVE = 2,
	SL_SLOT_ORPHAN = 3,
	SL_SLOT_KIND = 3,
	SL_SLOT_CLIENT_FIN = 4,
	SL_SLOT_SERVER_FIN = 8,
	SL_SLOT_RST = 16,
};

/* RFC 5382, REQ-5: 2 hours 4 minutes for established connections, 4 minutes for others. */
#define SL_SLOT_IDLE_MS 7440000
#define SL_SLOT_HALF_MS 240000
#define SL_SLOT_CLOSED_MS 60000 /* Linux's TIME-WAIT */
#define SL_SLOT_PRESSED_MS 3000 /* the same while new connections find no slot: two lost ACKs */
#define SL_SLOT_YOUNG_MS 5000 /* a round trip, however long */
#define SL_SLOT_SWEEP 8 /* slots a SYN-ACK; an eighth is swept too late then at most */

/* One access, and what it says: others write meanwhile. */
#ifdef __bpf__
#define SL_SLOT_GET(x) (*(const volatile __typeof__(x) *)&(x))
#define SL_SLOT_SET(x, value) (*(volatile __typeof__(x) *)&(x) = (value))
#else
#define SL_SLOT_GET(x) (SL_SLOT_STEP(), __atomic_load_n(&(x), __ATOMIC_RELAXED))
#define SL_SLOT_SET(x, value) (SL_SLOT_STEP(), __atomic_store_n(&(x), value, __ATOMIC_RELAXED))
#endif
/* The verifier takes such functions one by one: together they are too large for it. */
#ifdef __bpf__
#define SL_SLOT_FUNCTION __noinline
#else
#define SL_SLOT_FUNCTION static __always_inline
#endif
/* Between any two accesses other CPUs may have theirs: a test's scheduler. */
#ifndef SL_SLOT_STEP
#define SL_SLOT_STEP() ((void)0)
#endif

static __always_inline __u32 sl_slot_state(__u32 generation, __u32 flags)
{
	return generation << 8 | flags;
}

static __always_inline __u32 sl_slot_generation(__u32 state)
{
	return state >> 8;
}

static __always_inline __u32 sl_slot_flags(__u32 state)
{
	return state & 0xff;
}

/* 1: this CPU made the change. */
static __always_inline int sl_slot_swap(__u32 *word, __u32 old, __u32 new)
{
	SL_SLOT_STEP();
	return __sync_val_compare_and_swap(word, old, new) == old;
}

static __always_inline int sl_slot_swap_head(__u64 *word, __u64 old, __u64 new)
{
	SL_SLOT_STEP();
	return __sync_val_compare_and_swap(word, old, new) == old;
}

static __always_inline __u32 sl_slot_count(__u32 *word, __u32 by)
{
	SL_SLOT_STEP();
	return __sync_fetch_and_add(word, by);
}

/* The block's bits of the hash and the key's have nothing in common. */
static __always_inline __u32 sl_slot_block(__u64 hash, __u32 blocks)
{
	return (__u32)hash & (blocks - 1) & (SL_LB_BLOCKS_MAX - 1);
}

static __always_inline __u32 sl_slot_key(__u64 hash)
{
	return hash >> 32;
}

/* --- timestamps */

/* `first`: the end's timestamp that the other end has, or is to have, seen. */
static __always_inline __u32 sl_slot_add(__u32 first, __u32 at)
{
	__u32 above = ((first >> SL_LB_SLOT_BITS) + 1) << SL_LB_SLOT_BITS;

	return (above | at) - (first << SL_LB_SLOT_BITS);
}

static __always_inline __u32 sl_slot_wire(__u32 stamp, __u32 add)
{
	return (stamp << SL_LB_SLOT_BITS) + add;
}

static __always_inline __u32 sl_slot_stamp(__u32 wire, __u32 add, __u32 last)
{
	return sl_cookie_restore(wire - add, SL_LB_SLOT_BITS, last);
}

/* --- stacks */

/* -1: empty, or others were at it each time. */
static __always_inline int sl_slot_pop_one(struct sl_lb_block *b, __u64 *head)
{
	for (int i = 0; i < 2; i++) {
		__u64 old = SL_SLOT_GET(*head);
		__u32 at = ((__u32)old - 1) & (SL_LB_BLOCK_SLOTS - 1);

		if (!(__u32)old)
			return -1;
		if (sl_slot_swap_head(head, old,
				      ((old >> 32) + 1) << 32 | SL_SLOT_GET(b->slot[at].next)))
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

		SL_SLOT_SET(b->slot[at & (SL_LB_BLOCK_SLOTS - 1)].next, (__u16)old);
		if (sl_slot_swap_head(head, old, ((old >> 32) + 1) << 32 | (at + 1)))
			return 1;
	}
	return 0;
}

/* --- life of a slot */

/* `pressed`: a new connection found none. Clocks of CPUs may differ: not yet is not long ago. */
static __always_inline int sl_slot_expired(__u32 flags, __s32 idle, int pressed)
{
	__u32 kind = flags & SL_SLOT_KIND, ends = SL_SLOT_CLIENT_FIN | SL_SLOT_SERVER_FIN;

	if (kind == SL_SLOT_YOUNG)
		return idle > SL_SLOT_YOUNG_MS;
	if (kind != SL_SLOT_LIVE)
		return kind == SL_SLOT_ORPHAN;
	if (flags & SL_SLOT_RST || (flags & ends) == ends)
		return idle > (pressed ? SL_SLOT_PRESSED_MS : SL_SLOT_CLOSED_MS);
	return idle > (flags & ends ? SL_SLOT_HALF_MS : SL_SLOT_IDLE_MS);
}

/* 1: it was freed here. `state` is what was read of it. */
SL_SLOT_FUNCTION int sl_slot_free(struct sl_lb_block *b, __u32 cpu, __u32 at, __u32 state)
{
	__u32 freed = sl_slot_state(sl_slot_generation(state), SL_SLOT_FREE);
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
		__s32 idle = (__s32)(now_ms - SL_SLOT_GET(b->slot[at].seen_ms));

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
	struct sl_lb_slot *s;
	__u32 old;
	int at;

	if (!b || !c || SL_SLOT_GET(b->young) >= SL_LB_BLOCK_YOUNG)
		return -1;
	at = sl_slot_pop(b, cpu);
	if (at < 0)
		return -1;
	s = &b->slot[at & (SL_LB_BLOCK_SLOTS - 1)];
	SL_SLOT_SET(s->seen_ms, c->now_ms);
	SL_SLOT_SET(s->key, sl_slot_key(c->hash));
	SL_SLOT_SET(s->server, (__u16)c->server);
	SL_SLOT_SET(s->client_add, sl_slot_add(c->client_stamp, (__u32)at));
	SL_SLOT_SET(s->server_add, sl_slot_add(c->server_stamp, (__u32)at));
	SL_SLOT_SET(s->client_last, c->client_stamp);
	SL_SLOT_SET(s->server_last, c->server_stamp);
	sl_slot_count(&b->young, 1);
	/* Its taker's own, so it succeeds; the barrier pairs with the re-reading in sl_slot_use()
	 */
	old = SL_SLOT_GET(s->state);
	sl_slot_swap(&s->state, old, sl_slot_state(sl_slot_generation(old) + 1, SL_SLOT_YOUNG));
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

		if (sl_slot_generation(seen) != sl_slot_generation(state) ||
		    (kind != SL_SLOT_LIVE && kind != SL_SLOT_YOUNG))
			return 0;
		if (!from_server)
			new = (new & ~(__u32)SL_SLOT_KIND) | SL_SLOT_LIVE;
		if (new == old)
			return 1;
		if (!sl_slot_swap(&s->state, seen, sl_slot_state(sl_slot_generation(seen), new)))
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

/*
 * 1: the slot that the echo names is this connection's, and the segment's timestamps are as the
 * other end wants them. 0: it is not, and nothing was changed.
 */
static __always_inline int sl_slot_use(struct sl_lb_block *b, struct sl_slot_segment *g)
{
	__u32 server, last, own_add, echo_add, stamp, young;
	struct sl_lb_slot *s = &b->slot[g->echo & (SL_LB_BLOCK_SLOTS - 1)];
	__u32 state = SL_SLOT_GET(s->state);

	young = (sl_slot_flags(state) & SL_SLOT_KIND) == SL_SLOT_YOUNG;
	if (SL_SLOT_GET(s->key) != sl_slot_key(g->hash) ||
	    (!young && (sl_slot_flags(state) & SL_SLOT_KIND) != SL_SLOT_LIVE))
		return 0;
	server = SL_SLOT_GET(s->server);
	own_add = g->from_server ? SL_SLOT_GET(s->server_add) : SL_SLOT_GET(s->client_add);
	echo_add = g->from_server ? SL_SLOT_GET(s->client_add) : SL_SLOT_GET(s->server_add);
	last = g->from_server ? SL_SLOT_GET(s->client_last) : SL_SLOT_GET(s->server_last);
	stamp = sl_slot_stamp(g->echo, echo_add, last);
	if (g->from_server ? server != g->server : young && stamp != last)
		return 0;
	/* Before the note, or FINs would be taken for old ones; who has it next takes no harm. */
	SL_SLOT_SET(s->seen_ms, g->now_ms);
	if (!sl_slot_note(b, s, state, g->tcp_flags, g->from_server))
		return 0;
	if (g->from_server)
		SL_SLOT_SET(s->server_last, g->stamp);
	else
		SL_SLOT_SET(s->client_last, g->stamp);
	g->server = server;
	g->stamp = sl_slot_wire(g->stamp, own_add);
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
	const struct sl_lb_slot *s = &b->slot[wire & (SL_LB_BLOCK_SLOTS - 1)];
	__u32 kind = sl_slot_flags(SL_SLOT_GET(s->state)) & SL_SLOT_KIND;

	if (SL_SLOT_GET(s->key) != sl_slot_key(hash) ||
	    (kind != SL_SLOT_LIVE && kind != SL_SLOT_YOUNG))
		return 0;
	*server = SL_SLOT_GET(s->server);
	*stamp = sl_slot_stamp(wire, SL_SLOT_GET(s->server_add), SL_SLOT_GET(s->server_last));
	return 1;
}

#endif /* SLUICE_SLOT_H */
