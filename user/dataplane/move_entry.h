/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move_entry.h - the log of moves (`moves`): who starts a move writes an entry, readers look at any
 * time. One writer of new entries: housekeeping, or mode stack's keeper.
 */
#ifndef SL_DATAPLANE_MOVE_ENTRY_H
#define SL_DATAPLANE_MOVE_ENTRY_H

#include "dataplane/internal.h"

/* The number of the latest entry, 0 if there is none. */
uint64_t move_entry_latest(const struct sl_instance *inst);

/* Write entry number `seq`: the move of `bucket` that `word` says, asked for at `now`. */
void move_entry_write(struct sl_instance *inst, uint64_t seq, uint32_t bucket, struct sl_owner word,
		      uint64_t now);

#endif /* SL_DATAPLANE_MOVE_ENTRY_H */
