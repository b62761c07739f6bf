/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maps.h - the ABI between the XDP programs, the dataplane, the daemon and the CLI.
 *
 * One struct per map value. Every writer and every reader of a field is named; a cache line has one
 * writer. The header compiles for BPF and for user space. Change anything here and SL_ABI_VERSION
 * changes with it: maps of another version are refused, never reinterpreted.
 */
#ifndef SLUICE_MAPS_H
#define SLUICE_MAPS_H

#include <linux/types.h>

#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert
#endif

#define SL_ABI_VERSION 1

/* 128 workers x 64 queues is what an XSKMAP of 8,192 slots addresses (64 KiB of kernel memory). */
#define SL_MAX_WORKERS 128
#define SL_MAX_QUEUES 64
#define SL_MAX_IFACES 4
#define SL_MIN_BUCKETS 128
#define SL_MAX_BUCKETS 65536
#define SL_DEFAULT_BUCKETS 1024
#define SL_SPLITS 8 /* buckets that are split at a time */
#define SL_SPLIT_SHIFT 4
#define SL_SPLIT_PARTS (1 << SL_SPLIT_SHIFT) /* of one bucket: by the top bits of the hash */
#define SL_PARTS (SL_SPLITS * SL_SPLIT_PARTS)
#define SL_CACHE_LINE 64
#define SL_MOVE_LOG 4096 /* entries of the `moves` ring */
#define SL_DROP_REASONS 32
#define SL_DROP_NAME 24
#define SL_MAX_RULES 63 /* one bit each of a 64-bit word; the 64th is the local-address filter */
#define SL_MAX_TENANTS 64 /* 0 is who is no tenant, the last one the sum of all */
#define SL_TENANT_TOTAL (SL_MAX_TENANTS - 1)
#define SL_TENANT_NAME 24
#define SL_HASH_KEY 6 /* words of the symmetric hash's key */
#define SL_TOEPLITZ_KEY 52
#define SL_TOEPLITZ_INPUT 36 /* IPv6 addresses and ports, bytes */

#define SL_LINE __attribute__((aligned(SL_CACHE_LINE)))

/*
 * Parts are buckets too: their numbers follow those of the hash, so tables have hash buckets +
 * SL_PARTS entries. The largest table has none: a stamp has 16 bits for a bucket.
 */
static inline __u32 sl_table_entries(__u32 hash_buckets)
{
	return hash_buckets < SL_MAX_BUCKETS ? hash_buckets + SL_PARTS : hash_buckets;
}

static inline __u32 sl_hash_buckets(__u32 table_entries)
{
	return table_entries < SL_MAX_BUCKETS ? table_entries - SL_PARTS : table_entries;
}

/*
 * `indirection` (instance): bucket -> row. Written by the daemon, the CLI or by hand; read by XDP
 * with one volatile 64-bit load and by housekeeping. Stored with one aligned 64-bit store.
 */
struct sl_row {
	__u16 worker; /* target worker, < SL_MAX_WORKERS; or SL_TO_PARTS + split, SL_TO_NONE */
	__u8 mode; /* enum sl_row_mode */
	__u8 next; /* 1 + the worker that it is about to be moved to, 0: none. XDP does not look:
		      balancers are told before they are wrong, see user/platform/announce.h */
	__u32 epoch; /* free for the writer: the daemon puts the number of the plan that wrote the
			row */
} __attribute__((aligned(8)));
_Static_assert(sizeof(struct sl_row) == 8, "a row is one 64-bit word");

enum sl_row_mode {
	SL_ROW_WORKER = 0, /* to `worker` */
	SL_ROW_ELEPHANT = 1, /* likewise, and it notes which flows take the time: struct sl_elephant
			      */
	SL_ROW_SPLIT = 2, /* wanted in parts; housekeeping carries it out, and back when it is not
			   */
	SL_ROW_STAYS = 3, /* a part whose bucket is about to be whole: nobody else writes this row
			   */
};

#define SL_TO_PARTS 0x100 /* + split: whose parts have the packets; housekeeping writes it only */
#define SL_TO_NONE 0x7fff /* of a part that is not in use */

/*
 * `owners` (instance): bucket -> who holds its shard. Changed only by compare-and-swap of the whole
 * word, by housekeeping (OWNED -> MOVING) and by the owner (release store MOVING -> OWNED).
 * Moving if and only if owner != next.
 */
