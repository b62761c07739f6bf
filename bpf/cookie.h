/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cookie.h - a server's id in the low bits of TCP timestamps (Cheetah, NSDI 2020, section 4), and
 * the timestamp back out of what the client echoes. Compiles for BPF and for user space alike.
 *
 * On the wire: timestamp << n | cookie. The cookie's top bit names the secret, the others are the
 * server's id, masked by a keyed hash of the client's and the VIP's ends: a client cannot choose
 * its server, nor tell which it has.
 */
#ifndef SLUICE_COOKIE_H
#define SLUICE_COOKIE_H

#include <linux/types.h>

#include <sluice/lb.h>

#include "siphash.h"

/* The client's end and the VIP's, as both directions know them. */
struct sl_lb_ends {
	__be32 client[4] __attribute__((aligned(8)));
	__be32 vip[4];
	__u16 client_port, vip_port; /* host order */
	__u8 proto, v6;
};

static __always_inline __u64 sl_two_words(__be32 a, __be32 b)
{
	return (__u64)a << 32 | b;
}

static __always_inline __u64 sl_lb_hash(const __u64 *key, const struct sl_lb_ends *e)
{
	struct sl_sip s = sl_sip_begin(key);
	__u64 ports = (__u64)e->proto << 32 | (__u64)e->client_port << 16 | e->vip_port;

	if (e->v6) {
		sl_sip_word(&s, sl_two_words(e->client[0], e->client[1]));
		sl_sip_word(&s, sl_two_words(e->client[2], e->client[3]));
		sl_sip_word(&s, sl_two_words(e->vip[0], e->vip[1]));
		sl_sip_word(&s, sl_two_words(e->vip[2], e->vip[3]));
		sl_sip_word(&s, ports);
		return sl_sip_end(&s, 40);
	}
	sl_sip_word(&s, sl_two_words(e->client[3], e->vip[3]));
	sl_sip_word(&s, ports);
	return sl_sip_end(&s, 16);
}

/* The table's row and the cookie's mask share no bit of the hash: ids have 15 bits at most. */
static __always_inline __u32 sl_lb_row(__u64 hash)
{
	return (hash >> 32) & (SL_LB_ROWS - 1);
}

static __always_inline __u32 sl_cookie(__u32 server, __u64 hash, __u32 phase, __u32 bits)
{
	return (phase & 1) << (bits - 1) | ((server ^ (__u32)hash) & ((1u << (bits - 1)) - 1));
}

static __always_inline __u32 sl_cookie_phase(__u32 echo, __u32 bits)
{
	return echo >> (bits - 1) & 1;
}

static __always_inline __u32 sl_cookie_server(__u32 echo, __u64 hash, __u32 bits)
{
	return (echo ^ (__u32)hash) & ((1u << (bits - 1)) - 1);
}

/*
 * The server's timestamp: of those that end in what the echo has left of it, the nearest to what
 * the server's clock shows. Exact if that is known to half of 2^(32-bits) ms, 70 minutes at 9 bits.
 */
static __always_inline __u32 sl_cookie_restore(__u32 echo, __u32 bits, __u32 estimate)
{
	__u32 period = 1u << (32 - bits);
	__u32 ahead = ((echo >> bits) - estimate) & (period - 1);

	return ahead < period / 2 ? estimate + ahead : estimate + ahead - period;
}

/*
 * The same for who has the server's very clock: of those that end so, the last that it can have
 * shown by now. Exact for echoes up to 2^(32-bits) ms old, 139 minutes at 9 bits, whatever the
 * connection's own offset is.
 */
#define SL_COOKIE_AHEAD_MS 16 /* the sender's clock was read elsewhere, and rounded */
static __always_inline __u32 sl_cookie_restore_past(__u32 echo, __u32 bits, __u32 now)
{
	__u32 newest = now + SL_COOKIE_AHEAD_MS;

	return newest - ((newest - (echo >> bits)) & ((1u << (32 - bits)) - 1));
}

/* What a clock that showed `clock` shows at `now_ms`: timestamps of Linux count milliseconds. */
static __always_inline __u32 sl_clock_at(__u64 clock, __u32 now_ms)
{
	return (__u32)(clock >> 32) + (now_ms - (__u32)clock);
}

static __always_inline int sl_clock_near(__u64 clock, __u32 stamp, __u32 now_ms)
{
	__s32 off = (__s32)(stamp - sl_clock_at(clock, now_ms));

	return clock && off >= -SL_LB_CLOCK_NEAR_MS && off <= SL_LB_CLOCK_NEAR_MS;
}

/*
 * A server whose connections each have an offset of their own (tcp_timestamps=1) has no clock: then
 * no SYN-ACK agrees with those before it.
 */
static __always_inline void sl_clock_score(struct sl_lb_clock *c, int agrees)
{
	if (agrees) {
		c->strays -= c->strays > 0;
		return;
	}
	c->strays += 2;
	if (c->strays >= SL_LB_STRAYS_MAX)
		c->erratic = 1;
}

/*
 * A server's packet showed `stamp`. One that disagrees with the clock may be late or forged: only a
 * second one that agrees with the first is believed. Returns whether the clock jumped so. CPUs may
 * race: each word is one store, and what one of them loses comes again.
 */
static __always_inline int sl_clock_follow(struct sl_lb_clock *c, __u32 stamp, __u32 now_ms,
					   int syn_ack)
{
	__u64 now = *(volatile __u64 *)&c->now, other = *(volatile __u64 *)&c->other;
	__u64 seen = (__u64)stamp << 32 | now_ms;

	if (!seen) /* 0 means unknown; the next packet will do */
		return 0;
	if (!now) {
		*(volatile __u64 *)&c->now = seen;
		return 0;
	}
	if (sl_clock_near(now, stamp, now_ms)) {
		/* Late ones say less than the clock itself; a drift shows within a second. */
		if ((__s32)(stamp - sl_clock_at(now, now_ms)) > 0 || now_ms - (__u32)now >= 1000)
			*(volatile __u64 *)&c->now = seen;
		if (syn_ack)
			sl_clock_score(c, 1);
		return 0;
	}
	if (syn_ack)
		sl_clock_score(c, 0);
	if (sl_clock_near(other, stamp, now_ms)) {
		*(volatile __u64 *)&c->other = now;
		*(volatile __u64 *)&c->now = seen;
		return 1;
	}
	*(volatile __u64 *)&c->other = seen;
	return 0;
}

#endif /* SLUICE_COOKIE_H */
