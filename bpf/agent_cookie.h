/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * agent_cookie.h - the cookie on the server itself: into the timestamps that go out, and the
 * timestamp back out of what clients echo. The balancers only read it.
 *
 * What the shift pushed out of a timestamp is a matter of the host's clock and of the connection's
 * offset, and the kernel has both: the clock is CLOCK_MONOTONIC, the offset is in the socket. So
 * nothing is remembered here, nothing can be forgotten, and any net.ipv4.tcp_timestamps will do.
 * Only of a handshake by SYN cookie the kernel itself keeps nothing; the offset is kept for it.
 */
#ifndef SLUICE_AGENT_COOKIE_H
#define SLUICE_AGENT_COOKIE_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <kernel_types.h>

#include "agent_maps.h"
#include "checksum.h"
#include "parse.h"
#include "tcp_options.h"

#define AGENT_TCP_CHECK_AT 16
#define AGENT_MAX_L4 127 /* Ethernet and the longest IPv4 header, and more */

/* Of enum bpf's BPF_TCP_*, which kernels do not change. */
#define AGENT_LISTEN 10
#define AGENT_NEW_SYN_RECV 12

struct agent_segment {
	struct sl_lb_ends ends; /* the client's, and the VIP's */
	__u32 l4;
	__u32 option; /* offset of TSval; 0: there is none */
	__be32 local[4];
	__u16 local_port;
	__u8 flags; /* TCP's */
};

static __always_inline __u32 agent_now_ms(void)
{
	return (__u32)(bpf_ktime_get_ns() / 1000000);
}

/* Addresses and where TCP begins. `out`: the packet is on its way out. -1: it has no whole TCP. */
static __always_inline int agent_addresses(struct __sk_buff *skb, int out, struct agent_segment *s)
{
	if (skb->protocol == bpf_htons(SL_ETH_IPV4)) {
		struct sl_ipv4 ip;

		if (bpf_skb_load_bytes(skb, AGENT_L3, &ip, sizeof(ip)) ||
		    ip.protocol != SL_IP_TCP || ip.frag_off & bpf_htons(0x3fff))
			return -1;
		s->l4 = AGENT_L3 + (ip.version_ihl & 15) * 4;
		s->local[3] = out ? ip.saddr : ip.daddr;
		s->ends.client[3] = out ? ip.daddr : ip.saddr;
		return 0;
	}
	if (skb->protocol == bpf_htons(SL_ETH_IPV6)) {
		struct sl_ipv6 ip;

		if (bpf_skb_load_bytes(skb, AGENT_L3, &ip, sizeof(ip)) || ip.nexthdr != SL_IP_TCP)
			return -1;
		s->l4 = AGENT_L3 + sizeof(ip);
		s->ends.v6 = 1;
		__builtin_memcpy(s->local, out ? ip.saddr : ip.daddr, 16);
		__builtin_memcpy(s->ends.client, out ? ip.daddr : ip.saddr, 16);
		return 0;
	}
	return -1;
}

/* Whose timestamps carry a cookie: by its port, else by its address. */
static __always_inline const struct sl_agent_service *agent_service(const struct agent_segment *s)
{
	const struct sl_agent_service *service;
	struct sl_agent_end end = {.port = bpf_htons(s->local_port)};

	__builtin_memcpy(end.addr, s->local, 16);
	service = bpf_map_lookup_elem(&agent_services, &end);
	if (service)
		return service;
	end.port = 0;
	return bpf_map_lookup_elem(&agent_services, &end);
}

static __always_inline __u32 agent_option(struct __sk_buff *skb, __u32 l4, __u32 length)
{
	char *data = (void *)(long)*(volatile __u32 *)&skb->data;
	char *end = (void *)(long)*(volatile __u32 *)&skb->data_end;

	if (l4 + length > (__u32)(end - data)) {
		if (bpf_skb_pull_data(skb, l4 + length))
			return 0;
		data = (void *)(long)*(volatile __u32 *)&skb->data;
		end = (void *)(long)*(volatile __u32 *)&skb->data_end;
	}
	return sl_tcp_timestamp(data, end, l4 & AGENT_MAX_L4, length);
}

/* The segment of a service that has timestamps, or NULL. */
static __always_inline const struct sl_agent_service *agent_segment(struct __sk_buff *skb, int out,
								    struct agent_segment *s)
{
	const struct sl_agent_service *service;
	__u8 tcp[SL_TCP_FLAGS_AT + 1];
	__u16 source, dest;

	if (agent_addresses(skb, out, s) || bpf_skb_load_bytes(skb, s->l4, tcp, sizeof(tcp)))
		return NULL;
	source = (__u16)(tcp[0] << 8 | tcp[1]);
	dest = (__u16)(tcp[2] << 8 | tcp[3]);
	s->local_port = out ? source : dest;
	service = agent_service(s);
	if (!service)
		return NULL;
	s->flags = tcp[SL_TCP_FLAGS_AT];
	s->ends.client_port = out ? dest : source;
	s->ends.vip_port = service->port ? bpf_ntohs(service->port) : s->local_port;
	s->ends.proto = SL_IP_TCP;
	__builtin_memcpy(s->ends.vip, service->vip, 16);
	s->option = agent_option(skb, s->l4, tcp[12] >> 4 << 2);
	return s->option ? service : NULL;
}

