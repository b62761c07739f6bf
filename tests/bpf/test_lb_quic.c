// SPDX-License-Identifier: GPL-2.0-or-later
/* QUIC by connection id: every packet out is compared byte for byte with one made by hand. */
#include "lb_quic_rig.h"

static struct lb_rig rig;

TestSuite(lb_quic, .timeout = 60);

static struct outcome pass(const struct quic_packet *q)
{
	struct frame f;

	quic_build(q, &f);
	return lb_rig_raw(&rig, &f);
}

static struct quic_packet packet(bool v6, bool long_header)
{
	static uint16_t port = 30000;

	return (struct quic_packet){.v6 = v6,
				    .long_header = long_header,
				    .type = 0x40,
				    .client_port = port++,
				    .payload = 24};
}

static unsigned server_of(const struct outcome *out, bool v6)
{
	return out->b[14 + (v6 ? 39 : 19)] - (v6 ? 0x10u : 10u);
}

/* To server i, addresses and port changed, one hop less; nothing else. */
static void expect_at(const struct quic_packet *q, const struct outcome *out, unsigned i)
{
	__be32 addr[4];
	struct frame f;
	unsigned l4 = quic_build(q, &f), size = q->v6 ? 16 : 4;

	lb_server_address(q->v6, i, addr);
	memcpy(f.b, lb_mac[3], 6);
	memcpy(f.b + 6, lb_mac[2], 6);
	memcpy(f.b + l4 - size, (uint8_t *)addr + 16 - size, size);
	f.b[l4 + 2] = 8080 >> 8;
	f.b[l4 + 3] = 8080 & 0xff;
	f.b[f.l3 + (q->v6 ? 7 : 8)]--;
	quic_checksums(&f, q->v6, l4);
	cr_assert_eq(out->verdict, XDP_REDIRECT, "verdict %u", out->verdict);
	cr_assert_eq(out->len, f.len);
	for (unsigned k = 0; k < f.len; k++)
		cr_assert_eq(out->b[k], f.b[k], "v6 %d, long %d, octet %u is %02x, not %02x", q->v6,
			     q->long_header, k, out->b[k], f.b[k]);
}

static uint64_t fallbacks(void)
{
	return lb_rig_count(&rig, SL_LB_CID_NO_CONFIG) + lb_rig_count(&rig, SL_LB_CID_SHORT) +
	       lb_rig_count(&rig, SL_LB_CID_BAD) + lb_rig_count(&rig, SL_LB_CID_DOWN);
}

/* From another port each time, with no row of the table that names the server. */
Test(lb_quic, a_connection_id_finds_its_server_from_any_address)
{
	unsigned n = 0;

	quic_rig_up(&rig);
	for (unsigned number = 0; number < QUIC_CONFIGS; number++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			for (unsigned form = 0; form < 8; form++) {
				struct quic_packet q = packet(form & 1, form & 2);
				struct outcome out;

				if (!number && !form)
					for (unsigned v6 = 0; v6 < 2; v6++)
						lb_rig_table(&rig, v6,
							     (int)((i + 1) % LB_RIG_SERVERS));
				q.type = form & 4 ? 0x20 : 0x7f; /* the bits are the version's */
				q.cid_n = form * 5; /* random bits of the first octet */
				quic_cid(&q, number, i);
				if (form & 4) /* what a server may append */
					q.cid[q.cid_n++] = 0xee;
				out = pass(&q);
				expect_at(&q, &out, i);
				n++;
			}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_QUIC), n);
	cr_expect_eq(fallbacks(), 0);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_INSERTED), 0);
}

/* The handshake: a client's own connection id, then all packets from there, until the server's. */
Test(lb_quic, packets_without_a_servers_id_stay_by_the_table)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct quic_packet q;
		struct outcome out;
		uint64_t before;

		if (!v6)
			quic_rig_up(&rig);
		lb_rig_table(&rig, v6, 2);
		q = packet(v6, true);
		q.cid_n = 8;
		memset(q.cid, 0xff, 8); /* configuration 7: of none */
		before = lb_rig_count(&rig, SL_LB_NEW);
		out = pass(&q);
		expect_at(&q, &out, 2);
		cr_expect_eq(lb_rig_count(&rig, SL_LB_NEW), before + 1);
		lb_rig_table(&rig, v6, 1);
		for (unsigned octet = 0xa0; octet < 0x100; octet += 0x20) { /* 5 is not there */
			q.cid[0] = (uint8_t)octet;
			q.long_header = octet & 0x20;
			out = pass(&q);
			expect_at(&q, &out, 2);
		}
		cr_expect_eq(lb_rig_count(&rig, SL_LB_NEW), before + 1);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_CID_NO_CONFIG), 8);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_TABLE), 6);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_QUIC), 0);
}

