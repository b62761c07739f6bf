/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames.h - frames put together byte by byte, and a table of them with what the parser must say.
 */
#ifndef TESTS_BPF_FRAMES_H
#define TESTS_BPF_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "parse.h"

struct frame {
	uint8_t b[512];
	unsigned len;
	unsigned l3; /* offset of the outermost IP header */
};

/* The four addresses of the fixtures. */
#define A4 0x0a010203u /* 10.1.2.3 */
#define B4 0xc0a80a14u /* 192.168.10.20 */
#define R4 0xac100001u /* 172.16.0.1, a router */
static const uint8_t a6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
static const uint8_t b6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20};
static const uint8_t r6[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

static inline void put8(struct frame *f, uint8_t v)
{
	f->b[f->len++] = v;
}

static inline void put16(struct frame *f, unsigned v)
{
	put8(f, (uint8_t)(v >> 8));
	put8(f, (uint8_t)v);
}

static inline void put32(struct frame *f, uint32_t v)
{
	put16(f, v >> 16);
	put16(f, v & 0xffff);
}

static inline void put_bytes(struct frame *f, const void *p, unsigned n)
{
	memcpy(f->b + f->len, p, n);
	f->len += n;
}

static inline void put_zeros(struct frame *f, unsigned n)
{
	memset(f->b + f->len, 0, n);
	f->len += n;
}

static inline void put_ethernet(struct frame *f, unsigned vlans, unsigned type)
{
	f->len = 0;
	put_zeros(f, 12);
	if (vlans == 2) {
		put16(f, SL_ETH_QINQ);
		put16(f, 100);
	}
	if (vlans) {
		put16(f, SL_ETH_VLAN);
		put16(f, 200);
	}
	put16(f, type);
	f->l3 = f->len;
}

/* An IPv4 header of 5 + `options` words; `length` bytes follow it. */
static inline void put_ipv4(struct frame *f, uint32_t src, uint32_t dst, unsigned proto,
			    unsigned options, unsigned frag, unsigned length)
{
	put8(f, (uint8_t)(0x45 + options));
	put8(f, 0);
	put16(f, 20 + 4 * options + length);
	put16(f, 0x1234);
	put16(f, frag);
	put8(f, 64);
	put8(f, (uint8_t)proto);
	put16(f, 0);
	put32(f, src);
	put32(f, dst);
	for (unsigned i = 0; i < options; i++)
		put32(f, 0x01010101); /* no operation */
}

static inline void put_ipv6(struct frame *f, const uint8_t *src, const uint8_t *dst, unsigned next,
			    unsigned length)
{
	put32(f, 0x60000000);
	put16(f, length);
	put8(f, (uint8_t)next);
	put8(f, 64);
	put_bytes(f, src, 16);
	put_bytes(f, dst, 16);
}

static inline void put_ports(struct frame *f, unsigned sport, unsigned dport, unsigned rest)
{
	put16(f, sport);
	put16(f, dport);
	put_zeros(f, rest);
}

static inline void put_icmp(struct frame *f, unsigned type, unsigned code, unsigned id)
{
	put8(f, (uint8_t)type);
	put8(f, (uint8_t)code);
	put16(f, 0);
	put16(f, id);
	put16(f, 1);
}

/* An extension header of 8 * (1 + more) bytes. */
static inline void put_extension(struct frame *f, unsigned next, unsigned more)
{
	put8(f, (uint8_t)next);
	put8(f, (uint8_t)more);
	put_zeros(f, 6 + 8 * more);
}

static inline void put_fragment(struct frame *f, unsigned next, unsigned offset_flags)
{
	put8(f, (uint8_t)next);
	put8(f, 0);
	put16(f, offset_flags);
	put32(f, 0xabcd);
}

/* What the parser must make of a fixture. */
struct fixture {
	const char *name;
	void (*build)(struct frame *f);
	int reason; /* SL_PARSED, or why it passes */
	uint16_t flags, l3_off, l4_off;
	uint8_t proto, vlans;
	uint8_t flow_proto; /* of the quoted flow; 0: as proto */
	uint16_t sport, dport; /* as the hash sees them */
};

#define V4 SL_META_V4
#define V6 SL_META_V6

/* A frame whose builder is `body`, with f the frame. */
#define FRAME(name, body)                                                                          \
	static inline void frame_##name(struct frame *f)                                           \
	{                                                                                          \
		body                                                                               \
	}

FRAME(udp4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 17, 0, 0x4000, 8);
      put_ports(f, 1000, 53, 4);)
