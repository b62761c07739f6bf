// SPDX-License-Identifier: GPL-2.0-only
/*
 * lb.bpf.c - the load balancer: a VIP's packets to servers, their answers to the clients.
 *
 * A TCP connection finds its server by a cookie in its timestamps (cookie.h), so no table can
 * forget it; everything else by a connection table and the hash. docs/load-balancer.md has the
 * picture.
 */
#include "lb_answer.h"
#include "lb_choose.h"
#include "lb_core.h"
#include "lb_error.h"
#include "lb_icmp.h"
#include "lb_packet.h"
#include "lb_slot.h"
#include "lb_tunnel.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 sluice_lb_abi = SL_LB_ABI_VERSION;

/* The kernel knows the way but not the neighbour: it takes the translated packet from here. */
static __always_inline int lb_no_hop(long rc)
{
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return lb_end(SL_LB_RESOLVE, XDP_PASS);
	return lb_end(SL_LB_DROP_NO_ROUTE, XDP_DROP);
}

static __always_inline long lb_server_hop(struct xdp_md *ctx, const struct lb *k, __u32 id,
					  const struct sl_lb_server *s, struct lb_hop *hop)
{
	struct lb_hop *known = bpf_map_lookup_elem(&lb_hops, &id);
	long rc;

	if (lb_hop_fresh(known, k->now_ms)) {
		*hop = *known;
		return BPF_FIB_LKUP_RET_SUCCESS;
	}
	rc = lb_route(ctx, k, k->ends.client, s->addr, hop);
	if (known && rc == BPF_FIB_LKUP_RET_SUCCESS) {
		hop->until_ms = k->now_ms + LB_HOP_MS;
		*known = *hop;
	}
	return rc;
}

static __always_inline int lb_forward(struct xdp_md *ctx, struct lb *k, struct lb_choice *c)
{
	const struct sl_lb_server *s = bpf_map_lookup_elem(&lb_servers, &c->server);
	struct lb_change change = {.at = c->restore_at, .value = c->restored};
	struct lb_hop hop = {};
	long rc;

	if (!s || s->state == SL_LB_ABSENT)
		return lb_end(SL_LB_DROP_NO_SERVER, XDP_DROP);
	if (lb_hops_left(ctx, k) <= 1)
		return lb_end(SL_LB_DROP_TTL, XDP_DROP);
	rc = lb_server_hop(ctx, k, c->server, s, &hop);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return lb_no_hop(rc);
	if (rc == BPF_FIB_LKUP_RET_SUCCESS && hop.mtu && k->length > hop.mtu)
		return lb_too_big(ctx, k, hop.mtu);
	if (c->how == SL_LB_SLOT) {
		change.pair_at = k->option;
		change.pair = c->stamp;
	}
	__builtin_memcpy(change.addr, s->addr, 16);
	change.port = s->port;
	if (k->usual ? lb_change_usual(ctx, &change) : lb_change(ctx, k, &change))
		return lb_end(SL_LB_DROP_MALFORMED, XDP_DROP);
	lb_count_forward(k, c);
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return lb_no_hop(rc);
	lb_count(c->how);
	return lb_send(ctx, k, &hop);
}

/* What a server's packet tells of its clock, and the cookie that its timestamp is to carry. */
static __always_inline void lb_write_cookie(struct xdp_md *ctx, struct lb *k,
					    const struct sl_lb_reverse *r,
					    const struct sl_lb_control *ctl,
					    struct lb_change *change)
{
	/* Once: a rotation between mask and cookie would name a server that is not. */
	__u32 phase = *(const volatile __u32 *)&ctl->phase & 1;
	__u32 id = r->server, syn = k->tcp_flags & SL_TCP_SYN;
	struct sl_lb_clock *clock = bpf_map_lookup_elem(&lb_clocks, &id);
	void *at = lb_at(ctx, k->option, 8);
	__u32 stamp;