/* Not of a connection that anybody knows: by the hash, and counted as such. */
Test(lb_quic, a_short_header_starts_nothing)
{
	struct quic_packet q;
	struct outcome out;

	quic_rig_up(&rig);
	lb_rig_table(&rig, false, 3);
	q = packet(false, false);
	q.cid_n = 8;
	q.cid[0] = 0xe0;
	out = pass(&q);
	expect_at(&q, &out, 3);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_HASHED), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_NEW), 0);
}

/* A client's own connection id that happens to name a server is routable: all its packets agree. */
Test(lb_quic, servers_that_drain_stay_those_gone_or_down_go_to_the_pool)
{
	static const struct {
		enum sl_lb_state state;
		unsigned server;
		uint32_t count;
	} cases[] = {{SL_LB_DRAIN, 3, SL_LB_QUIC},
		     {SL_LB_DOWN, 1, SL_LB_CID_DOWN},
		     {SL_LB_ABSENT, 1, SL_LB_CID_BAD},
		     {SL_LB_UP, 3, SL_LB_QUIC}};

	quic_rig_up(&rig);
	lb_rig_table(&rig, false, 1);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned number = 0; number < QUIC_CONFIGS; number++) {
			struct quic_packet q = packet(false, number & 1);
			uint64_t before = lb_rig_count(&rig, cases[i].count);
			struct outcome out;

			lb_rig_state(&rig, false, 3, cases[i].state);
			quic_cid(&q, number, 3);
			out = pass(&q);
			expect_at(&q, &out, cases[i].server);
			cr_expect_eq(lb_rig_count(&rig, cases[i].count), before + 1);
		}
}

/* Another VIP's servers are not this one's, whatever a connection id says. */
Test(lb_quic, a_server_of_another_vip_is_none)
{
	struct sl_lb_quic_server name = {.id = {0, 0x7777}};
	uint32_t id = lb_id(true, 0);
	struct quic_packet q;
	struct sl_lb_quic_config c = quic_config(1);
	uint8_t nonce[8] = {1};

	quic_rig_up(&rig);
	lb_put(rig.skel->maps.lb_quic_servers, &name, &id);
	q = packet(false, false);
	q.cid_n = sl_quic_encode(&c, 1 << 5, name.id, nonce, q.cid);
	pass(&q);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_CID_BAD), 1);
	cr_expect_eq(lb_rig_count(&rig, SL_LB_QUIC), 0);
}

Test(lb_quic, configurations_come_and_go)
{
	struct quic_packet old, new;
	struct outcome out;

	quic_rig_up(&rig);
	lb_rig_table(&rig, false, 0);
	quic_rig_configs(&rig, false, 1 << 1);
	old = packet(false, false);
	quic_cid(&old, 1, 2);
	new = packet(false, false);
	quic_cid(&new, 4, 3);
	out = pass(&old);
	cr_expect_eq(server_of(&out, false), 2);
	out = pass(&new);
	cr_expect_eq(server_of(&out, false), 0);
	quic_rig_configs(&rig, false, 1 << 1 | 1 << 4);
	out = pass(&old);
	cr_expect_eq(server_of(&out, false), 2);
	out = pass(&new);
	cr_expect_eq(server_of(&out, false), 3);
	quic_rig_configs(&rig, false, 1 << 4);
	out = pass(&old);
	cr_expect_eq(server_of(&out, false), 0);
	out = pass(&new);
	cr_expect_eq(server_of(&out, false), 3);
}

