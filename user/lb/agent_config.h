/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent_config.h - what a balancer's configuration, sluice-lb(5), says to the agent of one of its
 * servers. */
#ifndef SL_LB_AGENT_CONFIG_H
#define SL_LB_AGENT_CONFIG_H

#include "lb/agent.h"
#include "lb/config.h"

/*
 * Add to *config the VIPs that come to this host in a tunnel, and the ends whose timestamps carry a
 * cookie. `self`: addresses of this host, `n` of them. -EINVAL: the file lacks what both must know;
 * -ENOENT: this host is none of its servers.
 */
int sl_agent_from_lb(const struct sl_lb_config *lb, const struct sl_agent_vip *self, unsigned n,
		     struct sl_agent_config *config, struct sl_error *err);

/* The addresses of this network namespace, of which there is room for `max`. How many, or -errno.
 */
int sl_agent_self(struct sl_agent_vip *self, unsigned max);

#endif /* SL_LB_AGENT_CONFIG_H */
