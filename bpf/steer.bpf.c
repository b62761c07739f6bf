// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer.bpf.c - parse, match, hash, count, look the bucket's worker up, stamp, redirect.
 *
 * The order of the steps is part of the hand-over protocol (docs/architecture.md): the epoch is
 * read before the packet takes its number, the number before the row. A packet of an old row then
 * carries an old epoch, and the numbers tell an old owner when it has seen all that were its.
 */
#include "steer_maps.h"
#include "parse.h"
#include "hash.h"
#include "match.h"

#include <xdp/xdp_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* Found through the program's map ids (.rodata) by whoever opens the maps. */
const volatile __u32 sluice_abi = SL_ABI_VERSION;

/* In a dispatcher Sluice runs late, and only packets that every program passed reach it. */
struct {
	__uint(priority, 50);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(sluice_steer);

static __always_inline void steer_count(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&verdicts, &what);

	if (count)
		(*count)++;
}

static __always_inline int steer_pass(__u32 why)
{
	steer_count(why);
	return XDP_PASS;
}

/*
 * The flow that an ICMP error quotes. Not static, as are the functions below: the verifier then
 * takes each by itself instead of multiplying their paths with those of the caller.
 */
__noinline int steer_quote(struct xdp_md *ctx, __u32 off, __u32 limit, struct sl_tuple *t)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int found;

	if (!t)
		return 0;
	off &= SL_MAX_OFFSET;
	if (t->proto == SL_IP_ICMP)
		found = sl_parse_quoted4(data, end, off, limit, t);
	else
		found = sl_parse_quoted6(data, end, off, limit, t);
	return found;
}