struct sl_owner {
	__u16 owner; /* a worker; SL_TO_PARTS + split of a split bucket, SL_TO_NONE of a free part
		      */
	__u16 next; /* or owner | SL_OWNER_HOLD: a NIC's table is about to send it elsewhere */
	__u32 epoch; /* epoch of the latest move; serial-number arithmetic */
} __attribute__((aligned(8)));
_Static_assert(sizeof(struct sl_owner) == 8, "an owner is one 64-bit word");
/* It keeps its owner, who lets packets from the new queue wait until the old queue has none. */
#define SL_OWNER_HOLD 0x8000

/*
 * `bucket_stats` (interface): queue * table entries + bucket. XDP writes, all read; never reset. A
 * split bucket's packets are counted there and at their part.
 */
struct sl_bucket_stats {
	__u64 packets; /* atomic fetch-and-add; the result is the packet's number */
	__u64 bytes; /* approximate where several CPUs serve one queue (generic mode) */
};
_Static_assert(sizeof(struct sl_bucket_stats) == 16, "two words");

/* A flow of an elephant; the ends in the order of struct sl_flow_key (nf.h). */
struct sl_heavy_flow {
	__u8 addr[2][16]; /* IPv4 as ::ffff:a.b.c.d */
	__u16 port[2]; /* network order */
	__u8 proto;
	__u8 resv;
	__u16 share; /* of the bucket's time, permille, at most (Space-Saving) */
};
_Static_assert(sizeof(struct sl_heavy_flow) == 40, "five words");

/*
 * What became of an interface's own table (RETA), see docs/architecture.md, "Hardware steering".
 * The dataplane writes.
 */
struct sl_nic_state {
	__u16 state; /* enum sl_nic_steering */
	__u16 entries; /* of its table */
	__u16 own; /* packets that come in on a queue of their worker's own, permille */
	__u16 error; /* errno of SL_NIC_REFUSED */
	__u64 writes; /* of the table */
	__u64 written; /* entries that changed in them */
	__u64 packets; /* looked at */
	__u64 astray; /* of these, what came in elsewhere than the table says */
	__u64 late; /* came in on the old queue after others were not held back any more: those may
		       have overtaken them */
	__u32 cut_short; /* holds that ended early because their park was full */
	__u32 rewrites; /* of the whole table, because packets came in elsewhere */
	__u32 ifindex; /* 0: no interface here */
	__u32 resv;
};
_Static_assert(sizeof(struct sl_nic_state) == SL_CACHE_LINE, "one line");

enum sl_nic_steering {
	SL_NIC_OFF = 0, /* left alone */
	SL_NIC_ABSENT, /* the driver shows no table, or one that buckets cannot follow */
	SL_NIC_HASH, /* the instance does not hash as NICs do */
	SL_NIC_REFUSED, /* by the driver: `error` */
	SL_NIC_UNPROVEN, /* written, and too few packets since to tell */
	SL_NIC_FOLLOWS,
	SL_NIC_ASTRAY, /* packets come in elsewhere than the table says */
	SL_NIC_STATES
};

/* control.hardware */
enum sl_hardware {
	SL_HARDWARE_AUTO = 0, /* where it can be had */
	SL_HARDWARE_ON = 1, /* likewise, and it is an error where it cannot */
	SL_HARDWARE_OFF = 2,
};

#define SL_HEAVY_FLOWS 4

/*
 * What a bucket in mode SL_ROW_ELEPHANT consists of, heaviest flow first. Its owner writes;
 * sl_elephant_read() (user/platform/elephant.h) reads it whole.
 */
struct sl_elephant {
	__u32 seq; /* odd while it is written */
	__u32 bucket; /* plus 1; 0: never written */
	__u32 flows; /* of `flow` */
	__u32 samples; /* packets looked at */
	struct sl_heavy_flow flow[SL_HEAVY_FLOWS];
	__u64 resv[2];
};
_Static_assert(sizeof(struct sl_elephant) == 3 * SL_CACHE_LINE, "three lines");

/*
 * `control` (instance), one entry.
 */
struct sl_control {
	/* line 0: the dataplane's housekeeping writes, XDP reads per packet */
	__u32 epoch SL_LINE;

	/* line 1: the dataplane's grace thread writes, workers read */
	__u32 settled SL_LINE; /* every packet steered by rows older than this epoch is published */

