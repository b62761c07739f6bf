// SPDX-License-Identifier: GPL-2.0-only
/*
 * steer.bpf.c - parse, match, hash, count, look the bucket's worker up, stamp, redirect.
 *
 * The order of the steps is part of the hand-over protocol (docs/architecture.md): the epoch is
 * read before the packet takes its number, the number before the row. A packet of an old row then
 * carries an old epoch, and the numbers tell an old owner when it has seen all that were its.
 */
#include "steer_flow.h"
#include "steer_hash.h"
#include "steer_tenants.h"

#include <xdp/xdp_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* Found through the program's map ids (.rodata) by whoever opens the maps. */
const volatile __u32 sluice_abi = SL_ABI_VERSION;

/* A key that no store has just written: the look-up of an array's entry waits for its key. */
const volatile __u32 first_entry = 0;

/* In a dispatcher Sluice runs late, and only packets that every program passed reach it. */
struct {
	__uint(priority, 50);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(sluice_steer);

/* Protocol and ports of a fast packet, of which `length` bytes are L4. Other protocols are for
 * steer_slow(). */
static __always_inline int steer_fast_ports(const struct sl_ports *ports, __u8 proto, __u32 length,
					    struct sl_tuple *t)
{
	if (proto == SL_IP_UDP) {
		if (length < 8)
			return 0;
	} else if (proto == SL_IP_TCP) {
		if (length < 20)
			return 0;
	} else {
		return 0;
	}
	t->sport = bpf_ntohs(ports->source);
	t->dport = bpf_ntohs(ports->dest);
	t->proto = proto;
	t->ports = 1;
	t->fragment = 0;
	return 1;
}

/* IPv4 without options, whole, TCP or UDP. 0: a packet for steer_slow(). */
static __always_inline int steer_fast_v4(const struct sl_ipv4 *ip, const void *end,
					 struct sl_tuple *t)
{
	const struct sl_ports *ports = (const void *)(ip + 1);
	__u32 length;

	if ((const void *)(ports + 1) > end || ip->version_ihl != 0x45 ||
	    ip->frag_off & bpf_htons(0x3fff))
		return 0;
	length = bpf_ntohs(ip->tot_len);
	if (length > (__u32)((const char *)end - (const char *)ip) || length < sizeof(*ip))
		return 0;
	return steer_fast_ports(ports, ip->protocol, length - sizeof(*ip), t);
}

/* IPv6 without extension headers, TCP or UDP. */
static __always_inline int steer_fast_v6(const struct sl_ipv6 *ip, const void *end,
					 struct sl_tuple *t)
{
	const struct sl_ports *ports = (const void *)(ip + 1);
	__u32 length;

	if ((const void *)(ports + 1) > end || ip->version_class >> 4 != 6)
		return 0;
	length = bpf_ntohs(ip->payload_len);
	if (length > (__u32)((const char *)end - (const char *)ports))
		return 0;
	return steer_fast_ports(ports, ip->nexthdr, length, t);
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

/* For drivers without metadata: the packet grows at its head; the worker takes that off again. */
static __always_inline struct sl_meta *steer_stamp_inband(struct xdp_md *ctx)
{
	struct sl_meta *meta;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*meta)))
		return NULL;
	meta = (void *)(long)ctx->data;
	if ((void *)(meta + 1) > (void *)(long)ctx->data_end)
		return NULL;
	return meta;
}

/* Stamp and redirect, the row being known. `inband` is a constant on the fast path. */
static __always_inline int steer_send(struct xdp_md *ctx, const struct steer_flow *flow,
				      struct sl_meta stamp, __u32 worker, int inband)
{
	struct sl_meta *meta = inband ? steer_stamp_inband(ctx) : steer_stamp_room(ctx);

	if (!meta)
		return steer_pass(SL_STAMP_ERROR);
	*meta = (struct sl_meta){
		.magic = SL_META_MAGIC,
		.epoch = stamp.epoch,
		.seq = stamp.seq,
		.hash = flow->hash,
		.bucket = stamp.bucket,
		.flags = flow->flags,
		.l3_off = flow->l3_off,
		.l4_off = flow->l4_off,
		.proto = flow->proto,
		.vlans = flow->vlans,
		.tenant = flow->tenant,
	};
	if (flow->flags & SL_META_TENANT) /* never on the fast path */
		meta->ticket = tenants_ticket(ctx->rx_queue_index, worker);
	if (likely(bpf_redirect_map(&xsks, ctx->rx_queue_index * SL_MAX_WORKERS + worker,
				    XDP_PASS) == XDP_REDIRECT))
		return XDP_REDIRECT;
	if (inband)
		bpf_xdp_adjust_head(ctx, sizeof(*meta));
	else
		bpf_xdp_adjust_meta(ctx, sizeof(*meta));
	if (flow->flags & SL_META_TENANT)
		tenants_ticket_back(ctx->rx_queue_index, worker);
	return steer_pass(SL_NO_SLOT);
}

