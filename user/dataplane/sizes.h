/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sizes.h - how many frames, how long the rings: decided, and said, before any memory is taken.
 */
#ifndef SL_DATAPLANE_SIZES_H
#define SL_DATAPLANE_SIZES_H

#include "dataplane/internal.h"

/*
 * Check the options and fill in dp's numbers: rings, iface_base, workers_max, frames, xsk_opts,
 * limits. dp->inst is open. -EINVAL with a line in err.
 */
int sizes_decide(struct sl_dataplane *dp, struct sl_error *err);

/* Bytes that these numbers take: frames, kernel rings and pools, parks. */
uint64_t sizes_memory(const struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_SIZES_H */