	/* line 2: attach and the daemon write, XDP reads per packet */
	__u32 flags SL_LINE; /* enum sl_control_flags; 0 (a fresh object) passes everything */
	__u32 bucket_mask; /* hash buckets - 1 */
	__u32 bucket_stride; /* table entries: where the next queue's begin in bucket_stats */
	__u32 match_set; /* which entry of `match` is in force: 0 or 1 */
	__u64 hash_key[SL_HASH_KEY]; /* of the symmetric hash; from sl_hash_key_init() */

	/* line 3: the dataplane writes */
	__u64 incarnation SL_LINE; /* of the dataplane; counts starts */
	__u32 workers; /* workers that take part now: 0..workers-1 may hold buckets */
	__u32 max_workers; /* what bucket_cost and the rings were sized for */
	__u32 pid; /* of the running dataplane, 0 when stopped cleanly */
	__u32 xdp_mode; /* enum sl_xdp_mode, as the dataplane found it */
	__u64 heartbeat_ns; /* CLOCK_MONOTONIC of housekeeping's latest round */
	__u64 moves_started;
	__u64 moves_refused;
	__u64 tsc_hz; /* cycle counter's rate, for cycles -> seconds */
	__u32 work_source; /* enum sl_work_source */

	/* line 4: the dataplane writes, seldom */
	__u64 abandoned SL_LINE; /* what dataplanes held at their end, processed by nobody */
	__u64 abandoned_rx; /* of these, what no worker had counted as received */
	__u64 redirect_error; /* redirects that failed for another cause than ring_full and no_frame
			       */
	__u32 split[SL_SPLITS]; /* 1 + the bucket whose parts these are; 0: free. Housekeeping */
	__u32 splits; /* how many may be; 0: an NF of the chain keeps what cannot be divided */

	/* lines 5-7: the owner of the elephant writes */
	struct sl_elephant elephant SL_LINE;

	/* line 8: attach, the daemon and the CLI write, the dataplane reads */
	__u32 hardware SL_LINE; /* enum sl_hardware */

	/* lines 9-12: the dataplane writes, by interface */
	struct sl_nic_state nic[SL_MAX_IFACES] SL_LINE;

	/* line 13: the dataplane writes as it starts */
	__u64 flow_memory SL_LINE; /* bytes that tenants share for flows; 0: they do not */

	/* line 14: the agent that reports to load balancers writes, by compare-and-swap */
	__u64 told_ns SL_LINE; /* CLOCK_MONOTONIC: rows written before it are with the balancers; 0:
				  no agent */
	__u64 resv[SL_CACHE_LINE / 8] SL_LINE;
};
_Static_assert(sizeof(struct sl_control) == 16 * SL_CACHE_LINE,
	       "one writer for each line; a power of two makes XDP's look-up a shift");

enum sl_control_flags {
	SL_CTL_READY = 1 << 0, /* configured: without it every packet passes */
	SL_CTL_TOEPLITZ = 1 << 1, /* Toeplitz instead of the symmetric hash */
	SL_CTL_LOCAL = 1 << 2, /* take traffic to the host's own addresses too */
	/* pass everything: a starting dataplane settles the counters (~20 ms) */
	SL_CTL_HOLD = 1 << 3,
	SL_CTL_INBAND = 1 << 4, /* the stamp lies in the packet, before its Ethernet header */
	SL_CTL_STACK = 1 << 5, /* workers are CPUs, and packets go up the kernel's stack there */
	SL_CTL_TENANTS = 1 << 6, /* packets have tenants */
	SL_CTL_TENANT_SET = 1 << 7, /* which entry of `tenant_match` is in force */
	/* with SL_CTL_TOEPLITZ: taken from the NIC where that gives it, which was asked for */
	SL_CTL_RX_HASH = 1 << 8,
};

enum sl_xdp_mode {
	SL_XDP_UNKNOWN = 0,
	SL_XDP_NATIVE = 1, /* rules (a), (d) and (c) hold */
	SL_XDP_GENERIC = 2, /* several CPUs may serve a queue: rule (c) only */
};

/* How it is known what else a worker's CPU does. */
enum sl_work_source {
	SL_WORK_UNKNOWN = 0,
	SL_WORK_TRACED = 1, /* tracepoints of the scheduler and of softirq: exact */
	SL_WORK_PROC_STAT = 2, /* /proc/stat: softirq, interrupts and steal, in ticks of 10 ms */
};

/* `workers` (instance): worker -> its counters. Lines 0-7: the worker writes. Last line:
 * housekeeping. */
