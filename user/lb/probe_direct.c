// SPDX-License-Identifier: GPL-2.0-or-later
#include "lb/probe_direct.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lb/probe_packet.h"
#include "platform/route.h"

static enum sl_lb_probe_is failed(struct sl_lb_probe *p, const char *what)
{
	snprintf(p->why, sizeof(p->why), "%s", what);
	return SL_LB_PROBE_BAD;
}

/* --- to the server */

static int send_outer(const struct sl_probe_packet *k, const struct sl_lb_probe_to *to)
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

static int send_link(const struct sl_probe_packet *k, const struct sl_lb_probe_to *to)
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

static int send_packet(const struct sl_probe_packet *k, const struct sl_lb_probe_to *to)
{
	return to->forward == SL_LB_L2 ? send_link(k, to) : send_outer(k, to);
}

/* --- the answer */

/* Of all TCP that comes to this host only what is from the VIP's port to ours. */
static int only_ours(int fd, const struct sl_lb_probe *p)
{
	struct sock_filter code[] = {
		/* raw sockets of IPv4 see the IP header, those of IPv6 do not */
		p->to.vip_v6 ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0)
			     : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(p->to.vip_port), 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(p->port), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

/* A port of the kernel's choice at our address, p->port. */
static int bind_own(struct sl_lb_probe *p, int fd)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = p->own[3]};
	void *at = p->to.vip_v6 ? (void *)&six : (void *)&four;
	socklen_t size = p->to.vip_v6 ? sizeof(six) : sizeof(four);

	memcpy(&six.sin6_addr, p->own, 16);
	if (bind(fd, at, size) || getsockname(fd, at, &size))
		return -1;
	p->port = p->to.vip_v6 ? six.sin6_port : four.sin_port;
	return 0;
}

/*
 * A port of this host at which TCP is silent: the filter lets nothing through to a socket that
 * listens, so the kernel refuses no segment of a connection that it does not know.
 */
