/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb.h - the load balancer's maps: what XDP (bpf/lb.bpf.c) and user space share.
 *
 * Addresses and ports are in network order; an IPv4 address is word 3, the other words are 0.
 * Everything is written by user space alone unless a comment says otherwise.
 */
#ifndef SLUICE_LB_H
#define SLUICE_LB_H

#include <linux/types.h>

#include <sluice/lb_report.h>

#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert
#endif

#define SL_LB_ABI_VERSION 1u
#define SL_LB_MAX_VIPS 256
#define SL_LB_MAX_SERVERS 32768 /* ids; a cookie of 16 bits has 15 for them */
#define SL_LB_ROWS 65536 /* of a VIP's table; a power of two */
#define SL_LB_NO_SERVER 0xffff

/*
 * Cookie width n, bits. A client that was idle for 2^(31-n) ms takes the next segment for an old
 * one (RFC 7323, 5.3), unless it has forgotten the timestamp by then: Linux 6.7 does after 2147 s.
 */
#define SL_LB_COOKIE_MIN 8
#define SL_LB_COOKIE_MAX 16
#define SL_LB_COOKIE_DEFAULT 9

enum sl_lb_forward {
	SL_LB_NAT = 0, /* both directions through the balancer */
	/* Direct server return: the VIP is an address of the servers', which answer by themselves.
	 */
	SL_LB_L2 = 1, /* as it came, to the server's MAC address */
	SL_LB_IPIP = 2, /* in an IP packet to the server */
	SL_LB_GUE = 3, /* in a UDP datagram to the server: GUE, variant 1 */
};

/* Who gets a packet that starts a connection. */
enum sl_lb_select {
	SL_LB_BY_HASH = 0, /* row hash % rows */
	SL_LB_BY_TURN = 1, /* row after row, each CPU from a place of its own */
	SL_LB_BY_CORE = 2, /* the server whose core that it would reach is the least busy */
	/* In turn too, through rows that were dealt by the servers' loads. */
	SL_LB_BY_AWRR = 8, /* weights as the inverse of the loads */
	SL_LB_BY_LEAST = 9, /* the least loaded */
	SL_LB_BY_POWER_OF_TWO = 10, /* the less loaded of two drawn at random */
};

/* How the packets after it find the same server. */
enum sl_lb_keep {
	SL_LB_KEEP_COOKIE = 0, /* TCP by the cookie in its timestamps; others as with TABLE */
	SL_LB_KEEP_TABLE = 1, /* connection table, then the row of the hash */
	SL_LB_KEEP_NONE = 2, /* the row of the hash: breaks when rows change */
	SL_LB_KEEP_SLOT = 3, /* TCP by the slot of `lb_slots` that its timestamps name; others as
				with TABLE */
	SL_LB_KEEP_AGENT = 4, /* as COOKIE, but servers write it and restore what it was in */
	SL_LB_KEEP_QUIC = 5, /* UDP by the server's connection id; what has none as with TABLE */
};

/*
 * `lb_vips`. A VIP that is a network, with direct server return only (a translated answer would not
 * know which address it is to come from), is here by its first address; `lb_networks` leads there.
 */
struct sl_lb_vip_key {
	__u8 proto; /* IP protocol; 0 with port 0: "this address is a VIP's" */
	__u8 fragments; /* 1, port 0: who gets the fragments of the address and protocol */
	__be16 port; /* 0: any */
	__be32 addr[4];
};
_Static_assert(sizeof(struct sl_lb_vip_key) == 20, "no holes");

/* `lb_networks` (LPM trie): the networks that are VIPs. The value is the address in `lb_vips`. */
struct sl_lb_network {
	__u32 bits; /* of 128: an IPv4 prefix has 96 more than it is written with */
	__be32 addr[4];
};
struct sl_lb_network_base {
	__be32 addr[4];
};

