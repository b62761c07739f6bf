// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flow keys: both directions of a flow, and what belongs to it, have one key; other flows have
 * another. Packets lie directly in front of a page that cannot be read, so a byte too far kills.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sluice/nf.h>

#include "parse.h"

#define FRAME_MAX 512

struct frame {
	uint8_t b[FRAME_MAX];
	unsigned len, l3;
};

static const uint8_t v4[3][4] = {{10, 0, 0, 1}, {192, 168, 7, 9}, {172, 16, 0, 254}};
static const uint8_t v6[3][16] = {
	{0x20, 1, 0xd, 0xb8, [15] = 1}, {0x20, 1, 0xd, 0xb8, [15] = 2}, {0xfe, 0x80, [15] = 9}};

static void put(struct frame *f, const void *bytes, unsigned n)
{
	memcpy(f->b + f->len, bytes, n);
	f->len += n;
}

static void put16(struct frame *f, unsigned v)
{
	put(f, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_ethernet(struct frame *f, unsigned vlans, unsigned type)
{
	memset(f, 0, sizeof(*f));
	f->len = 12;
	for (; vlans; vlans--) {
		put16(f, vlans > 1 ? 0x88a8 : 0x8100);
		put16(f, 7);
	}
	put16(f, type);
	f->l3 = f->len;
}

/* An IPv4 header without its length, with `options` times four bytes of them. */
static void put_ipv4(struct frame *f, int from, int to, unsigned proto, unsigned frag,
		     unsigned options)
{
	put(f, (uint8_t[]){(uint8_t)(0x45 + options), 0, 0, 0, 0, 1}, 6);
	put16(f, frag);
	put(f, (uint8_t[]){64, (uint8_t)proto, 0, 0}, 4);
	put(f, v4[from], 4);
	put(f, v4[to], 4);
	put(f, (uint8_t[40]){1}, 4 * options);
}

static void put_ipv6(struct frame *f, int from, int to, unsigned next)
{
	put(f, (uint8_t[]){0x60, 0, 0, 0, 0, 0, (uint8_t)next, 64}, 8);
	put(f, v6[from], 16);
	put(f, v6[to], 16);
}

static void put_ports(struct frame *f, unsigned from, unsigned to)
{
	put16(f, from);
	put16(f, to);
	put(f, (uint8_t[20]){0}, 20);
}

static void put_icmp(struct frame *f, unsigned type, unsigned id)
{
	put(f, (uint8_t[]){(uint8_t)type, 0, 0, 0}, 4);
	put16(f, id);
	put16(f, 1);
}

static void finish(struct frame *f)
{
	unsigned n = f->len - f->l3;
	uint8_t *ip = f->b + f->l3;

	if (ip[0] >> 4 == 4) {
		ip[2] = (uint8_t)(n >> 8);
		ip[3] = (uint8_t)n;
	} else {
		ip[4] = (uint8_t)((n - 40) >> 8);
		ip[5] = (uint8_t)(n - 40);
	}
}

static uint8_t *guarded(const uint8_t *bytes, unsigned len)
{
	static uint8_t *pages;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!pages) {
		pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		cr_assert_neq(pages, MAP_FAILED);
		cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
	}
	return memcpy(pages + page - len, bytes, len);
}

static struct sl_meta meta_of(const struct frame *f)
{
	struct sl_parsed p;

	cr_assert_eq(sl_parse(f->b, f->b + f->len, &p), SL_PARSED);
	return (struct sl_meta){.magic = SL_META_MAGIC,
				.flags = p.flags,
				.l3_off = p.l3_off,
				.l4_off = p.l4_off,
				.proto = p.proto,
				.vlans = p.vlans};
}

static struct sl_flow_key key_of(struct frame *f, bool *reversed)
{
	struct sl_flow_key key;
	struct sl_meta meta;
	struct sl_packet pkt = {.meta = &meta};

	finish(f);
	meta = meta_of(f);
	pkt.data = guarded(f->b, f->len);
	pkt.len = f->len;
	cr_assert_eq(sl_packet_flow_key(&pkt, &key, reversed), 0);
	for (unsigned len = 0; len <= f->len; len++) {
		struct sl_flow_key any;

		pkt.data = guarded(f->b, len);
		pkt.len = len;
		(void)sl_packet_flow_key(&pkt, &any, NULL);
	}
	return key;
}

static void same(const struct sl_flow_key *a, const struct sl_flow_key *b)
{
	cr_assert_eq(memcmp(a, b, sizeof(*a)), 0);
}

static void differ(const struct sl_flow_key *a, const struct sl_flow_key *b)
{
	cr_assert_neq(memcmp(a, b, sizeof(*a)), 0);
}

static struct sl_flow_key udp4(int from, int to, unsigned sport, unsigned dport, unsigned vlans,
			       bool *reversed)
{
	struct frame f;

	put_ethernet(&f, vlans, SL_ETH_IPV4);
	put_ipv4(&f, from, to, SL_IP_UDP, 0, vlans);
	put_ports(&f, sport, dport);
	return key_of(&f, reversed);
}

Test(flow_key, ipv4_both_directions)
{
	bool there, back;
	struct sl_flow_key a = udp4(0, 1, 5000, 53, 0, &there), b = udp4(1, 0, 53, 5000, 2, &back);
	struct sl_flow_key c = udp4(0, 1, 5001, 53, 0, NULL), d = udp4(0, 2, 5000, 53, 0, NULL);
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	same(&a, &b);
	cr_assert(!there && back);
	differ(&a, &c);
	differ(&a, &d);
	cr_assert_eq(memcmp(a.addr[0], mapped, 12), 0);
	cr_assert_eq(memcmp(a.addr[0] + 12, v4[0], 4), 0);
	cr_assert_eq(memcmp(a.addr[1] + 12, v4[1], 4), 0);
	cr_assert_eq(a.port[0], bpf_htons(5000));
	cr_assert_eq(a.port[1], bpf_htons(53));
	cr_assert_eq(a.proto, SL_IP_UDP);
	cr_assert(!a.resv[0] && !a.resv[1] && !a.resv[2]);
}

/* A host that talks to itself: the ports decide, as numbers and not as bytes in memory. */
Test(flow_key, equal_addresses)
{
	bool there, back;
	struct sl_flow_key a = udp4(0, 0, 0x00ff, 0x0100, 0, &there);
	struct sl_flow_key b = udp4(0, 0, 0x0100, 0x00ff, 0, &back);

	same(&a, &b);
	cr_assert(!there && back);
	cr_assert_eq(a.port[0], bpf_htons(0x00ff));
}

static struct sl_flow_key tcp6(int from, int to, unsigned sport, unsigned dport, bool extensions,
			       bool *reversed)
{
	struct frame f;

	put_ethernet(&f, 1, SL_ETH_IPV6);
	put_ipv6(&f, from, to, extensions ? SL_V6_HOPOPTS : SL_IP_TCP);
	if (extensions) {
		put(&f, (uint8_t[8]){SL_V6_DSTOPTS}, 8);
		put(&f, (uint8_t[16]){SL_IP_TCP, 1}, 16);
	}
	put_ports(&f, sport, dport);
	return key_of(&f, reversed);
}

Test(flow_key, ipv6_both_directions)
{
	bool there, back;
	struct sl_flow_key a = tcp6(0, 1, 443, 40000, false, &there);
	struct sl_flow_key b = tcp6(1, 0, 40000, 443, true, &back);
	struct sl_flow_key c = tcp6(0, 2, 443, 40000, false, NULL);

	same(&a, &b);
	cr_assert(!there && back);
	differ(&a, &c);
	cr_assert_eq(memcmp(a.addr[1], v6[1], 16), 0);
}

/* The first fragment has ports and yet is one with those that have none. */
Test(flow_key, fragments)
{
	struct sl_flow_key first, later, first6, later6;
	struct frame f;

	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 0, 1, SL_IP_UDP, 0x2000, 0);
	put_ports(&f, 1, 2);
	first = key_of(&f, NULL);
	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 0, 1, SL_IP_UDP, 100, 0);
	put_ports(&f, 3, 4);
	later = key_of(&f, NULL);
	same(&first, &later);
	cr_assert(!first.port[0] && !first.port[1]);

	for (int i = 0; i < 2; i++) {
		put_ethernet(&f, 0, SL_ETH_IPV6);
		put_ipv6(&f, i, 1 - i, SL_V6_FRAGMENT);
		put(&f, (uint8_t[8]){SL_IP_UDP, 0, 0, i ? 0x40 : 0x01}, 8);
		put_ports(&f, 5, 6);
		if (i)
			later6 = key_of(&f, NULL);
		else
			first6 = key_of(&f, NULL);
	}
	same(&first6, &later6);
	cr_assert(!first6.port[0] && !first6.port[1]);
}