static int hush(struct sl_lb_probe *p)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = {.len = 1, .filter = &none};

	p->hush = socket(p->to.vip_v6 ? AF_INET6 : AF_INET,
			 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->hush < 0 || setsockopt(p->hush, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		return -errno;
	return bind_own(p, p->hush) || listen(p->hush, 1) ? -errno : 0;
}

static int listen_tcp(struct sl_lb_probe *p)
{
	int rc = hush(p);

	if (rc)
		return rc;
	p->fd = socket(p->to.vip_v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       IPPROTO_TCP);
	if (p->fd < 0)
		return -errno;
	rc = only_ours(p->fd, p);
	if (!rc && getrandom(&p->sequence, sizeof(p->sequence), 0) != sizeof(p->sequence))
		rc = -EIO;
	return rc;
}

static int listen_udp(struct sl_lb_probe *p)
{
	p->fd = socket(p->to.vip_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	return p->fd < 0 || bind_own(p, p->fd) ? -errno : 0;
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

/* The segment that `flags` and `text` make, and our next byte behind it. */
static int say(struct sl_lb_probe *p, unsigned flags, const char *text, size_t n)
{
	struct sl_probe_packet k = {0};

	sl_probe_segment(&k, p, flags, text, n);
	p->sequence += (uint32_t)n + !!(flags & TH_SYN);
	return send_packet(&k, &p->to);
}

static int send_datagram(const struct sl_lb_probe *p, const char *text)
{
	struct sl_probe_packet k = {0};

	sl_probe_datagram(&k, p, text);
	return send_packet(&k, &p->to);
}

/* Until its end: the question may be forgotten before. */
static void keep(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	p->to = *to;
	p->to.check = NULL;
	p->to.host = NULL;
	p->to.addr = memcpy(p->addr, to->addr, sizeof(p->addr));
	p->to.vip = memcpy(p->vip, to->vip, sizeof(p->vip));
	p->fd = -1;
	p->open = false;
}

/* A connection that nobody ends would be kept by the server, half-open or whole. */
void sl_lb_probe_direct_end(struct sl_lb_probe *p)
{
	if (p->open)
		say(p, TH_RST, "", 0);
	p->open = false;
	close(p->hush);
	p->hush = -1;
}

enum sl_lb_probe_is sl_lb_probe_direct_begin(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	bool udp = to->check->type == SL_LB_CHECK_UDP;
	int rc;

	keep(p, to);
	rc = find_own(p, to);
	if (!rc)
		rc = udp ? listen_udp(p) : listen_tcp(p);
	if (rc && p->fd < 0 && p->hush >= 0)
		sl_lb_probe_direct_end(p);
	if (rc)
		return sl_lb_probe_no_room(-rc) ? SL_LB_PROBE_LATER : failed(p, strerror(-rc));
	rc = udp ? send_datagram(p, to->check->send) : say(p, TH_SYN, "", 0);
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

static enum sl_lb_probe_is accepted(struct sl_lb_probe *p, const struct sl_lb_probe_to *to,
				    uint32_t sequence)
{
	char request[SL_LB_PROBE_REQUEST];
	int rc;

	p->open = true;
	p->expected = sequence + 1;
	if (to->check->type == SL_LB_CHECK_TCP)
		return SL_LB_PROBE_GOOD;
	rc = say(p, TH_ACK | TH_PUSH, request, sl_lb_probe_request(request, to));
	return rc ? failed(p, strerror(-rc)) : SL_LB_PROBE_READS;
}

/* The page's beginning, in order: what came before its turn comes again. */
static enum sl_lb_probe_is page(struct sl_lb_probe *p, const struct sl_lb_probe_to *to,
				const struct tcphdr *tcp, const uint8_t *b, size_t n)
{
	size_t room = sizeof(p->text) - p->got;
	enum sl_lb_probe_is is;

	if (ntohl(tcp->th_seq) != p->expected || !(n || tcp->th_flags & TH_FIN))
		return SL_LB_PROBE_READS;
	if (!n)
		return failed(p, "closed without an answer");
	p->expected += (uint32_t)n;
	n = n < room ? n : room;
	memcpy(p->text + p->got, b, n);
	p->got += (unsigned)n;
	is = sl_lb_probe_judge_http(p, to->check);
	if (is == SL_LB_PROBE_READS)
		say(p, TH_ACK, "", 0);
	return is;
}

static enum sl_lb_probe_is refused(struct sl_lb_probe *p, const struct tcphdr *tcp, bool answers)
{
	bool known = p->open; /* by the server, until now */

	if (!answers && !(known && ntohl(tcp->th_seq) == p->expected))
		return SL_LB_PROBE_READS;
	p->open = false;
	return failed(p, strerror(known ? ECONNRESET : ECONNREFUSED));
}

/* `n` bytes from the VIP's port to ours. */
static enum sl_lb_probe_is judge_segment(struct sl_lb_probe *p, const struct sl_lb_probe_to *to,
					 const uint8_t *b, size_t n)
{
	size_t at = !p->to.vip_v6 && n ? (size_t)(b[0] & 0xf) * 4 : 0;
	struct tcphdr tcp;
	bool answers;

	if (n < at + sizeof(tcp))
		return SL_LB_PROBE_READS;
	memcpy(&tcp, b + at, sizeof(tcp));
	at += (size_t)tcp.th_off * 4;
	answers = tcp.th_flags & TH_ACK && ntohl(tcp.th_ack) == p->sequence;
	if (tcp.th_flags & TH_RST)
		return refused(p, &tcp, answers);
	if (!answers || n < at)
		return SL_LB_PROBE_READS;
	if (p->open)
		return page(p, to, &tcp, b + at, n - at);
	return tcp.th_flags & TH_SYN ? accepted(p, to, ntohl(tcp.th_seq)) : SL_LB_PROBE_READS;
}

enum sl_lb_probe_is sl_lb_probe_direct_go(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	bool udp = to->check->type == SL_LB_CHECK_UDP;
	union sender from = {.six.sin6_family = AF_UNSPEC};
	socklen_t size = sizeof(from);
	uint8_t b[2048];
	ssize_t n = recvfrom(p->fd, b, sizeof(b), 0, (void *)&from, &size);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? SL_LB_PROBE_READS
							 : failed(p, strerror(errno));
	if (!from_vip(&from, to))
		return SL_LB_PROBE_READS;
	if (!udp)
		return judge_segment(p, to, b, (size_t)n);
	if (from.four.sin_port != to->vip_port) /* of IPv6 in the same place */
		return SL_LB_PROBE_READS;
	p->got = (unsigned)n < sizeof(p->text) ? (unsigned)n : sizeof(p->text);
	memcpy(p->text, b, p->got);
	return sl_lb_probe_judge(p, to->check);
}
