// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the load balancer does with packets that no cookie can help: cut short, for nobody, at their
 * last hop, in fragments, of a flood; and datagrams, whose checksums may be none.
 */
#include "lb_expect.h"

static struct lb_rig rig;
static const struct layout *const data = &layouts[0];

TestSuite(lb_packets, .timeout = 120);

/* Each shorter by a byte than the one before: no read beyond, and what is wrong is not sent on. */
Test(lb_packets, truncated_segments_go_nowhere)
{
	struct segment s;
	struct frame whole;
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned l = 0; l < LAYOUTS; l++) {
		s = segment(l & 1, l % 3, &layouts[l]);
		s.flags = 0x10;
		segment_build(&s, &whole, &l4);
		for (unsigned len = 14; len < whole.len; len++) {
			struct frame f = whole;

			f.len = len;
			cr_assert_neq(lb_rig_raw(&rig, &f).verdict, XDP_REDIRECT, "%u of %u", len,
				      whole.len);
		}
		whole.b[l4 + 12] = 0xf0; /* more options than there are bytes */
		cr_expect_eq(lb_rig_raw(&rig, &whole).verdict, XDP_DROP);
		whole.b[l4 + 12] = 0x40; /* shorter than a header */
		cr_expect_eq(lb_rig_raw(&rig, &whole).verdict, XDP_DROP);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_MALFORMED), 2 * LAYOUTS);
}

/* The stack would only send what is for a VIP's other ports back: nobody has the address. */
Test(lb_packets, what_is_not_for_a_vip_passes_untouched_and_its_other_ports_are_nobodys)
{
	struct segment s;
	struct outcome out;
	struct frame f;
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	s = segment(false, 0, data);
	s.flags = 0x10;
	segment_build(&s, &f, &l4);
	f.b[l4 + 3]++; /* another port */
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_NO_VIP), 1);
	f.b[f.l3 + 19]++; /* another address */
	out = lb_rig_raw(&rig, &f);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(memcmp(out.b, f.b, f.len), 0);
	cr_expect_geq(lb_rig_count(&rig, SL_LB_PASSED), 1);
}

/* 14 bytes of Ethernet and an IP packet of the client's to the VIP, `length` bytes behind its
 * header. */
static void ip_packet(struct frame *f, bool v6, uint8_t proto, unsigned length)
{
	__be32 client[4], vip[4];

	*f = (struct frame){0};
	lb_client(v6, client);
	lb_vip_address(v6, vip);
	put_ethernet(f, 0, v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	if (v6) {
		put32(f, 0x60000000);
		put32(f, length << 16 | (uint32_t)proto << 8 | 64);
		put_bytes(f, (uint8_t *)client, 16);
		put_bytes(f, (uint8_t *)vip, 16);
		return;
	}
	put32(f, 0x45000000 | (20 + length));
	put32(f, 0x12340000);
	put32(f, 0x40000000 | (uint32_t)proto << 16);
	put_bytes(f, (uint8_t *)client + 12, 4);
	put_bytes(f, (uint8_t *)vip + 12, 4);
}

/* A router looks at no more than the IP header: it would send it back, and get it again. */
Test(lb_packets, what_cannot_be_read_but_is_for_a_vip_ends_here)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_SCTP};
	unsigned n = 0;
	struct frame f;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < sizeof(protos); i++, n++) {
			ip_packet(&f, v6, v6 && i == 2 ? IPPROTO_ICMPV6 : protos[i], 4);
			put32(&f, 0x4e200050); /* ports, and no more of the header */
			cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP, "v6 %u, %u", v6, i);
			f.b[f.l3 + (v6 ? 39 : 19)]++; /* not the VIP's address */
			cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_PASS, "v6 %u, %u", v6, i);
		}
	ip_packet(&f, true, IPPROTO_DSTOPTS, 9 * 8);
	for (unsigned i = 0; i < 9; i++) { /* more than are looked at */
		put32(&f, IPPROTO_DSTOPTS << 24 | 0x0104);
		put32(&f, 0);
	}
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_MALFORMED), n + 1);
}

Test(lb_packets, time_to_live_and_fragments)
{
	struct segment s;
	struct outcome out;
	struct frame f;
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	s = segment(true, 0, data);
	s.flags = 2;
	s.ttl = 1;
	lb_rig_pass(&rig, &s, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TTL), 1);
	s = segment(false, 0, data);
	segment_build(&s, &f, &l4);
	f.b[f.l3 + 6] = 0x20; /* more fragments */
	cr_expect_eq(lb_rig_raw(&rig, &f).verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_FRAGMENT), 1);
}

