/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe_direct.h - a packet from this host to a VIP, on the way that a client's takes to one
 * server of it (SL_LB_L2, SL_LB_IPIP, SL_LB_GUE), and the answer, which comes to this host. The
 * kernel takes no part: its own packets to a VIP would go where routes say. So of TCP it is by hand
 * a SYN, what answers it, for a page a GET and what comes of that, and a reset. Nothing is sent
 * again: what is lost fails the probe.
 */
#ifndef SL_LB_PROBE_DIRECT_H
#define SL_LB_PROBE_DIRECT_H

#include "lb/probe.h"

enum sl_lb_probe_is sl_lb_probe_direct_begin(struct sl_lb_probe *p,
					     const struct sl_lb_probe_to *to);
enum sl_lb_probe_is sl_lb_probe_direct_go(struct sl_lb_probe *p, const struct sl_lb_probe_to *to);
/* Of TCP, before p->fd is closed. */
void sl_lb_probe_direct_end(struct sl_lb_probe *p);

#endif /* SL_LB_PROBE_DIRECT_H */