FRAME(tcp4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 6, 0, 0, 24);
      put_ports(f, 40000, 443, 20);)
FRAME(sctp4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 132, 0, 0, 12);
      put_ports(f, 7, 9, 8);)
FRAME(options4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 17, 10, 0, 8);
      put_ports(f, 1000, 53, 4);)
FRAME(vlan4, put_ethernet(f, 1, SL_ETH_IPV4); put_ipv4(f, A4, B4, 17, 0, 0, 8);
      put_ports(f, 1000, 53, 4);)
FRAME(qinq4, put_ethernet(f, 2, SL_ETH_IPV4); put_ipv4(f, A4, B4, 6, 1, 0, 20);
      put_ports(f, 1000, 53, 16);)
FRAME(padded4, frame_udp4(f); put_zeros(f, 18);)
FRAME(esp4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 50, 0, 0, 16);
      put_ports(f, 0xdead, 0xbeef, 12);)
FRAME(gre4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 47, 0, 0, 4); put_zeros(f, 4);)
FRAME(echo4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 1, 0, 0, 8);
      put_icmp(f, 8, 0, 77);)
FRAME(reply4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, B4, A4, 1, 0, 0, 8);
      put_icmp(f, 0, 0, 77);)
FRAME(first4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 17, 0, 0x2000, 24);
      put_ports(f, 1000, 53, 20);)
FRAME(middle4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 17, 0, 0x2003, 24);
      put_zeros(f, 24);)
FRAME(last4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, A4, B4, 17, 0, 0x0006, 3);
      put_zeros(f, 3);)
/* what a router says of the packets that udp4, echo4 and first4 are */
FRAME(unreachable4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, R4, A4, 1, 0, 0, 36);
      put_icmp(f, 3, 1, 0); put_ipv4(f, A4, B4, 17, 0, 0, 900); put_ports(f, 1000, 53, 4);)
FRAME(exceeded4, put_ethernet(f, 1, SL_ETH_IPV4); put_ipv4(f, R4, A4, 1, 0, 0, 44);
      put_icmp(f, 11, 0, 0); put_ipv4(f, A4, B4, 6, 2, 0, 900); put_ports(f, 40000, 443, 4);)
FRAME(quoted_echo4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, R4, A4, 1, 0, 0, 36);
      put_icmp(f, 3, 1, 0); put_ipv4(f, A4, B4, 1, 0, 0, 8); put_icmp(f, 8, 0, 77);)
FRAME(quoted_fragment4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, R4, A4, 1, 0, 0, 36);
      put_icmp(f, 11, 1, 0); put_ipv4(f, A4, B4, 17, 0, 0x2000, 900); put_ports(f, 1000, 53, 4);)
FRAME(short_quote4, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv4(f, R4, A4, 1, 0, 0, 32);
      put_icmp(f, 3, 1, 0); put_ipv4(f, A4, B4, 17, 0, 0, 900); put_ports(f, 1000, 53, 0);)

FRAME(udp6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 17, 8); put_ports(f, 1000, 53, 4);)
FRAME(tcp6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 6, 20);
      put_ports(f, 40000, 443, 16);)
FRAME(vlan6, put_ethernet(f, 1, SL_ETH_IPV6); put_ipv6(f, a6, b6, 6, 20);
      put_ports(f, 40000, 443, 16);)
FRAME(chain6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 0, 60); put_extension(f, 43, 0);
      put_extension(f, 60, 1); put_extension(f, 51, 0); put8(f, 17); put8(f, 1); put_zeros(f, 10);
      put_ports(f, 1000, 53, 12);)
FRAME(longest6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 60, 64);
      for (int i = 0; i < 6; i++) put_extension(f, 60, 0); put_extension(f, 17, 0);
      put_ports(f, 1000, 53, 4);)
FRAME(too_long6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 60, 80);
      for (int i = 0; i < 8; i++) put_extension(f, 60, 0); put_extension(f, 17, 0);
      put_ports(f, 1000, 53, 4);)
