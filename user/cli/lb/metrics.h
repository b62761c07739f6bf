/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics.h - what `sluice lb show` has, for Prometheus. */
#ifndef SL_CLI_LB_METRICS_H
#define SL_CLI_LB_METRICS_H

#include "lb/lb.h"

/* Exposition format 0.0.4, malloc'ed; NULL on no memory. */
char *lb_metrics_text(const struct sl_lb *lb, size_t *len);

#endif /* SL_CLI_LB_METRICS_H */
