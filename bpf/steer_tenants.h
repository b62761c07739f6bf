/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steer_tenants.h - whose packet is it, and may it pass? Only where tenants are configured: the
 * fast path knows by a flag that it has loaded anyway, and leaves such packets to steer_other().
 *
 * A tenant has two rates, each a virtual clock (GCRA: ITU-T I.371). While the ring that a packet
 * goes to is nearly empty everybody gets in, so that what one leaves unused the others have at
 * once; as it fills, only who is within its share, then only who is within its floor. How full it
 * is, XDP knows by tickets: the worker publishes the one of the latest packet that it took out,
 * less those that wait for their tenants' turns; so a ring and what waits share the ring's places.
 * A packet is dropped before it takes its number, so hand-over knows nothing of it.
 */
#ifndef SLUICE_STEER_TENANTS_H
#define SLUICE_STEER_TENANTS_H

#include "steer_flow.h"

#define TENANTS_VXLAN 4789
#define TENANTS_GENEVE 6081
#define TENANTS_VNI 12 /* both have it there, from the start of the UDP header */

enum { TENANTS_OPEN, TENANTS_SHARE, TENANTS_FLOOR, TENANTS_FULL };

static __always_inline struct sl_tenant_ring *tenants_ring(__u32 queue, __u32 worker)
{
	__u32 index = queue * SL_MAX_WORKERS + worker;

	return bpf_map_lookup_elem(&tenant_ring, &index);
}

/* One NAPI poll serves a queue; in generic mode several may, and tickets are as good as numbers
 * of packets that are counted without a lock. */
static __noinline __u32 tenants_ticket(__u32 queue, __u32 worker)
{
	struct sl_tenant_ring *ring = tenants_ring(queue, worker);

	return ring ? ring->sent++ : 0;
}

static __noinline void tenants_ticket_back(__u32 queue, __u32 worker)
{
	struct sl_tenant_ring *ring = tenants_ring(queue, worker);

	if (ring)
		ring->sent--;
}

/* sl_match_ports() over the rules in force; not static for the verifier's sake: steer_flow.h. */
__noinline __u64 tenants_ports(__u32 set, __u64 cand, __u32 ports, __u32 has_ports)
{
	const struct sl_tenant_match *m = bpf_map_lookup_elem(&tenant_match, &set);

	return m ? sl_match_ports(&m->match, cand, ports, has_ports) : 0;
}

/* The rules that accept the outermost VLAN tag. */
static __always_inline __u64 tenants_vlan(const struct sl_tenant_match *m, struct xdp_md *ctx,
					  __u8 vlans)
{
	const __be16 *tci = (const void *)((const char *)(long)ctx->data + 14);
	__u32 id = 0;

	if (vlans && (const void *)(tci + 1) <= (const void *)(long)ctx->data_end)
		id = bpf_ntohs(*tci);
	/* 6.1's verifier forgets bounds at a byte swap, so both masks must stay. */
	asm volatile("" : "+r"(id));
	return m->vlan[0][id & 63] & m->vlan[1][id >> 6 & 63];
}

/* Without the rules whose VNI the packet has not. */
static __always_inline __u64 tenants_vni(const struct sl_tenant_match *m, struct xdp_md *ctx,
					 const struct steer_flow *flow, __u16 dport)
{
	const __u8 *vni = (const void *)((const char *)(long)ctx->data +
					 (flow->l4_off & SL_MAX_OFFSET) + TENANTS_VNI);

	if (flow->proto != SL_IP_UDP || (dport != TENANTS_VXLAN && dport != TENANTS_GENEVE) ||
	    (const void *)(vni + 3) > (const void *)(long)ctx->data_end)
		return ~m->vnis;
	return m->vni[0][vni[0]] & m->vni[1][vni[1]] & m->vni[2][vni[2]];
}

