// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Errors of ICMP about connections through the load balancer. A segment goes through it, a router
 * quotes what came out, and who gets the error must find in it what it had sent, byte for byte.
 */
#include "lb_rig.h"

static struct lb_rig rig;

TestSuite(lb_icmp, .timeout = 120);

#define STAMPS                                                                                     \
	"\1\1\x8\xa"                                                                               \
	"ttttTTTT"
#define ODD                                                                                        \
	"\1\x8\xa"                                                                                 \
	"ttttTTTT\1"
#define STAMP 0x12345678u
#define ECHO 0x9abcdef0u

/* Who sent the error. */
enum sender {
	ROUTER,
	SERVER,
};

static void router_address(bool v6, __be32 out[4])
{
	lb_address(v6, "10.0.3.77", "fd03::77", out);
}

static struct segment segment_of(bool v6, unsigned vlans, bool to_client, const char *options,
				 unsigned n)
{
	return (struct segment){.v6 = v6,
				.vlans = vlans,
				.to_client = to_client,
				.server = 2,
				.client_port = 40000,
				.flags = 16,
				.options = options,
				.options_n = n,
				.stamp = STAMP,
				.echo = ECHO,
				.ttl = 64};
}

static void put_checksum(uint8_t *at, uint32_t sum)
{
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

static uint32_t icmp_sum(const uint8_t *b, bool v6, unsigned l3, unsigned len)
{
	unsigned l4 = l3 + (v6 ? 40 : 20);

	return lb_sum(b + l4, len - l4, v6 ? lb_sum(b + l3 + 8, 32, 58 + (len - l4)) : 0);
}

/* An error that quotes `n` bytes behind the IP header of the packet in `out`, to who sent it. */
static void error_build(struct frame *f, const struct segment *s, const struct outcome *out,
			unsigned n, enum sender sender)
{
	unsigned l3 = 14 + 4 * s->vlans, ip = s->v6 ? 40 : 20, size = s->v6 ? 16 : 4;
	const uint8_t *quoted = out->b + l3, *ends = quoted + (s->v6 ? 8 : 12);
	__be32 from[4];

	router_address(s->v6, from);
	put_ethernet(f, s->vlans, s->v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	if (n > out->len - l3 - ip)
		n = out->len - l3 - ip;
	if (s->v6) {
		put32(f, 0x60000000);
		put16(f, 8 + ip + n);
		put16(f, 58 << 8 | 60);
	} else {
		put16(f, 0x4500);
		put16(f, ip + 8 + ip + n);
		put32(f, 0x12340000);
		put16(f, 60 << 8 | 1);
		put16(f, 0);
	}
	if (sender == SERVER)
		put_bytes(f, ends + size, size);
	else
		put_bytes(f, (uint8_t *)from + 16 - size, size);
	put_bytes(f, ends, size);
	if (!s->v6)
		put_checksum(f->b + l3 + 10, lb_sum(f->b + l3, 20, 0));
	put32(f, s->v6 ? 0x02000000 : 0x03040000);
	put32(f, 1400);
	put_bytes(f, quoted, ip + n);
	put_checksum(f->b + l3 + ip + 2, icmp_sum(f->b, s->v6, l3, f->len));
}

/* The quote is of `sent`, but for what a hop and the length change; the checksums hold. */
static void expect_quote(const struct outcome *out, const struct segment *s,
			 const struct frame *sent, const char *what)
{
	unsigned l3 = 14 + 4 * s->vlans, ip = s->v6 ? 40 : 20, at = l3 + ip + 8;

	for (unsigned i = 0; at + i < out->len; i++) {
		if (i == (s->v6 ? 7 : 8) || (!s->v6 && (i == 10 || i == 11)))
			continue;
		/* the checksum is of timestamps that are not all there */
		if (i >= ip + 16 && out->len < at + ip + 32)
			break;
		cr_assert_eq(out->b[at + i], sent->b[l3 + i],
			     "%s, v6 %d, %u tags, %u bytes: byte %u is %02x, not %02x", what, s->v6,
			     s->vlans, out->len - at, i, out->b[at + i], sent->b[l3 + i]);
	}
	cr_assert_eq(icmp_sum(out->b, s->v6, l3, out->len), 0xffff, "%s: ICMP checksum", what);
	if (s->v6)
		return;
	cr_assert_eq(lb_sum(out->b + l3, 20, 0), 0xffff, "%s: IP checksum", what);
	cr_assert_eq(lb_sum(out->b + at, 20, 0), 0xffff, "%s: quoted IP checksum", what);
}

/* The error's own ends: where the last byte of each is, tells who it is. */
static void expect_ends(const struct outcome *out, const struct segment *s, const __be32 from[4],
			const __be32 to[4])
{
	unsigned l3 = 14 + 4 * s->vlans, size = s->v6 ? 16 : 4;
	const uint8_t *ends = out->b + l3 + (s->v6 ? 8 : 12);

	cr_assert_eq(memcmp(ends, (const uint8_t *)from + 16 - size, size), 0);
	cr_assert_eq(memcmp(ends + size, (const uint8_t *)to + 16 - size, size), 0);
	cr_assert_eq(out->b[l3 + (s->v6 ? 7 : 8)], 59, "one hop less");
}

/* Through the balancer; what comes out of it. */
static struct outcome pass_through(const struct segment *s, struct frame *f)
{
	struct outcome out;
	unsigned l4;

	segment_build(s, f, &l4);
	lb_rig_run(&rig, f->b, f->len, s->to_client ? rig.server_if : rig.client_if, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return out;
}

static struct outcome error_from(const struct segment *s, const struct outcome *about, unsigned n,
				 enum sender sender)
{
	struct outcome out;
	struct frame f;

	error_build(&f, s, about, n, sender);
	lb_rig_run(&rig, f.b, f.len, s->to_client ? rig.client_if : rig.server_if, &out);
	return out;
}

/* An answer's error: to server 2 where it is known, byte for byte as that had sent it. */
static void answer_error(const struct segment *s, unsigned n, const char *what)
{
	struct frame sent;
	struct outcome about, out;
	__be32 from[4], to[4];

	about = pass_through(s, &sent);
	out = error_from(s, &about, n, ROUTER);
	cr_assert_eq(out.verdict, XDP_REDIRECT, "%s: verdict %u", what, out.verdict);
	router_address(s->v6, from);
	lb_server_address(s->v6, s->server, to);
	expect_ends(&out, s, from, to);
	expect_quote(&out, s, &sent, what);
}

static const unsigned lengths[] = {32, 33, 36, 1000};

Test(lb_icmp, a_quoted_timestamp_names_the_server)
{
	unsigned n = 0;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		lb_rig_set_clock(&rig, lb_id(v6, 2), STAMP);
		lb_rig_table(&rig, v6, 1); /* the hash would say another */
		for (unsigned vlans = 0; vlans < 3; vlans++)
			for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
				struct segment s =
					segment_of(v6, vlans, true, STAMPS, sizeof(STAMPS) - 1);

				answer_error(&s, lengths[i], "usual");
				s.options = ODD;
				answer_error(&s, lengths[i], "odd");
				s.flags = 18;
				answer_error(&s, lengths[i], "SYN-ACK");
				n += 3;
			}
	}
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP), n);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP_COOKIE), n);
}

