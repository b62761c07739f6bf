/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.h - a first connection to each server of a cookie VIP: XDP sees the answer and knows the
 * server's clock before the first client needs it.
 */
#ifndef SL_CLI_LB_PROBE_H
#define SL_CLI_LB_PROBE_H

#include "lb/lb.h"

/* Does XDP know the server's clock? */
bool probe_clock_known(const struct sl_lb *lb, uint32_t id, bool *erratic);
/* On standard error: what the first answers of a server, if there were any, say of its clock. */
void probe_tell(const struct sl_lb *lb, uint32_t id, __be16 port, bool answered);

/* Says on standard error which servers did not answer, and which have no single clock. */
void probe_clocks(const struct sl_lb *lb);

#endif /* SL_CLI_LB_PROBE_H */
