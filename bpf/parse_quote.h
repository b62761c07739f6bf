/* SPDX-License-Identifier: GPL-2.0-only */
/* parse_quote.h - the flow that an ICMP error quotes; compiles for BPF and for user space alike. */
#ifndef SLUICE_PARSE_QUOTE_H
#define SLUICE_PARSE_QUOTE_H

#include "parse_ip.h"

/*
 * Ports, or the identifier of an echo, of an L4 header of which only eight bytes may be there (an
 * error quotes no more). ESP has an SPI where ports would be, but each direction has its own, so
 * it and every other protocol go by addresses and protocol.
 */
static __always_inline void sl_parse_quoted_l4(const void *l4, struct sl_tuple *t)
{
	const struct sl_ports *ports = l4;
	const struct sl_icmp *icmp = l4;

	if (sl_has_ports(t->proto)) {
		t->sport = bpf_ntohs(ports->source);
		t->dport = bpf_ntohs(ports->dest);
		t->ports = 1;
	} else if ((t->proto == SL_IP_ICMP && (icmp->type == 8 || icmp->type == 0)) ||
		   (t->proto == SL_IP_ICMP6 && (icmp->type == 128 || icmp->type == 129))) {
		t->sport = t->dport = bpf_ntohs(icmp->id);
	}
}

/*
 * In the two functions below whether it is a fragment is asked once. Asked again after the bounds
 * check that only others need, 6.1's verifier forgets the first answer and sees ports read that
 * nobody checked.
 */
static __always_inline void sl_quoted4_flow(struct sl_tuple *t, const struct sl_ipv4 *ip,
					    __u8 fragment)
{
	t->src[3] = ip->saddr;
	t->dst[3] = ip->daddr;
	t->proto = ip->protocol;
	t->fragment = fragment;
}

static __always_inline void sl_quoted6_flow(struct sl_tuple *t, const struct sl_ipv6 *ip,
					    __u8 proto, __u8 fragment)
{
	sl_v6_addresses(t, ip);
	t->proto = proto;
	t->fragment = fragment;
}

/*
 * The flow quoted at `off` by an IPv4 ICMP error, which ends at `limit`. 1 and *t; or 0, and *t as
 * it was, if less is there than the eight L4 bytes that RFC 792 asks for: the error then goes by
 * its own addresses.
 */
static __always_inline int sl_parse_quoted4(const void *data, const void *end, __u32 off,
					    __u32 limit, struct sl_tuple *t)
{
	const struct sl_ipv4 *ip = (const void *)((const char *)data + off);
	const char *l4;
	__u32 ihl;

	if ((const void *)(ip + 1) > end || off + sizeof(*ip) > limit)
		return 0;
	ihl = (ip->version_ihl & 0xf) * 4;
	if (ip->version_ihl >> 4 != 4 || ihl < sizeof(*ip))
		return 0;

	if (ip->frag_off & bpf_htons(0x3fff)) {
		sl_quoted4_flow(t, ip, 1);
		return 1;
	}
	l4 = (const char *)ip + ihl;
	if (off + ihl + 8 > limit || (const void *)(l4 + 8) > end)
		return 0;
	sl_quoted4_flow(t, ip, 0);
	sl_parse_quoted_l4(l4, t);
	return 1;
}

static __always_inline int sl_parse_quoted6(const void *data, const void *end, __u32 off,
					    __u32 limit, struct sl_tuple *t)
{
	const struct sl_ipv6 *ip = (const void *)((const char *)data + off);
	struct sl_chain c = {.off = off + sizeof(*ip), .limit = limit};
	const char *l4;

	if ((const void *)(ip + 1) > end || off + sizeof(*ip) > limit)
		return 0;
	if (ip->version_class >> 4 != 6)
		return 0;
	c.proto = ip->nexthdr;
	if (sl_parse_chain(data, end, &c) != SL_PARSED)
		return 0;

	if (c.flags & SL_META_FRAGMENT) {
		sl_quoted6_flow(t, ip, c.proto, 1);
		return 1;
	}
	l4 = (const char *)data + (c.off & SL_MAX_OFFSET);
	if (c.off + 8 > limit || (const void *)(l4 + 8) > end)
		return 0;
	sl_quoted6_flow(t, ip, c.proto, 0);
	sl_parse_quoted_l4(l4, t);
	return 1;
}

#endif /* SLUICE_PARSE_QUOTE_H */