/*
 * The row of a bucket says that parts of it have the packets. `epoch` was read before that row. The
 * part's number is taken before its row, as ever.
 */
static __noinline int steer_part(struct xdp_md *ctx, const struct steer_flow *flow, __u32 split,
				 __u32 epoch, int inband)
{
	const struct sl_control *ctl = bpf_map_lookup_elem(&control, (const void *)&first_entry);
	struct sl_bucket_stats *stats;
	struct sl_meta stamp;
	__u32 bucket, index;
	union {
		__u64 word;
		struct sl_row row;
	} row;
	__u64 *rowp, n;

	if (!ctl || split >= SL_SPLITS)
		return steer_pass(SL_BAD_ROW);
	bucket = ctl->bucket_mask + 1 + split * SL_SPLIT_PARTS +
		 (flow->hash >> (32 - SL_SPLIT_SHIFT));
	index = ctx->rx_queue_index * ctl->bucket_stride + bucket;
	rowp = bpf_map_lookup_elem(&indirection, &bucket);
	stats = bpf_map_lookup_elem(&bucket_stats, &index);
	if (!stats || !rowp)
		return steer_pass(SL_BAD_ROW);
	n = __sync_fetch_and_add(&stats->packets, 1);
	stats->bytes += ctx->data_end - ctx->data;
	row.word = *(const volatile __u64 *)rowp;
	if (row.row.worker >= SL_MAX_WORKERS)
		return steer_pass(SL_BAD_ROW);
	stamp = (struct sl_meta){.epoch = epoch, .seq = (__u32)n, .bucket = (__u16)bucket};
	if (inband)
		return steer_send(ctx, flow, stamp, row.row.worker, 1);
	return steer_send(ctx, flow, stamp, row.row.worker, 0);
}

/* Count, look the row up, stamp and redirect. `inband` is a constant wherever this is inlined. */
static __always_inline int steer_redirect(struct xdp_md *ctx, const struct sl_control *ctl,
					  const struct steer_flow *flow, int inband)
{
	__u32 bucket = flow->hash & ctl->bucket_mask, epoch, queue = ctx->rx_queue_index;
	__u32 index = queue * ctl->bucket_stride + bucket;
	struct sl_bucket_stats *stats;
	union {
		__u64 word;
		struct sl_row row;
	} row;
	__u64 *rowp, n;

	rowp = bpf_map_lookup_elem(&indirection, &bucket);
	stats = bpf_map_lookup_elem(&bucket_stats, &index);
	if (!stats || !rowp)
		return steer_pass(SL_PASS_UNCONFIGURED);

	/* Pairs with the release of the new epoch by housekeeping. */
	epoch = *(const volatile __u32 *)&ctl->epoch;
	/* The result is used, so this is a full barrier between epoch and row. */
	n = __sync_fetch_and_add(&stats->packets, 1);
	stats->bytes += ctx->data_end - ctx->data;
	row.word = *(const volatile __u64 *)rowp;
	/* one test for all that is no worker: what is not split does not pay for what is */
	if (unlikely(row.row.worker >= SL_MAX_WORKERS)) {
		/* a copy: whose address is taken lies in memory */
		const struct steer_flow copy = *flow;

		return steer_part(ctx, &copy, (__u32)row.row.worker - SL_TO_PARTS, epoch, inband);
	}
	return steer_send(ctx, flow, (struct sl_meta){.epoch = epoch, .seq = n, .bucket = bucket},
			  row.row.worker, inband);
}

/*
 * The fast path: hash, match and redirect the packet behind `vlans` tags. STEER_SLOW: not its kind.
 * Inlined for no tag and for one, each with a tail of its own, so that every offset in the stamp is
 * a constant. The asm keeps clang from putting the hash off until matching is done, with all that
 * goes into it on the stack, and from holding addresses as words for the bytes that matching wants.
 */
#define STEER_SLOW (-1)
/* The shortest: Ethernet, IPv4, ports. Asked once, it is all the bounds that untagged IPv4 needs.
 */
#define STEER_FAST_LEN (14 + (int)sizeof(struct sl_ipv4) + (int)sizeof(struct sl_ports))
#define STEER_FAST_FLAGS                                                                           \
	(SL_CTL_READY | SL_CTL_HOLD | SL_CTL_TOEPLITZ | SL_CTL_INBAND | SL_CTL_TENANTS)

