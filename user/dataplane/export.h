/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * export.h - `sluice flows`: every shard is copied out by whoever owns it at that moment, a few
 * flows a round, so no worker stalls and no flow is read by two threads.
 */
#ifndef SL_DATAPLANE_EXPORT_H
#define SL_DATAPLANE_EXPORT_H

#include <jansson.h>

#include "dataplane/internal.h"

/* Worker: is an export under way? One load in a line that nobody writes meanwhile. */
static inline bool export_pending(const struct worker *w)
{
	return atomic_load_explicit(&w->dp->export, memory_order_acquire) != NULL;
}

/* Worker: copy some flows of the shards that it owns. True if it did. */
bool export_step(struct worker *w);

/* All flows as an array of objects. Requests thread; waits for the workers, at most timeout_ms. */
int export_flows(struct sl_dataplane *dp, unsigned timeout_ms, json_t **out, struct sl_error *err);

#endif /* SL_DATAPLANE_EXPORT_H */
