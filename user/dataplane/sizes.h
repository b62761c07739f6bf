/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sizes.h - how many frames, how long the rings: decided before any memory is taken.
 */
#ifndef SL_DATAPLANE_SIZES_H
#define SL_DATAPLANE_SIZES_H

#include "dataplane/internal.h"

/*
 * Check the options and fill in dp's numbers: rings, iface_base, workers_max, frames, xsk_opts,
 * limits, strides. dp->inst and the chain are open. -EINVAL with a line in err.
 */
int sizes_decide(struct sl_dataplane *dp, struct sl_error *err);

/* Bytes of the frames of so many queues and workers, by the default options: what most of the
 * memory goes to. */
uint64_t sizes_default_frames(unsigned queues, unsigned workers);

#endif /* SL_DATAPLANE_SIZES_H */
