/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.h - the agent on a server: programs at tc of its interfaces and their maps
 * (sluice/agent.h). What is pinned, <bpffs>/sluice/agent-<abi>/<name>/, and the filters are all the
 * state there is.
 *
 * Calls exclude one another on the machine while a struct sl_agent is open.
 */
#ifndef SL_LB_AGENT_H
#define SL_LB_AGENT_H

#include <sluice/agent.h>

#include "lb/config.h"

enum sl_agent_object {
	SL_AGENT_O_CONTROL,
	SL_AGENT_O_VIPS,
	SL_AGENT_O_FROM,
	SL_AGENT_O_SERVICES,
	SL_AGENT_O_PORTS,
	SL_AGENT_O_COUNTS,
	SL_AGENT_O_OUT, /* programs */
	SL_AGENT_O_IN,
	SL_AGENT_OBJECTS,
};

struct sl_agent {
	char name[SL_NAME_MAX];
	int lock; /* of the pin directory */
	int fd[SL_AGENT_OBJECTS]; /* enum sl_agent_object */
};

/* What an agent is to take off, and of whom; and whose timestamps carry a cookie. */
struct sl_agent_config {
	struct sl_agent_prefix vips[SL_AGENT_MAX_VIPS];
	unsigned vips_n;
	struct sl_agent_prefix from[SL_AGENT_MAX_FROM];
	unsigned from_n;
	__be16 gue_port;
	struct sl_agent_end ends[SL_AGENT_MAX_VIPS];
	struct sl_agent_service services[SL_AGENT_MAX_VIPS]; /* of ends[] */
	unsigned services_n;
};

/* Open what is pinned. -ENOENT: no such agent. */
int sl_agent_open(const char *name, struct sl_agent *agent, struct sl_error *err);
/* The same, and load and pin it where there is none; *created tells. */
int sl_agent_claim(const char *name, struct sl_agent *agent, bool *created, struct sl_error *err);
void sl_agent_close(struct sl_agent *agent);

/* Make the maps what the configuration says; what both have stays there throughout. */
int sl_agent_apply(const struct sl_agent *agent, const struct sl_agent_config *config,
		   struct sl_error *err);
/* The secrets of a balancer's configuration, which is refused if it cannot follow what is in force.
 */
int sl_agent_secrets(const struct sl_agent *agent, const struct sl_lb_config *lb,
		     struct sl_error *err);
/* What the maps say. */
int sl_agent_read(const struct sl_agent *agent, struct sl_agent_config *config);

/* Could they be put there? */
int sl_agent_check(const struct sl_agent *agent, const char *ifname, struct sl_error *err);
/*
 * Put the programs on an interface of this network namespace: 1, or 0 if it was there. Where they
 * cannot be had it is as it was before.
 */
int sl_agent_attach(const struct sl_agent *agent, const char *ifname, struct sl_error *err);
/* -ENOENT: it is not there. */
int sl_agent_there(const struct sl_agent *agent, const char *ifname, struct sl_error *err);
/* Nothing if it is not there. */
void sl_agent_detach(const struct sl_agent *agent, const char *ifname);
/* Forget interfaces that are gone. */
void sl_agent_tidy(const struct sl_agent *agent);
/* Interfaces that it is on: their indexes, ended by 0. */
void sl_agent_ifaces(const struct sl_agent *agent, unsigned ifindex[SL_AGENT_MAX_IFACES + 1]);
/* Off all interfaces, and everything forgotten. */
void sl_agent_remove(const struct sl_agent *agent);

#endif /* SL_LB_AGENT_H */
