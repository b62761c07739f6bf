/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.h - one question to a server, without waiting: a connection, a GET, a datagram. It goes
 * to the server's own address, so XDP sees the answer and follows the server's clock by it; or,
 * where that is not how clients reach it, to the VIP (probe_direct.h).
 */
#ifndef SL_LB_PROBE_H
#define SL_LB_PROBE_H

#include "lb/config.h"

enum sl_lb_probe_is {
	SL_LB_PROBE_READS, /* go on when the socket can be read */
	SL_LB_PROBE_WRITES,
	SL_LB_PROBE_GOOD,
	SL_LB_PROBE_BAD, /* `why` tells */
	SL_LB_PROBE_LATER, /* no socket to be had: says nothing of the server */
};

struct sl_lb_probe_to {
	const struct sl_lb_check_config *check;
	const __be32 *addr;
	__be16 port;
	bool v6;
	const char *host; /* of HTTP, where the check names none */
	/* Where a VIP's packets go to the server as they are, it is asked at the VIP. */
	enum sl_lb_forward forward;
	const __be32 *vip;
	__be16 vip_port, gue_port;
	bool vip_v6;
};

/* A GET of the longest path and host. */
#define SL_LB_PROBE_REQUEST (3 * SL_LB_CHECK_TEXT)

struct sl_lb_probe {
	int fd; /* -1: none under way */
	bool asked; /* connected, or needs not be */
	unsigned got;
	char text[SL_LB_CHECK_TEXT]; /* of the answer, as much as is looked at */
	char why[48];
	/* of one to a VIP; what `to` points to is here */
	struct sl_lb_probe_to to;
	__be32 addr[4], vip[4], own[4];
	__be16 port;
	int hush; /* has the port, and hides it from the kernel; -1: TCP is not under way */
	bool open; /* the server has a connection */
	uint32_t sequence, expected; /* the next byte's, ours and the server's */
};

/* A socket on its way to there, non-blocking; -errno. */
int sl_lb_dial(const __be32 addr[4], bool v6, __be16 port, int type);

enum sl_lb_probe_is sl_lb_probe_begin(struct sl_lb_probe *p, const struct sl_lb_probe_to *to);
/* The socket is ready, or has failed. */
enum sl_lb_probe_is sl_lb_probe_go(struct sl_lb_probe *p, const struct sl_lb_probe_to *to);
/* What an HTTP check asks; its length, SL_LB_PROBE_REQUEST at most. */
size_t sl_lb_probe_request(char *text, const struct sl_lb_probe_to *to);
/* More of the answer has come, which has p->got bytes now. */
enum sl_lb_probe_is sl_lb_probe_judge_http(struct sl_lb_probe *p,
					   const struct sl_lb_check_config *c);
/* Says the error something of this host only? */
bool sl_lb_probe_no_room(int error);
/* A datagram came that is p->got long. */
enum sl_lb_probe_is sl_lb_probe_judge(struct sl_lb_probe *p, const struct sl_lb_check_config *c);
/* After GOOD, BAD, or enough. */
void sl_lb_probe_end(struct sl_lb_probe *p);

#endif /* SL_LB_PROBE_H */
