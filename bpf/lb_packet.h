/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_packet.h - a packet under translation: addresses, ports, timestamps, checksums, next hop. */
#ifndef SLUICE_LB_PACKET_H
#define SLUICE_LB_PACKET_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "checksum.h"
#include "cookie.h"
#include "lb_maps.h"
#include "parse.h"
#include "tcp_options.h"

#define LB_AF_INET 2
#define LB_AF_INET6 10
#define LB_TCP_CHECK_AT 16
#define LB_UDP_CHECK_AT 6
#define LB_MAX_OFFSET 0x3fff

struct lb {
	struct sl_parsed p;
	struct sl_lb_ends ends;
	__u64 hash; /* of the ends, by the secret of new cookies */
	__u32 now_ms;
	__u32 option; /* offset of TSval from the start of the packet; 0: there is none */
	__u32 length; /* of the IP packet */
	__u8 tcp_flags;
	__u8 usual; /* 1: a struct lb_usual, and read */
	__u8 resolving; /* the next hop is unknown: the stack is to find it */
};

/*
 * What nearly all packets of TCP are: IPv4 without options, in a frame without tags, and the
 * timestamps where Linux, the BSDs and Windows put them (RFC 7323, appendix A). Such a one is read
 * and changed on the spot after one look at its bounds; on CPUs whose returns are mispredicted on
 * purpose (AMD's "Safe RET"), what a packet costs is its calls.
 */
struct lb_usual {
	struct sl_ipv4 ip;
	struct sl_ports ports;
	__be32 seq, ack;
	__u8 header, flags;
	__be16 window;
	__u16 check;
	__be16 urgent;
	__be32 option; /* NOP, NOP, timestamp, its length */
	__be32 stamp, echo;
} SL_WIRE;
#define LB_USUAL_AT 14
#define LB_USUAL_OPTION 0x0101080a
#define LB_USUAL_HEADER 0x80 /* 32 bytes */

/* Whose packet it is, and which server gets it. */
struct lb_choice {
	struct sl_lb_vip vip;
	__u32 server;
	__u32 how; /* enum sl_lb_count */
	__u32 restore_at, restored; /* the timestamp to give back, 0: none */
	__u16 aim; /* outer source port that lb_entropy() is to give; 0: any */
	__u16 by_load; /* LB_BY_LOAD: `server` is the row's, and may be another (lb_core.h) */
	__u32 stamp; /* by a slot: the client's own, on its way to the server */
};

/*
 * One end of a packet is another now; `value` replaces the timestamp at `at` unless that is 0, and
 * `pair` the other one of the option.
 */
struct lb_change {
	__be32 addr[4];
	__be16 port; /* 0: stays */
	__u8 source; /* 1: the source changes, else the destination */
	__u32 at, value; /* host order */
	__u32 pair_at, pair;
};

/* Loaded afresh each time: a copy that the compiler keeps is a number to the verifier. */
static __always_inline void *lb_at(struct xdp_md *ctx, __u32 off, __u32 size)
{
	char *data = (void *)(long)*(volatile __u32 *)&ctx->data;
	char *end = (void *)(long)*(volatile __u32 *)&ctx->data_end;
	char *at = data + (off & LB_MAX_OFFSET);

	if (at + size > end)
		at = NULL;
	/* The compiler would test the bounds again instead of the pointer; the verifier does not
	 * see that it is the same. */
	asm volatile("" : "+r"(at));
	return at;
}

/* Words of a packet lie anywhere; byte by byte is four times the work. */
struct lb_word {
	__be32 word;
} SL_WIRE;

static __always_inline __u32 lb_load32(const void *at)
{
	return bpf_ntohl(((const struct lb_word *)at)->word);
}

static __always_inline void lb_store32(void *at, __u32 value)
{
	((struct lb_word *)at)->word = bpf_htonl(value);
}

/* The timestamp's part of the checksum; it may lie at an odd offset of the TCP header. */
static __always_inline int lb_put_timestamp(struct xdp_md *ctx, const struct lb *k, __u32 off,
					    __u32 value, __u64 *sum)
{
	void *at = lb_at(ctx, off, 4);
	__u64 part;

	if (!at)
		return -1;
	part = sl_sum_swap(0, bpf_htonl(lb_load32(at)), bpf_htonl(value));
	lb_store32(at, value);
	*sum += (off - k->p.l4_off) & 1 ? sl_sum_odd(part) : part;
	return 0;
}

