/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.h - the agent's maps: what its programs on a server's interfaces (bpf/agent.bpf.c) and user
 * space share.
 *
 * Addresses and ports are in network order; an IPv4 address is word 3, the other words are 0.
 * Everything is written by user space alone unless a comment says otherwise.
 */
#ifndef SLUICE_AGENT_H
#define SLUICE_AGENT_H

#include <linux/types.h>

#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert
#endif

#define SL_AGENT_ABI_VERSION 1u
#define SL_AGENT_MAX_VIPS 1024
#define SL_AGENT_MAX_FROM 1024
#define SL_AGENT_MAX_IFACES 64
#define SL_AGENT_GUE_PORT 6080 /* IANA's */

/* `agent_control`, one entry. */
struct sl_agent_control {
	__u64 netns; /* inode of the network namespace that the interfaces are in */
	__u64 key[2][2]; /* SipHash keys, the balancers'; a cookie names its by one bit */
	__u32 phase; /* key of new cookies */
	__be16 gue_port;
	__u8 resv[2];
};
_Static_assert(sizeof(struct sl_agent_control) == 48, "no holes");

struct sl_agent_vip {
	__be32 addr[4];
};

/* `agent_vips` (LPM trie): what may be in a tunnel. `agent_from`: who may send it. The value is 1.
 */
struct sl_agent_prefix {
	__u32 bits; /* of 128: an IPv4 prefix has 96 more than it is written with */
	__be32 addr[4];
};

/* `agent_services`: an end of TCP of this host whose timestamps carry a cookie. */
struct sl_agent_end {
	__be32 addr[4];
	__be16 port; /* 0: any */
	__u8 resv[2];
};
struct sl_agent_service {
	__be32 vip[4];
	__be16 port; /* the VIP's; 0: as it is */
	__u16 server; /* id of this host */
	__u8 bits; /* cookie width n */
	__u8 resv[3];
};
_Static_assert(sizeof(struct sl_agent_service) == 24, "no holes");

/*
 * `agent_handshakes` (LRU): connection (struct sl_lb_ends of bpf/cookie.h) -> its timestamp less
 * milliseconds of CLOCK_MONOTONIC, where the kernel keeps nothing of it: SYN cookies. BPF writes.
 */
#define SL_AGENT_HANDSHAKES 65536

/* `agent_ports`: interface index -> what is there. */
struct sl_agent_port {
	__u8 qdisc; /* 1: the clsact qdisc is ours */
	__u8 resv[3];
};

/* `agent_counts` (per CPU): every packet that came in is in one of the first group. */
enum sl_agent_count {
	SL_AGENT_OTHER, /* nobody's tunnel, untouched as all but the next two are */
	SL_AGENT_IPIP, /* decapsulated, and up the stack */
	SL_AGENT_GUE,
	SL_AGENT_NOT_FROM, /* of a tunnel, but not from a balancer */
	SL_AGENT_NOT_VIP, /* what is in the tunnel is for another address */
	SL_AGENT_FRAGMENT,
	SL_AGENT_MALFORMED, /* shorter than its headers say, or of another version than they say */
	SL_AGENT_GUE_UNKNOWN, /* a control message, flags, a version or a protocol we do not take */
	SL_AGENT_DROP_ECN, /* RFC 6040, 4.2: congestion that the inner header cannot tell of */
	SL_AGENT_DROP_FAILED, /* the kernel could not take the headers off */
	/* Of services: */
	SL_AGENT_COOKIES, /* timestamps that went out with a cookie */
	SL_AGENT_RESTORED, /* echoes given back by the connection's socket */
	SL_AGENT_RESTORED_HANDSHAKE, /* by `agent_handshakes` */
	SL_AGENT_NO_SOCKET, /* left as they came: nobody here has such a connection */
	SL_AGENT_COUNTS,
};

#endif /* SLUICE_AGENT_H */
