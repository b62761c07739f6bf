/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cost.h - what a packet of each bucket costs: the chain is timed on a random packet of every 16th
 * batch.
 */
#ifndef SL_DATAPLANE_COST_H
#define SL_DATAPLANE_COST_H

#include "dataplane/internal.h"

void cost_init(struct worker *w);

/* Run the chain over the batch in hand. */
void cost_run_chain(struct worker *w);

#endif /* SL_DATAPLANE_COST_H */