/* The rules that accept the addresses of the packet's own header, an ICMP error's too. */
static __always_inline __u64 tenants_addresses(const struct sl_tenant_match *m, struct xdp_md *ctx,
					       const struct steer_flow *flow, __u64 cand)
{
	const void *l3 = (const char *)(long)ctx->data + (flow->l3_off & SL_MAX_OFFSET);
	const void *end = (const void *)(long)ctx->data_end;
	const struct sl_ipv4 *v4 = l3;
	const struct sl_ipv6 *v6 = l3;

	if (flow->flags & SL_META_V4)
		return (const void *)(v4 + 1) > end
			       ? 0
			       : sl_match_v4(&m->match, (const __u8 *)&v4->saddr,
					     (const __u8 *)&v4->daddr, cand);
	return (const void *)(v6 + 1) > end ? 0
					    : sl_match_v6(&m->match, (const __u8 *)v6->saddr,
							  (const __u8 *)v6->daddr, cand);
}

static __always_inline __u32 tenants_packet_ports(struct xdp_md *ctx, const struct steer_flow *flow)
{
	const struct sl_ports *p =
		(const void *)((const char *)(long)ctx->data + (flow->l4_off & SL_MAX_OFFSET));

	if (!(flow->flags & SL_META_PORTS) ||
	    (const void *)(p + 1) > (const void *)(long)ctx->data_end)
		return 0;
	return (__u32)bpf_ntohs(p->source) << 16 | bpf_ntohs(p->dest);
}

/* The tenant of the first rule that accepts the packet; 0 if none does. */
__noinline int tenants_of(struct xdp_md *ctx, struct steer_flow *flow, __u32 set)
{
	const struct sl_tenant_match *m = bpf_map_lookup_elem(&tenant_match, &set);
	__u32 ports;
	__u64 cand, low;

	if (!m || !flow)
		return 0;
	ports = tenants_packet_ports(ctx, flow);
	cand = sl_match_proto(&m->match, flow->proto, 1) & tenants_vlan(m, ctx, flow->vlans);
	if (m->vnis)
		cand &= tenants_vni(m, ctx, flow, ports & 0xffff);
	cand = tenants_addresses(m, ctx, flow, cand);
	low = cand & -cand;
	if (low & m->match.ports)
		low = tenants_ports(set, cand, ports, flow->flags & SL_META_PORTS);
	return low ? m->tenant[sl_match_slot(low)] % SL_MAX_TENANTS : 0;
}

/*
 * A clock is never further ahead than what a packet takes at the lowest rate, 4 KB at a byte a
 * second, and less than twice that: 2.4 hours, in 2^-10 ns. 64 bits of those come round every 208
 * days, so what seems further ahead was left behind, by a tenant that has been idle.
 */
#define TENANTS_AHEAD_MAX (1ull << 53)

/* How far a clock is ahead; 0: it is not, or has never run. */
static __always_inline __u64 tenants_ahead(__u64 at, __u64 now)
{
	__u64 ahead = at - now;

	return !at || ahead > TENANTS_AHEAD_MAX ? 0 : ahead;
}

/* A packet that takes `cost` of a clock: true, and taken, if it comes no earlier than `depth`. */
static __always_inline int tenants_take(__u64 *at, __u64 now, __u64 cost, __u64 depth)
{
	__u64 ahead = tenants_ahead(*at, now);

	if (ahead > depth)
		return 0;
	*at = now + ahead + cost;
	return 1;
}

static __always_inline __u64 tenants_cost(__u64 packet, __u64 byte, __u64 len)
{
	__u64 bytes = byte * len >> 10;

	return bytes > packet ? bytes : packet;
}

static __always_inline int tenants_level(__u64 is, __u64 low, __u64 high)
{
	return is < low ? TENANTS_OPEN : is < high ? TENANTS_SHARE : TENANTS_FLOOR;
}

/* The worker that the row of a bucket, or of its part, names now. Nobody's but the gate's: the
 * packet's own row is read after it has taken its number. */