	if (!clock || !at)
		return;
	stamp = lb_load32(at);
	if (sl_clock_follow(clock, stamp, k->now_ms, syn))
		lb_count(SL_LB_CLOCK_JUMPS);
	if (clock->erratic) {
		lb_mixed();
		return;
	}
	k->hash = sl_lb_hash(ctl->key[phase], &k->ends);
	change->at = k->option;
	change->value = stamp << r->bits | sl_cookie(id, k->hash, phase, r->bits);
}

/* How a server answers SYNs: a RST to one has no sequence number (RFC 9293, 3.5.2). */
static __always_inline void lb_count_answer(struct xdp_md *ctx, const struct lb *k,
					    struct sl_lb_stats *stats)
{
	const __u8 *sequence = lb_at(ctx, k->p.l4_off + 4, 4);

	if (k->tcp_flags & SL_TCP_SYN)
		stats->accepted++;
	else if (sequence && !lb_load32(sequence))
		stats->refused++;
}

/* A server's answer: from the VIP, and with the cookie if that is how its client finds back. */
static __always_inline int lb_reply(struct xdp_md *ctx, struct lb *k, const struct sl_lb_reverse *r,
				    const struct sl_lb_control *ctl)
{
	struct lb_change change = {.source = 1, .port = r->port};
	struct sl_lb_stats *stats;
	__u32 id = r->server;
	struct lb_hop hop = {};
	long rc;

	lb_reply_ends(k, r);
	rc = lb_route(ctx, k, k->ends.vip, k->ends.client, &hop);
	if (r->keep == SL_LB_KEEP_COOKIE && k->option)
		lb_write_cookie(ctx, k, r, ctl, &change);
	if (rc == BPF_FIB_LKUP_RET_NOT_FWDED) /* ours: a health check's */
		return lb_end(SL_LB_PASSED, XDP_PASS);
	if (lb_hops_left(ctx, k) <= 1)
		return lb_end(SL_LB_DROP_TTL, XDP_DROP);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return lb_no_hop(rc);
	if (rc == BPF_FIB_LKUP_RET_SUCCESS && hop.mtu && k->length > hop.mtu)
		return lb_too_big(ctx, k, hop.mtu);
	if (r->keep == SL_LB_KEEP_SLOT && k->option)
		lb_slot_reply(ctx, k, ctl, id, &change);
	if (r->keep != SL_LB_KEEP_NONE && (k->tcp_flags & SL_TCP_SYN)) {
		int cookie = change.at || (r->keep == SL_LB_KEEP_AGENT && k->option);

		if (!cookie)
			lb_answered(k, ctl, r->vip, r->server);
		else if (r->keep == SL_LB_KEEP_SLOT || ctl->mixed) /* the table would be asked */
			lb_forget(k, r->vip);
	}
	__builtin_memcpy(change.addr, r->addr, 16);
	if (k->usual ? lb_change_usual(ctx, &change) : lb_change(ctx, k, &change))
		return lb_end(SL_LB_DROP_MALFORMED, XDP_DROP);
	stats = bpf_map_lookup_elem(&lb_server_stats, &id);
	if (stats) {
		stats->replies++;
		stats->reply_bytes += k->length;
		if (k->tcp_flags & (SL_TCP_SYN | SL_TCP_RST))
			lb_count_answer(ctx, k, stats);
	}
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return lb_no_hop(rc);
	lb_count(SL_LB_REPLY);
	return lb_send(ctx, k, &hop);
}

/* Header, flags and timestamp option of TCP. -1: shorter than it says. */
__noinline int lb_parse_tcp(struct xdp_md *ctx, struct lb *k)
{
	const void *data, *end;
	const __u8 *tcp;
	__u32 length;

	if (!k)
		return -1;
	tcp = lb_at(ctx, k->p.l4_off, SL_TCP_HEADER);
	if (!tcp)
		return -1;
	length = tcp[12] >> 4 << 2;
	k->tcp_flags = tcp[SL_TCP_FLAGS_AT];
	if (length < SL_TCP_HEADER || k->p.l4_off + length > k->p.limit)
		return -1;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	k->option = sl_tcp_timestamp(data, end, k->p.l4_off & LB_MAX_OFFSET, length);
	return 0;
}

