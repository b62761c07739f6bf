// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct server return: what the load balancer puts around a packet is compared byte for byte with
 * headers that are put together here, every checksum made over the whole.
 */
#include "lb_rig.h"

static struct lb_rig rig;

#define UDP 17
#define TCP 6
#define GUE_PORT 6080
#define DATA 24

/* A packet from the client to the VIP. */
struct packet {
	bool v6;
	unsigned vlans, proto, data; /* bytes behind the L4 header */
	uint16_t port;
	uint8_t ttl, class;
	bool no_check, no_df, stamps, syn;
	unsigned fragment; /* offset and flags of an IPv4 header; 0: none */
};

struct big {
	uint8_t b[2048];
	unsigned len, l3, l4;
};

static void add(struct big *f, const void *from, unsigned n)
{
	memcpy(f->b + f->len, from, n);
	f->len += n;
}

static void add16(struct big *f, unsigned value)
{
	uint8_t b[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	add(f, b, 2);
}

static void set16(struct big *f, unsigned at, unsigned value)
{
	f->b[at] = (uint8_t)(value >> 8);
	f->b[at + 1] = (uint8_t)value;
}

static void add_ip(struct big *f, bool v6, unsigned class, unsigned flow, unsigned frag,
		   unsigned length, unsigned proto, unsigned ttl, const __be32 *src,
		   const __be32 *dst)
{
	unsigned at = f->len;

	if (v6) {
		add16(f, 0x6000 | class << 4 | flow >> 16);
		add16(f, flow & 0xffff);
		add16(f, length);
		add16(f, proto << 8 | ttl);
		add(f, src, 16);
		add(f, dst, 16);
		return;
	}
	add16(f, 0x4500 | class);
	add16(f, length + 20);
	add16(f, 0);
	add16(f, frag);
	add16(f, ttl << 8 | proto);
	add16(f, 0);
	add(f, src + 3, 4);
	add(f, dst + 3, 4);
	set16(f, at + 10, ~lb_sum(f->b + at, 20, 0) & 0xffff);
}

static uint32_t l4_sum(const struct big *f, bool v6, unsigned l3, unsigned l4, unsigned proto)
{
	uint32_t sum = lb_sum(f->b + l3 + (v6 ? 8 : 12), v6 ? 32 : 8, proto + (f->len - l4));

	return lb_sum(f->b + l4, f->len - l4, sum);
}

static void begin(struct big *f, const struct packet *p, bool v6)
{
	struct frame head = {0};

	put_ethernet(&head, p->vlans, v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	memcpy(head.b, lb_mac[0], 6);
	memcpy(head.b + 6, lb_mac[1], 6);
	f->len = 0;
	add(f, head.b, head.len);
	f->l3 = f->len;
}

static unsigned l4_header(const struct packet *p)
{
	return p->proto == UDP ? 8 : p->stamps ? 32 : 20;
}

/* From the IP header on. */
static void add_packet(struct big *f, const struct packet *p, unsigned ttl)
{
	unsigned header = l4_header(p), frag = p->no_df ? 0 : 0x4000, at = f->len;
	__be32 client[4], vip[4];

	lb_client(p->v6, client);
	lb_vip_address(p->v6, vip);
	add_ip(f, p->v6, p->class, 0x12345, p->fragment ? p->fragment : frag, header + p->data,
	       p->proto, ttl, client, vip);
	f->l4 = f->len;
	add16(f, p->port);
	add16(f, 80);
	add16(f, header + p->data);
	add16(f, 0);
	if (p->proto == TCP)
		add(f,
		    p->stamps ? "\x55\x66\x77\x88\x80\x10\1\1\0\0\0\0\1\1\x8\xaTSVLTSEC"
			      : "\x55\x66\x77\x88\x50\x10\1\1\0\0\0\0",
		    header - 8);
	if (p->syn)
		f->b[f->l4 + 13] = 2;
	for (unsigned i = 0; i < p->data; i++)
		f->b[f->len++] = (uint8_t)(i * 7 + p->port);
	if (!p->no_check)
		set16(f, f->l4 + (p->proto == TCP ? 16 : 6),
		      ~l4_sum(f, p->v6, at, f->l4, p->proto) & 0xffff);
}

static struct packet packet(bool v6, unsigned proto)
{
	static uint16_t port = 30000;

	return (struct packet){.v6 = v6, .proto = proto, .port = port++, .ttl = 64, .data = DATA};
}

static void run_packet(const struct packet *p, struct outcome *out)
{
	struct big f = {0};

	begin(&f, p, p->v6);
	add_packet(&f, p, p->ttl);
	lb_rig_run(&rig, f.b, f.len, rig.client_if, out);
}

/* How the VIP's packets go, and to servers of which family. Server i: as the rig has them. */
static void forward(unsigned proto, unsigned how, bool server_v6)
{
	struct sl_lb_tunnel t = {.port = htons(GUE_PORT)};

	lb_address(server_v6, "10.0.2.1", "fd02::1", t.source);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct sl_lb_vip_key key = {.proto = (uint8_t)proto, .port = htons(80)};

		rig.vip[v6].forward = (uint8_t)how;
		rig.vip[v6].keep = SL_LB_KEEP_TABLE;
		lb_vip_address(v6, key.addr);
		lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[v6]);
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
			uint32_t id = lb_id(v6, i);
			struct sl_lb_server s = {
				.vip = (uint16_t)v6, .v6 = server_v6, .state = SL_LB_UP};

			lb_server_address(server_v6, i, s.addr);
			lb_put(rig.skel->maps.lb_servers, &id, &s);
			lb_put(rig.skel->maps.lb_tunnels, &id, &t);
		}
		lb_rig_table(&rig, v6, 2);
	}
	rig.control.generation++;
	lb_rig_control(&rig);
}

