/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_report.h - what a server tells its load balancers, so that they know which of its cores a
 * connection would reach and how busy that is (select: core): UDP datagrams of at most
 * SL_REPORT_MAX bytes, all words in network order.
 *
 *	struct sl_report_head | a body by `kind` | MAC, 8 bytes
 *
 * The MAC is SipHash-2-4 of all before it, as a big-endian word. Its key is made of the balancer's
 * secret: half i is SipHash-2-4 by the secret of the 15 bytes "sluice report i" (i: '0', '1'). A
 *receiver takes a datagram only if (boot, sequence) is greater than in all that it took from this
 *server before, so nothing can be played to it twice.
 */
#ifndef SLUICE_LB_REPORT_H
#define SLUICE_LB_REPORT_H

#include <linux/types.h>

#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert
#endif

#define SL_REPORT_MAGIC 0x534c5250u /* "SLRP" */
#define SL_REPORT_VERSION 1
#define SL_REPORT_PORT 7077
#define SL_REPORT_MAX 1400
#define SL_REPORT_MAC 8
#define SL_REPORT_CORES 128
#define SL_REPORT_ENTRIES 4096 /* of a table, at most; a power of two */
#define SL_REPORT_PART 1024 /* entries in one datagram */
#define SL_REPORT_PARTS (SL_REPORT_ENTRIES / SL_REPORT_PART)
#define SL_REPORT_SPLITS 128 /* SL_PARTS of sluice/maps.h */
#define SL_REPORT_KEY 48

enum sl_report_kind {
	SL_REPORT_LOADS = 1, /* struct sl_report_loads */
	/* struct sl_report_table, as it is or is about to be; on each change, and again now and
	 * then */
	SL_REPORT_TABLE = 2,
};

/* What the entries of a table stand for, beside cores 0..127. */
#define SL_REPORT_SPLIT 0x80 /* + i: core split[16 * i + top 4 bits of the hash] */
#define SL_REPORT_NOBODY 0xff

enum sl_report_hash {
	SL_REPORT_SYMMETRIC = 1, /* Sluice's, bpf/hash.h: key is six words */
	SL_REPORT_TOEPLITZ = 2, /* a NIC's, or Sluice's: key is the first 40 bytes */
};

/* fields[]: what goes into the hash, by flow type. */
enum sl_report_flow {
	SL_REPORT_TCP4,
	SL_REPORT_TCP6,
	SL_REPORT_UDP4,
	SL_REPORT_UDP6,
	SL_REPORT_FLOWS
};
#define SL_REPORT_ADDRESSES 1
#define SL_REPORT_PORTS 2

struct sl_report_head {
	__be32 magic;
	__u8 version;
	__u8 kind; /* enum sl_report_kind */
	__be16 server; /* its id at the balancer */
	__be64 boot; /* when the sender started, ns since 1970: a later start has more */
	__be64 sequence; /* of its datagrams, from 1 */
	__be32 table; /* number of the table that this is, or that the loads belong to */
	__be16 bytes; /* of the datagram, MAC included */
	__u8 part, parts; /* of a table; of loads 0 and 1 */
};
_Static_assert(sizeof(struct sl_report_head) == 32, "no holes");

struct sl_report_loads {
	__be16 cores;
	__be16 period_ms; /* over which the loads are means */
	__be16 load[]; /* [cores]: SL_REPORT_CORE is one core, busy all the time */
};
#define SL_REPORT_CORE 0x8000u

struct sl_report_table {
	__u8 hash; /* enum sl_report_hash */
	__u8 cores;
	__be16 entries; /* of the whole table: a power of two; the low bits of the hash choose */
	__u8 fields[SL_REPORT_FLOWS];
	__u8 key[SL_REPORT_KEY];
	__u8 split[SL_REPORT_SPLITS];
	__u8 core[]; /* those from part * SL_REPORT_PART on */
};
_Static_assert(sizeof(struct sl_report_head) + sizeof(struct sl_report_table) + SL_REPORT_PART +
			       SL_REPORT_MAC <=
		       SL_REPORT_MAX,
	       "a part fits");

#endif /* SLUICE_LB_REPORT_H */