static __always_inline int lb_steer_fragment(struct xdp_md *ctx, struct lb *k,
					     const struct sl_lb_control *ctl, struct lb_choice *c)
{
	lb_forward_ends(k);
	k->hash = sl_lb_hash(ctl->key[ctl->phase & 1], &k->ends);
	return lb_choose_fragment(k, c) ? lb_end(c->how, XDP_DROP) : lb_direct(ctx, k, c);
}

static __always_inline int lb_steer(struct xdp_md *ctx, struct lb *k,
				    const struct sl_lb_control *ctl)
{
	struct lb_choice c = {};
	const struct sl_lb_reverse *r;
	int ours = lb_vip(k, ctl, &c.vip);

	r = ours || k->p.flow.fragment ? NULL : lb_server_of(k);
	if (!ours && !r)
		ours = lb_network_vip(&k->p.flow, 0, &c.vip);
	if (k->p.flow.fragment)
		return ours ? lb_steer_fragment(ctx, k, ctl, &c) : lb_end(SL_LB_PASSED, XDP_PASS);
	if (!ours && !r)
		return lb_not_ours(k);
	if (!k->usual && k->p.proto == SL_IP_TCP && lb_parse_tcp(ctx, k))
		return lb_end(SL_LB_DROP_MALFORMED, XDP_DROP);
	if (r)
		return lb_reply(ctx, k, r, ctl);
	lb_forward_ends(k);
	if (c.vip.keep == SL_LB_KEEP_SLOT && lb_slot_forward(ctx, k, ctl, &c))
		return lb_forward(ctx, k, &c);
	k->hash = sl_lb_hash(ctl->key[ctl->phase & 1], &k->ends);
	if (lb_choose(ctx, k, ctl, &c))
		return lb_end(c.how, XDP_DROP);
	if (unlikely(c.by_load)) {
		lb_core_choose(k, &c);
		lb_core_enter(k, ctl, &c);
	}
	return c.vip.forward == SL_LB_NAT ? lb_forward(ctx, k, &c) : lb_direct(ctx, k, &c);
}

/* From here, as not all stacks of lb_icmp() and lb_direct() together fit. */
static __always_inline int lb_steer_quote(struct xdp_md *ctx, struct lb *k,
					  const struct sl_lb_control *ctl)
{
	int verdict = lb_icmp(ctx, k, ctl);
	const struct lb_quote *q;
	__u32 zero = 0;

	if (verdict != LB_ICMP_DIRECT)
		return verdict;
	q = bpf_map_lookup_elem(&lb_quotes, &zero);
	return q ? lb_direct(ctx, k, &q->choice) : XDP_DROP;
}

/* A walk along extension headers. */
__noinline int lb_parse_chain(struct xdp_md *ctx, struct sl_chain *c)
{
	return c ? sl_parse_chain((void *)(long)ctx->data, (void *)(long)ctx->data_end, c)
		 : SL_PASS_UNKNOWN;
}

static __always_inline int lb_parse_v6(struct xdp_md *ctx, __u32 off, struct sl_parsed *p)
{
	int rc = sl_parse_ipv6((void *)(long)ctx->data, (void *)(long)ctx->data_end, off, p);

	if (rc == SL_PARSED && !sl_has_ports(p->proto)) {
		struct sl_chain c = {p->l4_off, p->limit, 0, p->proto};

		rc = lb_parse_chain(ctx, &c);
		sl_parse_chain_end(p, &c);
	}
	if (rc != SL_PARSED)
		return rc;
	return sl_parse_ipv6_l4((void *)(long)ctx->data, (void *)(long)ctx->data_end, p);
}

