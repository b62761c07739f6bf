/* SPDX-License-Identifier: GPL-2.0-only */
/* parse.h - Ethernet to L4 in one pass; compiles for BPF and for user space alike. */
#ifndef SLUICE_PARSE_H
#define SLUICE_PARSE_H

#include "parse_quote.h"

/*
 * Ethernet and up to two VLAN tags. SL_PARSED and the offset of what follows, its ethertype (host
 * order) and the number of tags; or SL_PASS_TRUNCATED.
 */
static __always_inline int sl_parse_ethernet(const void *data, const void *end, __u32 *off,
					     __u16 *type, __u8 *vlans)
{
	const __u8 *p = data;

	*off = 14;
	*vlans = 0;
	if ((const void *)(p + 14) > end)
		return SL_PASS_TRUNCATED;
	*type = (__u16)(p[12] << 8 | p[13]);
	if (likely(*type != SL_ETH_VLAN && *type != SL_ETH_QINQ))
		return SL_PARSED;

	if ((const void *)(p + 18) > end)
		return SL_PASS_TRUNCATED;
	*off = 18;
	*vlans = 1;
	*type = (__u16)(p[16] << 8 | p[17]);
	if (likely(*type != SL_ETH_VLAN && *type != SL_ETH_QINQ))
		return SL_PARSED;

	if ((const void *)(p + 22) > end)
		return SL_PASS_TRUNCATED;
	*off = 22;
	*vlans = 2;
	*type = (__u16)(p[20] << 8 | p[21]);
	return SL_PARSED;
}

/* The reason for an ethertype that is not IP. */
static __always_inline int sl_pass_ethertype(__u16 type)
{
	return type == SL_ETH_ARP ? SL_PASS_ARP : SL_PASS_UNKNOWN;
}

/*
 * A whole frame. SL_PARSED and *p, or the enum sl_steer_count under which it passes to the stack.
 * The steering program takes the same steps with the families apart.
 */
static __always_inline int sl_parse(const void *data, const void *end, struct sl_parsed *p)
{
	struct sl_chain c;
	int rc, quoted;
	__u16 type;
	__u32 off;

	rc = sl_parse_ethernet(data, end, &off, &type, &p->vlans);
	if (rc != SL_PARSED)
		return rc;
	if (type == SL_ETH_IPV4) {
		rc = sl_parse_ipv4(data, end, off, p);
		quoted = rc == SL_PARSE_QUOTE &&
			 sl_parse_quoted4(data, end, p->l4_off + SL_ICMP_QUOTE, p->limit, &p->flow);
	} else if (type == SL_ETH_IPV6) {
		rc = sl_parse_ipv6(data, end, off, p);
		if (rc == SL_PARSED && !sl_has_ports(p->proto)) {
			c = (struct sl_chain){p->l4_off, p->limit, 0, p->proto};
			rc = sl_parse_chain(data, end, &c);
			sl_parse_chain_end(p, &c);
		}
		if (rc == SL_PARSED)
			rc = sl_parse_ipv6_l4(data, end, p);
		quoted = rc == SL_PARSE_QUOTE &&
			 sl_parse_quoted6(data, end, p->l4_off + SL_ICMP_QUOTE, p->limit, &p->flow);
	} else {
		return sl_pass_ethertype(type);
	}
	if (quoted)
		p->flags |= SL_META_ICMP_ERROR;
	return rc == SL_PARSE_QUOTE ? SL_PARSED : rc;
}

#endif /* SLUICE_PARSE_H */
