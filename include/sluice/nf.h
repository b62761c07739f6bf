/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf.h - the interface of a network function (NF).
 *
 * A chain of NFs runs to completion on one worker, a batch of packets at a time. A packet's flow
 * state lives in the shard of its bucket; exactly one worker owns a shard at any instant, so an NF
 * needs no lock, no atomic and no thread-local storage for it. Packets of one flow reach process()
 * in arrival order, also while their bucket moves to another worker.
 *
 * An NF in a shared object exports `const struct sl_nf sluice_nf` and is loaded with `--nf
 * ./name.so`.
 */
#ifndef SLUICE_NF_H
#define SLUICE_NF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/packet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_NF_ABI 1
#define SL_BATCH 64 /* packets in one call of process(), at most */
#define SL_CHAIN_MAX 8 /* NFs in a chain */
#define SL_NF_IFACES 4 /* interfaces of an instance, at most */
#define SL_FLOW_KEY_MAX 40 /* bytes of a flow key: two IPv6 addresses, ports, protocol, padding */

struct sl_flow_table;
struct sl_nf_hash;

/* What becomes of a packet. process() leaves SL_NEXT for the NFs behind it. */
enum sl_verdict {
	SL_NEXT = 0, /* to the next NF; behind the last one it counts as SL_CONSUME */
	SL_TX, /* send out of interface out_iface */
	SL_CONSUME, /* taken: the frame is free again */
	SL_DROP, /* dropped, counted under `reason` */
};

/* Drop reasons that the dataplane itself uses; an NF's own follow from SL_DROP_NF on. */
enum sl_drop {
	SL_DROP_TX_FULL = 0, /* the TX ring stayed full */
	SL_DROP_STATE, /* no room for the flow's state */
	SL_DROP_MALFORMED,
	SL_DROP_NO_IFACE, /* no such output interface */
	SL_DROP_TOO_LONG, /* longer than a frame, or than the output's MTU */
	SL_DROP_NF = 8, /* + the NF's slot in the chain, for up to SL_CHAIN_MAX NFs */
	SL_DROP_MORE = 16, /* from here on the drop_reasons of the chain's NFs; sl_nf_drop() */
};

#define SL_DROP_MORE_MAX 16 /* drop_reasons of all NFs of a chain together */

/*
 * A packet in a batch. The NF may rewrite data[0..len), and change len: a frame has room for
 * SL_PACKET_ROOM bytes. `meta` describes the packet as it arrived.
 */
#define SL_PACKET_ROOM 1792

struct sl_packet {
	uint8_t *data; /* start of the Ethernet header */
	const struct sl_meta *meta; /* parsed by XDP: offsets, hash, flags; never NULL */
	struct sl_flow_table **tables; /* of its shard, one for each NF of the chain */
	uint16_t queue; /* RX queue it came from */
	uint8_t iface; /* interface it came from: index of the instance's -i options */
	uint8_t out_iface; /* for SL_TX; initialised to `iface` */
	uint8_t verdict; /* enum sl_verdict; SL_NEXT on entry */
	uint8_t reason; /* for SL_DROP: enum sl_drop */
	uint16_t ring; /* which of the dataplane's rings it came from; the dataplane's */
	uint64_t addr; /* the frame's address in the UMEM; the dataplane's */
	uint32_t len; /* bytes */
};

/* What process() is given. Valid during the call. */
struct sl_nf_ctx {
	void *self; /* what create() returned; shared by all workers: read-only, or atomics */
	uint64_t now_ns; /* CLOCK_MONOTONIC, taken once a batch */
	unsigned worker;
	unsigned slot; /* position in the chain: pkt->tables[slot] is this NF's table */
	unsigned ifaces; /* interfaces of the instance */
	unsigned drops; /* number of this NF's first of drop_reasons; sl_nf_drop() */
};

/* What the dataplane tells an NF, and does for it. Lasts as long as the NF's instance. */
struct sl_nf_host {
	unsigned buckets; /* of the hash, a power of two */
	unsigned shards_n; /* a packet's shard is meta->bucket, below this: buckets, then parts */
	unsigned ifaces; /* interfaces of the instance */
	const char *iface_names[SL_NF_IFACES]; /* theirs, by pkt->iface */
	unsigned workers; /* ctx->worker is below this */
	void *shards; /* the NF's state of all shards, see sl_nf_shard(); NULL without shard_size */
	size_t shard_stride;
	bool symmetric; /* both directions of a flow, and ICMP errors about it, share a shard;
			   false with --hash toeplitz */
	const struct sl_nf_hash *hash; /* the dataplane's, for sl_nf_hash_v4() */
};