FRAME(first6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 44, 24);
      put_fragment(f, 17, 0x0001); put_ports(f, 1000, 53, 12);)
FRAME(last6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 44, 12);
      put_fragment(f, 17, 0x0010); put_zeros(f, 4);)
FRAME(atomic6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 44, 16);
      put_fragment(f, 17, 0x0000); put_ports(f, 1000, 53, 4);)
FRAME(echo6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 58, 8); put_icmp(f, 128, 0, 77);)
FRAME(none6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, a6, b6, 59, 0);)
FRAME(unreachable6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, r6, a6, 58, 56);
      put_icmp(f, 1, 0, 0); put_ipv6(f, a6, b6, 17, 900); put_ports(f, 1000, 53, 4);)
FRAME(too_big6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, r6, a6, 0, 72);
      put_extension(f, 58, 0); put_icmp(f, 2, 0, 0); put_ipv6(f, a6, b6, 60, 900);
      put_extension(f, 17, 0); put_ports(f, 1000, 53, 4);)
FRAME(quoted_fragment6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, r6, a6, 58, 56);
      put_icmp(f, 3, 0, 0); put_ipv6(f, a6, b6, 44, 900); put_fragment(f, 17, 0x0011);)
FRAME(nd6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, r6, b6, 58, 24); put_icmp(f, 135, 0, 0);
      put_bytes(f, b6, 16);)
FRAME(nd_options6, put_ethernet(f, 0, SL_ETH_IPV6); put_ipv6(f, r6, b6, 0, 16);
      put_extension(f, 58, 0); put_icmp(f, 134, 0, 0);)

FRAME(arp, put_ethernet(f, 0, SL_ETH_ARP); put_zeros(f, 28);)
FRAME(vlan_arp, put_ethernet(f, 1, SL_ETH_ARP); put_zeros(f, 28);)
FRAME(lldp, put_ethernet(f, 0, 0x88cc); put_zeros(f, 20);)
FRAME(three_tags, put_ethernet(f, 2, SL_ETH_VLAN); put_zeros(f, 40);)
FRAME(wrong_version, put_ethernet(f, 0, SL_ETH_IPV4); put_ipv6(f, a6, b6, 17, 8);
      put_ports(f, 1, 2, 4);)
FRAME(short_header, frame_udp4(f); f->b[14] = 0x44;)
FRAME(short_total, frame_udp4(f); f->b[16] = 0; f->b[17] = 27;)
FRAME(short_tcp, frame_tcp4(f); f->b[16] = 0; f->b[17] = 39;)

#define FIXTURE(n, ...)                                                                            \
	{                                                                                          \
		.name = #n, .build = frame_##n, __VA_ARGS__                                        \
	}
#define TAKEN(f, l3, l4, p)                                                                        \
	.reason = SL_PARSED, .flags = (f), .l3_off = (l3), .l4_off = (l4), .proto = (p)
#define PORTS(s, d) .sport = (s), .dport = (d)
#define PASSED(why) .reason = (why)