struct sl_lb_vip {
	__u16 id; /* index of `lb_tables`, `lb_vip_stats` */
	__u8 forward; /* enum sl_lb_forward */
	__u8 select; /* enum sl_lb_select */
	__u8 keep; /* enum sl_lb_keep */
	__u8 bits; /* cookie width n */
	__u8 candidates; /* of BY_CORE: servers compared for a connection, at most */
	__u8 shift; /* AGENT: lower bits of a cookie's id that are the next tier's own */
};
_Static_assert(sizeof(struct sl_lb_vip) == 8, "one word");

enum sl_lb_state {
	SL_LB_ABSENT = 0,
	SL_LB_UP = 1,
	SL_LB_DRAIN = 2, /* keeps its connections; tables no longer name it */
	SL_LB_DOWN = 3, /* its connections go to the pool, where they are reset */
};

/* What the checks of `sluice lb run` found; `state` is what the operator wants. */
enum sl_lb_health {
	SL_LB_UNCHECKED = 0,
	SL_LB_HEALTHY = 1,
	SL_LB_FAILING = 2, /* tables do not name it; TCP connections stay, UDP flows go elsewhere */
	SL_LB_PANIC = 3, /* fails as all of the VIP's do, so it serves */
};

/* `lb_servers`: id -> server. */
struct sl_lb_server {
	__be32 addr[4];
	__be16 port; /* 0: the VIP's port stays */
	__u16 vip;
	__u8 v6; /* 1: IPv6 */
	__u8 state; /* enum sl_lb_state */
	__u16 weight; /* share of the rows, relative to the VIP's other servers */
	__u8 health; /* enum sl_lb_health */
	__u8 resv[7];
};
_Static_assert(sizeof(struct sl_lb_server) == 32, "half a line");

/* `lb_tunnels`: server -> what the outer header has of SL_LB_IPIP and SL_LB_GUE. */
struct sl_lb_tunnel {
	__be32 source[4]; /* of the family of the server */
	__u16 spread; /* bits of the source's last 16 that differ from flow to flow */
	__be16 port; /* GUE's destination port */
	__u8 foreign; /* 1: the source is no address of the balancer's */
	__u8 kept; /* 1: the kernel keeps the server's neighbour, at our request; XDP does not read
		      it */
	__u8 resv[10];
};
_Static_assert(sizeof(struct sl_lb_tunnel) == 32, "half a line");

#define SL_LB_GUE_PORT 6080 /* IANA's */

/* `lb_reverse`: where a packet comes from -> whose answer it is; under SL_LB_NAT. */
struct sl_lb_reverse {
	__u16 server, vip;
	__be16 port; /* the VIP's; 0: as it is */
	__u8 keep, bits; /* the VIP's */
	__be32 addr[4]; /* the VIP's */
};
_Static_assert(sizeof(struct sl_lb_reverse) == 24, "no holes");

/*
 * `lb_clocks`: server -> its TCP timestamp clock, followed by XDP from the server's packets (user
 * space may read). One aligned word: timestamp << 32 | milliseconds of CLOCK_MONOTONIC when it was
 * seen; 0: not known yet.
 */
struct sl_lb_clock {
	__u64 now;
	__u64 other; /* one that disagrees with `now`, seen lately */
	__u32 strays; /* +2 for a SYN-ACK that disagrees with `now`, -1 for one that agrees */
	__u32 erratic; /* 1: no clock, but a timestamp offset per connection; set by XDP */
	__u32 resv[10];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct sl_lb_clock) == 64, "one line");

#define SL_LB_CLOCK_NEAR_MS 2000 /* retransmissions and scheduling; a clock's drift is less */
#define SL_LB_STRAYS_MAX 8

#define SL_LB_CANDIDATES 8

/* `lb_tables`: VIP -> an array of one such value: who gets the connections of a row. */
struct sl_lb_table {
	__u16 server[SL_LB_ROWS];
	__u16 few[SL_LB_CANDIDATES]; /* the servers that are up, if they are no more */
	__u32 few_n; /* 0: more; BY_CORE then looks at rows */
};