static __always_inline int lb_put_v4(struct xdp_md *ctx, const struct lb *k,
				     const struct lb_change *c, __u64 *sum)
{
	struct sl_ipv4 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));
	__be32 old;
	__u64 head;

	if (!ip)
		return -1;
	old = c->source ? ip->saddr : ip->daddr;
	*sum = sl_sum_swap(*sum, old, c->addr[3]);
	/* the time to live is the upper byte of its word */
	head = sl_sum_swap(sl_sum_swap(0, old, c->addr[3]), bpf_htons(0x100), 0);
	if (c->source)
		ip->saddr = c->addr[3];
	else
		ip->daddr = c->addr[3];
	ip->ttl--;
	ip->check = sl_sum_apply(ip->check, head);
	return 0;
}

static __always_inline int lb_put_v6(struct xdp_md *ctx, const struct lb *k,
				     const struct lb_change *c, __u64 *sum)
{
	struct sl_ipv6 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

	if (!ip)
		return -1;
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		*sum = sl_sum_swap(*sum, c->source ? ip->saddr[i] : ip->daddr[i], c->addr[i]);
		if (c->source)
			ip->saddr[i] = c->addr[i];
		else
			ip->daddr[i] = c->addr[i];
	}
	ip->hop_limit--;
	return 0;
}

static __always_inline int lb_put_l4(struct xdp_md *ctx, const struct lb *k,
				     const struct lb_change *c, __u64 sum)
{
	__u32 where = k->p.proto == SL_IP_TCP ? LB_TCP_CHECK_AT : LB_UDP_CHECK_AT;
	struct sl_ports *ports = lb_at(ctx, k->p.l4_off, sizeof(*ports));
	__u16 *check;

	if (!ports)
		return -1;
	if (c->port) {
		__be16 *port = c->source ? &ports->source : &ports->dest;

		sum = sl_sum_swap(sum, *port, c->port);
		*port = c->port;
	}
	check = lb_at(ctx, k->p.l4_off + where, sizeof(*check));
	if (!check)
		return -1;
	if (k->p.proto == SL_IP_UDP) {
		if (!*check) /* none was made */
			return 0;
		*check = sl_sum_apply(*check, sum);
		if (!*check)
			*check = 0xffff;
		return 0;
	}
	*check = sl_sum_apply(*check, sum);
	return 0;
}

/*
 * Functions that the verifier takes one by one are not static: together they are too large for it.
 */

/* All changes, and one hop less to live. 0, or -1 if the packet is shorter than it says. */
__noinline int lb_change(struct xdp_md *ctx, const struct lb *k, const struct lb_change *c)
{
	__u64 sum = 0;

	if (!k || !c)
		return -1;
	if (c->at && lb_put_timestamp(ctx, k, c->at, c->value, &sum))
		return -1;
	if (c->pair_at && lb_put_timestamp(ctx, k, c->pair_at, c->pair, &sum))
		return -1;
	if (k->ends.v6 ? lb_put_v6(ctx, k, c, &sum) : lb_put_v4(ctx, k, c, &sum))
		return -1;
	return lb_put_l4(ctx, k, c, sum);
}

/* The same of a usual packet: `at` is a server's TSval or a client's TSecr. */
static __always_inline int lb_change_usual(struct xdp_md *ctx, const struct lb_change *c)
{
	struct lb_usual *u = lb_at(ctx, LB_USUAL_AT, sizeof(*u));
	__be32 old;
	__be16 port;
	__u64 sum;

	if (!u)
		return -1;
	old = c->source ? u->ip.saddr : u->ip.daddr;
	sum = sl_sum_swap(0, old, c->addr[3]);
	/* the time to live is the upper byte of its word */
	u->ip.check = sl_sum_apply(u->ip.check, sl_sum_swap(sum, bpf_htons(0x100), 0));
	u->ip.ttl--;
	if (c->at) {
		__be32 value = bpf_htonl(c->value);

		sum = sl_sum_swap(sum, c->source ? u->stamp : u->echo, value);
		if (c->source)
			u->stamp = value;
		else
			u->echo = value;
	}
	if (c->pair_at) {
		__be32 value = bpf_htonl(c->pair);

		sum = sl_sum_swap(sum, c->source ? u->echo : u->stamp, value);
		if (c->source)
			u->echo = value;
		else
			u->stamp = value;
	}
	if (c->source) {
		u->ip.saddr = c->addr[3];
		port = u->ports.source;
	} else {
		u->ip.daddr = c->addr[3];
		port = u->ports.dest;
	}
	if (c->port) {
		sum = sl_sum_swap(sum, port, c->port);
		if (c->source)
			u->ports.source = c->port;
		else
			u->ports.dest = c->port;
	}
	u->check = sl_sum_apply(u->check, sum);
	return 0;
}

