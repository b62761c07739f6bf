/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * match.h - match rules as bit vectors; for BPF and user space alike.
 *
 * A rule is a bit. Every byte of the addresses selects a word of the rules that accept it; the AND
 * of the words is what accepts them all, and its lowest bit decides. Cost does not grow with the
 * number of rules, and bytes that no candidate looks at are not looked up (bound4, bound6).
 */
#ifndef SLUICE_MATCH_H
#define SLUICE_MATCH_H

#include "parse.h"

#define SL_MATCH_LOCAL (1ULL << 63) /* the local-address filter's bit */

enum sl_match_verdict {
	SL_MATCH_PASS = 0, /* no rule takes it */
	SL_MATCH_TAKE,
	SL_MATCH_ASK_LOCAL, /* taken unless local_addrs has the destination */
};

static __always_inline __u64 sl_match_word(const __u64 (*table)[256], const __u8 *b)
{
	return table[0][b[0]] & table[1][b[1]] & table[2][b[2]] & table[3][b[3]];
}

/* The last byte first: it seldom is that of a local address, and the filter is out. */
static __always_inline __u64 sl_match_v4(const struct sl_match *m, const __u8 *src, const __u8 *dst,
					 __u64 cand)
{
	if (cand & m->bound4[SL_DST]) {
		cand &= m->v4[SL_DST][3][dst[3]];
		if (cand & m->bound4[SL_DST])
			cand &= sl_match_word(m->v4[SL_DST], dst);
	}
	if (cand & m->bound4[SL_SRC])
		cand &= sl_match_word(m->v4[SL_SRC], src);
	return cand;
}

static __always_inline __u64 sl_match_v6(const struct sl_match *m, const __u8 *src, const __u8 *dst,
					 __u64 cand)
{
	if (cand & m->bound6[SL_DST][3])
		cand &= m->v6[SL_DST][15][dst[15]];
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		if (cand & m->bound6[SL_DST][i])
			cand &= sl_match_word(&m->v6[SL_DST][4 * i], dst + 4 * i);
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		if (cand & m->bound6[SL_SRC][i])
			cand &= sl_match_word(&m->v6[SL_SRC][4 * i], src + 4 * i);
	return cand;
}

/*
 * Where sl_match.rule keeps the rule of a bit. BPF v3 cannot count trailing zeros, so rules lie in
 * the order of a de Bruijn sequence (Leiserson, Prokop, Randall, "Using de Bruijn sequences to
 * index a 1 in a computer word", 1998), which a multiplication and a shift give.
 */
static __always_inline unsigned int sl_match_slot(__u64 bit)
{
	return bit * 0x03f79d71b4cb0a89ULL >> 58;
}

/*
 * The lowest candidate whose port ranges agree, as a bit. A fragment meets no rule that names
 * ports: only the first fragment has them, and all must go the same way. Nor does anything else
 * without ports.
 */
static __always_inline __u64 sl_match_ports(const struct sl_match *m, __u64 cand, __u32 ports,
					    __u32 has_ports)
{
	__s32 sport = (__s32)(ports >> 16), dport = (__s32)(ports & 0xffff);

	for (int i = 0; i < SL_MAX_RULES; i++) {
		__u64 low = cand & -cand;
		const struct sl_match_rule *r = &m->rule[sl_match_slot(low)];
		__s32 outside;

		if (!(low & m->ports)) /* the local filter is not in `take`, nor is 0 */
			return low;
		/* One sign bit for four comparisons: a branch each is more than the verifier walks.
		 */
		outside = (sport - r->sport_min) | (r->sport_max - sport) | (dport - r->dport_min) |
			  (r->dport_max - dport);
		if (has_ports && outside >= 0)
			return low;
		cand ^= low;
	}
	return 0;
}

/* The rules that accept the protocol; SL_MATCH_LOCAL among them unless `local`. */
static __always_inline __u64 sl_match_proto(const struct sl_match *m, __u8 proto, int local)
{
	__u64 cand = m->proto[proto];

	if (unlikely(local))
		cand &= ~SL_MATCH_LOCAL;
	return cand;
}

/* Of these, the rules that accept the addresses too (bytes as they lie in the header). */
static __always_inline __u64 sl_match_addresses(const struct sl_match *m, const void *src,
						const void *dst, __u16 flags, __u64 cand)
{
	return flags & SL_META_V4 ? sl_match_v4(m, src, dst, cand) : sl_match_v6(m, src, dst, cand);
}

/*
 * The short way for `all` and its like: true if the first rule for the protocol takes whatever
 * comes, and the destination's last byte is that of no local address.
 */
static __always_inline int sl_match_open(const struct sl_match *m, const __u8 *dst, __u16 flags,
					 __u64 cand)
{
	__u64 filter = flags & SL_META_V4 ? m->v4[SL_DST][3][dst[3]] : m->v6[SL_DST][15][dst[15]];

	return cand & -cand & m->open[!(flags & SL_META_V4)] && !(cand & filter & SL_MATCH_LOCAL);
}

/* The addresses of a tuple as bytes. */
static __always_inline const void *sl_tuple_bytes(const __be32 addr[4], __u16 flags)
{
	return flags & SL_META_V4 ? &addr[3] : addr;
}

/*
 * The verdict, given the candidates and the lowest of them that accepts the ports too. `local` is
 * SL_CTL_LOCAL: the host's own addresses are left to the rules. An ICMP error is matched by the
 * flow that it quotes, but is local by its own destination, which the filter has not seen: it
 * always asks.
 */
static __always_inline enum sl_match_verdict sl_match_decide(const struct sl_match *m, __u64 cand,
							     __u64 low, __u16 flags, int local)
{
	if (!(low & m->take))
		return SL_MATCH_PASS;
	if (!local && (cand & SL_MATCH_LOCAL || flags & SL_META_ICMP_ERROR))
		return SL_MATCH_ASK_LOCAL;
	return SL_MATCH_TAKE;
}

/* All of it; the steering program takes the same steps with sl_match_ports() out of line. */
static __always_inline enum sl_match_verdict
sl_match(const struct sl_match *m, const struct sl_tuple *t, __u16 flags, int local)
{
	const void *src = sl_tuple_bytes(t->src, flags), *dst = sl_tuple_bytes(t->dst, flags);
	__u64 cand = sl_match_addresses(m, src, dst, flags, sl_match_proto(m, t->proto, local));
	__u64 low = cand & -cand;

	if (low & m->ports)
		low = sl_match_ports(m, cand, (__u32)t->sport << 16 | t->dport, t->ports);
	return sl_match_decide(m, cand, low, flags, local);
}

/*
 * The key of local_addrs for the IP packet at data + off (by its own header, also for an ICMP
 * error). 0 if there is no such packet.
 */
static __always_inline int sl_local_key(const void *data, const void *end, __u32 off, __u16 flags,
					struct sl_addr *key)
{
	const struct sl_ipv4 *ip4 = (const void *)((const char *)data + off);
	const struct sl_ipv6 *ip6 = (const void *)ip4;

	if (flags & SL_META_V4) {
		if ((const void *)(ip4 + 1) > end)
			return 0;
		*key = (struct sl_addr){{[10] = 0xff, [11] = 0xff}};
		__builtin_memcpy(&key->b[12], &ip4->daddr, 4);
	} else {
		if ((const void *)(ip6 + 1) > end)
			return 0;
		__builtin_memcpy(key->b, ip6->daddr, 16);
	}
	return 1;
}

#endif /* SLUICE_MATCH_H */
