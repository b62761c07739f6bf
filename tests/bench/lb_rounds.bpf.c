// SPDX-License-Identifier: GPL-2.0-only
/*
 * lb_rounds.bpf.c - a packet of another flow each time for the load balancer, in the one buffer
 * that a test run repeats on; and connection tracking in BPF's hash tables, to compare it with.
 *
 * The load balancer's source is taken whole, so that what is measured is what is shipped, and the
 * baselines parse, translate and count with its functions.
 */
#include "../../bpf/lb.bpf.c"

#include "lb_rounds.h"

struct lb_rounds_state rounds = {};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} rounds_next SEC(".maps");

struct five_tuple {
	__be32 src, dst;
	__u16 sport, dport;
	__u32 proto;
};

struct tracked {
	__u32 server, seen_ms;
	__u64 packets;
};

SL_MAP(tracked_hash, BPF_MAP_TYPE_HASH, 0, LB_ROUNDS_ENTRIES, struct five_tuple, struct tracked);
SL_MAP(tracked_lru, BPF_MAP_TYPE_LRU_HASH, 0, LB_ROUNDS_ENTRIES, struct five_tuple, struct tracked);

#define ROUNDS_SLOTS (1 << 20) /* a power of two, and not fewer than flows */
struct rounds_slots {
	__u16 slot[ROUNDS_SLOTS];
};
SL_MAP(rounds_slots, BPF_MAP_TYPE_ARRAY, 0, 1, __u32, struct rounds_slots);

static __always_inline __u16 *round_slot(__u32 flow)
{
	__u32 zero = 0;
	struct rounds_slots *all = bpf_map_lookup_elem(&rounds_slots, &zero);

	return all ? &all->slot[flow & (ROUNDS_SLOTS - 1)] : NULL;
}

/* The packets of a run, drawn beforehand: finding out a flow's slot is no part of any contender. */
struct round_packet {
	__u32 flow, slot;
};
SL_MAP(rounds_packets, BPF_MAP_TYPE_ARRAY, 0, LB_ROUNDS_PACKETS, __u32, struct round_packet);

static __always_inline struct round_packet *round_packet(void)
{
	__u32 at = rounds.at++ & (LB_ROUNDS_PACKETS - 1);

	return bpf_map_lookup_elem(&rounds_packets, &at);
}

/* Four flows a client. */
static __always_inline void round_ends(__u32 flow, struct sl_lb_ends *e)
{
	e->client[3] = bpf_htonl(LB_ROUNDS_CLIENT + (flow >> 2));
	e->client_port = 1024 + (flow & 3) * 16001;
	e->vip[3] = bpf_htonl(LB_ROUNDS_VIP);
	e->vip_port = LB_ROUNDS_PORT;
	e->proto = SL_IP_TCP;
}

static __always_inline __u32 round_server(__u64 hash)
{
	return (hash >> 40) & (LB_ROUNDS_SERVERS - 1);
}

static __always_inline __u32 round_random(__u32 below)
{
	__u64 x = rounds.random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	rounds.random = x;
	return (x >> 32) * below >> 32;
}

/*
 * An ACK with the timestamp option. Words of four bytes, as the load balancer reads them: a load
 * across two stores that are still under way would wait for them. Checksums are what they are, for
 * nobody verifies them; all is written again because the translation changed it.
 */
static __always_inline int round_write(struct xdp_md *ctx, const struct sl_lb_ends *e, __u32 stamp,
				       __u32 echo)
{
	__u32 *w = (void *)(long)ctx->data;
	__u16 *eth = (void *)w;
	__u32 *ip = (void *)(eth + 7);

	if ((void *)(ip + 13) > (void *)(long)ctx->data_end)
		return -1;
	w[0] = 2;
	w[1] = 2;
	w[2] = 2;
	eth[6] = bpf_htons(SL_ETH_IPV4);
	ip[0] = bpf_htonl(0x45000034);
	ip[1] = bpf_htonl(0x12344000);
	ip[2] = bpf_htonl(0x40065678);
	ip[3] = e->client[3];
	ip[4] = e->vip[3];
	ip[5] = bpf_htonl((__u32)e->client_port << 16 | e->vip_port);
	ip[6] = bpf_htonl(0x11223344);
	ip[7] = bpf_htonl(0x55667788);
	ip[8] = bpf_htonl(0x80100200);
	ip[9] = bpf_htonl(0x9abc0000);
	ip[10] = bpf_htonl(0x0101080a);
	ip[11] = bpf_htonl(stamp);
	ip[12] = bpf_htonl(echo);
	return 0;
}

SEC("xdp")
int lb_draw(struct xdp_md *ctx)
{
	struct round_packet *p = round_packet();
	const __u16 *slot;

	if (!p)
		return XDP_ABORTED;
	p->flow = round_random(rounds.flows);
	slot = round_slot(p->flow);
	p->slot = slot ? *slot : 0;
	return XDP_PASS;
}

/* The next packet, and the program under test. */
SEC("xdp")
int lb_round(struct xdp_md *ctx)
{
	const struct round_packet *p = round_packet();
	struct sl_lb_ends e = {};
	__u32 cookie, echo;
	__u64 hash;

	if (!p)
		return XDP_ABORTED;
	round_ends(p->flow, &e);
	hash = sl_lb_hash(rounds.key, &e);
	cookie = sl_cookie(round_server(hash), hash, 0, LB_ROUNDS_BITS);
	echo = rounds.stamp++ << LB_ROUNDS_BITS | cookie;
	if (rounds.slots)
		echo = sl_slot_wire(LB_ROUNDS_STAMP, p->slot);
	if (round_write(ctx, &e, rounds.clock, echo))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &rounds_next, 0);
	return XDP_ABORTED;
}

