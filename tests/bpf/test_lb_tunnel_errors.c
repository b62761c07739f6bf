// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Errors beside direct server return: what is too big for the way to a server is told to its
 * sender, byte for byte and at a rate; what routers say about answers gets to the server.
 */
#include "lb_tunnel_rig.h"

static unsigned outer_size(unsigned how, bool server_v6)
{
	return how <= SL_LB_L2 ? 0 : (server_v6 ? 40 : 20) + (how == SL_LB_GUE ? 8 : 0);
}

TestSuite(lb_tunnel_errors, .timeout = 120);

/* All CPUs' next hop of server 2 has this MTU, for the next 90 ms. */
static void set_mtu(uint32_t mtu)
{
	struct {
		uint32_t until_ms, ifindex, mtu;
		uint8_t dmac[6], smac[6];
	} hop[256] = {0};

	cr_assert_eq(sizeof(hop[0]), 24);
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 256; i++) {
		hop[i].until_ms = lb_now_ms() + 90;
		hop[i].ifindex = rig.server_if;
		hop[i].mtu = mtu;
		memcpy(hop[i].dmac, lb_mac[3], 6);
		memcpy(hop[i].smac, lb_mac[2], 6);
	}
	for (uint32_t id = 2; id < 16; id += LB_RIG_V6)
		lb_put(rig.skel->maps.lb_hops, &id, hop);
}

/* The error that the VIP sends back for `p`. */
static void expect_error(struct big *e, const struct packet *p, unsigned mtu)
{
	struct big in = {0};
	__be32 client[4], vip[4];
	unsigned icmp;

	begin(&in, p, p->v6);
	add_packet(&in, p, p->ttl);
	begin(e, p, p->v6);
	memcpy(e->b, lb_mac[1], 6);
	memcpy(e->b + 6, lb_mac[0], 6);
	lb_client(p->v6, client);
	lb_vip_address(p->v6, vip);
	add_ip(e, p->v6, 0, 0, 0, 8 + 128, p->v6 ? 58 : 1, 64, vip, client);
	icmp = e->len;
	add16(e, p->v6 ? 0x200 : 0x304);
	add16(e, 0);
	add16(e, 0);
	add16(e, mtu);
	add(e, in.b + in.l3, 128);
	set16(e, icmp + 2,
	      ~(p->v6 ? l4_sum(e, true, e->l3, icmp, 58) : lb_sum(e->b + icmp, 136, 0)) & 0xffff);
}

static unsigned ip_length(const struct packet *p)
{
	return (p->v6 ? 40 : 20) + 20 + p->data;
}

static void check_mtu(bool v6, unsigned vlans, unsigned how, bool server_v6)
{
	struct packet p = packet(v6, TCP);
	unsigned mtu = 1400, inner = mtu - outer_size(how, server_v6);
	struct big e = {0};
	struct outcome out;

	p.vlans = vlans;
	p.data = inner - (ip_length(&p) - p.data);
	forward(TCP, how, server_v6);
	set_mtu(mtu);
	if (how == SL_LB_NAT) {
		run_packet(&p, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
	} else {
		check(&p, how, server_v6); /* it just fits */
	}
	p.data++;
	run_packet(&p, &out);
	cr_assert_eq(out.verdict, XDP_TX, "how %u, v%d, server v%d, %u tags, %u bytes: verdict %u",
		     how, v6 ? 6 : 4, server_v6 ? 6 : 4, vlans, out.len, out.verdict);
	expect_error(&e, &p, inner);
	compare(&e, &out, "too big");
}

Test(lb_tunnel_errors, what_is_too_big_is_told_to_its_sender)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 4 * 2 * 3; i++)
		for (unsigned six = 0; six < 2; six++)
			if (i / 6 != SL_LB_NAT || six == (i & 1))
				check_mtu(i & 1, i / 2 % 3, i / 6, six);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TOO_BIG), 4 * 2 * 3 + 3 * 2 * 3);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TOO_BIG), 0);
}

Test(lb_tunnel_errors, who_did_not_ask_is_not_told)
{
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_IPIP, false);
	p = packet(false, TCP);
	p.no_df = true;
	p.data = 1400;
	set_mtu(1400);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	p = packet(true, TCP);
	p.data = 1250; /* 1,280 bytes would not fit either: nothing to be told */
	set_mtu(1290);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TOO_BIG), 2);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TOO_BIG), 0);
}

Test(lb_tunnel_errors, errors_have_a_rate)
{
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_IPIP, false);
	p = packet(false, TCP);
	p.data = 1400;
	for (unsigned i = 0; i < 4000; i++) {
		if (i % 100 == 0)
			set_mtu(1400);
		run_packet(&p, &out);
	}
	cr_expect_geq(lb_rig_count(&rig, SL_LB_TOO_BIG), 1000);
	cr_expect_leq(lb_rig_count(&rig, SL_LB_TOO_BIG), 3000);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TOO_BIG) + lb_rig_count(&rig, SL_LB_DROP_TOO_BIG),
		     4000);
}

