/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb_health.h - whether a server is fit to get connections, from probes and from how it answers
 * clients. Pure: outcomes in, a verdict out.
 */
#ifndef SL_CONTROL_LB_HEALTH_H
#define SL_CONTROL_LB_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/lb.h>

struct sl_health_rules {
	unsigned rise, fall; /* probes in a row, 1 or more */
	double passive; /* share of SYNs without an answer that is too much; 0: never */
};

/* Fewer SYNs in a window say nothing. */
#define SL_HEALTH_SYNS_MIN 10

struct sl_health {
	uint8_t health; /* SL_LB_UNCHECKED, _HEALTHY or _FAILING */
	unsigned run; /* probes in a row that speak against `health` */
};

/*
 * A probe ended. The first one of a server decides at once: nobody knows better. Returns whether
 * `health` changed.
 */
bool sl_health_probe(struct sl_health *h, const struct sl_health_rules *rules, bool ok);

/*
 * A window of a server's SYNs, and its SYN-ACKs to them. Only ever takes a server out: its probes
 * decide when it is back. `failing` of the `servers` of the VIP are out; half of them at most go
 * this way, so that a flood that all of them choke on takes away no more. Returns whether `health`
 * changed.
 */
bool sl_health_passive(struct sl_health *h, const struct sl_health_rules *rules, uint64_t syns,
		       uint64_t accepted, unsigned failing, unsigned servers);

/* What XDP and tables are to make of it: where all servers that are up fail, all serve. */
enum sl_lb_health sl_health_served(const struct sl_health *h, unsigned failing, unsigned servers);

/* The status of an HTTP answer that begins so; 0: not whole yet; -1: not HTTP. */
int sl_health_http_status(const char *text, size_t n);

#endif /* SL_CONTROL_LB_HEALTH_H */
