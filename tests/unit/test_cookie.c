// SPDX-License-Identifier: GPL-2.0-or-later
/* Cookies, the timestamp that is restored, the clock that is followed, options, checksums. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/checksum.h"
#include "../../bpf/cookie.h"
#include "../../bpf/tcp_options.h"

static uint64_t state = 1;

static uint32_t draw(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 32);
}

/* Appendix A's key 00..0f over the bytes 00..0f, SipHash-1-3: the reference implementation's. */
Test(cookie, siphash_is_the_published_one)
{
	const __u64 key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
	struct sl_sip s = sl_sip_begin(key);

	sl_sip_word(&s, 0x0706050403020100ULL);
	sl_sip_word(&s, 0x0f0e0d0c0b0a0908ULL);
	cr_expect_eq(sl_sip_end(&s, 16), 0xcc4fdd1a7d908b66ULL, "%lx", sl_sip_end(&s, 16));
}

/*
 * Ten million timestamps, half of them at the borders of a period, each seen by a client some time
 * ago, with the balancer's clock off by up to what the rule allows.
 */
static void restore_exactly(uint32_t bits, unsigned draws)
{
	const uint32_t half = 1u << (31 - bits), period = half * 2;
	const uint32_t slack = half - 1;

	for (unsigned i = 0; i < draws; i++) {
		uint32_t stamp = i & 1 ? draw() : draw() * period + draw() % 5 - 2;
		uint32_t off = i & 2 ? draw() % slack : slack - draw() % 3;
		uint32_t estimate = i & 4 ? stamp + off : stamp - off;
		uint32_t wire = stamp << bits | (draw() & ((1u << bits) - 1));

		cr_assert_eq(sl_cookie_restore(wire, bits, estimate), stamp,
			     "n=%u: %08x from %08x, clock at %08x", bits, stamp, wire, estimate);
	}
}

Test(cookie, timestamps_are_restored_exactly, .timeout = 60)
{
	for (uint32_t bits = SL_LB_COOKIE_MIN; bits <= SL_LB_COOKIE_MAX; bits++)
		restore_exactly(bits, 10000000);
}

/* What makes the bound above the right one: half a period off, the neighbour is as near. */
Test(cookie, beyond_half_a_period_it_is_another_timestamp)
{
	const uint32_t half = 1u << (31 - 9);

	cr_expect_neq(sl_cookie_restore(12345u << 9, 9, 12345 + half + 1), 12345);
}

/*
 * The server's own clock, which began anywhere, plus the offset of a connection, which is any: a
 * timestamp of up to a period ago, or one that another CPU's reading of the clock is ahead of.
 */
static void restore_own(uint32_t bits, unsigned draws)
{
	const uint32_t period = 1u << (32 - bits), oldest = period - 1 - SL_COOKIE_AHEAD_MS;

	for (unsigned i = 0; i < draws; i++) {
		uint32_t offset = draw(), clock = i & 1 ? draw() : draw() * period + draw() % 5 - 2;
		uint32_t age = i & 2 ? draw() % (oldest + 1) : oldest - draw() % 3;
		uint32_t stamp =
			clock + offset - (i & 8 ? age : -(draw() % (SL_COOKIE_AHEAD_MS + 1)));
		uint32_t wire = stamp << bits | (draw() & ((1u << bits) - 1));

		cr_assert_eq(sl_cookie_restore_past(wire, bits, clock + offset), stamp,
			     "n=%u: %08x from %08x, clock at %08x", bits, stamp, wire,
			     clock + offset);
	}
}

Test(cookie, a_server_restores_its_own_exactly, .timeout = 60)
{
	for (uint32_t bits = SL_LB_COOKIE_MIN; bits <= SL_LB_COOKIE_MAX; bits++)
		restore_own(bits, 10000000);
}

Test(cookie, beyond_a_period_of_its_own_it_is_another_timestamp)
{
	const uint32_t period = 1u << (32 - 9);

	cr_expect_eq(
		sl_cookie_restore_past(12345u << 9, 9, 12345 + period - 1 - SL_COOKIE_AHEAD_MS),
		12345);
	cr_expect_neq(sl_cookie_restore_past(12345u << 9, 9, 12345 + period - SL_COOKIE_AHEAD_MS),
		      12345);
}

static struct sl_lb_ends some_ends(void)
{
	struct sl_lb_ends e = {.client_port = (uint16_t)draw(),
			       .vip_port = (uint16_t)draw(),
			       .proto = 6,
			       .v6 = draw() & 1};

	for (unsigned i = e.v6 ? 0 : 3; i < 4; i++) {
		e.client[i] = draw();
		e.vip[i] = draw();
	}
	return e;
}