Test(flow_key, echo)
{
	struct sl_flow_key key[3];
	struct frame f;

	for (int i = 0; i < 3; i++) {
		put_ethernet(&f, 0, SL_ETH_IPV4);
		put_ipv4(&f, i == 1, i != 1, SL_IP_ICMP, 0, 0);
		put_icmp(&f, i == 1 ? 0 : 8, i == 2 ? 78 : 77);
		key[i] = key_of(&f, NULL);
	}
	same(&key[0], &key[1]);
	differ(&key[0], &key[2]);
	for (int i = 0; i < 3; i++) {
		put_ethernet(&f, 0, SL_ETH_IPV6);
		put_ipv6(&f, i == 1, i != 1, SL_IP_ICMP6);
		put_icmp(&f, i == 1 ? 129 : 128, i == 2 ? 78 : 77);
		key[i] = key_of(&f, NULL);
	}
	same(&key[0], &key[1]);
	differ(&key[0], &key[2]);
}

/* From a router, about a packet of 0 to 1: it goes to 0, which is the flow's other direction. */
Test(flow_key, icmp_error)
{
	bool there, error;
	struct sl_flow_key flow = udp4(0, 1, 5000, 53, 0, &there), key;
	struct frame f;

	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 2, 0, SL_IP_ICMP, 0, 0);
	put_icmp(&f, 11, 0);
	put_ipv4(&f, 0, 1, SL_IP_UDP, 0, 2);
	put_ports(&f, 5000, 53);
	key = key_of(&f, &error);
	same(&flow, &key);
	cr_assert_eq(error, !there);
}

