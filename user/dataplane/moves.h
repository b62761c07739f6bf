/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * moves.h - housekeeping's side of a hand-over: a row that differs from its owner becomes a move.
 *
 * Only this thread takes an owner word from OWNED to MOVING; only the owner takes it back. So a row
 * written by hand, or by a daemon that died right after, needs nobody else.
 */
#ifndef SL_DATAPLANE_MOVES_H
#define SL_DATAPLANE_MOVES_H

#include "dataplane/internal.h"

/*
 * At start, before any socket is in a slot: every word becomes owned by its row's worker (rows that
 * name no worker are dealt out), under a new epoch beyond every epoch in use.
 */
void moves_settle(struct sl_dataplane *dp);

/*
 * Look at all rows; start a move for each that differs and publish their epoch. A row to a worker
 * without sockets is put back. Returns how many moves began.
 */
unsigned moves_start(struct sl_dataplane *dp);

/* A new epoch without a move: when it is settled, every poll that is under way now has ended. */
uint32_t moves_epoch(struct sl_dataplane *dp);

/* For split.c: a worker that may be given buckets; the entry of a move in the log. */
bool moves_serves(const struct sl_dataplane *dp, unsigned id);
void moves_log(struct sl_dataplane *dp, uint32_t bucket, struct sl_owner word, uint64_t now);

/*
 * A move of housekeeping's own is announced before it is asked for, see platform/announce.h. True:
 * the row, seen as `seen`, may be stored now.
 */
bool moves_announced(struct sl_dataplane *dp, uint32_t bucket, uint64_t seen, uint16_t to);

/* Deal the rows of workers `n` and above out to the workers below, once they are announced: to be
 * called until it is done. */
void moves_vacate(struct sl_dataplane *dp, unsigned n);

/* Does worker `id` own, expect or stand in the row of any bucket? */
bool moves_involve(const struct sl_dataplane *dp, unsigned id);

/* The grace thread: after each new epoch wait until every poll in flight is over, then settle it.
 */
int grace_start(struct sl_dataplane *dp, struct sl_error *err);
void grace_stop(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_MOVES_H */
