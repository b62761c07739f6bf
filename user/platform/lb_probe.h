/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_probe.h - one question to a server, without waiting: a connection, a GET, a datagram. It goes
 * to the server's own address, so XDP sees the answer and follows the server's clock by it.
 */
#ifndef SL_PLATFORM_LB_PROBE_H
#define SL_PLATFORM_LB_PROBE_H

#include "platform/lb_config.h"

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
};

struct sl_lb_probe {
	int fd; /* -1: none under way */
	bool asked; /* connected, or needs not be */
	unsigned got;
	char text[SL_LB_CHECK_TEXT]; /* of the answer, as much as is looked at */
	char why[48];
};

/* A socket on its way to there, non-blocking; -errno. */
int sl_lb_dial(const __be32 addr[4], bool v6, __be16 port, int type);

enum sl_lb_probe_is sl_lb_probe_begin(struct sl_lb_probe *p, const struct sl_lb_probe_to *to);
/* The socket is ready, or has failed. */
enum sl_lb_probe_is sl_lb_probe_go(struct sl_lb_probe *p, const struct sl_lb_probe_to *to);
/* After GOOD, BAD, or enough. */
void sl_lb_probe_end(struct sl_lb_probe *p);

#endif /* SL_PLATFORM_LB_PROBE_H */
