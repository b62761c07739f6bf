/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.h - looks at queue counts, which take the kernel's RTNL lock. Others hold that lock for
 * seconds (a network namespace that goes away), so they have a thread of their own, and no move
 * waits.
 */
#ifndef SL_DATAPLANE_WATCH_H
#define SL_DATAPLANE_WATCH_H

#include "dataplane/internal.h"

int watch_start(struct sl_dataplane *dp, struct sl_error *err);
void watch_stop(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_WATCH_H */
