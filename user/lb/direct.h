/* SPDX-License-Identifier: GPL-2.0-or-later */
/* direct.h - what direct server return needs beside VIPs and servers: outer headers, the
 * servers' link-layer addresses, who gets fragments. */
#ifndef SL_LB_DIRECT_H
#define SL_LB_DIRECT_H

#include "lb/lb.h"

/* The outer header of a VIP's packets to a server. -EINVAL: it cannot be had. */
int sl_lb_tunnel_of(const struct sl_lb_vip_config *v, const struct sl_lb_server_config *c,
		    struct sl_lb_tunnel *t, struct sl_error *err);

/* The same into the map. */
int sl_lb_tunnel_write(const struct sl_lb *lb, uint32_t id, const struct sl_lb_vip_config *v,
		       const struct sl_lb_server_config *c, struct sl_error *err);

/*
 * The kernel is to keep the link-layer addresses of the servers that packets go to directly, and no
 * longer those of servers that went.
 */
void sl_lb_neighbours(const struct sl_lb *lb);
/* None any more, and sl_lb_remove(). */
void sl_lb_forget(struct sl_lb *lb);

/* Who gets fragments: of an address and protocol the only VIP, if it can take them. */
int sl_lb_fragments(const struct sl_lb *lb, const struct sl_lb_config *config,
		    const struct sl_lb_vip_entry *before, unsigned n, struct sl_error *err);

#endif /* SL_LB_DIRECT_H */
