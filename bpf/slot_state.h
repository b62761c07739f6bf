/* SPDX-License-Identifier: GPL-2.0-only */
/* slot_state.h - what a slot has in its words, and how CPUs change them; timestamps on the wire. */
#ifndef SLUICE_SLOT_STATE_H
#define SLUICE_SLOT_STATE_H

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
	SL_SLOT_FLAGS = 31,
};

/*
 * The rest of a state. A generation comes again after 2,048 connections, each of which has the slot
 * for seconds at least: no CPU is at one packet for so long.
 */
#define SL_SLOT_GENERATION_SHIFT 5
#define SL_SLOT_GENERATION 0x7ff
#define SL_SLOT_SERVER_SHIFT 16

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

static __always_inline __u32 sl_slot_state(__u32 server, __u32 generation, __u32 flags)
{
	return server << SL_SLOT_SERVER_SHIFT |
	       (generation & SL_SLOT_GENERATION) << SL_SLOT_GENERATION_SHIFT | flags;
}

static __always_inline __u32 sl_slot_server(__u32 state)
{
	return state >> SL_SLOT_SERVER_SHIFT;
}

static __always_inline __u32 sl_slot_generation(__u32 state)
{
	return state >> SL_SLOT_GENERATION_SHIFT & SL_SLOT_GENERATION;
}

static __always_inline __u32 sl_slot_flags(__u32 state)
{
	return state & SL_SLOT_FLAGS;
}

/* The same connection's, whatever became of it? */
static __always_inline int sl_slot_same(__u32 state, __u32 other)
{
	return !((state ^ other) & ~(__u32)SL_SLOT_FLAGS);
}

static __always_inline __u16 sl_slot_tick(__u32 ms)
{
	return (__u16)(ms >> SL_LB_SLOT_TICK_BITS);
}

/* 1: this CPU made the change. */
static __always_inline int sl_slot_swap(__u32 *word, __u32 old, __u32 new)
{
	SL_SLOT_STEP();
	return __sync_val_compare_and_swap(word, old, new) == old;
}

static __always_inline int sl_slot_swap_word(__u64 *word, __u64 old, __u64 new)
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

/* The client's; `first`: its timestamp that the server has seen. */
static __always_inline __u32 sl_slot_add(__u32 first, __u32 at)
{
	return (((first - (first << SL_LB_SLOT_BITS)) >> 16) + 1) << 16 | at;
}

static __always_inline __u32 sl_slot_wire(__u32 stamp, __u32 add)
{
	return (stamp << SL_LB_SLOT_BITS) + add;
}

/* The middle of what it may be, so 2^15 off at most. What is restored with it may be 2^22 off. */
static __always_inline __u32 sl_slot_last(__u16 upper)
{
	return (__u32)upper << 16 | 1 << 15;
}

static __always_inline __u32 sl_slot_stamp(__u32 wire, __u32 add, __u32 last)
{
	return sl_cookie_restore(wire - add, SL_LB_SLOT_BITS, last);
}

#endif /* SLUICE_SLOT_STATE_H */