/* ... as the slot that it is in, and an own one comes back to the server in its quote. */
Test(lb_icmp, a_quoted_slot_names_the_server)
{
	struct segment s = segment_of(false, 0, true, STAMPS, sizeof(STAMPS) - 1);

	lb_rig_up(&rig, SL_LB_KEEP_SLOT, SL_LB_SLOT_BITS);
	lb_rig_table(&rig, false, 1);
	s.flags = 18;
	answer_error(&s, 32, "SYN-ACK");
	cr_assert_eq(lb_rig_count(&rig, SL_LB_SLOT_TAKEN), 1);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP_COOKIE), 1);
	s.client_port++;
	s.flags = 16; /* has no slot, and goes as it is */
	lb_rig_table(&rig, false, 2);
	answer_error(&s, 32, "without a slot");
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP_HASHED), 1);
}

Test(lb_icmp, a_short_quote_goes_by_the_table_and_then_by_the_row)
{
	struct sl_lb_connection key = {
		.client_port = htons(40000), .vip_port = htons(80), .proto = IPPROTO_TCP};
	uint32_t server;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct segment s = segment_of(v6, 0, true, STAMPS, sizeof(STAMPS) - 1);

		lb_rig_set_clock(&rig, lb_id(v6, 2), STAMP);
		lb_rig_table(&rig, v6, 2);
		answer_error(&s, 8, "by the row");
		answer_error(&s, 17, "by the row");
		lb_rig_table(&rig, v6, 1);
		key.vip = (uint16_t)v6;
		server = lb_id(v6, 2);
		lb_client(v6, key.client);
		lb_put(rig.skel->maps.lb_connections, &key, &server);
		answer_error(&s, 8, "by the table");
		answer_error(&s, 20, "by the table, its checksum quoted");
		answer_error(&s, 31, "by the table, the option cut off");
	}
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP_HASHED), 4);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP_TABLE), 6);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP_COOKIE), 0);
}