static __always_inline int agent_load(struct __sk_buff *skb, __u32 at, __u32 *value)
{
	__be32 wire;

	if (bpf_skb_load_bytes(skb, at, &wire, sizeof(wire)))
		return -1;
	*value = bpf_ntohl(wire);
	return 0;
}

/* The kernel sees to packets whose checksum is still to be made; an option may be at an odd place.
 */
static __always_inline int agent_store(struct __sk_buff *skb, const struct agent_segment *s,
				       __u32 at, __u32 old, __u32 value)
{
	__be32 wire = bpf_htonl(value);
	__u32 sum = sl_sum_fold(sl_sum_swap(0, bpf_htonl(old), wire));

	if ((at - s->l4) & 1)
		sum = sl_sum_odd(sum);
	if (bpf_l4_csum_replace(skb, s->l4 + AGENT_TCP_CHECK_AT, 0, sum, 0))
		return -1;
	return bpf_skb_store_bytes(skb, at, &wire, sizeof(wire), 0);
}

/* --- out */

static __always_inline void agent_write_cookie(struct __sk_buff *skb)
{
	const struct sl_agent_service *service;
	const struct sl_agent_control *ctl;
	struct agent_segment s = {};
	__u32 zero = 0, phase, stamp, value, offset;

	service = agent_segment(skb, 1, &s);
	ctl = bpf_map_lookup_elem(&agent_control, &zero);
	if (!service || !ctl || agent_load(skb, s.option, &stamp))
		return;
	/* Once: a rotation between mask and cookie would name a server that is not. */
	phase = *(const volatile __u32 *)&ctl->phase & 1;
	value = stamp << service->bits |
		sl_cookie(service->server, sl_lb_hash(ctl->key[phase], &s.ends), phase,
			  service->bits);
	if ((s.flags & (SL_TCP_SYN | SL_TCP_ACK)) == (SL_TCP_SYN | SL_TCP_ACK) &&
	    (!skb->sk || skb->sk->state != AGENT_NEW_SYN_RECV)) {
		offset = stamp - agent_now_ms();
		bpf_map_update_elem(&agent_handshakes, &s.ends, &offset, BPF_ANY);
	}
	if (!agent_store(skb, &s, s.option, stamp, value))
		agent_count(SL_AGENT_COOKIES);
}

/* --- in */

/* The offset of the connection's timestamps, by its socket in whatever state. -1: not known. */
static __always_inline int agent_offset_of(struct bpf_sock *sk, __u32 *offset)
{
	const struct tcp_timewait_sock *closed;
	const struct tcp_request_sock *request;
	const struct tcp_sock *tcp;

	if (sk->state == AGENT_LISTEN)
		return -1;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp) {
		*offset = tcp->tsoffset;
		return 0;
	}
	request = bpf_skc_to_tcp_request_sock(sk);
	if (request) {
		*offset = request->ts_off;
		return 0;
	}
	closed = bpf_skc_to_tcp_timewait_sock(sk);
	if (closed) {
		*offset = closed->tw_ts_offset;
		return 0;
	}
	return -1;
}

static __always_inline struct bpf_sock *agent_socket(struct __sk_buff *skb,
						     const struct agent_segment *s)
{
	struct bpf_sock_tuple t = {};

	if (!s->ends.v6) {
		t.ipv4.saddr = s->ends.client[3];
		t.ipv4.daddr = s->local[3];
		t.ipv4.sport = bpf_htons(s->ends.client_port);
		t.ipv4.dport = bpf_htons(s->local_port);
		return bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(t.ipv6.saddr, s->ends.client, 16);
	__builtin_memcpy(t.ipv6.daddr, s->local, 16);
	t.ipv6.sport = bpf_htons(s->ends.client_port);
	t.ipv6.dport = bpf_htons(s->local_port);
	return bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Returns under what it counts. */
static __always_inline __u32 agent_offset(struct __sk_buff *skb, const struct agent_segment *s,
					  __u32 *offset)
{
	struct bpf_sock *sk = agent_socket(skb, s);
	const __u32 *kept;
	int rc;

	if (sk) {
		rc = agent_offset_of(sk, offset);
		bpf_sk_release(sk);
		if (!rc)
			return SL_AGENT_RESTORED;
	}
	kept = bpf_map_lookup_elem(&agent_handshakes, &s->ends);
	if (!kept)
		return SL_AGENT_NO_SOCKET;
	*offset = *kept;
	return SL_AGENT_RESTORED_HANDSHAKE;
}

static __always_inline void agent_restore(struct __sk_buff *skb)
{
	const struct sl_agent_service *service;
	struct agent_segment s = {};
	__u32 echo, stamp, offset = 0, how;

	service = agent_segment(skb, 0, &s);
	/* without ACK the echo means nothing: RFC 7323, 3.2 */
	if (!service || !(s.flags & SL_TCP_ACK) || agent_load(skb, s.option + 4, &echo))
		return;
	how = agent_offset(skb, &s, &offset);
	agent_count(how);
	if (how == SL_AGENT_NO_SOCKET)
		return;
	stamp = sl_cookie_restore_past(echo, service->bits, agent_now_ms() + offset);
	agent_store(skb, &s, s.option + 4, echo, stamp);
}

#endif /* SLUICE_AGENT_COOKIE_H */
