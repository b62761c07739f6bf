// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * select: core where connections go in a tunnel: servers hash the outer header. The header that was
 * written is taken as it is, or turned into the one that another server would have had, and which
 * core that reaches is told the second way of lb_core_foretell.h.
 */
#include "lb_core_foretell.h"

#define SPREAD 0xff
#define L3 14
#define UDP 17
#define SYN 2
#define ACK 16

static struct {
	bool gue, v6; /* v6: of the servers */
} outer;

/* --- the balancer's side */

/* Each server has a tunnel from another network. */
static void source_of(unsigned i, __be32 out[4])
{
	lb_address(outer.v6, "10.1.0.0", "fd0a::", out);
	out[3] |= htonl(i << 8);
}

static void tunnel(bool v6, unsigned i)
{
	struct sl_lb_server s = {.vip = v6, .v6 = outer.v6, .state = SL_LB_UP};
	struct sl_lb_tunnel t = {.port = htons(6080), .spread = SPREAD, .foreign = 1};
	uint32_t id = lb_id(v6, i);

	lb_server_address(outer.v6, i, s.addr);
	source_of(i, t.source);
	lb_put(rig.skel->maps.lb_servers, &id, &s);
	lb_put(rig.skel->maps.lb_tunnels, &id, &t);
}

static void keep(enum sl_lb_keep how)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		rig.vip[v6].keep = (uint8_t)how;
		lb_rig_vip(&rig, v6);
	}
}

static void go_by(enum sl_lb_forward forward)
{
	outer.gue = forward == SL_LB_GUE;
	rig.vip[0].forward = rig.vip[1].forward = (uint8_t)forward;
	keep(SL_LB_KEEP_TABLE);
}

static void tunnels_up(enum sl_report_hash hash, bool v6)
{
	up(hash, hash == SL_REPORT_SYMMETRIC ? SL_DEFAULT_BUCKETS : 256);
	outer.v6 = v6;
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
			tunnel(k, i);
			if (hash == SL_REPORT_SYMMETRIC)
				sluice_server(k, i);
		}
	go_by(SL_LB_GUE);
}

static struct sl_lb_ends ends_of(bool v6, uint16_t port)
{
	struct sl_lb_ends e = {.client_port = port, .vip_port = 80, .proto = 6, .v6 = v6};

	lb_client(v6, e.client);
	lb_vip_address(v6, e.vip);
	return e;
}

static struct outcome send_segment(bool v6, uint16_t port, uint8_t flags, bool stamps,
				   uint32_t echo)
{
	struct segment s = {.v6 = v6,
			    .client_port = port,
			    .flags = flags,
			    .options = stamps ? "\1\1\10\12ttttTTTT" : "",
			    .options_n = stamps ? 12 : 0,
			    .echo = echo,
			    .ttl = 64};
	struct outcome out;
	struct frame f;
	unsigned l4;

	segment_build(&s, &f, &l4);
	lb_rig_run(&rig, f.b, f.len, rig.client_if, &out);
	cr_assert_eq(out.verdict, XDP_REDIRECT);
	return out;
}

/* --- the server's side */

static unsigned size(void)
{
	return outer.v6 ? 16 : 4;
}

/* The source's offset; the destination and the ports are behind it. */
static unsigned source_at(void)
{
	return L3 + (outer.v6 ? 8 : 12);
}

static unsigned ports_at(void)
{
	return source_at() + 2 * size();
}

/* The frame as server i would have got it, with this entropy. */
static struct outcome as_sent_to(const struct outcome *out, unsigned i, uint16_t entropy)
{
	struct outcome f = *out;
	__be32 source[4], server[4];

	source_of(i, source);
	source[3] |= htonl(entropy & SPREAD);
	lb_server_address(outer.v6, i, server);
	memcpy(f.b + source_at(), (uint8_t *)source + 16 - size(), size());
	memcpy(f.b + source_at() + size(), (uint8_t *)server + 16 - size(), size());
	if (outer.gue) {
		f.b[ports_at()] = (uint8_t)(entropy >> 8);
		f.b[ports_at() + 1] = (uint8_t)entropy;
	}
	return f;
}

/* Where it arrives at server i of this VIP. */
static unsigned reached(bool v6, unsigned i, const struct outcome *f)
{
	const struct server *s = &servers[v6][i];
	bool ports = outer.gue && s->table.fields[outer.v6 ? SL_REPORT_UDP6 : SL_REPORT_UDP4] ==
					  (SL_REPORT_ADDRESSES | SL_REPORT_PORTS);

	if (s->table.hash == SL_REPORT_SYMMETRIC)
		return steered(steer[v6 * LB_RIG_SERVERS + i], f->b, f->len);
	return s->table
		.core[toeplitz(s->table.key, f->b + source_at(), 2 * size() + (ports ? 4 : 0)) %
		      s->table.entries];
}

