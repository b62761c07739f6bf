// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/lb_health.h"
#include "lb/probe.h"
#include "lb/probe_direct.h"

int sl_lb_dial(const __be32 addr[4], bool v6, __be16 port, int type)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port};

	if (fd < 0)
		return -errno;
	memcpy(&six.sin6_addr, addr, 16);
	four.sin_addr.s_addr = addr[3];
	if (!connect(fd, v6 ? (void *)&six : (void *)&four, v6 ? sizeof(six) : sizeof(four)) ||
	    errno == EINPROGRESS)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

__attribute__((format(printf, 2, 3))) static enum sl_lb_probe_is bad(struct sl_lb_probe *p,
								     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return SL_LB_PROBE_BAD;
}

bool sl_lb_probe_no_room(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL;
}

static enum sl_lb_probe_is send_datagram(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	const char *text = to->check->send;

	if (send(p->fd, text, strlen(text), MSG_NOSIGNAL) >= 0)
		return SL_LB_PROBE_READS;
	return bad(p, "%s", strerror(errno));
}

static bool to_vip(const struct sl_lb_probe_to *to)
{
	return to->forward != SL_LB_NAT && !to->check->port;
}

enum sl_lb_probe_is sl_lb_probe_begin(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	bool udp = to->check->type == SL_LB_CHECK_UDP;

	p->got = 0;
	p->asked = udp;
	p->hush = -1;
	if (to_vip(to))
		return sl_lb_probe_direct_begin(p, to);
	p->fd = sl_lb_dial(to->addr, to->v6, to->port, udp ? SOCK_DGRAM : SOCK_STREAM);
	if (p->fd < 0)
		return sl_lb_probe_no_room(-p->fd) ? SL_LB_PROBE_LATER
						   : bad(p, "%s", strerror(-p->fd));
	return udp ? send_datagram(p, to) : SL_LB_PROBE_WRITES;
}

void sl_lb_probe_end(struct sl_lb_probe *p)
{
	if (p->fd < 0)
		return;
	if (p->hush >= 0)
		sl_lb_probe_direct_end(p);
	close(p->fd);
	p->fd = -1;
}

size_t sl_lb_probe_request(char *text, const struct sl_lb_probe_to *to)
{
	const struct sl_lb_check_config *c = to->check;

	return (size_t)snprintf(text, SL_LB_PROBE_REQUEST,
				"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice\r\nConnection: "
				"close\r\n\r\n",
				c->path, *c->host ? c->host : to->host);
}

static enum sl_lb_probe_is ask_http(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	char request[SL_LB_PROBE_REQUEST];
	size_t n = sl_lb_probe_request(request, to);

	/* The socket is new: all of it fits. */
	if (send(p->fd, request, n, MSG_NOSIGNAL) == (ssize_t)n)
		return SL_LB_PROBE_READS;
	return bad(p, "%s", strerror(errno));
}

static enum sl_lb_probe_is connected(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)
		return bad(p, "%s", strerror(error ? error : errno));
	return to->check->type == SL_LB_CHECK_HTTP ? ask_http(p, to) : SL_LB_PROBE_GOOD;
}

enum sl_lb_probe_is sl_lb_probe_judge_http(struct sl_lb_probe *p,
					   const struct sl_lb_check_config *c)
{
	int status = sl_health_http_status(p->text, p->got);

	if (!status)
		return SL_LB_PROBE_READS;
	if (status < 0)
		return bad(p, "the answer is not HTTP/1");
	if (status < (int)c->status_min || status > (int)c->status_max)
		return bad(p, "HTTP status %d", status);
	return SL_LB_PROBE_GOOD;
}

enum sl_lb_probe_is sl_lb_probe_judge(struct sl_lb_probe *p, const struct sl_lb_check_config *c)
{
	size_t n = strlen(c->expect);

	if (p->got < n || memcmp(p->text, c->expect, n) != 0)
		return bad(p, "another answer than expected");
	return SL_LB_PROBE_GOOD;
}

static enum sl_lb_probe_is answered(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	ssize_t n = recv(p->fd, p->text + p->got, sizeof(p->text) - p->got, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? SL_LB_PROBE_READS
							 : bad(p, "%s", strerror(errno));
	p->got += (unsigned)n;
	if (to->check->type == SL_LB_CHECK_UDP)
		return sl_lb_probe_judge(p, to->check);
	return n ? sl_lb_probe_judge_http(p, to->check) : bad(p, "closed without an answer");
}

enum sl_lb_probe_is sl_lb_probe_go(struct sl_lb_probe *p, const struct sl_lb_probe_to *to)
{
	bool asked = p->asked;

	if (to_vip(to))
		return sl_lb_probe_direct_go(p, to);
	p->asked = true;
	return asked ? answered(p, to) : connected(p, to);
}