static __always_inline __u32 tenants_worker(__u32 bucket)
{
	const __u64 *row = bpf_map_lookup_elem(&indirection, &bucket);

	return row ? *(const volatile __u64 *)row & 0xffff : SL_TO_NONE;
}

/* Who may still go into the ring that a packet of this hash goes to. */
static __always_inline int tenants_ring_level(const struct sl_control *ctl, __u32 queue, __u32 hash)
{
	__u32 worker = tenants_worker(hash & ctl->bucket_mask), split = worker - SL_TO_PARTS;
	const volatile struct sl_tenant_ring *ring;
	__u32 in;

	if (worker >= SL_MAX_WORKERS && split < SL_SPLITS)
		worker = tenants_worker(ctl->bucket_mask + 1 + split * SL_SPLIT_PARTS +
					(hash >> (32 - SL_SPLIT_SHIFT)));
	ring = worker < SL_MAX_WORKERS ? tenants_ring(queue, worker) : NULL;
	if (!ring || !ring->low)
		return TENANTS_OPEN;
	in = ring->sent - ring->taken;
	return in >= ring->size ? TENANTS_FULL : tenants_level(in, ring->low, ring->high);
}

/* Who may still have of the capacity that all share. */
static __always_inline int tenants_total_level(const struct sl_tenant_gate *total, __u64 now)
{
	__u64 ahead = tenants_ahead(total->share_at, now);

	if (!total->share_byte || !ahead)
		return TENANTS_OPEN;
	return tenants_level(ahead, total->share_depth, total->floor_depth);
}

/* A packet in: what all share is used up, up to a bound that floors cannot raise. */
static __always_inline void tenants_charge(struct sl_tenant_gate *total, __u64 now, __u64 len)
{
	tenants_take(&total->share_at, now, total->share_byte * len >> 10, 2 * total->floor_depth);
}

/* Find the packet's tenant, count it, and say whether it may pass. */
__noinline int tenants_admit(struct xdp_md *ctx, struct steer_flow *flow)
{
	const char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, queue = ctx->rx_queue_index, index, set;
	__u64 len = end - data;
	struct sl_tenant_gate *gate, *total;
	const struct sl_control *ctl;
	int level, other, share, floor;
	__u64 now;

	/* Now: clang would keep packet pointers across the calls, as 32-bit words. */
	asm volatile("" : "+r"(len));
	ctl = bpf_map_lookup_elem(&control, &zero);
	if (!ctl || !flow)
		return 1;
	set = !!(*(const volatile __u32 *)&ctl->flags & SL_CTL_TENANT_SET);
	flow->tenant = tenants_of(ctx, flow, set);
	flow->flags |= SL_META_TENANT | (set ? SL_META_TENANT_SET : 0);
	index = queue * SL_MAX_TENANTS + flow->tenant;
	gate = bpf_map_lookup_elem(&tenant_gate, &index);
	index = queue * SL_MAX_TENANTS + SL_TENANT_TOTAL;
	total = bpf_map_lookup_elem(&tenant_gate, &index);
	if (!gate || !total)
		return 1;
	gate->packets++;
	gate->bytes += len;

	now = bpf_ktime_get_ns() << 10;
	share = tenants_take(&gate->share_at, now,
			     tenants_cost(gate->share_packet, gate->share_byte, len),
			     gate->share_depth);
	floor = tenants_take(&gate->floor_at, now,
			     tenants_cost(gate->floor_packet, gate->floor_byte, len),
			     gate->floor_depth);
	level = tenants_ring_level(ctl, queue, flow->hash);
	other = tenants_total_level(total, now);
	if (other > level)
		level = other;
	if (level == TENANTS_OPEN || (floor && level < TENANTS_FULL) ||
	    (level == TENANTS_SHARE && share)) {
		tenants_charge(total, now, len);
		return 1;
	}
	gate->drops++;
	gate->drop_bytes += len;
	return 0;
}

#endif /* SLUICE_STEER_TENANTS_H */
