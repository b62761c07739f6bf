/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tenants.h - the part of the ABI, maps.h, that is about who shares an instance. */
#ifndef SLUICE_TENANTS_H
#define SLUICE_TENANTS_H

#include <sluice/maps.h>

/*
 * `tenant_match` (instance): two entries, SL_CTL_TENANT_SET says which is in force. The daemon
 * writes, XDP reads.
 */
struct sl_tenant_match {
	struct sl_match match; /* of addresses, protocol and ports; every rule takes */
	__u64 vlan[2][64]; /* [low, high six bits of the outermost VLAN id, 0 without] -> rules */
	__u64 vnis; /* rules that name a VNI */
	__u64 vni[3][256]; /* [byte of the VNI of VXLAN or Geneve] -> rules that accept it */
	__u8 tenant[64]; /* of a rule, in the order of sl_match_slot() */
	char name[SL_MAX_TENANTS][SL_TENANT_NAME]; /* whose the id is, or was; empty: nobody's */
};

/*
 * `tenant_gate` (interface): queue * SL_MAX_TENANTS + tenant. What a packet costs a tenant, as time
 * of its rates: a packet takes `packet`, or `byte` for each of its bytes, whichever is longer. The
 * entry of SL_TENANT_TOTAL is what all share: a capacity in bytes.
 */
struct sl_tenant_gate {
	/* line 0: the daemon writes */
	__u64 floor_packet SL_LINE; /* 2^-10 ns, at the rate that is the tenant's at any time */
	__u64 floor_byte; /* 2^-20 ns */
	__u64 share_packet; /* likewise, at the rate that its demand gets now */
	__u64 share_byte;
	__u64 floor_depth; /* 2^-10 ns that packets may come before their time */
	__u64 share_depth;
	/* the order at workers */
	__u32 turn_norm; /* mean weight over the tenant's, 2^-16; 0: 1 */
	__u32 turn_byte; /* cycles that a byte weighs, 2^-10; 0: bytes are not scarce */
	__u64 turn_credit; /* ns of a worker that it may be behind the others when it comes back */

	/* line 1: XDP writes, in the queue's NAPI poll */
	__u64 packets SL_LINE; /* that came */
	__u64 bytes;
	__u64 drops; /* of these, dropped here */
	__u64 drop_bytes;
	__u64 floor_at; /* when the rate has room for the next packet, 2^-10 ns */
	__u64 share_at;
};
_Static_assert(sizeof(struct sl_tenant_gate) == 2 * SL_CACHE_LINE, "one writer for each line");

/* `tenant_ring` (interface): queue * SL_MAX_WORKERS + worker, as `xsks`: what is in an RX ring. */
struct sl_tenant_ring {
	/* line 0: XDP writes, in the queue's NAPI poll */
	__u32 sent SL_LINE; /* packets redirected to it; the ticket of the next */

	/* line 1: the worker writes */
	__u32 taken
		SL_LINE; /* 1 + the ticket of the latest packet out, less what waits for turns */
	__u32 low; /* so many in the ring: only who is within its share gets in; 0: nobody serves */
	__u32 high; /* so many: only who is within its floor */
	__u32 size; /* so many: nobody */
};
_Static_assert(sizeof(struct sl_tenant_ring) == 2 * SL_CACHE_LINE, "one writer for each line");

/* `tenant_work` (instance): worker * SL_MAX_TENANTS + tenant, written by that worker only. */
struct sl_tenant_work {
	__u64 cycles SL_LINE; /* of busy_cycles, those that the tenant's packets took */
	__u64 packets;
	__u64 bytes;
	__u64 slots; /* gauge: places in RX rings that the tenant's packets take, times 256 */
	/* Gauges of which only the sum over workers says something: a flow may be made at one and
	 * end at another. */
	__u64 flows; /* entries of flow tables */
	__u64 flow_bytes;
};
_Static_assert(sizeof(struct sl_tenant_work) == SL_CACHE_LINE, "one line");

#endif /* SLUICE_TENANTS_H */
