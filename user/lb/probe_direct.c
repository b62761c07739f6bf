// SPDX-License-Identifier: GPL-2.0-or-later
#include "lb/probe_direct.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/route.h"

#define HOPS 64
/* Above the ports that Linux gives to connections (ip_local_port_range). */
#define FIRST_PORT 61000u
#define PORTS 4000u

/* The inner packet. */
struct packet {
	unsigned n;
	uint8_t b[sizeof(struct ip6_hdr) + sizeof(struct tcphdr) + SL_LB_CHECK_TEXT];
};

static enum sl_lb_probe_is failed(struct sl_lb_probe *p, const char *what)
{
	snprintf(p->why, sizeof(p->why), "%s", what);
	return SL_LB_PROBE_BAD;
}

/* --- the packet */

static uint32_t sum(const void *data, size_t n, uint32_t s)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < n; i++)
		s += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	return s;
}

static __be16 checksum(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

static size_t put_ip(struct packet *k, const struct sl_lb_probe *p, const struct sl_lb_probe_to *to,
		     uint8_t proto, size_t n)
{
	struct ip6_hdr *six = (void *)k->b;
	struct iphdr *four = (void *)k->b;

	if (to->vip_v6) {
		*six = (struct ip6_hdr){.ip6_flow = htonl(0x60000000)};
		six->ip6_plen = htons((uint16_t)n);
		six->ip6_nxt = proto;
		six->ip6_hlim = HOPS;
		memcpy(&six->ip6_src, p->own, 16);
		memcpy(&six->ip6_dst, to->vip, 16);
		return sizeof(*six);
	}
	*four = (struct iphdr){.version = 4,
			       .ihl = 5,
			       .tot_len = htons((uint16_t)(sizeof(*four) + n)),
			       .frag_off = htons(IP_DF),
			       .ttl = HOPS,
			       .protocol = proto,
			       .saddr = p->own[3],
			       .daddr = to->vip[3]};
	four->check = checksum(sum(four, sizeof(*four), 0));
	return sizeof(*four);
}

/* Of the addresses: the pseudo-header without them is the caller's. */
static uint32_t address_sum(const struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	return sum(p->own, 16, sum(to->vip, 16, 0)); /* of IPv4 three words are 0 */
}

static void segment(struct packet *k, const struct sl_lb_probe *p, const struct sl_lb_probe_to *to,
		    bool reset)
{
	struct tcphdr tcp = {.source = p->port,
			     .dest = to->vip_port,
			     .seq = htonl(p->sequence + reset),
			     .doff = sizeof(tcp) / 4,
			     .syn = !reset,
			     .rst = reset,
			     .window = htons(reset ? 0 : 65535)};
	size_t at = put_ip(k, p, to, IPPROTO_TCP, sizeof(tcp));

	tcp.check = checksum(
		sum(&tcp, sizeof(tcp), address_sum(p, to) + IPPROTO_TCP + (uint32_t)sizeof(tcp)));
	memcpy(k->b + at, &tcp, sizeof(tcp));
	k->n = (unsigned)(at + sizeof(tcp));
}

static void datagram(struct packet *k, const struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	size_t text = strlen(to->check->send), n = sizeof(struct udphdr) + text;
	struct udphdr udp = {.source = p->port, .dest = to->vip_port, .len = htons((uint16_t)n)};
	size_t at = put_ip(k, p, to, IPPROTO_UDP, n);

	memcpy(k->b + at, &udp, sizeof(udp));
	memcpy(k->b + at + sizeof(udp), to->check->send, text);
	udp.check = checksum(sum(k->b + at, n, address_sum(p, to) + IPPROTO_UDP + (uint32_t)n));
	if (!udp.check)
		udp.check = 0xffff;
	memcpy(k->b + at, &udp, sizeof(udp));
	k->n = (unsigned)(at + n);
}

/* --- to the server */

static int send_outer(const struct packet *k, const struct sl_lb_probe_to *to)
{
	bool gue = to->forward == SL_LB_GUE;
	int fd = socket(to->v6 ? AF_INET6 : AF_INET, (gue ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC,
			gue	     ? 0
			: to->vip_v6 ? IPPROTO_IPV6
				     : IPPROTO_IPIP);
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = to->addr[3]};
	int rc;

	if (fd < 0)
		return -errno;
	memcpy(&six.sin6_addr, to->addr, 16);
	if (gue)
		four.sin_port = six.sin6_port = to->gue_port;
	rc = sendto(fd, k->b, k->n, 0, to->v6 ? (void *)&six : (void *)&four,
		    to->v6 ? sizeof(six) : sizeof(four)) < 0
		     ? -errno
		     : 0;
	close(fd);
	return rc;
}

static int send_link(const struct packet *k, const struct sl_lb_probe_to *to)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(to->vip_v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP),
				 .sll_halen = ETH_ALEN};
	struct sl_route way;

	if (fd < 0)
		return -errno;
	rc = sl_route_get(to->addr, to->v6, &way);
	if (!rc)
		rc = sl_neighbour_mac(&way, at.sll_addr);
	at.sll_ifindex = (int)way.ifindex;
	if (!rc && sendto(fd, k->b, k->n, 0, (void *)&at, sizeof(at)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int send_packet(const struct packet *k, const struct sl_lb_probe_to *to)
{
	return to->forward == SL_LB_L2 ? send_link(k, to) : send_outer(k, to);
}

/* --- the answer */

/* Of all TCP that comes to this host only what is from the VIP's port to ours. */
static int only_ours(int fd, const struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	struct sock_filter code[] = {
		/* raw sockets of IPv4 see the IP header, those of IPv6 do not */
		to->vip_v6 ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0)
			   : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(to->vip_port), 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(p->port), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

static int listen_tcp(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	static _Atomic unsigned next;
	int rc;

	p->port = htons((uint16_t)(FIRST_PORT + atomic_fetch_add(&next, 1) % PORTS));
	p->fd = socket(to->vip_v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       IPPROTO_TCP);
	if (p->fd < 0)
		return -errno;
	rc = only_ours(p->fd, p, to);
	if (!rc && getrandom(&p->sequence, sizeof(p->sequence), 0) != sizeof(p->sequence))
		rc = -EIO;
	return rc;
}

static int listen_udp(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = p->own[3]};
	void *at = to->vip_v6 ? (void *)&six : (void *)&four;
	socklen_t size = to->vip_v6 ? sizeof(six) : sizeof(four);

	memcpy(&six.sin6_addr, p->own, 16);
	p->fd = socket(to->vip_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	if (p->fd < 0 || bind(p->fd, at, size) || getsockname(p->fd, at, &size))
		return -errno;
	p->port = to->vip_v6 ? six.sin6_port : four.sin_port;
	return 0;
}

/* An address of ours that the server can answer to. */
static int find_own(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	bool same = to->v6 == to->vip_v6;
	struct sl_route way;
	int rc = sl_route_get(same ? to->addr : to->vip, to->vip_v6, &way);

	memcpy(p->own, way.source, sizeof(p->own));
	return rc;
}

enum sl_lb_probe_is sl_lb_probe_direct_begin(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	bool udp = to->check->type == SL_LB_CHECK_UDP;
	struct packet k = {0};
	int rc = find_own(p, to);

	p->fd = -1;
	if (!rc)
		rc = udp ? listen_udp(p, to) : listen_tcp(p, to);
	if (rc)
		return sl_lb_probe_no_room(-rc) ? SL_LB_PROBE_LATER : failed(p, strerror(-rc));
	if (udp)
		datagram(&k, p, to);
	else
		segment(&k, p, to, false);
	rc = send_packet(&k, to);
	return rc ? failed(p, strerror(-rc)) : SL_LB_PROBE_READS;
}

union sender {
	struct sockaddr_in6 six;
	struct sockaddr_in four;
};

static bool from_vip(const union sender *from, const struct sl_lb_probe_to *to)
{
	return to->vip_v6 ? !memcmp(&from->six.sin6_addr, to->vip, 16)
			  : from->four.sin_addr.s_addr == to->vip[3];
}

/* Half-open connections would be answered, and kept, for half a minute. */
static enum sl_lb_probe_is accepted(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	struct packet k = {0};

	segment(&k, p, to, true);
	send_packet(&k, to);
	return SL_LB_PROBE_GOOD;
}

static enum sl_lb_probe_is judge_segment(struct sl_lb_probe *p, const struct sl_lb_probe_to *to,
					 const uint8_t *b, size_t n)
{
	size_t at = !to->vip_v6 && n ? (size_t)(b[0] & 0xf) * 4 : 0;
	struct tcphdr tcp;

	if (n < at + sizeof(tcp))
		return SL_LB_PROBE_READS;
	memcpy(&tcp, b + at, sizeof(tcp));
	if (!tcp.ack || ntohl(tcp.ack_seq) != p->sequence + 1)
		return SL_LB_PROBE_READS;
	if (tcp.rst)
		return failed(p, strerror(ECONNREFUSED));
	return tcp.syn ? accepted(p, to) : SL_LB_PROBE_READS;
}

enum sl_lb_probe_is sl_lb_probe_direct_go(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	bool udp = to->check->type == SL_LB_CHECK_UDP;
	union sender from = {.six.sin6_family = AF_UNSPEC};
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(p->fd, p->text, sizeof(p->text), 0, (void *)&from, &size);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? SL_LB_PROBE_READS
							 : failed(p, strerror(errno));
	if (!from_vip(&from, to))
		return SL_LB_PROBE_READS;
	if (!udp)
		return judge_segment(p, to, (const uint8_t *)p->text, (size_t)n);
	if (from.four.sin_port != to->vip_port) /* of IPv6 in the same place */
		return SL_LB_PROBE_READS;
	p->got = (unsigned)n;
	return sl_lb_probe_judge(p, to->check);
}