static __always_inline int steer_fast4(struct xdp_md *ctx, const struct sl_control *ctl,
				       const struct sl_match *m, const struct sl_ipv4 *ip,
				       const void *end, __u8 vlans)
{
	const __u16 off = 14 + 4 * vlans;
	struct steer_flow flow = {.flags = SL_META_V4 | SL_META_PORTS,
				  .l3_off = off,
				  .l4_off = off + sizeof(*ip),
				  .vlans = vlans};
	struct sl_tuple t;
	int rc;

	if (!steer_fast_v4(ip, end, &t))
		return STEER_SLOW;
	if (!steer_hash_v4(ctx, ctl, ip, &t, &flow.hash))
		return STEER_SLOW;
	flow.proto = t.proto;
	asm volatile("" : "+r"(ip), "+r"(flow.hash));
	rc = steer_match(ctx, ctl, m, &t, &ip->saddr, &ip->daddr, SL_META_V4, off);
	return rc == SL_PARSED ? steer_redirect(ctx, ctl, &flow, 0) : steer_pass(rc);
}

static __always_inline int steer_fast6(struct xdp_md *ctx, const struct sl_control *ctl,
				       const struct sl_match *m, const struct sl_ipv6 *ip,
				       const void *end, __u8 vlans)
{
	const __u16 off = 14 + 4 * vlans;
	struct steer_flow flow = {.flags = SL_META_V6 | SL_META_PORTS,
				  .l3_off = off,
				  .l4_off = off + sizeof(*ip),
				  .vlans = vlans};
	struct sl_tuple t;
	int rc;

	if (!steer_fast_v6(ip, end, &t))
		return STEER_SLOW;
	if (!steer_hash_v6(ctx, ctl, ip, &t, &flow.hash))
		return STEER_SLOW;
	flow.proto = t.proto;
	asm volatile("" : "+r"(ip), "+r"(flow.hash));
	rc = steer_match(ctx, ctl, m, &t, ip->saddr, ip->daddr, SL_META_V6, off);
	return rc == SL_PARSED ? steer_redirect(ctx, ctl, &flow, 0) : steer_pass(rc);
}

static __always_inline int steer_fast(struct xdp_md *ctx, const struct sl_control *ctl,
				      const struct sl_match *m, const void *data, const void *end,
				      __u16 type, __u8 vlans)
{
	const void *l3 = (const char *)data + 14 + 4 * vlans;

	if (type == bpf_htons(SL_ETH_IPV4))
		return steer_fast4(ctx, ctl, m, l3, end, vlans);
	if (type == bpf_htons(SL_ETH_IPV6))
		return steer_fast6(ctx, ctl, m, l3, end, vlans);
	return STEER_SLOW;
}

/* Every packet that the fast path leaves. Out of line, it takes no registers from it. */
static __noinline int steer_other(struct xdp_md *ctx)
{
	const struct sl_control *ctl;
	struct steer_flow flow = {};
	__u32 zero = 0;
	int rc;

	if (sluice_abi != SL_ABI_VERSION)
		return steer_hold_maps();
	ctl = bpf_map_lookup_elem(&control, &zero);
	if (!ctl || (ctl->flags & (SL_CTL_READY | SL_CTL_HOLD)) != SL_CTL_READY)
		return steer_pass(SL_PASS_UNCONFIGURED);
	rc = steer_slow(ctx, &flow);
	if (rc != SL_PARSED)
		return steer_pass(rc);
	steer_count_software_hash();
	if (ctl->flags & SL_CTL_TENANTS && !tenants_admit(ctx, &flow))
		return XDP_DROP;
	if (ctl->flags & SL_CTL_INBAND)
		return steer_redirect(ctx, ctl, &flow, 1);
	return steer_redirect(ctx, ctl, &flow, 0);
}

SEC("xdp")
int sluice_steer(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __be16 *types = (const void *)((const char *)data + 12);
	const struct sl_control *ctl;
	const struct sl_match *m;
	int rc = STEER_SLOW;

	ctl = bpf_map_lookup_elem(&control, (const void *)&first_entry);
	if (!ctl || (ctl->flags & STEER_FAST_FLAGS) != (SL_CTL_READY | STEER_FAST_HASH) ||
	    (const void *)((const char *)data + STEER_FAST_LEN) > end)
		return steer_other(ctx);
	m = bpf_map_lookup_elem(&match, &ctl->match_set);
	if (!m)
		return steer_other(ctx);

	if (likely(*types != bpf_htons(SL_ETH_VLAN)))
		rc = steer_fast(ctx, ctl, m, data, end, *types, 0);
	else if ((const void *)(types + 3) <= end)
		rc = steer_fast(ctx, ctl, m, data, end, types[2], 1);
	return likely(rc != STEER_SLOW) ? rc : steer_other(ctx);
}
