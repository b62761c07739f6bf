/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loads.h - servers' reports (sluice/lb_report.h) into a balancer's map `lb_cores`.
 *
 * A receiver is one thread's. It needs no lock of the balancer: it writes `lb_cores` only, of which
 * there must be one writer. What it must not forget is in the map, so a receiver may end and
 * another begin at any time.
 */
#ifndef SL_LB_LOADS_H
#define SL_LB_LOADS_H

#include "lb/lb.h"

#define SL_LB_MAX_AGE_MS 1000 /* by default a report is out of date then */

/* Datagrams. */
struct sl_lb_loads_counts {
	uint64_t accepted;
	uint64_t malformed; /* no report, or not whole */
	uint64_t version; /* of the format: another one */
	uint64_t forged; /* not signed by the secret, or that before it */
	uint64_t replayed; /* no newer than what there is */
	uint64_t unknown; /* of no server of ours */
	uint64_t behind; /* loads of a table that has not come yet */
};

struct sl_lb_loads;

/*
 * Listen on address and port (NULL: every address, SL_REPORT_PORT). `lb` must stay open, it may be
 * unlocked. -EADDRINUSE, -ENOMEM...
 */
int sl_lb_loads_open(const struct sl_lb *lb, const char *listen, unsigned max_age_ms,
		     struct sl_lb_loads **out, struct sl_error *err);
void sl_lb_loads_close(struct sl_lb_loads *l);

/* Readable when there is something to receive. */
int sl_lb_loads_fd(const struct sl_lb_loads *l);
/* Take what waits, at most `most` datagrams. How many were accepted. */
unsigned sl_lb_loads_receive(struct sl_lb_loads *l, unsigned most);
/* One datagram, as if it had come. 0, or why it was not accepted: -errno. */
int sl_lb_loads_take(struct sl_lb_loads *l, const void *datagram, size_t bytes);
struct sl_lb_loads_counts sl_lb_loads_counts(const struct sl_lb_loads *l);

/* What the map has of a server. -ENOENT: it never reported. */
int sl_lb_cores_read(const struct sl_lb *lb, uint32_t id, struct sl_lb_cores *out);
/* Is it not out of date? */
bool sl_lb_cores_fresh(const struct sl_lb_cores *c);
/* Mean load of a server's cores, 1: all of them busy. */
double sl_lb_cores_mean(const struct sl_lb_cores *c);

#endif /* SL_LB_LOADS_H */
