/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.h - a load balancer's maps as JSON and as text. */
#ifndef SL_CLI_LB_SHOW_H
#define SL_CLI_LB_SHOW_H

#include <jansson.h>

#include "lb/lb.h"

/* What `show -j` prints. */
json_t *show_json(const struct sl_lb *lb);

/* Exit status. */
int show_balancer(const struct sl_lb *lb);
int show_counts(const struct sl_lb *lb);

#endif /* SL_CLI_LB_SHOW_H */
