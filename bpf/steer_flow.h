/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steer_flow.h - from a packet to its flow, for the programs that steer: parse, match, hash, and
 * the counters of what is left alone. Every kind of packet; fast paths are the programs' own.
 */
#ifndef SLUICE_STEER_FLOW_H
#define SLUICE_STEER_FLOW_H

#include "steer_maps.h"
#include "parse.h"
#include "hash.h"
#include "match.h"

/* What the stamp says of a packet, as the words that lie behind epoch, seq and hash. */
struct steer_flow {
	__u32 hash;
	__u16 flags, l3_off, l4_off;
	__u8 proto, vlans;
	__u16 tenant;
};

static __always_inline void steer_count(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&verdicts, &what);

	if (count)
		(*count)++;
}

static __noinline int steer_pass(__u32 why)
{
	steer_count(why);
	return XDP_PASS;
}

/*
 * The functions that are not static are so for the verifier, which takes each by itself instead of
 * multiplying its paths with those of the caller.
 */

/* The flow that an ICMP error quotes. */
__noinline int steer_quote(struct xdp_md *ctx, __u32 off, __u32 limit, struct sl_tuple *t)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!t)
		return 0;
	off &= SL_MAX_OFFSET;
	if (t->proto == SL_IP_ICMP)
		return sl_parse_quoted4(data, end, off, limit, t);
	return sl_parse_quoted6(data, end, off, limit, t);
}

/* The chain of an IPv6 packet's extension headers. */
__noinline int steer_chain(struct xdp_md *ctx, struct sl_chain *c)
{
	if (!c)
		return SL_PASS_UNKNOWN;
	return sl_parse_chain((void *)(long)ctx->data, (void *)(long)ctx->data_end, c);
}

/* The steps of sl_parse(), with what loops out of line. */
__noinline int steer_parse(struct xdp_md *ctx, struct sl_parsed *p)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct sl_chain c;
	__u16 type;
	__u32 off;
	int rc;

	if (!p)
		return SL_PASS_UNKNOWN;
	rc = sl_parse_ethernet(data, end, &off, &type, &p->vlans);
	if (rc != SL_PARSED)
		return rc;
	if (type == SL_ETH_IPV4) {
		rc = sl_parse_ipv4(data, end, off, p);
	} else if (type == SL_ETH_IPV6) {
		rc = sl_parse_ipv6(data, end, off, p);
		if (rc == SL_PARSED && !sl_has_ports(p->proto)) {
			c = (struct sl_chain){p->l4_off, p->limit, 0, p->proto};
			rc = steer_chain(ctx, &c);
			sl_parse_chain_end(p, &c);
		}
		if (rc == SL_PARSED)
			rc = sl_parse_ipv6_l4(data, end, p);
	} else {
		rc = sl_pass_ethertype(type);
	}
	if (rc != SL_PARSE_QUOTE)
		return rc;
	if (steer_quote(ctx, p->l4_off + SL_ICMP_QUOTE, p->limit, &p->flow))
		p->flags |= SL_META_ICMP_ERROR;
	return SL_PARSED;
}

/* sl_match_ports() over the match table in force. */
__noinline __u64 steer_match_ports(__u32 set, __u64 cand, __u32 ports, __u32 has_ports)
{
	const struct sl_match *m = bpf_map_lookup_elem(&match, &set);

	return m ? sl_match_ports(m, cand, ports, has_ports) : 0;
}

/* SL_MATCH_ASK_LOCAL's question. */
__noinline int steer_is_local(struct xdp_md *ctx, __u32 off, __u32 flags)
{
	struct sl_addr key;

	if (!sl_local_key((void *)(long)ctx->data, (void *)(long)ctx->data_end, off & SL_MAX_OFFSET,
			  flags, &key))
		return 0;
	return !!bpf_map_lookup_elem(&local_addrs, &key);
}

static __noinline __u32 steer_toeplitz(const struct sl_tuple *t, __u16 flags)
{
	const struct sl_toeplitz *table;
	__u32 zero = 0;

	table = bpf_map_lookup_elem(&toeplitz, &zero);
	return table ? sl_toeplitz_hash(table, t, flags) : 0;
}

/* Whether Sluice takes a flow, whose addresses are at src and dst: SL_PARSED, or why it passes. */
static __always_inline int steer_match(struct xdp_md *ctx, const struct sl_control *ctl,
				       const struct sl_match *m, const struct sl_tuple *t,
				       const void *src, const void *dst, __u16 flags, __u32 l3_off)
{
	__u64 cand = m->proto[t->proto], low;
	enum sl_match_verdict verdict;
	int local;

	if (!(flags & SL_META_ICMP_ERROR) && sl_match_open(m, dst, flags, cand))
		return SL_PARSED;
	local = ctl->flags & SL_CTL_LOCAL;
	cand = sl_match_addresses(m, src, dst, flags, sl_match_proto(m, t->proto, local));
	low = cand & -cand;
	if (likely(low & m->plain && !(cand & SL_MATCH_LOCAL) && !(flags & SL_META_ICMP_ERROR)))
		return SL_PARSED;
	if (low & m->ports)
		low = steer_match_ports(ctl->match_set, cand, (__u32)t->sport << 16 | t->dport,
					t->ports);
	verdict = sl_match_decide(m, cand, low, flags, local);
	if (verdict == SL_MATCH_TAKE)
		return SL_PARSED;
	if (verdict == SL_MATCH_PASS)
		return SL_PASS_NO_MATCH;
	return steer_is_local(ctx, l3_off, flags) ? SL_PASS_LOCAL : SL_PARSED;
}

/* Every packet that the fast path leaves: parse, match, hash. SL_PARSED, or the reason to pass. */
__noinline int steer_slow(struct xdp_md *ctx, struct steer_flow *flow)
{
	const struct sl_control *ctl;
	const struct sl_match *m;
	struct sl_parsed p = {};
	__u32 zero = 0, set;
	int rc;

	ctl = bpf_map_lookup_elem(&control, &zero);
	if (!ctl || !flow)
		return SL_PASS_UNCONFIGURED;
	set = ctl->match_set;
	m = bpf_map_lookup_elem(&match, &set);
	if (!m)
		return SL_PASS_UNCONFIGURED;

	rc = steer_parse(ctx, &p);
	if (rc == SL_PARSED)
		rc = steer_match(ctx, ctl, m, &p.flow, sl_tuple_bytes(p.flow.src, p.flags),
				 sl_tuple_bytes(p.flow.dst, p.flags), p.flags, p.l3_off);
	if (rc != SL_PARSED)
		return rc;
	if (p.flags & SL_META_FRAGMENT)
		steer_count(SL_INFO_FRAGMENT);
	if (p.flags & SL_META_ICMP_ERROR)
		steer_count(SL_INFO_ICMP_ERROR);

	if (ctl->flags & SL_CTL_TOEPLITZ)
		flow->hash = steer_toeplitz(&p.flow, p.flags);
	else
		flow->hash = sl_hash(ctl->hash_key, &p.flow, p.flags);
	flow->flags = p.flags;
	flow->l3_off = p.l3_off;
	flow->l4_off = p.l4_off;
	flow->proto = p.proto;
	flow->vlans = p.vlans;
	return SL_PARSED;
}

#endif /* SLUICE_STEER_FLOW_H */