/* In the place of a load balancer: what is left is the price of a round. */
SEC("xdp")
int lb_nothing(struct xdp_md *ctx)
{
	return XDP_REDIRECT;
}

static __always_inline void tracked_key(struct five_tuple *key, __be32 src, __be32 dst, __u16 sport,
					__u16 dport, __u8 proto)
{
	key->src = src;
	key->dst = dst;
	key->sport = sport;
	key->dport = dport;
	key->proto = proto;
}

/* What the load balancer does before it looks for a server. 0: the VIP in *c. */
static __always_inline int round_read(struct xdp_md *ctx, struct lb *k, struct lb_choice *c)
{
	const struct sl_lb_control *ctl;
	__u32 zero = 0;

	ctl = bpf_map_lookup_elem(&lb_control, &zero);
	if (!ctl || lb_parse(ctx, k) != SL_PARSED || !lb_vip(k, ctl, &c->vip) ||
	    (!k->usual && lb_parse_tcp(ctx, k)))
		return -1;
	k->length = k->p.limit - k->p.l3_off;
	lb_forward_ends(k);
	return 0;
}

static __always_inline int lb_tracked(struct xdp_md *ctx, void *table)
{
	struct lb_choice c = {.how = SL_LB_TABLE};
	struct five_tuple key;
	struct tracked *known;
	struct lb k = {};

	if (round_read(ctx, &k, &c))
		return lb_end(SL_LB_PASSED, XDP_PASS);
	tracked_key(&key, k.p.flow.src[3], k.p.flow.dst[3], k.p.flow.sport, k.p.flow.dport,
		    k.p.flow.proto);
	known = bpf_map_lookup_elem(table, &key);
	if (!known)
		return lb_end(SL_LB_DROP_NO_SERVER, XDP_DROP);
	known->seen_ms = k.now_ms;
	known->packets++;
	c.server = known->server;
	return lb_forward(ctx, &k, &c);
}

SEC("xdp")
int lb_tracked_hash(struct xdp_md *ctx)
{
	return lb_tracked(ctx, &tracked_hash);
}

SEC("xdp")
int lb_tracked_lru(struct xdp_md *ctx)
{
	return lb_tracked(ctx, &tracked_lru);
}

/* The finalizer of MurmurHash3 over the 5-tuple: about as cheap as a hash that spreads can be. */
static __always_inline __u64 unkeyed_hash(const struct sl_tuple *t)
{
	__u64 x = (__u64)t->src[3] << 32 | t->dst[3];

	x ^= ((__u64)t->sport << 16 | t->dport) * 0x9e3779b97f4a7c15 + t->proto;
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

/* Plain hash as one would write it who has nothing to hide and nothing else to serve. */
SEC("xdp")
int lb_unkeyed(struct xdp_md *ctx)
{
	struct lb_choice c = {.how = SL_LB_HASHED};
	struct lb k = {};

	if (round_read(ctx, &k, &c))
		return lb_end(SL_LB_PASSED, XDP_PASS);
	k.hash = unkeyed_hash(&k.p.flow);
	if (lb_pick(&k, &c, SL_LB_BY_HASH))
		return lb_end(SL_LB_DROP_NO_SERVER, XDP_DROP);
	return lb_forward(ctx, &k, &c);
}

/* A slot for the flow, confirmed as its client would. */
static __always_inline int round_take(const struct lb *k, __u32 server, __u16 *slot)
{
	struct sl_slot_start start = {.server = server, .server_stamp = LB_ROUNDS_STAMP};
	struct sl_slot_segment g = {};
	struct sl_lb_block *b;
	__u32 at;
	int taken;

	start.hash = g.hash = sl_lb_hash(rounds.key, &k->ends);
	start.now_ms = g.now_ms = (__u32)(bpf_ktime_get_coarse_ns() / 1000000);
	at = sl_slot_block(g.hash, LB_ROUNDS_BLOCKS);
	b = bpf_map_lookup_elem(&lb_slots, &at);
	taken = b && slot ? sl_slot_take(b, 0, &start) : -1;
	if (taken < 0)
		return -1;
	*slot = (__u16)taken;
	g.echo = sl_slot_wire(LB_ROUNDS_STAMP, (__u32)taken);
	return sl_slot_use(b, &g) ? 0 : -1;
}

/* The next flow is a live one: the tables know it. */
SEC("xdp")
int lb_fill(struct xdp_md *ctx)
{
	struct sl_lb_connection connection;
	struct five_tuple key;
	struct tracked value = {};
	__u16 *slot = round_slot(rounds.filled);
	struct lb k = {};

	round_ends(rounds.filled++, &k.ends);
	value.server = round_server(sl_lb_hash(rounds.key, &k.ends));
	tracked_key(&key, k.ends.client[3], k.ends.vip[3], k.ends.client_port, k.ends.vip_port,
		    k.ends.proto);
	lb_connection_key(&k, 0, &connection);
	if (bpf_map_update_elem(&tracked_hash, &key, &value, BPF_ANY) ||
	    bpf_map_update_elem(&tracked_lru, &key, &value, BPF_ANY) ||
	    bpf_map_update_elem(&lb_connections, &connection, &value.server, BPF_ANY) ||
	    round_take(&k, value.server, slot))
		rounds.failed++;
	return XDP_PASS;
}