/* What the client had sent, with the VIP as its other end and the echo that it had. */
Test(lb_icmp, a_client_finds_its_own_packet_in_an_error)
{
	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned sender = ROUTER; sender <= SERVER; sender++)
			for (unsigned vlans = 0; vlans < 3; vlans++)
				for (unsigned n = 8; n < 60; n++) {
					struct segment s = segment_of(v6, vlans, false, STAMPS,
								      sizeof(STAMPS) - 1);
					__be32 from[4], to[4];
					struct outcome about, out;
					struct frame sent;
					unsigned l4;

					/* an echo that the balancer would have made */
					s.to_client = true;
					s.options = n & 1 ? STAMPS : ODD;
					lb_rig_set_clock(&rig, lb_id(v6, 2), STAMP);
					about = pass_through(&s, &sent);
					l4 = 14 + 4 * vlans + (v6 ? 40 : 20);
					l4 += 20 + (n & 1 ? 4 : 3);
					s.echo = (uint32_t)about.b[l4] << 24 |
						 (uint32_t)about.b[l4 + 1] << 16 |
						 (uint32_t)about.b[l4 + 2] << 8 | about.b[l4 + 3];
					s.to_client = false;
					about = pass_through(&s, &sent);
					out = error_from(&s, &about, n, (enum sender)sender);
					cr_assert_eq(out.verdict, XDP_REDIRECT);
					if (sender == SERVER)
						lb_vip_address(v6, from);
					else
						router_address(v6, from);
					lb_client(v6, to);
					expect_ends(&out, &s, from, to);
					expect_quote(&out, &s, &sent,
						     n < 32 ? "cut off" : "with its echo");
				}
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP_CLIENT), 624);
}

/* No cookie was in it, so none is in its quote. */
Test(lb_icmp, a_server_without_one_clock_has_no_cookies_in_quotes)
{
	struct segment s = segment_of(false, 0, false, STAMPS, sizeof(STAMPS) - 1);
	struct sl_lb_clock clock = {.now = (uint64_t)STAMP << 32, .erratic = 1};
	struct outcome about, out;
	struct frame sent;
	uint32_t id = 2;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_put(rig.skel->maps.lb_clocks, &id, &clock);
	lb_rig_table(&rig, false, 2);
	about = pass_through(&s, &sent);
	out = error_from(&s, &about, 32, ROUTER);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	expect_quote(&out, &s, &sent, "as it came");
}

/* What came out of the balancer for the client: a datagram from the VIP, whole. */
static void datagram(struct outcome *out, uint16_t port, bool check)
{
	struct frame f = {0};
	__be32 client[4], vip[4];

	lb_client(false, client);
	lb_vip_address(false, vip);
	put_ethernet(&f, 0, SL_ETH_IPV4);
	put32(&f, 0x45000020);
	put32(&f, 0x12344000);
	put32(&f, 0x3f110000);
	put_bytes(&f, (uint8_t *)vip + 12, 4);
	put_bytes(&f, (uint8_t *)client + 12, 4);
	put_checksum(f.b + 24, lb_sum(f.b + 14, 20, 0));
	put16(&f, 80);
	put16(&f, port);
	put32(&f, 12 << 16);
	put32(&f, 0xdeadbeef);
	if (check)
		put_checksum(f.b + 40, lb_sum(f.b + 34, 12, lb_sum(f.b + 26, 8, 17 + 12)));
	memcpy(out->b, f.b, f.len);
	out->len = f.len;
}