Test(flow_key, icmp6_error_with_extensions)
{
	bool there, error;
	struct sl_flow_key flow = tcp6(1, 0, 443, 40000, false, &there), key;
	struct frame f;

	put_ethernet(&f, 2, SL_ETH_IPV6);
	put_ipv6(&f, 2, 1, SL_V6_DSTOPTS);
	put(&f, (uint8_t[8]){SL_IP_ICMP6}, 8);
	put_icmp(&f, 3, 0);
	put_ipv6(&f, 1, 0, SL_V6_HOPOPTS);
	put(&f, (uint8_t[8]){SL_V6_FRAGMENT}, 8);
	put(&f, (uint8_t[8]){SL_IP_TCP}, 8); /* an atomic fragment (RFC 6946) is whole */
	put_ports(&f, 443, 40000);
	key = key_of(&f, &error);
	same(&flow, &key);
	cr_assert_eq(error, !there);
}

Test(flow_key, icmp_error_about_an_echo_and_a_fragment)
{
	struct sl_flow_key ping, error, fragment;
	struct frame f;

	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 0, 1, SL_IP_ICMP, 0, 0);
	put_icmp(&f, 8, 4711);
	ping = key_of(&f, NULL);
	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 1, 0, SL_IP_ICMP, 0, 0);
	put_icmp(&f, 3, 0);
	put_ipv4(&f, 0, 1, SL_IP_ICMP, 0, 0);
	put_icmp(&f, 8, 4711);
	error = key_of(&f, NULL);
	same(&ping, &error);

	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 1, 0, SL_IP_UDP, 0x2000, 0);
	put_ports(&f, 1, 2);
	fragment = key_of(&f, NULL);
	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 2, 0, SL_IP_ICMP, 0, 0);
	put_icmp(&f, 11, 0);
	put_ipv4(&f, 0, 1, SL_IP_UDP, 0x2000, 0);
	put_ports(&f, 1, 2);
	error = key_of(&f, NULL);
	same(&fragment, &error);
}

/* Too little is quoted: the error is a flow of its own, between those who exchange it. */
Test(flow_key, icmp_error_that_quotes_too_little)
{
	struct sl_flow_key key;
	struct frame f;

	put_ethernet(&f, 0, SL_ETH_IPV4);
	put_ipv4(&f, 2, 0, SL_IP_ICMP, 0, 0);
	put_icmp(&f, 11, 0);
	put_ipv4(&f, 0, 1, SL_IP_UDP, 0, 0);
	key = key_of(&f, NULL);
	cr_assert_eq(memcmp(key.addr[1] + 12, v4[2], 4), 0);
	cr_assert_eq(key.proto, SL_IP_ICMP);
	cr_assert(!key.port[0] && !key.port[1]);
}

static int rc_of(struct sl_meta meta)
{
	uint8_t data[64] = {0};
	struct sl_packet pkt = {.data = data, .len = sizeof(data), .meta = &meta};
	struct sl_flow_key key;

	return sl_packet_flow_key(&pkt, &key, NULL);
}

Test(flow_key, no_ip)
{
	cr_assert_eq(rc_of((struct sl_meta){.l3_off = 14}), -EINVAL);
	cr_assert_eq(rc_of((struct sl_meta){.l3_off = 30, .flags = SL_META_V6}), -EINVAL);
	cr_assert_eq(rc_of((struct sl_meta){.l3_off = 65535, .flags = SL_META_V4}), -EINVAL);
}

/* Stamps and packets at random: whatever they say, nothing outside the packet is read. */
Test(flow_key, random_bytes)
{
	uint8_t noise[FRAME_MAX];
	struct sl_flow_key key;
	struct sl_meta meta;
	struct sl_packet pkt = {.meta = &meta};

	srandom(1);
	for (int i = 0; i < 300000; i++) {
		for (unsigned j = 0; j < 128; j++)
			noise[j] = (uint8_t)(random() & (i % 3 ? 0x6f : 0xff));
		meta = (struct sl_meta){.flags = (__u16)(random() & 0x3f),
					.l3_off = (__u16)(random() % 24 & ~1),
					.l4_off = (__u16)(random() % 90 & ~1),
					.proto = noise[9]};
		noise[meta.l3_off] = meta.flags & SL_META_V4 ? 0x45 : 0x60;
		noise[meta.l4_off + 8] = meta.flags & SL_META_V4 ? 0x45 : 0x60;
		pkt.len = (uint32_t)random() % 64 * 2;
		pkt.data = guarded(noise, pkt.len);
		(void)sl_packet_flow_key(&pkt, &key, NULL);
	}
}