struct sl_worker {
	__u64 heartbeat_ns
		SL_LINE; /* CLOCK_MONOTONIC, refreshed at least each second while it runs */
	__u64 busy_cycles; /* rounds that found packets */
	__u64 idle_cycles; /* polling rounds that found none */
	__u64 sleep_cycles; /* asleep in poll() */
	__u64 rounds;
	__u64 sleeps;
	__u32 state; /* enum sl_worker_state */
	__s32 cpu; /* pinned to, -1 if not pinned */
	__u32 ring_fill; /* descriptors found waiting in the fullest RX ring, latest round */
	__u32 buckets; /* shards owned, as counted in the latest sweep */

	__u64 rx_packets SL_LINE; /* taken from RX rings: the `delivered` of the loss identity */
	__u64 rx_bytes;
	__u64 forwarded; /* handed to a TX ring */
	__u64 tx_bytes;
	__u64 consumed; /* by an NF's verdict */
	__u64 park_overflow;
	__u64 stray;
	__u64 held; /* gauge: parked now, or in the batch in hand */

	__u64 released_a SL_LINE; /* moves that this worker released, by the rule of the last queue
				     to drain */
	__u64 released_d;
	__u64 released_c;
	__u64 parked; /* packets that ever waited in a park */
	__u64 flows; /* gauge: flow-table entries in owned shards */
	__u64 flow_refused; /* flow entries not made because of the memory bound */
	__u64 flow_evicted; /* flow entries evicted because of the memory bound */
	__u64 flow_expired;

	__u64 nf_drop[SL_DROP_REASONS] SL_LINE;

	__u64 ring_full SL_LINE; /* XDP_STATISTICS rx_ring_full of its sockets */
	__u64 no_frame; /* XDP_STATISTICS rx_dropped: fill ring empty, or packet longer than a frame
			 */
	__u64 tx_invalid; /* XDP_STATISTICS tx_invalid_descs: 0 unless there is a bug */
	__u64 softirq_cycles; /* of its CPU, by control.work_source */
	__u64 foreign_cycles; /* of its CPU: threads of others; 0 unless traced */
	__u64 interrupted_cycles; /* of both, while the worker had something to do or polled */
	__u64 roaming_cycles; /* of foreign_cycles, threads that may run on other CPUs too */
};
_Static_assert(sizeof(struct sl_worker) == 8 * SL_CACHE_LINE, "eight lines");

enum sl_worker_state {
	SL_WORKER_ABSENT = 0,
	SL_WORKER_RUNNING = 1, /* has a socket on every queue */
	SL_WORKER_LEAVING = 2, /* giving its shards away */
};

/* `bucket_cost` (instance): worker * buckets + bucket, written by that worker only. */
struct sl_bucket_cost {
	__u64 cycles; /* of the sampled packets */
	__u32 samples; /* packets sampled */
	__u32 flows; /* flow-table entries of the shard */
	__u32 parked; /* packets of the bucket that wait now */
	__u32 resv;
};
_Static_assert(sizeof(struct sl_bucket_cost) == 24, "three words");

/* `moves` (instance): a ring of the latest moves, index = seq % SL_MOVE_LOG. */
struct sl_move {
	__u64 seq; /* 1, 2, ...; 0: never used. Housekeeping writes it last */
	__u64 asked_ns; /* CLOCK_MONOTONIC when housekeeping saw the row */
	__u64 ended_ns; /* release, by the old owner; 0 while under way */
	__u32 bucket;
	__u32 epoch;
	__u16 from, to;
	__u32 parked_max; /* packets that waited at the new owner, by the new owner */
	__u32 rule; /* enum sl_drain_rule of the last queue to drain */
	__u32 resv;
};
_Static_assert(sizeof(struct sl_move) == 48, "six words");

enum sl_drain_rule {
	SL_DRAIN_NONE = 0,
	SL_DRAIN_A =
		1, /* a packet stamped with the move's epoch or newer came out of the old ring */
	SL_DRAIN_D = 2, /* packet numbers meet */
	SL_DRAIN_C = 3, /* grace period over and ring consumed up to what was published then */
};

/* `drop_reasons` (instance): the names of sl_worker.nf_drop; the dataplane writes at start. */
struct sl_drop_reason {
	char name[SL_DROP_NAME];
};

/*
 * `verdicts` (interface), PERCPU_ARRAY: why a packet was not redirected, and two informative
 * counters. XDP writes off the fast path only.
 */