/* 1: the packet is usual, and *k all that lb_parse() and lb_parse_tcp() would say of it. */
static __always_inline int lb_parse_usual(struct xdp_md *ctx, struct lb *k)
{
	const __be16 *type = lb_at(ctx, 12, sizeof(*type));
	const struct lb_usual *u = lb_at(ctx, LB_USUAL_AT, sizeof(*u));
	__u32 length;

	if (!u || !type)
		return 0;
	length = bpf_ntohs(u->ip.tot_len);
	if (*type != bpf_htons(SL_ETH_IPV4) || u->ip.version_ihl != 0x45 ||
	    u->ip.protocol != SL_IP_TCP || u->ip.frag_off & bpf_htons(0x3fff) ||
	    u->header >> 4 << 4 != LB_USUAL_HEADER || u->option != bpf_htonl(LB_USUAL_OPTION) ||
	    length < sizeof(*u) || LB_USUAL_AT + length > ctx->data_end - ctx->data)
		return 0;
	k->p.flow.src[3] = u->ip.saddr;
	k->p.flow.dst[3] = u->ip.daddr;
	k->p.flow.sport = bpf_ntohs(u->ports.source);
	k->p.flow.dport = bpf_ntohs(u->ports.dest);
	k->p.proto = k->p.flow.proto = SL_IP_TCP;
	k->p.flow.ports = 1;
	k->p.flags = SL_META_V4 | SL_META_PORTS;
	k->p.l3_off = LB_USUAL_AT;
	k->p.l4_off = LB_USUAL_AT + offsetof(struct lb_usual, ports);
	k->p.limit = LB_USUAL_AT + length;
	k->option = LB_USUAL_AT + offsetof(struct lb_usual, stamp);
	k->tcp_flags = u->flags;
	return 1;
}

/* As sl_parse(), but for the flow that an ICMP error quotes: SL_PARSE_QUOTE. */
__noinline int lb_parse_any(struct xdp_md *ctx, struct lb *k)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 type;
	__u32 off;
	int rc;

	if (!k)
		return SL_PASS_UNKNOWN;
	rc = sl_parse_ethernet(data, end, &off, &type, &k->p.vlans);
	if (rc == SL_PARSED && type == SL_ETH_IPV4)
		rc = sl_parse_ipv4(data, end, off, &k->p);
	else if (rc == SL_PARSED && type == SL_ETH_IPV6)
		rc = lb_parse_v6(ctx, off, &k->p);
	else if (rc == SL_PARSED)
		rc = sl_pass_ethertype(type);
	k->ends.v6 = !!(k->p.flags & SL_META_V6);
	return rc;
}

static __always_inline int lb_parse(struct xdp_md *ctx, struct lb *k)
{
	/* The last tick's is exact enough for all that uses it, and reads no TSC. */
	k->now_ms = (__u32)(bpf_ktime_get_coarse_ns() / 1000000);
	k->usual = lb_parse_usual(ctx, k);
	return k->usual ? SL_PARSED : lb_parse_any(ctx, k);
}

SEC("xdp")
int sluice_lb(struct xdp_md *ctx)
{
	const struct sl_lb_control *ctl;
	struct lb k = {};
	__u32 zero = 0;
	int rc;

	ctl = bpf_map_lookup_elem(&lb_control, &zero);
	if (!ctl || sluice_lb_abi != SL_LB_ABI_VERSION)
		return XDP_PASS;
	rc = lb_parse(ctx, &k);
	if (rc == SL_PASS_ARP || rc == SL_PASS_ND ||
	    (rc == SL_PARSED && !k.p.flow.ports && !k.p.flow.fragment))
		return lb_answer(ctx, &k, rc) ? lb_end(SL_LB_ANSWERED, XDP_TX) : lb_not_ours(&k);
	k.length = k.p.limit - k.p.l3_off;
	if (rc == SL_PARSE_QUOTE)
		return lb_steer_quote(ctx, &k, ctl);
	if (rc != SL_PARSED)
		return lb_leave(&k, SL_LB_DROP_MALFORMED);
	return lb_steer(ctx, &k, ctl);
}
