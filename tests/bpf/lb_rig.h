/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_rig.h - the load balancer's program between a client's and a server's network, both in a
 * namespace of the test's own, and TCP segments through it with BPF_PROG_TEST_RUN.
 *
 * Clients 10.0.1.0/24 and fd01::/64 on `cl`, servers 10.0.2.0/24 and fd02::/64 on `sv`; the VIPs
 * 10.9.9.9:80 and [fd09::9]:80; server i is 10.0.2.(10+i):8080 or [fd02::10+i]:8080.
 */
#ifndef TESTS_BPF_LB_RIG_H
#define TESTS_BPF_LB_RIG_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <time.h>

#include <sluice/lb.h>

#include "cookie.h"
#include "frames.h"
#include "lb.skel.h"
#include "testnet.h"

#define LB_RIG_SERVERS 4
#define LB_RIG_V6 8 /* ids of the IPv6 servers begin here */

struct lb_rig {
	struct lb_bpf *skel;
	int prog;
	unsigned client_if, server_if;
	struct sl_lb_control control;
	struct sl_lb_vip vip[2]; /* v4, v6 */
	struct sl_lb_table table;
};

/* A segment: between which ends, and what is in it. */
struct segment {
	bool v6, to_client;
	unsigned vlans, server;
	uint16_t client_port;
	uint8_t flags;
	const char *options; /* each 't' is a byte of TSval, 'T' of TSecr */
	unsigned options_n;
	uint32_t stamp, echo;
	uint8_t ttl;
};

struct outcome {
	uint32_t verdict;
	unsigned len;
	uint8_t b[2048];
};

static const uint8_t lb_mac[4][6] = {
	{2, 0, 0, 0, 1, 1}, /* ours, at the client's side */
	{2, 0, 0, 0, 1, 2}, /* the client */
	{2, 0, 0, 0, 2, 1}, /* ours, at the servers' side */
	{2, 0, 0, 0, 2, 2}, /* all servers */
};

static inline void lb_address(bool v6, const char *four, const char *six, __be32 out[4])
{
	memset(out, 0, 16);
	cr_assert_eq(inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? six : four, v6 ? out : out + 3), 1);
}

static inline void lb_client(bool v6, __be32 out[4])
{
	lb_address(v6, "10.0.1.5", "fd01::5", out);
}

static inline void lb_vip_address(bool v6, __be32 out[4])
{
	lb_address(v6, "10.9.9.9", "fd09::9", out);
}

static inline void lb_server_address(bool v6, unsigned i, __be32 out[4])
{
	lb_address(v6, "10.0.2.10", "fd02::10", out);
	out[3] = htonl(ntohl(out[3]) + i);
}

static inline void lb_put(struct bpf_map *map, const void *key, const void *value)
{
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0, "%s",
		     bpf_map__name(map));
}

static inline void lb_rig_control(struct lb_rig *r)
{
	uint32_t zero = 0;

	lb_put(r->skel->maps.lb_control, &zero, &r->control);
}

static inline void lb_rig_vip(struct lb_rig *r, bool v6)
{
	struct sl_lb_vip_key key = {.proto = IPPROTO_TCP, .port = htons(80)};

	lb_vip_address(v6, key.addr);
	lb_put(r->skel->maps.lb_vips, &key, &r->vip[v6]);
	key.port = 0;
	key.proto = 0;
	lb_put(r->skel->maps.lb_vips, &key, &r->vip[v6]);
	r->control.generation++;
	lb_rig_control(r);
}

static inline unsigned lb_id(bool v6, unsigned i)
{
	return i + v6 * LB_RIG_V6;
}

static inline void lb_rig_state(struct lb_rig *r, bool v6, unsigned i, enum sl_lb_state state)
{
	struct sl_lb_server s = {.port = htons(8080), .vip = v6, .v6 = v6, .state = (uint8_t)state};
	uint32_t id = lb_id(v6, i);

	lb_server_address(v6, i, s.addr);
	lb_put(r->skel->maps.lb_servers, &id, &s);
}

static inline void lb_rig_server(struct lb_rig *r, bool v6, unsigned i)
{
	struct sl_lb_vip_key from = {.proto = IPPROTO_TCP, .port = htons(8080)};
	struct sl_lb_reverse to = {.server = (uint16_t)lb_id(v6, i),
				   .vip = v6,
				   .port = htons(80),
				   .keep = r->vip[v6].keep,
				   .bits = r->vip[v6].bits};

	lb_rig_state(r, v6, i, SL_LB_UP);
	lb_server_address(v6, i, from.addr);
	lb_vip_address(v6, to.addr);
	lb_put(r->skel->maps.lb_reverse, &from, &to);
}