static unsigned server_at(const struct outcome *out)
{
	return out->b[source_at() + 2 * size() - 1] - (outer.v6 ? 0x10u : 10u);
}

/* All that a hash may take of the outer header. */
static void same_outer(const struct outcome *a, const struct outcome *b)
{
	unsigned n = 2 * size() + (outer.gue ? 4 : 0);

	cr_assert(!memcmp(a->b + source_at(), b->b + source_at(), n), "another outer header");
	cr_assert(!outer.v6 || !memcmp(a->b + L3, b->b + L3, 4), "another flow label");
}

/* --- tests */

/* What the flow has of its hash. */
static uint16_t natural(bool v6, uint16_t port)
{
	struct sl_lb_ends e = ends_of(v6, port);

	return (uint16_t)(sl_lb_hash(rig.control.key[0], &e) >> 48) | 0xc000;
}

/* The least load that the flow could have met, with its own entropy or one of the next `aims`. */
static uint32_t least(bool v6, uint16_t port, const struct outcome *out, unsigned aims)
{
	uint32_t least = UINT32_MAX;

	for (unsigned i = 0; i < LB_RIG_SERVERS; i++) {
		struct sl_lb_cores c = cores_of(lb_id(v6, i));

		for (unsigned aim = 0; aim < aims; aim++) {
			uint16_t entropy = (uint16_t)(natural(v6, port) + aim) | 0xc000;
			struct outcome f = as_sent_to(out, i, entropy);
			uint32_t load = c.load[reached(v6, i, &f)];

			least = load < least ? load : least;
		}
	}
	return least;
}

static void counted(bool v6, unsigned server, unsigned core, uint64_t times)
{
	cr_assert_eq(chosen(v6, server, core), times, "server %u, core %u: %lu, not %lu", server,
		     core, chosen(v6, server, core), times);
}

/* A connection is begun; it has reached the core that was meant, and no other would be better. */
static struct outcome begin(bool v6, uint16_t port, bool stamps, unsigned aims)
{
	uint64_t before[LB_RIG_SERVERS][CORES];
	unsigned at, core;
	struct outcome out;

	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		for (unsigned c = 0; c < CORES; c++)
			before[i][c] = chosen(v6, i, c);
	out = send_segment(v6, port, SYN, stamps, 0);
	at = server_at(&out);
	cr_assert_lt(at, LB_RIG_SERVERS);
	core = reached(v6, at, &out);
	counted(v6, at, core, before[at][core] + 1);
	cr_assert_eq(cores_of(lb_id(v6, at)).load[core], least(v6, port, &out, aims),
		     "v%d, port %u: server %u, core %u is not the least loaded", v6 ? 6 : 4, port,
		     at, core);
	return out;
}

/* Nothing is remembered of it: the cookie finds the server, the hash gives the same header. */
static void by_its_own_entropy(unsigned flows)
{
	uint64_t cookies = lb_rig_count(&rig, SL_LB_COOKIE);
	uint64_t inserted = lb_rig_count(&rig, SL_LB_INSERTED);

	keep(SL_LB_KEEP_AGENT);
	for (unsigned n = 0; n < flows; n++) {
		bool v6 = n & 1;
		uint16_t port = (uint16_t)(1024 + draw() % 30000);
		struct outcome out = begin(v6, port, true, 1), next;
		struct sl_lb_ends e = ends_of(v6, port);
		uint32_t cookie = sl_cookie(lb_id(v6, server_at(&out)),
					    sl_lb_hash(rig.control.key[0], &e), 0, 9);

		next = send_segment(v6, port, ACK, true, 77u << 9 | cookie);
		same_outer(&out, &next);
	}
	cr_assert_eq(lb_rig_count(&rig, SL_LB_COOKIE) - cookies, flows);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_INSERTED), inserted);
}