/* The program asks the kernel; the kernel has no neighbour, so it gets the packet to send. */
Test(lb_packets, an_unknown_neighbour_is_left_to_the_stack_with_the_packet_translated)
{
	struct segment s;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	cr_assert_eq(run("ip neigh del 10.0.2.11 dev sv"), 0);
	lb_rig_table(&rig, false, 1);
	s = segment(false, 0, data);
	s.flags = 2;
	lb_rig_pass(&rig, &s, &out);
	cr_expect_eq(out.verdict, XDP_PASS);
	cr_expect_eq(server_of(&out, &s), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_RESOLVE), 1);
}

/* A flood of handshakes fills no more of the table than its share of a second. */
Test(lb_packets, floods_bypass_the_connection_table)
{
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_COOKIE, 9);
	rig.control.inserts_max = 100;
	lb_rig_control(&rig);
	for (unsigned i = 0; i < 3000; i++) {
		struct segment s = segment(false, 0, &layouts[LAYOUTS - 1]);

		s.to_client = true;
		s.flags = 0x12;
		lb_rig_pass(&rig, &s, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
	}
	cr_expect_leq(lb_rig_count(&rig, SL_LB_INSERTED),
		      100u * 2 * 4); /* two CPUs, some seconds */
	cr_expect_eq(lb_rig_count(&rig, SL_LB_INSERTED) + lb_rig_count(&rig, SL_LB_BYPASSED), 3000);
}

/* A datagram to the VIP; `check`: its checksum is right, else there is none. */
static void datagram(struct frame *f, bool v6, uint16_t port, bool check)
{
	__be32 client[4], vip[4];
	unsigned size = v6 ? 16 : 4, l4;
	uint32_t sum;

	*f = (struct frame){0};
	lb_client(v6, client);
	lb_vip_address(v6, vip);
	put_ethernet(f, 0, v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	if (v6) {
		put32(f, 0x60000000);
		put32(f, 12 << 16 | 17 << 8 | 64);
	} else {
		put32(f, 0x45000020);
		put32(f, 0x12340000);
		put32(f, 0x40110000);
	}
	put_bytes(f, (uint8_t *)client + 16 - size, size);
	put_bytes(f, (uint8_t *)vip + 16 - size, size);
	if (!v6) {
		sum = ~lb_sum(f->b + 14, 20, 0) & 0xffff;
		f->b[24] = (uint8_t)(sum >> 8);
		f->b[25] = (uint8_t)sum;
	}
	l4 = f->len;
	put16(f, port);
	put16(f, 80);
	put32(f, 12 << 16);
	put32(f, 0xdeadbeef);
	if (!check)
		return;
	sum = ~lb_sum(f->b + l4, 12, lb_sum(f->b + l4 - 2 * size, 2 * size, 17 + 12)) & 0xffff;
	sum = sum ? sum : 0xffff;
	f->b[l4 + 6] = (uint8_t)(sum >> 8);
	f->b[l4 + 7] = (uint8_t)sum;
}

static void udp_vip(bool v6, enum sl_lb_select select)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(80)};
	struct sl_lb_vip vip = {.id = v6, .keep = SL_LB_KEEP_TABLE, .select = (uint8_t)select};

	lb_vip_address(v6, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &vip);
}

/* None stays none, a right one right, and never zero, which would be none. */
Test(lb_packets, checksums_of_datagrams)
{
	struct frame f;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	udp_vip(false, SL_LB_BY_HASH);
	udp_vip(true, SL_LB_BY_HASH);
	datagram(&f, false, 7, false);
	cr_expect_eq(memcmp(lb_rig_raw(&rig, &f).b + 14 + 20 + 6, "\0\0", 2), 0);
	for (unsigned port = 1; port < 65536; port += 3) {
		bool v6 = port & 1;
		unsigned l4 = v6 ? 54 : 34, ends = v6 ? 32 : 8;
		struct outcome out;

		datagram(&f, v6, (uint16_t)port, true);
		out = lb_rig_raw(&rig, &f);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		cr_assert(out.b[l4 + 6] || out.b[l4 + 7], "port %u", port);
		cr_assert_eq(lb_sum(out.b + l4, 12, lb_sum(out.b + l4 - ends, ends, 17 + 12)),
			     0xffff, "port %u", port);
	}
}

/* What is not remembered cannot go in turn: its next datagram would go elsewhere. */
Test(lb_packets, a_flow_that_is_not_remembered_goes_by_the_hash)
{
	struct outcome first, out;
	struct frame f;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	udp_vip(false, SL_LB_BY_TURN);
	rig.control.inserts_max = 0;
	lb_rig_control(&rig);
	datagram(&f, false, 7, true);
	first = lb_rig_raw(&rig, &f);
	cr_assert_eq(first.verdict, XDP_REDIRECT);
	for (unsigned i = 0; i < 8; i++) {
		out = lb_rig_raw(&rig, &f);
		cr_expect_eq(out.b[33], first.b[33]);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_BYPASSED), 9);
}