static void up(unsigned proto, unsigned how, bool server_v6)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	forward(proto, how, server_v6);
}

static unsigned outer_size(unsigned how, bool server_v6)
{
	return how <= SL_LB_L2 ? 0 : (server_v6 ? 40 : 20) + (how == SL_LB_GUE ? 8 : 0);
}

static unsigned get16(const uint8_t *b, unsigned at)
{
	return (unsigned)b[at] << 8 | b[at + 1];
}

/* What differs by the flow: it is the program's to choose, in one place for each kind. */
static unsigned entropy_of(const struct outcome *out, unsigned l3, unsigned how, bool server_v6)
{
	if (how == SL_LB_GUE)
		return get16(out->b, l3 + (server_v6 ? 40 : 20));
	return server_v6 ? get16(out->b, l3 + 2) : 0;
}

/* The frame that is to come out, with the outer headers around. `src`: the outer source. */
static void expect(struct big *e, const struct packet *p, unsigned how, bool server_v6,
		   unsigned entropy, const __be32 src[4])
{
	unsigned inner = (p->v6 ? 40 : 20) + l4_header(p) + p->data, udp;
	__be32 dst[4];

	begin(e, p, how == SL_LB_L2 ? p->v6 : server_v6);
	memcpy(e->b, lb_mac[3], 6);
	memcpy(e->b + 6, lb_mac[2], 6);
	lb_server_address(server_v6, 2, dst);
	if (how != SL_LB_L2)
		add_ip(e, server_v6, p->class, entropy, 0x4000, inner + (how == SL_LB_GUE ? 8 : 0),
		       how == SL_LB_GUE ? UDP
		       : p->v6		? 41
					: 4,
		       64, src, dst);
	udp = e->len;
	if (how == SL_LB_GUE) {
		add16(e, entropy);
		add16(e, GUE_PORT);
		add16(e, inner + 8);
		add16(e, 0);
	}
	add_packet(e, p, p->ttl - 1u);
	if (how == SL_LB_GUE && server_v6 && !p->no_check && !p->fragment)
		set16(e, udp + 6, ~l4_sum(e, true, e->l3, udp, UDP) & 0xffff);
}

