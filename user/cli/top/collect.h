/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * collect.h - the figures of `sluice top`, from the maps of an instance.
 */
#ifndef SL_CLI_TOP_COLLECT_H
#define SL_CLI_TOP_COLLECT_H

#include "cli/top/layout.h"

struct collector;

/* NULL: no memory. */
struct collector *collector_new(const struct sl_instance *inst);
void collector_free(struct collector *c);

/* Read the counters; rates are those since the call before. The view is the collector's, valid
 * until the next call. */
const struct top_view *collect(struct collector *c, const struct sl_instance *inst);

#endif /* SL_CLI_TOP_COLLECT_H */