/*
 * `lb_cores`: server -> an array of one such value, there once it has reported (lb_report.h). User
 * space replaces it when the server's key changes; loads and the table's rows it stores one by one.
 */
struct sl_lb_cores {
	/* user space writes, while it is served */
	__u64 until_ns; /* of CLOCK_MONOTONIC: what is below is out of date from then on */
	__u32 flow; /* what a connection is taken to add to its core until the next report */
	__u32 table; /* number of the server's table; 0: none of this boot yet. XDP does not read */
	__u32 load[SL_REPORT_CORES]; /* of SL_REPORT_CORE */
	__u64 boot, sequence; /* of the latest report: older ones are replays. XDP does not read */

	/* XDP writes: what it has sent to a core. User space halves it with each report. */
	__u32 added[SL_REPORT_CORES]; /* 1/16 connections */
	__u64 chosen[SL_REPORT_CORES]; /* connections, never reset */

	/* constant, but for rows */
	__u32 key_id; /* servers with the same key have the same, never 0 */
	__u32 mask; /* entries of `core` - 1 */
	__u32 address; /* Toeplitz of the server's address, where it is the destination's */
	__u8 fields[SL_REPORT_FLOWS]; /* SL_REPORT_ADDRESSES | SL_REPORT_PORTS */
	__u8 hash; /* enum sl_report_hash */
	__u8 cores;
	__u8 resv[6];
	__u64 symmetric[6];
	__u32 toeplitz[72][16]; /* [half byte of the input][its value] */
	__u8 split[SL_REPORT_SPLITS];
	__u8 core[SL_REPORT_ENTRIES];
};
#define SL_LB_ADDED_FLOW 16

/*
 * `lb_connections` (LRU): the client's end and the VIP's -> the server, and in the upper half what
 * its outer headers have as their entropy (0: what the hash gives). XDP writes.
 */
#define SL_LB_AIM_SHIFT 16
_Static_assert(SL_LB_MAX_SERVERS <= 1 << SL_LB_AIM_SHIFT, "an id is in the lower half");
struct sl_lb_connection {
	__be32 client[4];
	__be16 client_port, vip_port;
	__u16 vip;
	__u8 proto, resv;
};
_Static_assert(sizeof(struct sl_lb_connection) == 24, "no holes");

/*
 * QUIC-LB (draft-ietf-quic-load-balancers-19): how servers write their id into the connection ids
 * that they issue, and how XDP reads it there (bpf/quic_lb.h). Server ids are numbers, their first
 * octet on the wire topmost; a shorter one has zeros in front.
 */
#define SL_LB_QUIC_CONFIGS 7 /* 0..6: the first three bits of a connection id; 7 is of none */
#define SL_LB_QUIC_CID_MAX 20 /* octets, RFC 9000 */
#define SL_LB_QUIC_SERVER_ID_MAX 15
#define SL_LB_QUIC_NONCE_MIN 4
#define SL_LB_QUIC_KEY_WORDS 44

struct sl_lb_quic_config {
	__u8 used; /* 0: no server issues connection ids of this number */
	__u8 server_id_length, nonce_length; /* octets */
	__u8 keyed; /* 0: as they are, nothing is encrypted */
	__u32 encrypt[SL_LB_QUIC_KEY_WORDS]; /* round keys of AES-128; the first four: the key */
	__u32 decrypt[SL_LB_QUIC_KEY_WORDS];
};
_Static_assert(sizeof(struct sl_lb_quic_config) == 356, "no holes");

/* `lb_quic`: VIP -> an array of one such value. */
struct sl_lb_quic {
	/* The last is never used, so that three bits need no bound (Linux 6.1 loses sight of it).
	 */
	struct sl_lb_quic_config config[SL_LB_QUIC_CONFIGS + 1];
};

