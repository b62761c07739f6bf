/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lb_expect.h - where timestamps may be, and what is to come out of a segment, byte for byte. */
#ifndef TESTS_BPF_LB_EXPECT_H
#define TESTS_BPF_LB_EXPECT_H

#include "lb_rig.h"

/* Where the timestamp option may be. `at`: of TSval within the options; -1: none that counts. */
static const struct layout {
	const char *name, *options;
	unsigned n;
	int at;
} layouts[] = {
#define LAYOUT(name, options, at)                                                                  \
	{                                                                                          \
		name, options, sizeof(options) - 1, at                                             \
	}
	LAYOUT("usual of data",
	       "\1\1\x8\xa"
	       "ttttTTTT",
	       4),
	LAYOUT("usual of SYN",
	       "\2\4\5\xb4\4\2\x8\xa"
	       "ttttTTTT\1\3\3\7",
	       8),
	LAYOUT("first",
	       "\x8\xa"
	       "ttttTTTT\1\1",
	       2),
	LAYOUT("odd offset",
	       "\1\x8\xa"
	       "ttttTTTT\1",
	       3),
	LAYOUT("behind three NOPs",
	       "\1\1\1\x8\xa"
	       "ttttTTTT\1\1\1",
	       5),
	LAYOUT("behind SACK",
	       "\1\1\5\xa"
	       "llllrrrr\1\1\x8\xa"
	       "ttttTTTT",
	       16),
	LAYOUT("behind SACK, odd",
	       "\1\5\xa"
	       "llllrrrr\x8\xa"
	       "ttttTTTT\1\1\1",
	       13),
	LAYOUT("bad length",
	       "\1\1\x8\x9"
	       "ttttTTTT",
	       -1),
	LAYOUT("behind the end of options",
	       "\0\1\x8\xa"
	       "ttttTTTT",
	       -1),
	LAYOUT("cut off",
	       "\1\1\1\1\1\1\x8\xa"
	       "tttt",
	       -1),
	LAYOUT("absent", "\1\1\1\1", -1),
	LAYOUT("no options", "", -1),
};
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

/* What is to come out: the frame that went in with other ends, timestamp and MAC addresses. */
struct expected {
	struct frame f;
	unsigned l4;
};

static inline void expect_from(struct expected *e, const struct segment *s)
{
	segment_build(s, &e->f, &e->l4);
	memcpy(e->f.b, lb_mac[s->to_client ? 1 : 3], 6);
	memcpy(e->f.b + 6, lb_mac[s->to_client ? 0 : 2], 6);
}

static inline void expect_end(struct expected *e, const struct segment *s, const __be32 addr[4],
			      uint16_t port)
{
	unsigned at = e->f.l3 + (s->v6 ? 8 : 12), size = s->v6 ? 16 : 4;

	memcpy(e->f.b + at + (s->to_client ? 0 : size), (const uint8_t *)addr + 16 - size, size);
	e->f.b[e->l4 + (s->to_client ? 0 : 2)] = (uint8_t)(port >> 8);
	e->f.b[e->l4 + (s->to_client ? 1 : 3)] = (uint8_t)port;
	e->f.b[e->f.l3 + (s->v6 ? 7 : 8)]--;
}

static inline void expect_stamp(struct expected *e, unsigned at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		e->f.b[e->l4 + 20 + at + i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline void expect_checksums(struct expected *e, bool v6)
{
	uint8_t *b = e->f.b;
	uint32_t sum;

	if (!v6) {
		memset(b + e->f.l3 + 10, 0, 2);
		sum = ~lb_sum(b + e->f.l3, 20, 0) & 0xffff;
		b[e->f.l3 + 10] = (uint8_t)(sum >> 8);
		b[e->f.l3 + 11] = (uint8_t)sum;
	}
	memset(b + e->l4 + 16, 0, 2);
	sum = ~lb_tcp_sum(b, v6, e->f.l3, e->l4, e->f.len) & 0xffff;
	b[e->l4 + 16] = (uint8_t)(sum >> 8);
	b[e->l4 + 17] = (uint8_t)sum;
}

static inline void lb_rig_pass(struct lb_rig *r, const struct segment *s, struct outcome *out)
{
	struct frame f;
	unsigned l4;

	segment_build(s, &f, &l4);
	lb_rig_run(r, f.b, f.len, s->to_client ? r->server_if : r->client_if, out);
}

static inline void compare(const struct expected *e, const struct outcome *out, const char *what,
			   const struct segment *s)
{
	cr_assert_eq(out->verdict, XDP_REDIRECT, "%s: verdict %u", what, out->verdict);
	cr_assert_eq(out->len, e->f.len, "%s", what);
	for (unsigned i = 0; i < e->f.len; i++)
		cr_assert_eq(out->b[i], e->f.b[i],
			     "%s, v6 %d, %u tags, flags %x: byte %u (l4 at %u) is %02x, not %02x",
			     what, s->v6, s->vlans, s->flags, i, e->l4, out->b[i], e->f.b[i]);
}

/* To which server a frame went. */
static inline unsigned server_of(const struct outcome *out, const struct segment *s)
{
	unsigned l3 = 14 + 4 * s->vlans;

	return out->b[l3 + (s->v6 ? 39 : 19)] - (s->v6 ? 0x10u : 10u);
}

/* Of another port each time. */
static inline struct segment segment(bool v6, unsigned vlans, const struct layout *l)
{
	static uint16_t port = 20000;

	return (struct segment){.v6 = v6,
				.vlans = vlans,
				.client_port = port++,
				.options = l->options,
				.options_n = l->n,
				.ttl = 64,
				.stamp = 0x01020304,
				.echo = 0x0a0b0c0d};
}

#endif /* TESTS_BPF_LB_EXPECT_H */