/* Direct server return: the tunnel leads to the server that the connection id names. */
Test(lb_quic, through_a_tunnel)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_UDP, .port = htons(QUIC_PORT)};
	struct sl_lb_tunnel t = {0};

	quic_rig_up(&rig);
	lb_address(false, "10.0.2.1", "", t.source);
	lb_vip_address(false, key.addr);
	rig.vip[0].forward = SL_LB_IPIP;
	lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[0]);
	rig.control.generation++;
	lb_rig_control(&rig);
	lb_rig_table(&rig, false, 0);
	for (uint32_t i = 0; i < LB_RIG_SERVERS; i++) {
		struct quic_packet q = packet(false, i & 1);
		struct outcome out;

		lb_put(rig.skel->maps.lb_tunnels, &i, &t);
		quic_cid(&q, i + 1, i);
		out = pass(&q);
		cr_expect_eq(out.verdict, XDP_REDIRECT);
		cr_expect_eq(out.b[14 + 9], 4);
		cr_expect_eq(server_of(&out, false), i);
	}
	cr_expect_eq(lb_rig_count(&rig, SL_LB_QUIC), LB_RIG_SERVERS);
}

/* Cut off behind each octet, in the packet and in what the long header says. */
Test(lb_quic, short_packets)
{
	quic_rig_up(&rig);
	for (unsigned form = 0; form < 4; form++)
		for (unsigned number = 0; number < QUIC_CONFIGS; number++) {
			struct quic_packet q = packet(form & 1, form & 2);
			struct frame whole, f;
			unsigned l4, head = 8 + (q.long_header ? 6 : 1);

			q.payload = 0;
			quic_cid(&q, number, 1);
			l4 = quic_build(&q, &whole);
			for (unsigned n = 8; n <= head + q.cid_n; n++) {
				uint64_t routed = lb_rig_count(&rig, SL_LB_QUIC);
				uint64_t back = fallbacks();
				struct outcome out;

				f = whole;
				f.len = l4 + n;
				f.b[q.v6 ? f.l3 + 5 : f.l3 + 3] = (uint8_t)(q.v6 ? n : 20 + n);
				f.b[l4 + 5] = (uint8_t)n;
				quic_checksums(&f, q.v6, l4);
				out = lb_rig_raw(&rig, &f);
				cr_expect_eq(out.verdict, XDP_REDIRECT);
				cr_expect_eq(lb_rig_count(&rig, SL_LB_QUIC) - routed,
					     n == head + q.cid_n, "%u of %u", n, head + q.cid_n);
				cr_expect_eq(fallbacks() - back, n < head + q.cid_n);
			}
		}
}

Test(lb_quic, the_length_in_a_long_header_holds)
{
	struct quic_packet q;
	struct frame f;
	unsigned l4;

	quic_rig_up(&rig);
	for (unsigned number = 0; number < QUIC_CONFIGS; number++) {
		q = packet(false, true);
		quic_cid(&q, number, 1);
		l4 = quic_build(&q, &f);
		for (unsigned n = 0; n < 256; n++) {
			uint64_t routed = lb_rig_count(&rig, SL_LB_QUIC);

			f.b[l4 + 8 + 5] = (uint8_t)n;
			quic_checksums(&f, false, l4);
			lb_rig_raw(&rig, &f);
			cr_expect_eq(lb_rig_count(&rig, SL_LB_QUIC) - routed,
				     n >= q.cid_n && n <= q.cid_n + q.payload, "%u", n);
		}
	}
}

/* Each packet is counted once, and goes to a server of the VIP or nowhere. */
Test(lb_quic, garbage)
{
	uint64_t seed = 1, sum;
	unsigned n = 20000;

	quic_rig_up(&rig);
	for (unsigned i = 0; i < n; i++) {
		struct quic_packet q = packet(i & 1, i & 2);
		struct outcome out;

		q.cid_n = (unsigned)(seed >> 40) % 24;
		for (unsigned k = 0; k < sizeof(q.cid); k++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			q.cid[k] = (uint8_t)(seed >> 56);
		}
		q.payload = (unsigned)(seed >> 33) % 24;
		out = pass(&q);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		cr_assert_lt(server_of(&out, q.v6), LB_RIG_SERVERS);
	}
	sum = lb_rig_count(&rig, SL_LB_NEW) + lb_rig_count(&rig, SL_LB_TABLE) +
	      lb_rig_count(&rig, SL_LB_HASHED);
	cr_expect_eq(sum, fallbacks());
	cr_expect_eq(sum + lb_rig_count(&rig, SL_LB_QUIC), n);
}
