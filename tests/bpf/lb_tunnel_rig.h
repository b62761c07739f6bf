/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_tunnel_rig.h - direct server return through the balancer of lb_rig.h: packets to its VIPs, and
 * what is to come out, put together here with every checksum made over the whole.
 */
#ifndef TESTS_BPF_LB_TUNNEL_RIG_H
#define TESTS_BPF_LB_TUNNEL_RIG_H

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

static inline void add(struct big *f, const void *from, unsigned n)
{
	memcpy(f->b + f->len, from, n);
	f->len += n;
}

static inline void add16(struct big *f, unsigned value)
{
	uint8_t b[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	add(f, b, 2);
}

static inline void set16(struct big *f, unsigned at, unsigned value)
{
	f->b[at] = (uint8_t)(value >> 8);
	f->b[at + 1] = (uint8_t)value;
}

static inline void add_ip(struct big *f, bool v6, unsigned class, unsigned flow, unsigned frag,
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

static inline uint32_t l4_sum(const struct big *f, bool v6, unsigned l3, unsigned l4,
			      unsigned proto)
{
	uint32_t sum = lb_sum(f->b + l3 + (v6 ? 8 : 12), v6 ? 32 : 8, proto + (f->len - l4));

	return lb_sum(f->b + l4, f->len - l4, sum);
}

static inline void begin(struct big *f, const struct packet *p, bool v6)
{
	struct frame head = {0};

	put_ethernet(&head, p->vlans, v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	memcpy(head.b, lb_mac[0], 6);
	memcpy(head.b + 6, lb_mac[1], 6);
	f->len = 0;
	add(f, head.b, head.len);
	f->l3 = f->len;
}

static inline unsigned l4_header(const struct packet *p)
{
	return p->proto == UDP ? 8 : p->stamps ? 32 : 20;
}

/* From the IP header on. */
static inline void add_packet(struct big *f, const struct packet *p, unsigned ttl)
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

static inline struct packet packet(bool v6, unsigned proto)
{
	static uint16_t port = 30000;

	return (struct packet){.v6 = v6, .proto = proto, .port = port++, .ttl = 64, .data = DATA};
}

static inline void run_packet(const struct packet *p, struct outcome *out)
{
	struct big f = {0};

	begin(&f, p, p->v6);
	add_packet(&f, p, p->ttl);
	lb_rig_run(&rig, f.b, f.len, rig.client_if, out);
}

/* How the VIP's packets go, and to servers of which family. Server i: as the rig has them. */
static inline void forward(unsigned proto, unsigned how, bool server_v6)
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

static inline void up(unsigned proto, unsigned how, bool server_v6)
{
	lb_rig_up(&rig, SL_LB_KEEP_TABLE, 9);
	forward(proto, how, server_v6);
}

static inline unsigned get16(const uint8_t *b, unsigned at)
{
	return (unsigned)b[at] << 8 | b[at + 1];
}

/* What differs by the flow: it is the program's to choose, in one place for each kind. */
static inline unsigned entropy_of(const struct outcome *out, unsigned l3, unsigned how,
				  bool server_v6)
{
	if (how == SL_LB_GUE)
		return get16(out->b, l3 + (server_v6 ? 40 : 20));
	return server_v6 ? get16(out->b, l3 + 2) : 0;
}

/* The frame that is to come out, with the outer headers around. `src`: the outer source. */
static inline void expect(struct big *e, const struct packet *p, unsigned how, bool server_v6,
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

static inline void compare(const struct big *e, const struct outcome *out, const char *what)
{
	cr_assert_eq(out->len, e->len, "%s: %u bytes, not %u", what, out->len, e->len);
	for (unsigned i = 0; i < e->len; i++)
		cr_assert_eq(out->b[i], e->b[i], "%s: byte %u is %02x, not %02x", what, i,
			     out->b[i], e->b[i]);
}

static inline void check(const struct packet *p, unsigned how, bool server_v6)
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

#endif /* TESTS_BPF_LB_TUNNEL_RIG_H */
