/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.h - from the RX rings into the batch: whose packet is it? */
#ifndef SL_DATAPLANE_RECEIVE_H
#define SL_DATAPLANE_RECEIVE_H

#include "dataplane/internal.h"

/*
 * Fill the batch: ready packets first, then the rings in turn, beginning one further each time.
 * Returns the batch's size. Packets that are not this worker's are parked, or dropped as stray.
 */
unsigned receive_batch(struct worker *w);

/* Is there anything in any ring? */
bool receive_waits(const struct worker *w);

#endif /* SL_DATAPLANE_RECEIVE_H */
