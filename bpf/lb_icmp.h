/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lb_icmp.h - errors of ICMP about connections through the balancer. One toward a VIP quotes what a
 * server sent, and goes to that server; one toward a client quotes what it sent to a VIP. Both find
 * in the quote what they know: their packet as they had sent it (RFC 5508, 4.2, is NAT's rule).
 */
#ifndef SLUICE_LB_ICMP_H
#define SLUICE_LB_ICMP_H

#include "lb_choose.h"
#include "lb_quote.h"
#include "lb_slot.h"

/* Errors that are relayed, per CPU and second: Linux sends as many, net.ipv4.icmp_msgs_per_sec. */
#define LB_ICMP_MAX 1000

/*
 * Whose packet is quoted: by the cookie in its TSval, by the connection table, or by the row, which
 * is right if no row changed since the connection began.
 */
__noinline int lb_quote_choose(struct xdp_md *ctx, struct lb *k, const struct sl_lb_control *ctl,
			       struct lb_quote *q)
{
	struct lb_choice *c;
	int rc = 0;

	if (!k || !ctl || !q)
		return -1;
	c = &q->choice;
	k->hash = sl_lb_hash(ctl->key[ctl->phase & 1], &k->ends);
	/* lb_cookie() looks at TSecr, where clients have what servers sent in TSval. */
	k->option = q->stamp - 4;
	if (q->stamp && lb_has_cookies(&c->vip))
		rc = lb_cookie(ctx, k, ctl, c);
	else if (q->stamp && c->vip.keep == SL_LB_KEEP_SLOT)
		rc = lb_slot_quote(ctx, k, ctl, c);
	if (rc > 0) {
		q->how = SL_LB_ICMP_COOKIE;
		return 0;
	}
	c->restore_at = 0;
	if (!rc && c->vip.keep != SL_LB_KEEP_NONE && lb_known(k, c)) {
		q->how = SL_LB_ICMP_TABLE;
		return 0;
	}
	q->how = SL_LB_ICMP_HASHED;
	return rc < 0 ? -1 : lb_pick(k, c, SL_LB_BY_HASH);
}

/* Toward a VIP. 0, or -1 and the reason in q->choice.how. */
static __always_inline int lb_icmp_choose(struct xdp_md *ctx, struct lb *k,
					  const struct sl_lb_control *ctl, struct lb_quote *q)
{
	__builtin_memcpy(k->ends.client, q->flow.dst, 16);
	__builtin_memcpy(k->ends.vip, q->flow.src, 16);
	k->ends.client_port = q->flow.dport;
	k->ends.vip_port = q->flow.sport;
	q->choice.how = SL_LB_DROP_NO_SERVER;
	return lb_quote_choose(ctx, k, ctl, q);
}

/* Its address is not what the quote has. 0, or -1 as above. */
static __always_inline int lb_icmp_to_server(struct lb_quote *q)
{
	const struct sl_lb_server *s;

	s = bpf_map_lookup_elem(&lb_servers, &q->choice.server);
	q->choice.how = SL_LB_DROP_NO_SERVER;
	if (!s || s->state == SL_LB_ABSENT)
		return -1;
	q->change.source = 1;
	q->change.port = s->port;
	__builtin_memcpy(q->change.addr, s->addr, 16);
	q->change.at = q->choice.restore_at;
	q->change.value = q->choice.restored;
	q->outer = 1;
	return 0;
}

/* Of today's secret, which may have been another one when the client had its cookie. */
__noinline __u32 lb_quote_cookie(struct lb *k, const struct sl_lb_control *ctl, __u32 server,
				 __u32 bits)
{
	__u32 phase;

	if (!k || !ctl)
		return 0;
	phase = *(const volatile __u32 *)&ctl->phase & 1;
	k->hash = sl_lb_hash(ctl->key[phase], &k->ends);
	return sl_cookie(server, k->hash, phase, bits);
}

/* The timestamp that the client had echoed. */
static __always_inline void lb_quote_echo(struct xdp_md *ctx, struct lb *k,
					  const struct sl_lb_control *ctl,
					  const struct sl_lb_reverse *r, struct lb_quote *q)
{
	__u32 id = r->server, bits = r->bits & 31, cookie;
	const struct sl_lb_clock *clock = bpf_map_lookup_elem(&lb_clocks, &id);
	const void *at;

	if (!clock || clock->erratic)
		return;
	cookie = lb_quote_cookie(k, ctl, id, bits);
	at = lb_at(ctx, q->stamp + 4, 4);
	if (!at)
		return;
	q->change.at = q->stamp + 4;
	q->change.value = lb_load32(at) << bits | cookie;
}

/* Toward a client. The servers' addresses are nothing that it knows. */
static __always_inline void lb_icmp_to_client(struct xdp_md *ctx, struct lb *k,
					      const struct sl_lb_control *ctl,
					      const struct sl_lb_reverse *r, struct lb_quote *q)
{
	__builtin_memcpy(k->ends.client, q->flow.src, 16);
	__builtin_memcpy(k->ends.vip, r->addr, 16);
	k->ends.client_port = q->flow.sport;
	k->ends.vip_port = r->port ? bpf_ntohs(r->port) : q->flow.dport;
	if (r->keep == SL_LB_KEEP_COOKIE && q->stamp && q->tcp_flags & SL_TCP_ACK)
		lb_quote_echo(ctx, k, ctl, r, q);
	q->change.port = r->port;
	__builtin_memcpy(q->change.addr, r->addr, 16);
	q->outer = !lb_differ(k->p.flow.src, q->flow.dst);
	q->how = SL_LB_ICMP_CLIENT;
}

static __always_inline int lb_icmp_admit(const struct lb *k)
{
	__u32 zero = 0, second = k->now_ms >> 10;
	struct lb_cpu *cpu = bpf_map_lookup_elem(&lb_cpus, &zero);

	if (!cpu)
		return 0;
	if (cpu->icmp_second != second) {
		cpu->icmp_second = second;
		cpu->icmps = 0;
	}
	return cpu->icmps++ < LB_ICMP_MAX;
}

/* Where the error goes, once it is known whose it is. */
static __always_inline int lb_icmp_send(struct xdp_md *ctx, const struct lb *k, struct lb_quote *q)
{
	const __be32 *to = q->change.source ? q->change.addr : k->ends.client;
	long rc = lb_route(ctx, k, k->p.flow.src, to, &q->hop);

	if (rc == BPF_FIB_LKUP_RET_NOT_FWDED) /* about our own: a health check's */
		return lb_end(SL_LB_PASSED, XDP_PASS);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return lb_end(SL_LB_DROP_NO_ROUTE, XDP_DROP);
	if (lb_hops_left(ctx, k) <= 1)
		return lb_end(SL_LB_DROP_TTL, XDP_DROP);
	if (rc == BPF_FIB_LKUP_RET_SUCCESS && q->hop.mtu && k->length > q->hop.mtu)
		return lb_end(SL_LB_DROP_TOO_BIG, XDP_DROP);
	if (lb_quote_change(ctx, k, q))
		return lb_end(SL_LB_DROP_MALFORMED, XDP_DROP);
	lb_count(q->how);
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return lb_end(SL_LB_RESOLVE, XDP_PASS);
	lb_count(SL_LB_ICMP);
	return lb_send(ctx, k, &q->hop);
}

/* q->choice is whose it is, and the packet is to go there as it is. */
#define LB_ICMP_DIRECT 100

/* The verdict; counted. Or LB_ICMP_DIRECT. */
__noinline int lb_icmp(struct xdp_md *ctx, struct lb *k, const struct sl_lb_control *ctl)
{
	__u32 zero = 0;
	struct lb_quote *q = bpf_map_lookup_elem(&lb_quotes, &zero);
	const struct sl_lb_reverse *r = NULL;
	const struct sl_lb_vip *vip;
	int ours;

	if (!k || !ctl || !q)
		return XDP_PASS;
	/* It comes to the sender of what it quotes; else it is none, or not for us to judge. */
	if (lb_quote_parse(ctx, k, q) || lb_differ(k->p.flow.dst, q->flow.src))
		return lb_not_ours(k);
	k->ends.proto = q->flow.proto;
	vip = lb_find_vip(q->flow.proto, q->flow.sport, q->flow.src);
	if (!vip)
		r = lb_reverse_of(q->flow.proto, q->flow.dport, q->flow.dst);
	if (vip)
		q->choice.vip = *vip;
	ours = vip || (!r && lb_network_vip(&q->flow, 1, &q->choice.vip));
	if (!ours && !r)
		return lb_not_ours(k);
	if (!lb_icmp_admit(k))
		return lb_end(SL_LB_DROP_ICMP, XDP_DROP);
	if (r) {
		lb_icmp_to_client(ctx, k, ctl, r, q);
		return lb_icmp_send(ctx, k, q);
	}
	if (lb_icmp_choose(ctx, k, ctl, q))
		return lb_end(q->choice.how, XDP_DROP);
	if (q->choice.vip.forward != SL_LB_NAT) {
		q->choice.how = SL_LB_ICMP;
		return lb_end(q->how, LB_ICMP_DIRECT);
	}
	if (lb_icmp_to_server(q))
		return lb_end(q->choice.how, XDP_DROP);
	return lb_icmp_send(ctx, k, q);
}

#endif /* SLUICE_LB_ICMP_H */