/* `lb_quic_servers`: the server id in connection ids of a VIP -> server. */
struct sl_lb_quic_server {
	__u64 id[2];
	__u16 vip;
	__u16 resv[3];
};
_Static_assert(sizeof(struct sl_lb_quic_server) == 24, "no holes");

/* `lb_ports`: interface index -> its MAC address, to answer for VIPs. */
struct sl_lb_port {
	__u8 mac[6];
	__u8 resv[2];
};

/* `lb_control`, one entry. */
struct sl_lb_control {
	__u64 key[2][2]; /* SipHash keys; cookies name theirs by one bit */
	__u32 phase; /* key of new cookies */
	__u32 mixed; /* some server is erratic: look in the table before the cookie. XDP sets it */
	__u32 inserts_max; /* new entries of the connection table, per CPU and second */
	__u32 generation; /* of `lb_vips`: another number after each change, or XDP may not see it
			   */
	__u64 slot_key[2]; /* SipHash key of `lb_slots`: this balancer's own, and stays */
	__u32 slot_blocks; /* entries of `lb_slots`; a power of two */
	__u32 next_id; /* of a server, once all have been used: the one after the last given anew */
	__u64 netns; /* inode of the network namespace whose interfaces these are; 0: not said */
};
_Static_assert(sizeof(struct sl_lb_control) == 80, "no holes");

/*
 * `lb_slots`: connections of VIPs with SL_LB_KEEP_SLOT. The hash of one chooses its block, and the
 * cookie in its timestamps is the slot there; bpf/slot.h has the rules. XDP writes.
 */
#define SL_LB_SLOT_BITS 9 /* cookie width: a VIP's `bits` is the same */
#define SL_LB_SLOT_TICK_BITS 10 /* a tick: 1,024 ms */
#define SL_LB_BLOCK_SLOTS 512
#define SL_LB_BLOCK_YOUNG 128 /* slots of a block that a flood of SYNs can have */
#define SL_LB_SLOT_STACKS 4
#define SL_LB_BLOCKS_MAX 32768

/* What changes with packets, in one word. */
union sl_lb_slot_seen {
	struct {
		__u16 tick; /* when it was used, SL_LB_SLOT_TICK_BITS of ms; wraps after 18 hours */
		union {
			__u16 client_add; /* upper half of what its timestamps have on the wire */
			__u16 next; /* of a free one: the free one below it in the stack + 1 */
		};
		/* Upper halves of the ends' last timestamps; of a young one, both of the SYN-ACK's.
		 */
		__u16 client_last, server_last;
	};
	__u64 all;
};

/* Four in a line of memory, for fetching it is most of what a packet costs with many connections.
 */
struct sl_lb_slot {
	__u32 state; /* server, generation and flags: changes by compare-and-swap alone */
	__u32 key; /* of the connection's hash, bits that its block does not tell */
	union sl_lb_slot_seen seen;
};
_Static_assert(sizeof(struct sl_lb_slot) == 16, "a quarter of a line");

struct sl_lb_block {
	__u64 free[SL_LB_SLOT_STACKS]; /* stacks: changes so far << 32 | slot on top + 1 */
	__u32 fresh; /* slots from here on were never taken */
	__u32 young; /* taken and not confirmed by the client */
	__u32 swept; /* where the sweep is */
	__u32 resv[5];
	struct sl_lb_slot slot[SL_LB_BLOCK_SLOTS];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct sl_lb_block) == 64 + 16 * SL_LB_BLOCK_SLOTS, "no holes");