/* A server's answer under NAT: the server is told, as by the VIP. */
Test(lb_tunnel_errors, answers_that_are_too_big_are_told_of_too)
{
	struct packet p = packet(false, TCP);
	struct big f = {0};
	struct outcome out;
	__be32 server[4], client[4];
	unsigned l4;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	cr_assert_eq(run("ip link set cl mtu 600"), 0);
	lb_server_address(false, 1, server);
	lb_client(false, client);
	begin(&f, &p, false);
	add_ip(&f, false, 0, 0, 0x4000, 20 + 700, TCP, 64, server, client);
	l4 = f.len;
	add16(&f, 8080);
	add(&f, "\x11\x11\1\1\1\1\2\2\2\2\x50\x10\1\1\0\0\0\0", 18);
	f.len += 700;
	set16(&f, l4 + 16, ~l4_sum(&f, false, 14, l4, TCP) & 0xffff);
	lb_rig_run(&rig, f.b, f.len, rig.server_if, &out);
	cr_assert_eq(out.verdict, XDP_TX);
	cr_expect_eq(memcmp(out.b + 26, "\x0a\x09\x09\x09\x0a\0\2\x0b", 8), 0);
	cr_expect_eq(memcmp(out.b + 34 + 4, "\0\0\x02\x58", 4), 0);
	cr_expect_eq(memcmp(out.b + 42, f.b + 14, 128), 0, "as the server sent it");
	cr_expect_eq(lb_sum(out.b + 34, 136, 0), 0xffff);
}

/* A router on the way from a server to the client says something of an answer. */
static void add_error(struct big *f, const struct packet *p)
{
	__be32 client[4], vip[4], router[4];
	unsigned icmp, l3, size = p->v6 ? 40 : 20;

	lb_client(p->v6, client);
	lb_vip_address(p->v6, vip);
	lb_address(p->v6, "10.0.3.77", "fd03::77", router);
	add_ip(f, p->v6, 0, 0, 0, 8 + size + 20, p->v6 ? 58 : 1, p->ttl, router, vip);
	icmp = f->len;
	add16(f, p->v6 ? 0x200 : 0x304);
	add16(f, 0);
	add16(f, 0);
	add16(f, 1300);
	l3 = f->len;
	add_ip(f, p->v6, 0, 0, 0x4000, 1400, TCP, 60, vip, client);
	add16(f, 80);
	add16(f, p->port);
	add(f, "\1\1\1\1\2\2\2\2\x50\x10\1\1\0\0\0\0", 16);
	set16(f, icmp + 2,
	      ~(p->v6 ? l4_sum(f, true, icmp - size, icmp, 58)
		      : lb_sum(f->b + icmp, f->len - icmp, 0)) &
		      0xffff);
	f->l4 = l3;
}

static void check_icmp(bool v6, unsigned how, bool server_v6)
{
	struct packet p = packet(v6, TCP);
	struct big f = {0}, e = {0};
	unsigned size = outer_size(how, server_v6);
	struct outcome out;

	forward(TCP, how, server_v6);
	run_packet(&p, &out); /* the connection is of server 2 now, and the rows are of another */
	lb_rig_table(&rig, v6, 1);
	begin(&f, &p, v6);
	add_error(&f, &p);
	lb_rig_run(&rig, f.b, f.len, rig.client_if, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT, "how %u: %u", how, out.verdict);
	p.ttl--;
	begin(&e, &p, v6);
	add_error(&e, &p);
	cr_assert_eq(out.len, e.len + size);
	cr_expect_eq(memcmp(out.b + 14 + size, e.b + 14, e.len - 14), 0, "how %u", how);
	if (how != SL_LB_L2)
		cr_expect_eq(out.b[14 + (server_v6 ? 39 : 19)], server_v6 ? 0x12 : 12);
}

Test(lb_tunnel_errors, errors_about_answers_get_to_the_server)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 12; i++)
		check_icmp(i & 1, SL_LB_L2 + i / 4, i >> 1 & 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_ICMP), 12);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_ICMP_TABLE), 12);
}

/* RFC 1122, 3.2.2: or two of them would go on for ever. */
Test(lb_tunnel_errors, no_error_about_an_error)
{
	struct packet p = packet(false, TCP);
	struct big f = {0};
	struct outcome out;

	up(TCP, SL_LB_IPIP, false);
	run_packet(&p, &out);
	set_mtu(200);
	begin(&f, &p, false);
	add_error(&f, &p);
	f.len += 160; /* quotes more */
	set16(&f, f.l3 + 2, f.len - f.l3);
	f.b[f.l3 + 6] = 0x40; /* must not be fragmented */
	lb_rig_run(&rig, f.b, f.len, rig.client_if, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TOO_BIG), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TOO_BIG), 1);
}