Test(cookie, every_server_comes_back_under_either_secret)
{
	const __u64 key[2][2] = {{1, 2}, {3, 4}};

	for (uint32_t bits = SL_LB_COOKIE_MIN; bits <= SL_LB_COOKIE_MAX; bits++) {
		for (unsigned i = 0; i < 20000; i++) {
			struct sl_lb_ends e = some_ends();
			uint32_t server = draw() & ((1u << (bits - 1)) - 1), phase = draw() & 1;
			uint32_t wire = sl_cookie(server, sl_lb_hash(key[phase], &e), phase, bits) |
					draw() << bits;
			uint32_t p = sl_cookie_phase(wire, bits);

			cr_assert_eq(p, phase);
			cr_assert_eq(sl_cookie_server(wire, sl_lb_hash(key[p], &e), bits), server);
		}
	}
}

/* Whoever forges a cookie cannot aim: over many clients it names every server alike. */
Test(cookie, a_fixed_cookie_names_all_servers_alike)
{
	const __u64 key[2] = {0x123456789abcdef0ULL, 0x0fedcba987654321ULL};
	unsigned hits[256] = {0};

	for (unsigned i = 0; i < 256 * 400; i++) {
		struct sl_lb_ends e = some_ends();

		hits[sl_cookie_server(0x55, sl_lb_hash(key, &e), 9)]++;
	}
	for (unsigned i = 0; i < 256; i++) /* five standard deviations */
		cr_expect(hits[i] > 300 && hits[i] < 500, "server %u: %u of 400", i, hits[i]);
}

/* A server's clock in milliseconds, and the balancer's, which runs off by `ppm`. */
static void follow_drift(struct sl_lb_clock *c, int ppm)
{
	uint64_t server = 4294967000u, balancer = 4294960000u; /* both wrap soon */

	for (unsigned i = 0; i < 200000; i++) {
		uint32_t step = 1 + draw() % 50;

		server += step;
		balancer += step;
		if (i % (1000000 / abs(ppm) / 25) == 0)
			server += ppm > 0 ? 1 : -1;
		sl_clock_follow(c, (uint32_t)server, (uint32_t)balancer, i % 16 == 0);
		cr_assert(abs((int32_t)(sl_clock_at(c->now, (uint32_t)balancer) -
					(uint32_t)server)) < 3,
			  "%u: off by %d ms", i,
			  (int32_t)(sl_clock_at(c->now, (uint32_t)balancer) - (uint32_t)server));
	}
	cr_expect_eq(c->erratic, 0);
}

Test(clock, drift_is_followed)
{
	struct sl_lb_clock fast = {0}, slow = {0};

	follow_drift(&fast, 500);
	follow_drift(&slow, -500);
}

Test(clock, one_jump_is_believed_at_the_second_packet_and_is_no_offset)
{
	struct sl_lb_clock c = {0};
	uint32_t now = 1000;

	for (; now < 2000; now += 10)
		sl_clock_follow(&c, now + 777, now, 1);
	cr_expect_eq(sl_clock_follow(&c, now + 9000777, now, 1), 0);
	cr_expect_eq(sl_clock_at(c.now, now), now + 777, "one packet may be anybody's");
	now += 10;
	cr_expect_eq(sl_clock_follow(&c, now + 9000777, now, 1), 1);
	cr_expect_eq(sl_clock_at(c.now, now), now + 9000777);
	for (; now < 9000; now += 10)
		sl_clock_follow(&c, now + 9000777, now, 1);
	cr_expect_eq(c.erratic, 0);
}

Test(clock, a_late_packet_changes_nothing)
{
	struct sl_lb_clock c = {0};

	sl_clock_follow(&c, 50000, 10000, 0);
	sl_clock_follow(&c, 50100 - 90, 10100, 0);
	cr_expect_eq(sl_clock_at(c.now, 10100), 50100);
}

Test(clock, an_offset_for_each_connection_is_no_clock)
{
	struct sl_lb_clock c = {0};
	uint32_t now = 1000;
	unsigned n;

	for (n = 0; n < 20 && !c.erratic; n++, now += 100)
		sl_clock_follow(&c, draw(), now, 1);
	cr_expect(c.erratic && n <= 6, "after %u SYN-ACKs", n);
}

/* One long connection that agrees with itself does not hide it. */
Test(clock, nor_beside_a_connection_that_agrees_with_itself)
{
	struct sl_lb_clock c = {0};
	unsigned n;

	for (n = 0; n < 2000 && !c.erratic; n++) {
		sl_clock_follow(&c, 5000 + n, 1000 + n, 0);
		if (n % 50 == 49)
			sl_clock_follow(&c, draw(), 1000 + n, 1);
	}
	cr_expect(c.erratic && n <= 400, "after %u packets", n);
}