/* The table of a VIP: every row server `only`, or in turn all where that is negative. */
static inline void lb_rig_table(struct lb_rig *r, bool v6, int only)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_rows", 4, sizeof(r->table), 1, NULL);
	uint32_t zero = 0, vip = v6;

	for (unsigned i = 0; i < SL_LB_ROWS; i++)
		r->table.server[i] =
			(uint16_t)lb_id(v6, only < 0 ? i % LB_RIG_SERVERS : (unsigned)only);
	cr_assert(fd >= 0 && !bpf_map_update_elem(fd, &zero, &r->table, 0));
	lb_put(r->skel->maps.lb_tables, &vip, &fd);
	close(fd);
}

static inline void lb_rig_net(struct lb_rig *r)
{
	cr_assert_eq(
		run("ip link add cl address 02:00:00:00:01:01 type veth peer name clp &&"
		    "ip link add sv address 02:00:00:00:02:01 type veth peer name svp &&"
		    "ip link set cl up && ip link set clp up && ip link set sv up && ip link set "
		    "svp up &&"
		    "ip addr add 10.0.1.1/24 dev cl && ip addr add 10.0.2.1/24 dev sv &&"
		    "ip -6 addr add fd01::1/64 dev cl nodad && ip -6 addr add fd02::1/64 dev sv "
		    "nodad &&"
		    "ip neigh add 10.0.1.5 lladdr 02:00:00:00:01:02 dev cl &&"
		    "ip neigh add fd01::5 lladdr 02:00:00:00:01:02 dev cl &&"
		    "sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1"),
		0);
	for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
		cr_assert_eq(run("ip neigh add 10.0.2.%u lladdr 02:00:00:00:02:02 dev sv &&"
				 "ip neigh add fd02::%x lladdr 02:00:00:00:02:02 dev sv",
				 10 + i, 0x10 + i),
			     0);
	r->client_if = if_nametoindex("cl");
	r->server_if = if_nametoindex("sv");
}

static inline void lb_rig_up(struct lb_rig *r, enum sl_lb_keep keep, unsigned bits)
{
	/* Each test has a process of its own, whose end takes it down: found till then, no leak. */
	static struct lb_bpf *volatile loaded;
	struct sl_lb_port port = {.mac = {2, 0, 0, 0, 1, 1}};

	testnet_enter();
	lb_rig_net(r);
	loaded = r->skel = lb_bpf__open_and_load();
	cr_assert_not_null(loaded);
	r->prog = bpf_program__fd(r->skel->progs.sluice_lb);
	cr_assert_eq(bpf_xdp_attach((int)r->client_if, r->prog, XDP_FLAGS_DRV_MODE, NULL), 0);
	cr_assert_eq(bpf_xdp_attach((int)r->server_if, r->prog, XDP_FLAGS_DRV_MODE, NULL), 0);
	lb_put(r->skel->maps.lb_ports, &r->client_if, &port);
	r->control =
		(struct sl_lb_control){.key = {{1, 2}, {3, 4}},
				       .inserts_max = 1000,
				       .slot_key = {5, 6},
				       .slot_blocks = bpf_map__max_entries(r->skel->maps.lb_slots)};
	lb_rig_control(r);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		r->vip[v6] = (struct sl_lb_vip){
			.id = (uint16_t)v6, .keep = (uint8_t)keep, .bits = (uint8_t)bits};
		lb_rig_vip(r, v6);
		for (unsigned i = 0; i < LB_RIG_SERVERS; i++)
			lb_rig_server(r, v6, i);
		lb_rig_table(r, v6, -1);
	}
}

/* The server's clock as it is in the map; now in the map's milliseconds. */
static inline struct sl_lb_clock lb_rig_clock(struct lb_rig *r, unsigned id)
{
	struct sl_lb_clock c;

	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.lb_clocks), &id, &c), 0);
	return c;
}

static inline uint32_t lb_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static inline void lb_rig_set_clock(struct lb_rig *r, unsigned id, uint32_t stamp)
{
	struct sl_lb_clock c = {.now = (uint64_t)stamp << 32 | lb_now_ms()};

	lb_put(r->skel->maps.lb_clocks, &id, &c);
}