/* The checksum of the datagram as server 1 finds it quoted. */
static unsigned quoted_check(uint16_t port, bool check)
{
	struct segment s = {.to_client = true};
	const unsigned quote = 14 + 20 + 8;
	struct outcome about, out;

	datagram(&about, port, check);
	out = error_from(&s, &about, 12, ROUTER);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	cr_expect_eq(memcmp(out.b + quote + 12, "\x0a\0\2\x0b", 4), 0);
	cr_expect_eq(memcmp(out.b + quote + 20, "\x1f\x90", 2), 0);
	cr_expect_eq(icmp_sum(out.b, false, 14, out.len), 0xffff);
	cr_expect(!check ||
		  lb_sum(out.b + quote + 20, 12, lb_sum(out.b + quote + 12, 8, 17 + 12)) == 0xffff);
	return (unsigned)out.b[quote + 26] << 8 | out.b[quote + 27];
}

/* Of a datagram without a checksum none is made; a sum of zero is written as its other form. */
Test(lb_icmp, a_quoted_datagram)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(80)};
	struct sl_lb_vip vip = {.keep = SL_LB_KEEP_TABLE};
	unsigned check;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	lb_vip_address(false, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &vip);
	lb_rig_table(&rig, false, 1);
	cr_expect_eq(quoted_check(1, false), 0);
	check = quoted_check(1, true);
	cr_assert(check && check < 0xffff);
	cr_expect_eq(quoted_check((uint16_t)(1 + check), true), 0xffff);
}

Test(lb_icmp, an_error_at_its_last_hop_goes_no_further)
{
	struct segment s = segment_of(false, 0, true, STAMPS, sizeof(STAMPS) - 1);
	struct outcome about;
	struct frame sent, f;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_set_clock(&rig, lb_id(0, 2), STAMP);
	about = pass_through(&s, &sent);
	error_build(&f, &s, &about, 32, ROUTER);
	f.b[f.l3 + 8] = 1;
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TTL), 1);
}

Test(lb_icmp, no_more_than_so_many_a_second_and_none_that_is_nobodys)
{
	struct segment s = segment_of(false, 0, true, STAMPS, sizeof(STAMPS) - 1);
	struct outcome about, out;
	struct frame sent, f;
	uint64_t relayed;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	lb_rig_set_clock(&rig, lb_id(0, 2), STAMP);
	about = pass_through(&s, &sent);
	/* one about a packet that we never sent, one that is not for its sender, and a redirect */
	error_build(&f, &s, &about, 32, ROUTER);
	f.b[f.l3 + 28 + 12] ^= 1;
	cr_assert_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	error_build(&f, &s, &about, 32, ROUTER);
	f.b[f.l3 + 19] ^= 1;
	cr_assert_eq(lb_rig_raw(&rig, &f).verdict, XDP_PASS);
	error_build(&f, &s, &about, 32, ROUTER);
	f.b[f.l3 + 20] = 5;
	cr_assert_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	/* less than the ports, and a fragment, which has none */
	error_build(&f, &s, &about, 7, ROUTER);
	cr_assert_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	error_build(&f, &s, &about, 32, ROUTER);
	f.b[f.l3 + 28 + 7] = 1;
	cr_assert_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_ICMP), 0);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_DROP_NO_VIP), 4);
	for (unsigned i = 0; i < 5000; i++)
		out = error_from(&s, &about, 32, ROUTER);
	relayed = lb_rig_count(&rig, SL_LB_ICMP);
	cr_assert(relayed >= 1000 && relayed <= 4000, "%llu", (unsigned long long)relayed);
	cr_assert_eq(relayed + lb_rig_count(&rig, SL_LB_DROP_ICMP), 5000);
	(void)out;
}