static void compare(const struct big *e, const struct outcome *out, const char *what)
{
	cr_assert_eq(out->len, e->len, "%s: %u bytes, not %u", what, out->len, e->len);
	for (unsigned i = 0; i < e->len; i++)
		cr_assert_eq(out->b[i], e->b[i], "%s: byte %u is %02x, not %02x", what, i,
			     out->b[i], e->b[i]);
}

static void check(const struct packet *p, unsigned how, bool server_v6)
{
	struct big e = {0};
	struct outcome out;
	char what[100];
	__be32 src[4];

	snprintf(what, sizeof(what), "how %u, v%d in v%d, protocol %u, %u tags", how, p->v6 ? 6 : 4,
		 server_v6 ? 6 : 4, p->proto, p->vlans);
	run_packet(p, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT, "%s: verdict %u", what, out.verdict);
	lb_address(server_v6, "10.0.2.1", "fd02::1", src);
	expect(&e, p, how, server_v6, entropy_of(&out, 14 + 4 * p->vlans, how, server_v6), src);
	compare(&e, &out, what);
}

static void matrix(unsigned proto)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 3 * 2 * 2 * 3 * 2; i++) {
		struct packet p = packet(i & 1, proto);
		unsigned how = SL_LB_L2 + i / 12 % 3;

		p.vlans = i / 4 % 3;
		p.no_check = proto == UDP && !p.v6 && i >= 36;
		p.class = (uint8_t)(i * 37);
		p.stamps = i % 5 < 3;
		p.data = DATA + i % 3;
		forward(proto, how, i >> 1 & 1);
		check(&p, how, i >> 1 & 1);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_MALFORMED), 0);
}

TestSuite(lb_tunnel, .timeout = 120);

Test(lb_tunnel, tcp_byte_for_byte)
{
	matrix(TCP);
}

Test(lb_tunnel, udp_byte_for_byte)
{
	matrix(UDP);
}

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

Test(lb_tunnel, what_is_too_big_is_told_to_its_sender)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 4 * 2 * 3; i++)
		for (unsigned six = 0; six < 2; six++)
			if (i / 6 != SL_LB_NAT || six == (i & 1))
				check_mtu(i & 1, i / 2 % 3, i / 6, six);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TOO_BIG), 4 * 2 * 3 + 3 * 2 * 3);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TOO_BIG), 0);
}

Test(lb_tunnel, who_did_not_ask_is_not_told)
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

Test(lb_tunnel, errors_have_a_rate)
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
Test(lb_tunnel, answers_that_are_too_big_are_told_of_too)
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

Test(lb_tunnel, the_last_hop_is_not_spent_on_the_tunnel)
{
	struct packet p;
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 6; i++) {
		forward(TCP, SL_LB_L2 + i / 2, false);
		p = packet(i & 1, TCP);
		p.ttl = 2;
		check(&p, SL_LB_L2 + i / 2, false);
		p.ttl = 1;
		run_packet(&p, &out);
		cr_expect_eq(out.verdict, XDP_DROP);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_TTL), 6);
}

/* Flows of one client differ in the outer source port; packets of one flow do not. */
Test(lb_tunnel, flows_spread_and_stay)
{
	unsigned buckets[64] = {0}, low = 1000, high = 0, distinct = 0, port;
	static bool seen[65536];
	struct outcome out;

	up(UDP, SL_LB_GUE, false);
	for (unsigned i = 0; i < 4096; i++) {
		struct packet p = packet(false, UDP);

		run_packet(&p, &out);
		port = get16(out.b, 34);
		cr_assert_geq(port, 49152);
		buckets[port % 64]++;
		distinct += !seen[port];
		seen[port] = true;
		run_packet(&p, &out);
		cr_assert_eq(get16(out.b, 34), port);
	}
	cr_expect_gt(distinct, 3300, "%u of 4096; 3,624 by chance of 14 bits", distinct);
	for (unsigned i = 0; i < 64; i++) {
		low = buckets[i] < low ? buckets[i] : low;
		high = buckets[i] > high ? buckets[i] : high;
	}
	cr_expect(low > 30 && high < 110, "64 buckets of 4096 flows: %u to %u", low, high);
}