/*
 * The NF's own state of a shard: shard_size bytes, on cache lines of its own, zeroed at the start.
 * It belongs to the shard's owner, as flow tables do, and moves with the shard: in process() it may
 * be touched for buckets of the packets in hand, and in flow_end() for that of the flow that ends
 * (which the NF notes in its value).
 */
static inline void *sl_nf_shard(const struct sl_nf_host *host, unsigned bucket)
{
	return (uint8_t *)host->shards + (size_t)bucket * host->shard_stride;
}

/*
 * The hash that XDP gives an IPv4 packet, no fragment, with these addresses and ports (all in
 * network order; an echo has its identifier in both): its bucket is hash & (host->buckets - 1).
 * With the symmetric hash source and destination may change sides. Any thread.
 */
uint32_t sl_nf_hash_v4(const struct sl_nf_host *host, uint32_t saddr, uint32_t daddr,
		       uint16_t sport, uint16_t dport, uint8_t proto);

/*
 * The first port (host order) in from..to, both below 65536, with which packets between
 * {addr, port} and {peer, peer_port} (network order) fall into `bucket`; -1 if there is none, or
 * the hash is not symmetric, or addr is peer. For ICMP it is the identifier of an echo, and
 * peer_port says nothing. One port in host->buckets is one, and it is found in O(log) steps, some
 * 100 ns. Any thread.
 */
int sl_nf_find_port_v4(const struct sl_nf_host *host, unsigned bucket, uint32_t addr, uint32_t peer,
		       uint16_t peer_port, uint8_t proto, unsigned from, unsigned to);

struct sl_nf {
	uint32_t abi; /* SL_NF_ABI */
	const char *name;
	const char *summary; /* one line, for --help */
	const char *drop_reason; /* what SL_DROP_NF + slot means, at most 23 characters; NULL: the
				    name */
	const char *const *drop_reasons; /* further ones, NULL-terminated; may be NULL */

	bool blind; /* never looks at the packet itself: its bytes need not be fetched */
	unsigned min_ifaces; /* fewest interfaces that it makes sense with; 0: any */

	/* Flow state: 0 key_size: the NF keeps none. */
	size_t key_size; /* bytes, <= SL_FLOW_KEY_MAX */
	size_t value_size; /* bytes, <= 256; zeroed when a flow is made */
	uint32_t idle_ms; /* a flow untouched for so long is forgotten; 0: never */
	bool flow_times; /* flows have times of their own: it calls sl_flow_expire_in() */
	size_t shard_size; /* bytes of state for each shard besides flows, sl_nf_shard() */
	/*
	 * All that it keeps of a packet lies in the flow under meta->hash, or may be anywhere: then
	 * a bucket that is too heavy for a core may be split, and its flows follow their hashes
	 * into shards of their own. Without it, and with state of any kind, no bucket is split.
	 */
	bool divisible;

	/*
	 * Parse `args` (the text behind ':' in --nf name:args, or "") and make an instance.
	 * 0, or -errno with one line in err: -EINVAL if `args` are wrong, which is the user's to
	 * mend (`sluice run` then ends with 2, not 1). Called once, before any worker runs.
	 */
	int (*create)(const char *args, void **self, char *err, size_t err_size);
	void (*destroy)(void *self);

	/*
	 * After create(), before any worker runs: what the dataplane is. 0, or -errno with one line
	 * in err. May be NULL.
	 */
	int (*start)(void *self, const struct sl_nf_host *host, char *err, size_t err_size);

	/*
	 * Read again what create() or start() took from files, for `sluice nf --reload`; flows
	 * stay. 0, or -errno with one line in err and everything as it was. May be NULL: there is
	 * nothing to read. On the thread of show() while workers run; what they may still be
	 * using is the NF's to keep until they no longer do.
	 */
	int (*reload)(void *self, char *err, size_t err_size);

	/*
	 * Handle pkts[0..n), n <= SL_BATCH, all with verdict SL_NEXT. Called on worker
	 * ctx->worker's thread. Must not block, allocate or take a lock that is held across
	 * packets.
	 */
	void (*process)(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n);