/* `lb_counts` (per CPU): every packet that XDP saw is in one of the first group. */
enum sl_lb_count {
	SL_LB_NEW, /* starts a connection, or what a VIP has instead of them */
	SL_LB_COOKIE, /* by its cookie */
	SL_LB_SLOT, /* by its slot */
	SL_LB_TABLE, /* by the connection table */
	SL_LB_HASHED, /* by the row of its hash: neither knew it */
	SL_LB_FRAGMENT, /* of a VIP without ports, by the row of the addresses' hash */
	SL_LB_QUIC, /* by the server id in its connection id */
	SL_LB_REPLY, /* a server's, on its way to the client */
	SL_LB_ICMP, /* an error about a connection, to its server or client */
	SL_LB_ANSWERED, /* ARP, neighbour solicitation and echo for a VIP */
	SL_LB_TOO_BIG, /* for the next hop: "fragmentation needed" or "packet too big" went back */
	SL_LB_PASSED, /* not for us: up the stack */
	SL_LB_RESOLVE, /* up the stack, translated: it finds out the neighbour and forwards */
	SL_LB_DROP_NO_VIP, /* to a VIP's address, but no port or protocol of a VIP's */
	SL_LB_DROP_NO_SERVER, /* empty row */
	SL_LB_DROP_NO_CLOCK, /* cookie of a server whose clock is not known yet */
	SL_LB_DROP_FRAGMENT, /* to a VIP */
	SL_LB_DROP_MALFORMED, /* to a VIP: shorter than its headers say */
	SL_LB_DROP_NO_ROUTE,
	SL_LB_DROP_TOO_BIG, /* for the next hop, and without an answer */
	SL_LB_DROP_TTL,
	SL_LB_DROP_ICMP, /* errors, more than are relayed in a second */
	/* The rest are details of the above. */
	SL_LB_BAD_COOKIE, /* names no server of the VIP: forged, stale, or without meaning */
	SL_LB_COOKIE_DOWN, /* names a server that is down */
	SL_LB_NO_OPTION, /* TCP of a cookie VIP without a timestamp option, not the first */
	SL_LB_RST_NO_OPTION, /* of these, RST */
	SL_LB_INSERTED, /* into the connection table */
	SL_LB_BYPASSED, /* not inserted: more than inserts_max */
	SL_LB_ICMP_COOKIE, /* errors that found their server by the quoted cookie */
	SL_LB_ICMP_TABLE,
	SL_LB_ICMP_HASHED,
	SL_LB_ICMP_CLIENT, /* errors about a client's packet */
	SL_LB_CLOCK_JUMPS,
	SL_LB_CID_NO_CONFIG, /* connection id of a configuration that is not there, or of none (7)
			      */
	SL_LB_CID_SHORT, /* shorter than its configuration says */
	SL_LB_CID_BAD, /* names no server of the VIP: a client's own, stale, or forged */
	SL_LB_CID_DOWN, /* names a server that is down */
	SL_LB_BY_LOAD, /* new ones whose server was chosen by its cores' loads */
	SL_LB_UNREPORTED, /* to the row's server, of whose cores nothing is known */
	SL_LB_SLOT_TAKEN,
	SL_LB_SLOT_FREED, /* its connection ended, or was idle or unconfirmed for too long */
	SL_LB_SLOT_FULL, /* no slot was free, or a flood has those that it may have */
	SL_LB_SLOT_UNKNOWN, /* a client's timestamps name no slot of its connection */
	SL_LB_COUNTS,
};

/* `lb_vip_stats`, `lb_server_stats` (per CPU). */
struct sl_lb_stats {
	__u64 packets, bytes; /* towards servers */
	__u64 connections; /* starts of them */
	__u64 replies, reply_bytes;
	__u64 accepted,
		refused; /* SYNs by a SYN-ACK and by a RST; only of servers, only with NAT */
};

/* `lb_watch`: server -> what `sluice lb run` saw of it. XDP does not read it. */
struct sl_lb_watch {
	__u64 since_ns; /* CLOCK_MONOTONIC: its health is what it is since then */
	__u64 load; /* by the VIP's metric, a second; of a CPU: thousandths of a core */
	char why[48]; /* what the last probe that failed ended with */
};
_Static_assert(sizeof(struct sl_lb_watch) == 64, "one line");

#endif /* SLUICE_LB_H */