/* `source: 10.0.2.0/24`: IPIP has no port, so flows differ in the source's last bits. */
Test(lb_tunnel, sources_spread_within_their_prefix)
{
	struct sl_lb_tunnel t = {.spread = 0xff};
	struct big e = {0};
	uint32_t id = 2, seen[8] = {0}, n = 0;
	struct outcome out;

	up(UDP, SL_LB_IPIP, false);
	lb_address(false, "172.16.3.0", "", t.source);
	lb_put(rig.skel->maps.lb_tunnels, &id, &t);
	for (unsigned i = 0; i < 500; i++) {
		struct packet p = packet(false, UDP);

		run_packet(&p, &out);
		cr_assert_eq(memcmp(out.b + 26, "\xac\x10\3", 3), 0);
		seen[out.b[29] / 32] |= 1u << out.b[29] % 32;
		t.source[3] = htonl(0xac100300u + out.b[29]);
		expect(&e, &p, SL_LB_IPIP, false, 0, t.source);
		compare(&e, &out, "source of a prefix");
	}
	for (unsigned i = 0; i < 8; i++)
		n += (unsigned)__builtin_popcount(seen[i]);
	cr_expect_gt(n, 180, "%u of 256", n);
}

/* All fragments of a datagram go to one server, whose ports only the first of them has. */
Test(lb_tunnel, fragments_go_by_their_addresses)
{
	struct sl_lb_vip_key key = {.proto = UDP, .fragments = 1};
	struct packet p;
	struct outcome out;
	unsigned server, servers = 0;

	up(UDP, SL_LB_GUE, true);
	lb_rig_table(&rig, false, -1);
	p = packet(false, UDP);
	p.fragment = 0x2000;
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP, "nobody said whose");
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_FRAGMENT), 1);
	lb_vip_address(false, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[0]);
	for (unsigned i = 0; i < 20; i++) {
		p = packet(false, UDP);
		p.fragment = 0x2000 | i;
		run_packet(&p, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		server = out.b[14 + 39] & 0xf;
		servers |= 1u << server;
		cr_assert_eq(get16(out.b, 54 + 6), 0, "no outer checksum of what has no inner one");
	}
	cr_expect_eq(__builtin_popcount(servers), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_FRAGMENT), 20);
	rig.vip[0].forward = SL_LB_NAT;
	lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[0]);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
}

Test(lb_tunnel, truncated_packets_go_nowhere)
{
	struct packet p;
	struct big f = {0};
	struct outcome out;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 6; i++) {
		forward(TCP, SL_LB_L2 + i / 2, i & 1);
		p = packet(i & 1, TCP);
		begin(&f, &p, p.v6);
		add_packet(&f, &p, 64);
		for (unsigned len = 14; len < f.len; len++) {
			lb_rig_run(&rig, f.b, len, rig.client_if, &out);
			cr_assert(out.verdict == XDP_DROP || out.verdict == XDP_PASS);
			cr_assert_eq(out.len, len, "%u of %u", len, f.len);
		}
	}
}

