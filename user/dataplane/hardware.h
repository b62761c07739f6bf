/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hardware.h - the NICs' own tables follow the software's: a thread that looks which queues packets
 * come in on, plans each interface's table, has the buckets held that it moves, and writes it.
 *
 * It never fails the dataplane: packets find their worker whatever queue they come in on. What
 * became of it is in control.nic.
 */
#ifndef SL_DATAPLANE_HARDWARE_H
#define SL_DATAPLANE_HARDWARE_H

#include "dataplane/internal.h"
#include "platform/rss.h"

int hardware_start(struct sl_dataplane *dp, struct sl_error *err);
/* The tables stay as they are: detach gives them back, or the next dataplane goes on. */
void hardware_stop(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_HARDWARE_H */
