/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * split.h - housekeeping's side of splitting a bucket into parts and putting it together again.
 *
 * The row's mode is the wish, and anybody may store it: SL_ROW_SPLIT, or not. Only housekeeping
 * writes SL_TO_PARTS into a row, when the parts' rows and words are ready for packets.
 */
#ifndef SL_DATAPLANE_SPLIT_H
#define SL_DATAPLANE_SPLIT_H

#include "dataplane/internal.h"

/* At start, before the rows are settled: which splits stay. */
void splits_settle(struct sl_dataplane *dp);

/* Does the bucket stay split at start, or is it a part without a bucket? Then *to is its row's. */
bool split_settles(const struct sl_instance *inst, uint32_t bucket, uint16_t *to);

/* Does the row ask for another thing than a move? */
static inline bool split_wanted(struct sl_row row, struct sl_owner word)
{
	if (word.owner != word.next)
		return false;
	if (to_parts(word.owner))
		return row.worker != word.owner || row.mode != SL_ROW_SPLIT;
	return row.mode == SL_ROW_SPLIT && row.worker == word.owner;
}

/*
 * Begin what the row asks for under `epoch`. A split begins at once or is refused; before its end
 * parts are gathered on one worker, by moves. True if the bucket's word moves now: *word says from
 * whom to whom.
 */
bool split_start(struct sl_dataplane *dp, uint32_t bucket, uint32_t epoch, uint64_t now,
		 struct sl_owner *word);

/* Is it a part on its way to the worker where its bucket becomes whole? */
bool split_gathers(const struct sl_instance *inst, uint32_t bucket);

/* Parts whose bucket is whole again can serve another one. */
void splits_free(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_SPLIT_H */