static __always_inline __u8 lb_hops_left(struct xdp_md *ctx, const struct lb *k)
{
	if (k->ends.v6) {
		const struct sl_ipv6 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

		return ip ? ip->hop_limit : 0;
	} else {
		const struct sl_ipv4 *ip = lb_at(ctx, k->p.l3_off, sizeof(*ip));

		return ip ? ip->ttl : 0;
	}
}

/*
 * The kernel's answer (BPF_FIB_LKUP_RET_*), or negative. A function: its caller's stack and that of
 * lb_parse() together have 512 bytes, in steps of 32 on Linux 6.1.
 */
static __noinline long lb_route(struct xdp_md *ctx, const struct lb *k, const __be32 *src,
				const __be32 *dst, struct lb_hop *hop)
{
	struct bpf_fib_lookup fib = {
		.family = k->ends.v6 ? LB_AF_INET6 : LB_AF_INET,
		.l4_protocol = k->p.proto,
		.tot_len = 1, /* asks for the route's MTU */
		.ifindex = ctx->ingress_ifindex,
	};
	long rc;

	if (k->ends.v6) {
		__builtin_memcpy(fib.ipv6_src, src, 16);
		__builtin_memcpy(fib.ipv6_dst, dst, 16);
	} else {
		fib.ipv4_src = src[3];
		fib.ipv4_dst = dst[3];
	}
	rc = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS)
		return rc;
	hop->ifindex = fib.ifindex;
	hop->mtu = fib.mtu_result;
	__builtin_memcpy(hop->macs.dst, fib.dmac, 6);
	__builtin_memcpy(hop->macs.src, fib.smac, 6);
	return rc;
}

static __always_inline int lb_end(__u32 what, int verdict)
{
	lb_count(what);
	return verdict;
}

static __always_inline int lb_hop_fresh(const struct lb_hop *hop, __u32 now_ms)
{
	/* unsigned: what is older than half a turn of the counter is not of the future */
	return hop && hop->ifindex && hop->until_ms - now_ms - 1 < LB_HOP_MS;
}

/*
 * `by` more bytes in front of the IP header, at least 20: MAC addresses and tags move. 22 bytes of
 * them always: what is too much of them is overwritten by the header that comes there.
 */
static __always_inline int lb_grow(struct xdp_md *ctx, struct lb_scratch *w, __u32 by)
{
	void *at = lb_at(ctx, 0, 22);

	if (!at)
		return -1;
	__builtin_memcpy(w->ethernet, at, 22);
	if (bpf_xdp_adjust_head(ctx, -(int)by))
		return -1;
	at = lb_at(ctx, 0, 22);
	if (!at)
		return -1;
	__builtin_memcpy(at, w->ethernet, 22);
	return 0;
}

static __always_inline int lb_put_ethertype(struct xdp_md *ctx, const struct lb *k, __u16 type)
{
	__be16 *at = lb_at(ctx, k->p.l3_off - 2u, 2);

	if (!at)
		return -1;
	*at = bpf_htons(type);
	return 0;
}

/* The checksum field, 0 until now, of an IPv4 header without options. */
static __always_inline __u16 lb_ipv4_check(const struct sl_ipv4 *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u64 sum = 0;

#pragma GCC unroll 10
	for (unsigned int i = 0; i < sizeof(*ip) / 2; i++)
		sum += word[i];
	return (__u16)~sl_sum_fold(sum);
}

static __always_inline int lb_send(struct xdp_md *ctx, const struct lb *k, const struct lb_hop *hop)
{
	struct lb_macs *eth = lb_at(ctx, 0, 14);

	if (!eth)
		return XDP_DROP;
	*eth = hop->macs;
	if (hop->ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	return bpf_redirect(hop->ifindex, 0);
}

#endif /* SLUICE_LB_PACKET_H */
