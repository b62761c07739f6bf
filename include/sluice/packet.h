/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet.h - the stamp that XDP writes in front of every packet that it redirects.
 *
 * 32 bytes at most: kernel 6.1 refuses more (include/net/xdp.h, xdp_metalen_invalid). It lies
 * directly before the first byte of the Ethernet header.
 */
#ifndef SLUICE_PACKET_H
#define SLUICE_PACKET_H

#include <linux/types.h>

#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert
#endif

#define SL_META_MAGIC 0x534c4331u /* "SLC1": a frame without a stamp shows another packet's */
#define SL_NO_OFFSET 0xff

enum sl_meta_flags {
	SL_META_V4 = 1 << 0,
	SL_META_V6 = 1 << 1,
	SL_META_FRAGMENT = 1 << 2, /* any fragment, the first too: hashed on addresses only */
	SL_META_ICMP_ERROR = 1 << 3, /* hashed on the quoted flow */
	SL_META_PORTS = 1 << 4, /* l4_off is valid and its first four bytes are the ports */
	SL_META_NON_FIRST = 1 << 5, /* a fragment without an L4 header */
	SL_META_TENANT = 1 << 6, /* tenants are configured: `tenant` and `ticket` are valid */
	SL_META_TENANT_SET = 1 << 7, /* which entry of `tenant_match` named it */
};

struct sl_meta {
	__u32 magic; /* SL_META_MAGIC */
	__u32 epoch; /* control.epoch when XDP ran */
	__u32 seq; /* low 32 bits of bucket_stats[queue][bucket].packets before this packet */
	__u32 hash; /* bucket = hash & control.bucket_mask, or that bucket's part */
	__u16 bucket;
	__u16 flags; /* enum sl_meta_flags */
	__u16 l3_off; /* of the IP header, from the start of the packet, bytes */
	__u16 l4_off; /* of the L4 header; 0 if there is none */
	__u8 proto; /* IP protocol of the L4 header */
	__u8 vlans; /* VLAN tags, 0..2 */
	__u16 tenant; /* < SL_MAX_TENANTS; 0: no tenant's rule accepts the packet, or there is none
		       */
	__u32 ticket; /* tenant_ring[queue][worker].sent before this packet */
};
_Static_assert(sizeof(struct sl_meta) == 32,
	       "kernel 6.1 takes 32 bytes of metadata, and multiples of 4");

#endif /* SLUICE_PACKET_H */