static inline uint64_t lb_rig_count(struct lb_rig *r, uint32_t what)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t value[cpus > 0 ? cpus : 1], sum = 0;

	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.lb_counts), &what, value), 0);
	for (int i = 0; i < cpus; i++)
		sum += value[i];
	return sum;
}

/* Sum of the 16-bit words, not yet complemented. */
static inline uint32_t lb_sum(const uint8_t *b, unsigned n, uint32_t sum)
{
	for (unsigned i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Of the TCP segment at `l4`, with the pseudo-header: 0xffff where the checksum is right. */
static inline uint32_t lb_tcp_sum(const uint8_t *b, bool v6, unsigned l3, unsigned l4, unsigned len)
{
	uint32_t sum = lb_sum(b + l3 + (v6 ? 8 : 12), v6 ? 32 : 8, 6 + (len - l4));

	return lb_sum(b + l4, len - l4, sum);
}

static inline void segment_build(const struct segment *s, struct frame *f, unsigned *l4)
{
	__be32 client[4], other[4];
	unsigned header = 20 + s->options_n, payload = s->flags & 2 ? 0 : 7, check;
	const uint8_t *src, *dst;

	lb_client(s->v6, client);
	if (s->to_client)
		lb_server_address(s->v6, s->server, other);
	else
		lb_vip_address(s->v6, other);
	src = (const uint8_t *)(s->to_client ? other : client);
	dst = (const uint8_t *)(s->to_client ? client : other);
	put_ethernet(f, s->vlans, s->v6 ? SL_ETH_IPV6 : SL_ETH_IPV4);
	if (s->v6) {
		put32(f, 0x60000000);
		put16(f, header + payload);
		put8(f, 6);
		put8(f, s->ttl);
		put_bytes(f, src, 16);
		put_bytes(f, dst, 16);
	} else {
		put16(f, 0x4500);
		put16(f, 20 + header + payload);
		put32(f, 0x12344000);
		put8(f, s->ttl);
		put8(f, 6);
		put16(f, 0);
		put_bytes(f, src + 12, 4);
		put_bytes(f, dst + 12, 4);
		check = ~lb_sum(f->b + f->l3, 20, 0) & 0xffff;
		f->b[f->l3 + 10] = (uint8_t)(check >> 8);
		f->b[f->l3 + 11] = (uint8_t)check;
	}
	*l4 = f->len;
	put16(f, s->to_client ? 8080 : s->client_port);
	put16(f, s->to_client ? s->client_port : 80);
	put32(f, 0x11223344);
	put32(f, 0x55667788);
	put8(f, (uint8_t)(header / 4 << 4));
	put8(f, s->flags);
	put16(f, 501);
	put32(f, 0);
	for (unsigned i = 0, t = 0, e = 0; i < s->options_n; i++) {
		if (s->options[i] == 't')
			put8(f, (uint8_t)(s->stamp >> (24 - 8 * t++)));
		else if (s->options[i] == 'T')
			put8(f, (uint8_t)(s->echo >> (24 - 8 * e++)));
		else
			put8(f, (uint8_t)s->options[i]);
	}
	put_bytes(f, "payload", payload);
	check = ~lb_tcp_sum(f->b, s->v6, f->l3, *l4, f->len) & 0xffff;
	f->b[*l4 + 16] = (uint8_t)(check >> 8);
	f->b[*l4 + 17] = (uint8_t)check;
}

static inline void lb_rig_run(struct lb_rig *r, const uint8_t *b, unsigned len, unsigned ifindex,
			      struct outcome *out)
{
	struct xdp_md ctx = {.data_end = len, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b, .data_size_in = len, .data_out = out->b,
		    .data_size_out = sizeof(out->b), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = 1);

	cr_assert_eq(bpf_prog_test_run_opts(r->prog, &opts), 0, "%s", strerror(errno));
	out->verdict = opts.retval;
	out->len = opts.data_size_out;
}

/* A frame from the client's side. */
static inline struct outcome lb_rig_raw(struct lb_rig *r, const struct frame *f)
{
	struct outcome out;

	lb_rig_run(r, f->b, f->len, r->client_if, &out);
	return out;
}

#endif /* TESTS_BPF_LB_RIG_H */