/* Of two entropies for each of four servers the best; it outlives the secret that it is from. */
static void aimed(unsigned flows)
{
	uint64_t inserted = lb_rig_count(&rig, SL_LB_INSERTED);
	uint64_t known = lb_rig_count(&rig, SL_LB_TABLE);
	unsigned moved = 0;

	keep(SL_LB_KEEP_TABLE);
	for (unsigned n = 0; n < flows; n++) {
		bool v6 = n & 1;
		uint16_t port = (uint16_t)(32000 + draw() % 30000);
		struct outcome out = begin(v6, port, false, 2), next, own;

		own = as_sent_to(&out, server_at(&out), natural(v6, port));
		moved += !!memcmp(own.b, out.b, ports_at() + 2);
		rig.control.phase = 1;
		lb_rig_control(&rig);
		next = send_segment(v6, port, ACK, false, 0);
		same_outer(&out, &next);
		rig.control.phase = 0;
		lb_rig_control(&rig);
	}
	cr_assert_gt(moved, flows / 5, "%u of %u have another entropy", moved, flows);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_INSERTED) - inserted, flows);
	cr_assert_eq(lb_rig_count(&rig, SL_LB_TABLE) - known, flows);
}

static void foretold(void)
{
	distinct_loads();
	set_flow(0);
	by_its_own_entropy(50);
	aimed(50);
}

static void both_tunnels(enum sl_report_hash hash, bool v6)
{
	tunnels_up(hash, v6);
	foretold();
	go_by(SL_LB_IPIP);
	foretold();
	cr_assert_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 200);
}

Test(lb_core_tunnel, over_ipv4_by_a_nic)
{
	both_tunnels(SL_REPORT_TOEPLITZ, false);
}

Test(lb_core_tunnel, over_ipv6_by_a_nic)
{
	both_tunnels(SL_REPORT_TOEPLITZ, true);
}

Test(lb_core_tunnel, over_ipv4_by_sluice)
{
	both_tunnels(SL_REPORT_SYMMETRIC, false);
}

Test(lb_core_tunnel, over_ipv6_by_sluice)
{
	both_tunnels(SL_REPORT_SYMMETRIC, true);
}

/*
 * Many drivers hash no ports of UDP by default: what is left to aim by is the source. What they
 * take of TCP says nothing of IP in IP.
 */
Test(lb_core_tunnel, by_a_nic_that_takes_addresses_only)
{
	tunnels_up(SL_REPORT_TOEPLITZ, false);
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			memcpy(servers[v6][i].table.fields,
			       (uint8_t[]){0, 0, SL_REPORT_ADDRESSES, 0}, SL_REPORT_FLOWS);
	foretold();
	go_by(SL_LB_IPIP);
	foretold();
}

/* By its own entropy a connection reaches one core of it; aimed, it goes where there is least. */
Test(lb_core_tunnel, the_cores_of_a_single_server_get_alike)
{
	tunnels_up(SL_REPORT_TOEPLITZ, false);
	rig.table.few_n = 1;
	lb_rig_table(&rig, false, 0);
	report(&servers[0][0]);
	set_flow(100);
	for (unsigned n = 0; n < 400; n++)
		send_segment(false, (uint16_t)(1024 + n), SYN, false, 0);
	for (unsigned c = 0; c < CORES; c++)
		cr_expect(chosen(false, 0, c) >= 95 && chosen(false, 0, c) <= 105,
			  "core %u: %lu of 400", c, chosen(false, 0, c));
}

/* A connection id takes over from the table, which alone would know of another entropy. */
Test(lb_core_tunnel, quic_keeps_its_own_entropy)
{
	struct sl_lb_vip_key key = {.proto = UDP, .port = htons(80)};

	tunnels_up(SL_REPORT_TOEPLITZ, false);
	rig.vip[0].keep = SL_LB_KEEP_QUIC;
	lb_vip_address(false, key.addr);
	lb_put(rig.skel->maps.lb_vips, &key, &rig.vip[0]);
	distinct_loads();
	for (uint16_t port = 1024; port < 1064; port++) {
		struct segment s = {.client_port = port, .flags = SYN, .options = "", .ttl = 64};
		struct sl_lb_ends e = ends_of(false, port);
		struct outcome out;
		struct frame f;
		unsigned l4, length, entropy;

		segment_build(&s, &f, &l4); /* TCP's header is a datagram's data here */
		f.b[L3 + 9] = UDP;
		length = f.len - l4;
		f.b[l4 + 4] = (uint8_t)(length >> 8);
		f.b[l4 + 5] = (uint8_t)length;
		f.b[l4 + 8] = 0xc0; /* a long header: an Initial */
		lb_rig_run(&rig, f.b, f.len, rig.client_if, &out);
		cr_assert_eq(out.verdict, XDP_REDIRECT);
		e.proto = UDP;
		entropy = (unsigned)out.b[ports_at()] << 8 | out.b[ports_at() + 1];
		cr_assert_eq(entropy,
			     (uint16_t)(sl_lb_hash(rig.control.key[0], &e) >> 48) | 0xc000);
	}
	cr_assert_eq(lb_rig_count(&rig, SL_LB_BY_LOAD), 40);
}