/* sl_parse_chain() over the packet. */
__noinline int steer_chain(struct xdp_md *ctx, struct sl_chain *c)
{
	if (!c)
		return SL_PASS_UNKNOWN;
	return sl_parse_chain((void *)(long)ctx->data, (void *)(long)ctx->data_end, c);
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

/*
 * Match and hash a parsed packet, `parsed` being the parser's answer. SL_PARSED and *hash, or the
 * reason to pass. Inlined once for each family, so that the other's code folds away. `spare` is
 * for calls: what is passed by address would live on the stack for the fast path too.
 */
static __always_inline int steer_classify(struct xdp_md *ctx, const struct sl_control *ctl,
					  int parsed, __u16 family, struct sl_parsed *p,
					  struct sl_tuple *spare, __u32 *hash)
{
	__u32 set = ctl->match_set, flags = ctl->flags;
	const struct sl_match *m = bpf_map_lookup_elem(&match, &set);
	enum sl_match_verdict verdict;
	__u64 cand, low;
	__u16 kind;

	if (sl_unlikely(parsed == SL_PARSE_QUOTE)) {
		*spare = p->flow;
		if (steer_quote(ctx, p->l4_off + SL_ICMP_QUOTE, p->limit, spare)) {
			p->flow = *spare;
			p->flags |= SL_META_ICMP_ERROR;
		}
	} else if (parsed != SL_PARSED) {
		return parsed;
	}
	if (!m)
		return SL_PASS_UNCONFIGURED;
	kind = (p->flags & ~(SL_META_V4 | SL_META_V6)) | family;
	cand = sl_match_candidates(m, &p->flow, kind, flags & SL_CTL_LOCAL);
	low = cand & -cand;
	if (sl_unlikely(low & m->ports))
		low = steer_match_ports(set, cand, (__u32)p->flow.sport << 16 | p->flow.dport,
					p->flow.ports);
	verdict = sl_match_decide(m, cand, low, kind, flags & SL_CTL_LOCAL);
	if (verdict == SL_MATCH_PASS)
		return SL_PASS_NO_MATCH;
	if (sl_unlikely(verdict == SL_MATCH_ASK_LOCAL) && steer_is_local(ctx, p->l3_off, kind))
		return SL_PASS_LOCAL;

	if (sl_unlikely(p->flags & (SL_META_FRAGMENT | SL_META_ICMP_ERROR))) {
		if (p->flags & SL_META_FRAGMENT)
			steer_count(SL_INFO_FRAGMENT);
		else
			steer_count(SL_INFO_ICMP_ERROR);
	}
	if (sl_unlikely(flags & SL_CTL_TOEPLITZ)) {
		*spare = p->flow;
		*hash = steer_toeplitz(spare, kind);
	} else {
		*hash = sl_hash(ctl->hash_key, &p->flow, kind);
	}
	return SL_PARSED;
}

/*
 * Room for the stamp in front of the packet, exactly: what a driver or another program left there
 * goes. NULL where the driver has no room.
 */
static __always_inline struct sl_meta *steer_stamp_room(struct xdp_md *ctx)
{
	int there = (int)(ctx->data - ctx->data_meta);
	struct sl_meta *meta;

	if (bpf_xdp_adjust_meta(ctx, there - (int)sizeof(*meta)))
		return NULL;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return NULL;
	return meta;
}

SEC("xdp")
int sluice_steer(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, off = 0, hash = 0, bucket, index, epoch, length,
	      queue = ctx->rx_queue_index;
	union {
		__u64 word;
		struct sl_row row;
	} row;
	struct sl_bucket_stats *stats;
	struct sl_parsed p = {};
	struct sl_tuple spare;
	struct sl_control *ctl;
	struct sl_meta *meta;
	__u64 *rowp, n;
	__u16 type;
	int rc;

	if (sluice_abi != SL_ABI_VERSION)
		return steer_hold_maps();

	ctl = bpf_map_lookup_elem(&control, &zero);
	if (!ctl || (ctl->flags & (SL_CTL_READY | SL_CTL_HOLD)) != SL_CTL_READY)
		return steer_pass(SL_PASS_UNCONFIGURED);

	length = (__u32)((const char *)end - (const char *)data);
	rc = sl_parse_ethernet(data, end, &off, &type, &p.vlans);
	if (rc != SL_PARSED)
		return steer_pass(rc);
	if (type == SL_ETH_IPV4) {
		rc = sl_parse_ipv4(data, end, off, &p);
		rc = steer_classify(ctx, ctl, rc, SL_META_V4, &p, &spare, &hash);
	} else if (type == SL_ETH_IPV6) {
		rc = sl_parse_ipv6(data, end, off, &p);
		if (rc == SL_PARSED && sl_unlikely(!sl_has_ports(p.proto))) {
			struct sl_chain c = {p.l4_off, p.limit, 0, p.proto};

			rc = steer_chain(ctx, &c);
			sl_parse_chain_end(&p, &c);
		}
		if (rc == SL_PARSED)
			rc = sl_parse_ipv6_l4(data, end, &p);
		rc = steer_classify(ctx, ctl, rc, SL_META_V6, &p, &spare, &hash);
	} else {
		rc = sl_pass_ethertype(type);
	}
	if (rc != SL_PARSED)
		return steer_pass(rc);

	bucket = hash & ctl->bucket_mask;
	index = (queue << ctl->bucket_shift) + bucket;
	stats = bpf_map_lookup_elem(&bucket_stats, &index);
	rowp = bpf_map_lookup_elem(&indirection, &bucket);
	if (!stats || !rowp)
		return steer_pass(SL_PASS_UNCONFIGURED);

	/* Pairs with the release of the new epoch by housekeeping. */
	epoch = *(volatile __u32 *)&ctl->epoch;
	/* The result is used, so this is a full barrier between epoch and row. */
	n = __sync_fetch_and_add(&stats->packets, 1);
	stats->bytes += length;
	row.word = *(volatile __u64 *)rowp;
	if (row.row.worker >= SL_MAX_WORKERS)
		return steer_pass(SL_BAD_ROW);

	meta = steer_stamp_room(ctx);
	if (!meta)
		return steer_pass(SL_STAMP_ERROR);
	meta->magic = SL_META_MAGIC;
	meta->epoch = epoch;
	meta->seq = (__u32)n;
	meta->hash = hash;
	meta->bucket = bucket;
	meta->flags = p.flags;
	meta->l3_off = p.l3_off;
	meta->l4_off = p.l4_off;
	meta->proto = p.proto;
	meta->vlans = p.vlans;
	meta->resv = 0;
	meta->tenant = 0;

	rc = bpf_redirect_map(&xsks, queue * SL_MAX_WORKERS + row.row.worker, XDP_PASS);
	if (sl_likely(rc == XDP_REDIRECT))
		return rc;
	bpf_xdp_adjust_meta(ctx, sizeof(*meta));
	return steer_pass(SL_NO_SLOT);
}
