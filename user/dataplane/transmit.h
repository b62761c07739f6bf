/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transmit.h - packets leave on the queue that they came from (of the output interface), never on
 * one that depends on the worker: so a move keeps the order on the wire too.
 */
#ifndef SL_DATAPLANE_TRANSMIT_H
#define SL_DATAPLANE_TRANSMIT_H

#include "dataplane/internal.h"

/*
 * Hand a packet to the TX ring; a packet that cannot go is counted and freed. A full ring is waited
 * for, 10 ms in a batch at most, and once: it drops at once until the kernel takes something again.
 */
void transmit(struct worker *w, struct sl_packet *p, unsigned ring);

/* After each batch, and without one while something is left: let the kernel take what the TX rings
 * hold, and take back the frames that it has sent. */
void transmit_flush(struct worker *w);

/*
 * May buckets go, that is, has the kernel taken everything that this worker gave it? An interface
 * that is down, or has taken nothing for 200 ms, is not waited for: every move ends. But until it
 * has taken what it then holds, the other workers' packets to that queue are dropped (`tx_full`),
 * so that none of them overtakes.
 */
bool transmit_taken(struct worker *w);

/* The worker's thread ends and will not give the kernel another chance: the others may send. */
void transmit_forgive(struct worker *w);

#endif /* SL_DATAPLANE_TRANSMIT_H */