/* The stack forwards what has a source that is not its own, and finds the neighbour by that. */
static void check_resolve(bool v6, unsigned how, bool server_v6)
{
	struct packet p = packet(v6, TCP);
	struct big e = {0};
	struct outcome out;
	unsigned kind = how == SL_LB_L2 ? SL_LB_IPIP : how;
	__be32 src[4];

	forward(TCP, how, server_v6);
	cr_assert_eq(run("ip neigh del %s dev sv", server_v6 ? "fd02::12" : "10.0.2.12"), 0);
	usleep(110 * 1000); /* the one that was looked up before */
	run_packet(&p, &out);
	cr_assert_eq(out.verdict, XDP_PASS);
	lb_address(server_v6, v6 ? "192.0.0.8" : "10.0.1.5", v6 ? "fd01::5" : "100::1", src);
	expect(&e, &p, kind, server_v6, entropy_of(&out, 14, kind, server_v6), src);
	memcpy(e.b, lb_mac[0], 6);
	memcpy(e.b + 6, lb_mac[1], 6);
	compare(&e, &out, "resolve");
	cr_assert_eq(run("ip neigh add %s lladdr 02:00:00:00:02:02 dev sv",
			 server_v6 ? "fd02::12" : "10.0.2.12"),
		     0);
}

Test(lb_tunnel, an_unknown_neighbour_is_resolved_by_the_stack)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 12; i++)
		check_resolve(i & 1, SL_LB_L2 + i / 4, i >> 1 & 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_RESOLVE), 12);
}

/* A source that is not the balancer's own is the same then: who lets only that in loses nothing. */
Test(lb_tunnel, a_foreign_source_stays_while_the_stack_resolves)
{
	struct sl_lb_tunnel t = {.foreign = 1};
	struct outcome out;
	struct packet p;

	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (uint32_t six = 0, id; six < 2; six++) {
		forward(TCP, SL_LB_IPIP, six);
		id = lb_id(six, 2);
		lb_address(six, "172.16.3.1", "fdaa::1", t.source);
		lb_put(rig.skel->maps.lb_tunnels, &id, &t);
		cr_assert_eq(run("ip neigh del %s dev sv", six ? "fd02::12" : "10.0.2.12"), 0);
		p = packet(six, TCP);
		run_packet(&p, &out);
		cr_assert_eq(out.verdict, XDP_PASS);
		cr_expect_eq(memcmp(out.b + (six ? 22 : 26), (uint8_t *)t.source + (six ? 0 : 12),
				    six ? 16 : 4),
			     0);
	}
}

/* A router would send the packet back to whom the VIP is routed to. */
Test(lb_tunnel, l2_is_for_servers_on_the_link)
{
	struct sl_lb_server s = {.state = SL_LB_UP};
	uint32_t id = 2;
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_L2, false);
	cr_assert_eq(run("ip route add 10.5.0.0/16 via 10.0.2.11"), 0);
	lb_address(false, "10.5.0.1", "", s.addr);
	lb_put(rig.skel->maps.lb_servers, &id, &s);
	p = packet(false, TCP);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_DROP);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_DROP_NO_ROUTE), 1);
	forward(TCP, SL_LB_IPIP, false);
	lb_put(rig.skel->maps.lb_servers, &id, &s);
	run_packet(&p, &out);
	cr_expect_eq(out.verdict, XDP_REDIRECT);
}

/* No answer passes here that could enter the connection: it is entered by what the client sends. */
Test(lb_tunnel, tcp_is_kept_by_the_table)
{
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_IPIP, false);
	p = packet(false, TCP);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 12);
	lb_rig_table(&rig, false, 1);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 12);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TABLE), 1);
	p = packet(false, TCP);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 11);
}

/* What the table has of the connection that had these ends before is not of this one. */
Test(lb_tunnel, a_flood_does_not_keep_an_entry_of_a_connection_before)
{
	struct packet p;
	struct outcome out;

	up(TCP, SL_LB_IPIP, false);
	p = packet(false, TCP);
	p.syn = true;
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 12);
	rig.control.inserts_max = 0;
	lb_rig_control(&rig);
	lb_rig_table(&rig, false, 1);
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 11);
	p.syn = false;
	run_packet(&p, &out);
	cr_expect_eq(out.b[33], 11);
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

Test(lb_tunnel, errors_about_answers_get_to_the_server)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	for (unsigned i = 0; i < 12; i++)
		check_icmp(i & 1, SL_LB_L2 + i / 4, i >> 1 & 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_ICMP), 12);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_ICMP_TABLE), 12);
}