/*
 * Two clients, an offset for each: no clock, though each of the two was seen before. So do servers
 * whose offset is one for each pair of addresses (Linux before 6.19).
 */
Test(clock, two_offsets_in_turn_are_no_clock)
{
	struct sl_lb_clock c = {0};
	uint32_t now = 1000;
	unsigned n;

	for (n = 0; n < 40 && !c.erratic; n++, now += 10) {
		sl_clock_follow(&c, now + (n & 1 ? 0x20000000u : 0x70000000u), now, 1);
		sl_clock_follow(&c, now + (n & 1 ? 0x20000000u : 0x70000000u) + 2, now + 2, 0);
	}
	cr_expect(c.erratic, "after %u connections", n);
}

/* `options` behind a header of 20 bytes; the offset of TSval within the options, or -1. */
static int find(const char *options, unsigned n)
{
	uint8_t tcp[64] = {0};
	uint32_t at;

	memcpy(tcp + 20, options, n);
	at = sl_tcp_timestamp(tcp, tcp + 20 + n, 0, 20 + n);
	return at ? (int)at - 20 : -1;
}
#define FIND(options) find(options, sizeof(options) - 1)

Test(options, wherever_the_timestamp_is)
{
	cr_expect_eq(FIND("\1\1\x8\xa"
			  "ttttTTTT"),
		     4);
	cr_expect_eq(FIND("\2\4mm\4\2\x8\xa"
			  "ttttTTTT\1\3\3w"),
		     8);
	cr_expect_eq(FIND("\x8\xa"
			  "ttttTTTT\1\1"),
		     2);
	cr_expect_eq(FIND("\1\x8\xa"
			  "ttttTTTT\0"),
		     3);
	cr_expect_eq(FIND("\1\1\1\x8\xa"
			  "ttttTTTT\1\1\1"),
		     5);
	cr_expect_eq(FIND("\1\1\5\xa"
			  "llllrrrr\1\1\x8\xa"
			  "ttttTTTT"),
		     16);
	cr_expect_eq(FIND("\1\1\5\xa"
			  "llllrrrr\x8\xa"
			  "ttttTTTT\1\1"),
		     14);
}

Test(options, and_where_there_is_none)
{
	cr_expect_eq(FIND(""), -1);
	cr_expect_eq(FIND("\1\1\1\1"), -1);
	cr_expect_eq(FIND("\2\4mm"), -1);
	cr_expect_eq(FIND("\0\1\x8\xa"
			  "ttttTTTT"),
		     -1, "behind the end of options");
	cr_expect_eq(FIND("\1\1\x8\x9"
			  "ttttTTT\1"),
		     -1, "length");
	cr_expect_eq(FIND("\x8\xa"
			  "tttt\1\1"),
		     -1, "cut off");
	cr_expect_eq(FIND("\5\0\1\1\x8\xa"
			  "ttttTTTT\1\1"),
		     -1, "an option without a length");
	cr_expect_eq(FIND("\5\xff\1\1"), -1);
}

static uint16_t whole(const uint8_t *b, unsigned n)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < n; i += 2)
		sum += (uint32_t)b[i] << 8 | (i + 1 < n ? b[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Random changes of four bytes at any offset, the checksum carried along. */
Test(checksum, increments_agree_with_the_whole)
{
	uint8_t b[60];

	for (unsigned round = 0; round < 200000; round++) {
		unsigned at = draw() % (sizeof(b) - 4);
		uint32_t value = round % 3 ? draw() : (draw() & 1) * 0xffffffffu, old;
		uint64_t part;
		uint16_t before, after;

		for (unsigned i = 0; i < sizeof(b); i += 4)
			b[i] = b[i + 1] = b[i + 2] = b[i + 3] = (uint8_t)draw();
		before = whole(b, sizeof(b));
		memcpy(&old, b + at, 4);
		memcpy(b + at, &value, 4);
		part = sl_sum_swap(0, old, value);
		after = sl_sum_apply(__builtin_bswap16(before), at & 1 ? sl_sum_odd(part) : part);
		after = __builtin_bswap16(after);
		/* both zeros are zero */
		cr_assert(after == whole(b, sizeof(b)) ||
				  (uint16_t)(after ^ whole(b, sizeof(b))) == 0xffff,
			  "at %u: %04x, not %04x", at, after, whole(b, sizeof(b)));
	}
}