enum sl_steer_count {
	SL_PASS_UNCONFIGURED = 0, /* control.flags lacks SL_CTL_READY, or bucket_stats the queue */
	SL_PASS_ARP,
	SL_PASS_ND, /* IPv6 neighbour and router discovery */
	SL_PASS_NO_MATCH, /* no rule takes it */
	SL_PASS_LOCAL, /* to one of the host's own addresses */
	SL_PASS_TRUNCATED, /* shorter than its headers say */
	SL_PASS_UNKNOWN, /* an ethertype, IP version or chain of headers that is not parsed */
	SL_NO_SLOT, /* redirect refused: no socket in that slot; fallback verdict */
	SL_BAD_ROW, /* row.worker >= SL_MAX_WORKERS; fallback verdict */
	SL_STAMP_ERROR, /* the driver has no room for metadata; fallback verdict */
	SL_INFO_FRAGMENT, /* taken, hashed on addresses only */
	SL_INFO_ICMP_ERROR, /* taken, hashed on the flow that it quotes */
	SL_INFO_SOFTWARE_HASH, /* SL_CTL_RX_HASH: taken, and the NIC's hash could not be */
	SL_STEER_COUNTS
};

/*
 * `stack` (interface): queue * buckets + bucket, in mode `stack` only. Where the bucket's packets
 * of that queue go until the row's worker may have them: see docs/architecture.md, "Mode stack".
 */
struct sl_stack {
	/* line 0: XDP writes, in the queue's NAPI poll */
	__u32 worker SL_LINE; /* 1 + the worker that packets go to; 0: to the row's */
	__u32 sent; /* packets given to workers' queues; the number of the next */

	/* line 1: the kernel thread of `worker`'s CPU writes */
	__u64 done SL_LINE; /* 1 + the number of the latest packet that it took */
	__u64 frame; /* the worker's rx_packets with that packet */
	__u64 jiffies; /* when it took it */
	__u32 settled; /* control.settled then */
	__u32 resv;
};
_Static_assert(sizeof(struct sl_stack) == 2 * SL_CACHE_LINE, "one writer for each line");

/* `cpus` (interface), CPUMAP: CPU -> queue of the kernel thread that takes its packets up. */
struct sl_cpu_slot {
	__u32 size; /* of the queue, packets */
	__u32 prog; /* written: descriptor of sluice_up; read: its id */
};

/* What XDP writes in front of a packet for sluice_up, which takes it off again. */
struct sl_stack_stamp {
	__u32 magic; /* SL_STACK_MAGIC */
	__u32 number; /* sl_stack.sent before this packet */
	__u32 index; /* in `stack` */
	__u32 worker;
};
#define SL_STACK_MAGIC 0x534c4b31u /* "SLK1" */
#define SL_CPUMAP_BATCH 8 /* packets that a CPU's thread takes at once: kernel/bpf/cpumap.c */

/* `match` (interface): two entries, control.match_set says which is in force. A rule is a bit. */
struct sl_match_rule {
	__u8 action; /* 1: take, 0: pass to the stack */
	__u8 ports; /* 1: the port ranges must be compared */
	__u16 sport_min, sport_max; /* host order, inclusive */
	__u16 dport_min, dport_max;
};

enum { SL_SRC = 0, SL_DST = 1 };

struct sl_match {
	__u64 ports; /* rules whose port ranges must be compared */
	__u64 take; /* rules with action 1 */
	__u64 plain; /* rules of `take` that look at no ports */
	__u64 open[2]; /* [0: IPv4, 1: IPv6] -> rules of `take` that look at the protocol only */
	__u64 bound4[2]; /* [side] -> rules that look at the IPv4 address */
	__u64 bound6[2][4]; /* [side][w] -> rules that look at bytes 4*w.. of the IPv6 address */
	__u64 proto[256]; /* [IP protocol] -> rules that accept it */
	__u64 v4[2][4][256]; /* [side][byte of the address][its value] -> rules that accept it */
	__u64 v6[2][16][256];
	struct sl_match_rule rule[64]; /* in the order of sl_match_slot(), bpf/match.h */
};

/* `local_addrs` (interface), HASH: the host's own addresses; IPv4 as ::ffff:a.b.c.d. Value 1. */
struct sl_addr {
	__u8 b[16];
};

/* `toeplitz` (instance), one entry: XOR of t[i][input byte i] over the input is the Toeplitz hash.
 */
struct sl_toeplitz {
	__u32 t[SL_TOEPLITZ_INPUT][256];
};

#endif /* SLUICE_MAPS_H */
