/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * housekeeping.h - the thread that carries out what rows ask for: moves, members, queues,
 * statistics.
 */
#ifndef SL_DATAPLANE_HOUSEKEEPING_H
#define SL_DATAPLANE_HOUSEKEEPING_H

#include "dataplane/internal.h"

int housekeeping_start(struct sl_dataplane *dp, struct sl_error *err);
void housekeeping_stop(struct sl_dataplane *dp);

/* What housekeeping does last: empty the slots for good, so that the workers end. Once it has ended
 * or if it never ran, the closing thread may call it. */
void housekeeping_drain(struct sl_dataplane *dp);

/* Look at the rows now. Any thread, any time. */
void housekeeping_wake(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_HOUSEKEEPING_H */
