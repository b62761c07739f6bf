/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cost.h - what a packet of each bucket costs: the chain is timed on a random packet of every 16th
 * batch; a program's own loop is timed on a batch of one packet. Of a bucket in mode
 * SL_ROW_ELEPHANT the flow of each timed packet is noted too (sketch.h): nothing is asked of the
 * others.
 */
#ifndef SL_DATAPLANE_COST_H
#define SL_DATAPLANE_COST_H

#include "dataplane/internal.h"

void cost_init(struct worker *w);

/* Run the chain over the batch in hand. */
void cost_run_chain(struct worker *w);

/*
 * A program's own loop: so many packets at most next time, since every 16th batch is a single
 * packet; the chain, if there is one, and the clock's start; the program is done with its packets.
 */
unsigned cost_batch(const struct worker *w, unsigned max);
void cost_begin(struct worker *w);
void cost_end(struct worker *w);

#endif /* SL_DATAPLANE_COST_H */
