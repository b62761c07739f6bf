/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_target.h - the servers that `sluice lb run` checks, as run_check.c and run_verdict.c see
 * them. */
#ifndef SL_CLI_LB_RUN_TARGET_H
#define SL_CLI_LB_RUN_TARGET_H

#include "cli/lb/run.h"
#include "control/lb_health.h"
#include "lb/probe.h"

struct target {
	uint32_t id;
	struct sl_lb_server server; /* as it was when it was taken up */
	const struct sl_lb_vip_config *vip;
	const struct sl_lb_check_config *check; /* of the VIP, or sl_clock_check */
	const struct sl_lb_check_config *asked; /* by the probe that is under way */
	char host[64]; /* the VIP's address, for HTTP */
	bool told; /* of its clock */
	bool fell; /* was told to fail */
	unsigned quick; /* probes left of those in a row */
	uint64_t due_ns, deadline_ns;
	struct sl_health health;
	struct sl_lb_probe probe;
	uint64_t window_ns;
	struct sl_lb_stats before; /* at the beginning of the window */
};

struct run_checks {
	struct sl_lb *lb;
	int epoll;
	uint64_t tick_ns;
	struct sl_lb_watch *watch; /* the map itself */
	const struct sl_lb_vip_config *vip[SL_LB_MAX_VIPS];
	bool dirty[SL_LB_MAX_VIPS], panic[SL_LB_MAX_VIPS];
	bool stale[SL_LB_MAX_VIPS]; /* has verdicts, and no check any more */
	struct target *target[SL_LB_MAX_SERVERS];
	uint32_t ids[SL_LB_MAX_SERVERS]; /* of those, the first n */
	unsigned n;
};

/* A VIP without checks, but with cookies: only its servers' clocks are kept. */
extern const struct sl_lb_check_config run_clock_check;

static inline bool run_is_checked(const struct target *t)
{
	return t->check != &run_clock_check;
}

/* --- run_verdict.c */

/* A probe of it ended; `why`: NULL, or what was wrong. */
void run_verdict_probe(struct run_checks *c, struct target *t, const char *why);
/* How its clients fared since the window began, if that is over. */
void run_verdict_passive(struct run_checks *c, struct target *t, uint64_t now);
/* Verdicts into the maps, and tables where they change. Later, while another command is at it. */
void run_verdict_publish(struct run_checks *c);

#endif /* SL_CLI_LB_RUN_TARGET_H */
