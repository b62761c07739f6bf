/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * members.h - sockets and slots: queues that come, workers that join and leave.
 *
 * A worker takes part in this order: sockets on every queue, their slots in the XSKMAP, its thread,
 * then state RUNNING; only then may a row name it. It leaves the other way round, after the last of
 * its shards has gone. Its sockets stay open: they cost no CPU, and its return is quick.
 */
#ifndef SL_DATAPLANE_MEMBERS_H
#define SL_DATAPLANE_MEMBERS_H

#include "dataplane/internal.h"

/*
 * All that can fail for want of a queue or memory: homes and sockets of the queues that exist now
 * and of the workers to start with. No slot is set and nothing shared is written: a start that is
 * refused changes nothing.
 */
int members_reserve(struct sl_dataplane *dp, struct sl_error *err);

/* Open the homes of the queues that exist now, and of those that have come since. */
int members_open_queues(struct sl_dataplane *dp, struct sl_error *err);

/* Worker `id` joins. Housekeeping or the starter. */
int members_join(struct sl_dataplane *dp, unsigned id, struct sl_error *err);

/* So many workers take part from now on. Housekeeping or the starter. */
void members_count(struct sl_dataplane *dp, unsigned n);

/* Take one step towards `workers_wanted`. True when there. Housekeeping. */
bool members_step(struct sl_dataplane *dp);

/* Empty every slot: packets take the fallback verdict from now on. */
void members_clear_slots(struct sl_dataplane *dp);

/* Close all sockets, then the homes. No worker runs any more. */
void members_close(struct sl_dataplane *dp);

/* Fill rings that workers could not keep full are filled. Housekeeping. */
void members_top_up(struct sl_dataplane *dp);

/* Publish the sockets' statistics in `workers`. */
void members_statistics(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_MEMBERS_H */