static const struct fixture fixtures[] = {
	FIXTURE(udp4, TAKEN(V4 | SL_META_PORTS, 14, 34, 17), PORTS(1000, 53)),
	FIXTURE(tcp4, TAKEN(V4 | SL_META_PORTS, 14, 34, 6), PORTS(40000, 443)),
	FIXTURE(sctp4, TAKEN(V4 | SL_META_PORTS, 14, 34, 132), PORTS(7, 9)),
	FIXTURE(options4, TAKEN(V4 | SL_META_PORTS, 14, 74, 17), PORTS(1000, 53)),
	FIXTURE(vlan4, TAKEN(V4 | SL_META_PORTS, 18, 38, 17), PORTS(1000, 53), .vlans = 1),
	FIXTURE(qinq4, TAKEN(V4 | SL_META_PORTS, 22, 46, 6), PORTS(1000, 53), .vlans = 2),
	FIXTURE(padded4, TAKEN(V4 | SL_META_PORTS, 14, 34, 17), PORTS(1000, 53)),
	FIXTURE(esp4, TAKEN(V4, 14, 34, 50)),
	FIXTURE(gre4, TAKEN(V4, 14, 34, 47)),
	FIXTURE(echo4, TAKEN(V4, 14, 34, 1), PORTS(77, 77)),
	FIXTURE(reply4, TAKEN(V4, 14, 34, 1), PORTS(77, 77)),
	FIXTURE(first4, TAKEN(V4 | SL_META_FRAGMENT, 14, 34, 17)),
	FIXTURE(middle4, TAKEN(V4 | SL_META_FRAGMENT | SL_META_NON_FIRST, 14, 0, 17)),
	FIXTURE(last4, TAKEN(V4 | SL_META_FRAGMENT | SL_META_NON_FIRST, 14, 0, 17)),
	FIXTURE(unreachable4, TAKEN(V4 | SL_META_ICMP_ERROR, 14, 34, 1), PORTS(1000, 53),
		.flow_proto = 17),
	FIXTURE(exceeded4, TAKEN(V4 | SL_META_ICMP_ERROR, 18, 38, 1), PORTS(40000, 443),
		.flow_proto = 6, .vlans = 1),
	FIXTURE(quoted_echo4, TAKEN(V4 | SL_META_ICMP_ERROR, 14, 34, 1), PORTS(77, 77)),
	FIXTURE(quoted_fragment4, TAKEN(V4 | SL_META_ICMP_ERROR, 14, 34, 1), .flow_proto = 17),
	FIXTURE(short_quote4, TAKEN(V4, 14, 34, 1)),
	FIXTURE(udp6, TAKEN(V6 | SL_META_PORTS, 14, 54, 17), PORTS(1000, 53)),
	FIXTURE(tcp6, TAKEN(V6 | SL_META_PORTS, 14, 54, 6), PORTS(40000, 443)),
	FIXTURE(vlan6, TAKEN(V6 | SL_META_PORTS, 18, 58, 6), PORTS(40000, 443), .vlans = 1),
	FIXTURE(chain6, TAKEN(V6 | SL_META_PORTS, 14, 98, 17), PORTS(1000, 53)),
	FIXTURE(longest6, TAKEN(V6 | SL_META_PORTS, 14, 110, 17), PORTS(1000, 53)),
	FIXTURE(too_long6, PASSED(SL_PASS_UNKNOWN)),
	FIXTURE(first6, TAKEN(V6 | SL_META_FRAGMENT, 14, 62, 17)),
	FIXTURE(last6, TAKEN(V6 | SL_META_FRAGMENT | SL_META_NON_FIRST, 14, 0, 17)),
	FIXTURE(atomic6, TAKEN(V6 | SL_META_PORTS, 14, 62, 17), PORTS(1000, 53)),
	FIXTURE(echo6, TAKEN(V6, 14, 54, 58), PORTS(77, 77)),
	FIXTURE(none6, TAKEN(V6, 14, 54, 59)),
	FIXTURE(unreachable6, TAKEN(V6 | SL_META_ICMP_ERROR, 14, 54, 58), PORTS(1000, 53),
		.flow_proto = 17),
	FIXTURE(too_big6, TAKEN(V6 | SL_META_ICMP_ERROR, 14, 62, 58), PORTS(1000, 53),
		.flow_proto = 17),
	FIXTURE(quoted_fragment6, TAKEN(V6 | SL_META_ICMP_ERROR, 14, 54, 58), .flow_proto = 17),
	FIXTURE(nd6, PASSED(SL_PASS_ND)),
	FIXTURE(nd_options6, PASSED(SL_PASS_ND)),
	FIXTURE(arp, PASSED(SL_PASS_ARP)),
	FIXTURE(vlan_arp, PASSED(SL_PASS_ARP)),
	FIXTURE(lldp, PASSED(SL_PASS_UNKNOWN)),
	FIXTURE(three_tags, PASSED(SL_PASS_UNKNOWN)),
	FIXTURE(wrong_version, PASSED(SL_PASS_UNKNOWN)),
	FIXTURE(short_header, PASSED(SL_PASS_TRUNCATED)),
	FIXTURE(short_total, PASSED(SL_PASS_TRUNCATED)),
	FIXTURE(short_tcp, PASSED(SL_PASS_TRUNCATED)),
};
#define FIXTURES (sizeof(fixtures) / sizeof(fixtures[0]))

#endif /* TESTS_BPF_FRAMES_H */
