/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steer_hash.h - the fast path's hash: computed, or in the build steer_rxhash.bpf.c the one that
 * the NIC computed already (bpf_xdp_metadata_rx_hash, Linux 6.3).
 *
 * Both builds put a flow into the same bucket: the second is loaded only where the NIC's hash is
 * the instance's, Toeplitz with its key over addresses and ports (user/platform/rx_hash.c). So
 * packets of a flow may take either way, and builds may be swapped under traffic.
 */
#ifndef SLUICE_STEER_HASH_H
#define SLUICE_STEER_HASH_H

#include "steer_flow.h"

#ifdef STEER_RX_HASH

/* enum xdp_rss_hash_type, which no installed header has: what the NIC found and hashed. */
enum steer_rss_type {
	STEER_RSS_IPV4 = 1 << 0,
	STEER_RSS_IPV6 = 1 << 1,
	STEER_RSS_L4 = 1 << 3, /* ports too */
	STEER_RSS_TCP = 1 << 4,
	STEER_RSS_UDP = 1 << 5,
};

int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash,
			     enum steer_rss_type *type) __ksym;

/* Flags of an instance whose hash is the NIC's. */
#define STEER_FAST_HASH SL_CTL_TOEPLITZ

/*
 * 0: the NIC has no hash of this packet (others redirected it here), or not of its ports, or of
 * what it took for another protocol (a tunnel's inner packet). Then it is computed.
 */
static __always_inline int steer_rx_hash(struct xdp_md *ctx, __u8 proto, enum steer_rss_type ip,
					 __u32 *hash)
{
	const __u32 fits = STEER_RSS_L4 | ip | (proto == SL_IP_TCP ? STEER_RSS_TCP : STEER_RSS_UDP);
	enum steer_rss_type type = 0;

	*hash = 0;
	if (bpf_xdp_metadata_rx_hash(ctx, hash, &type))
		return 0;
	return type & STEER_RSS_L4 && !(type & ~fits);
}

static __always_inline int steer_hash_v4(struct xdp_md *ctx, const struct sl_control *ctl,
					 const struct sl_ipv4 *ip, const struct sl_tuple *t,
					 __u32 *hash)
{
	return steer_rx_hash(ctx, t->proto, STEER_RSS_IPV4, hash);
}

static __always_inline int steer_hash_v6(struct xdp_md *ctx, const struct sl_control *ctl,
					 const struct sl_ipv6 *ip, const struct sl_tuple *t,
					 __u32 *hash)
{
	return steer_rx_hash(ctx, t->proto, STEER_RSS_IPV6, hash);
}

static __always_inline void steer_count_software_hash(void)
{
	steer_count(SL_INFO_SOFTWARE_HASH);
}

#else

#define STEER_FAST_HASH 0

static __always_inline int steer_hash_v4(struct xdp_md *ctx, const struct sl_control *ctl,
					 const struct sl_ipv4 *ip, const struct sl_tuple *t,
					 __u32 *hash)
{
	*hash = sl_hash_v4(ctl->hash_key, ip->saddr, ip->daddr, t->sport, t->dport, t->proto);
	return 1;
}

static __always_inline int steer_hash_v6(struct xdp_md *ctx, const struct sl_control *ctl,
					 const struct sl_ipv6 *ip, const struct sl_tuple *t,
					 __u32 *hash)
{
	*hash = sl_hash_v6(ctl->hash_key, ip->saddr, ip->daddr, t->sport, t->dport, t->proto);
	return 1;
}

static __always_inline void steer_count_software_hash(void)
{
}

#endif

#endif /* SLUICE_STEER_HASH_H */