	/*
	 * A flow ends: idle, evicted, removed, or the dataplane stops. Must not look flows up. May
	 * be NULL. On the owner's thread.
	 */
	void (*flow_end)(void *self, const void *key, void *value);

	/*
	 * A flow has gone from shard `from` to shard `to`, with its bucket's split or end of it;
	 * both are this thread's. May be NULL. Only if divisible.
	 */
	void (*flow_moved)(void *self, const void *key, void *value, unsigned from, unsigned to);

	/*
	 * One flow as text for `sluice flows`: JSON members without braces ("\"packets\":3"), as
	 * snprintf would return, or -1 to leave it out. May be NULL: the NF's flows are not
	 * listed. On another thread, with copies of key and value.
	 */
	int (*flow_show)(void *self, const void *key, const void *value, char *buf, size_t size);

	/*
	 * The NF as a whole for `sluice nf`, in the same form; called again with more room if it
	 * returns `size` or more. May be NULL. On another thread while workers run: it reads
	 * counters that they write, so both use SL_NF_READ() and sl_nf_count().
	 */
	int (*show)(void *self, char *buf, size_t size);
};

/* Drop the packet under the NF's reason `k`: 0 is drop_reason, k > 0 is drop_reasons[k - 1]. */
static inline void sl_nf_drop(const struct sl_nf_ctx *ctx, struct sl_packet *pkt, unsigned k)
{
	pkt->verdict = SL_DROP;
	pkt->reason = (uint8_t)(k ? ctx->drops + k - 1 : SL_DROP_NF + ctx->slot);
}

/* Counters that one thread writes and others may read at any time: never torn, no order. */
static inline void sl_nf_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

#define SL_NF_READ(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

/* A flow's key, the same for both directions. Zero-padded, so it may be compared as bytes. */
struct sl_flow_key {
	uint8_t addr[2][16]; /* lower end first; IPv4 as ::ffff:a.b.c.d */
	uint16_t port[2]; /* network order; 0 where there are none (fragments: 0) */
	uint8_t proto;
	uint8_t resv[3];
};
_Static_assert(sizeof(struct sl_flow_key) == SL_FLOW_KEY_MAX, "the largest key");

/*
 * The flow key of a packet. `reversed` (may be NULL) tells whether the packet goes from the second
 * end to the first. 0, or -EINVAL if it is no IP packet. For an ICMP error the key is that of the
 * quoted flow.
 */
int sl_packet_flow_key(const struct sl_packet *pkt, struct sl_flow_key *key, bool *reversed);

/*
 * Look up (and with create != 0 make) the flows of n packets, n <= SL_BATCH; entry i in tables[i]
 * under keys[i] (the table's key_size bytes) with hash hashes[i]. values[i] becomes the flow's
 * value_size bytes, 8-byte aligned, or NULL (absent; or no room, which is counted). A flow found or
 * made is touched: its idle time starts at now_ns. Cache misses of the n look-ups overlap.
 *
 * A value pointer stays valid until the next call that may create or expire in the same table.
 * Only the shard's owner may call this; process() is always called there.
 */
void sl_flow_lookup_batch(struct sl_flow_table *const *tables, const void *const *keys,
			  const uint32_t *hashes, unsigned n, uint64_t now_ns, int create,
			  void **values);

/* One flow; the same rules. Removing one that is absent is no error (-ENOENT). */
void *sl_flow_lookup(struct sl_flow_table *table, const void *key, uint32_t hash, uint64_t now_ns,
		     int create);
int sl_flow_remove(struct sl_flow_table *table, const void *key, uint32_t hash);

/* The flow's value or NULL, as sl_flow_lookup() without `create`, but its idle time goes on. */
void *sl_flow_peek(struct sl_flow_table *table, const void *key, uint32_t hash, uint64_t now_ns);

/*
 * Have a flow that was looked up at now_ns forgotten in `ms` from then on, unless it is looked up
 * again, which starts the whole of idle_ms; so an NF whose flows have times of their own calls this
 * after every look-up. Longer than the table's idle time is the table's, which is idle_ms or
 * `--flow-idle`; returns what was granted, UINT32_MAX for ever. `value` is the flow's, still valid.
 */
uint32_t sl_flow_expire_in(struct sl_flow_table *table, void *value, uint64_t now_ns, uint32_t ms);

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_NF_H */
