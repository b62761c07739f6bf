/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * requests.h - the dataplane's control socket, <instance>.dataplane.sock: status, workers, flows,
 * capture, wake. A thread of its own: an answer may wait for the workers, moves must not.
 */
#ifndef SL_DATAPLANE_REQUESTS_H
#define SL_DATAPLANE_REQUESTS_H

#include "dataplane/internal.h"

int requests_start(struct sl_dataplane *dp, struct sl_error *err);
void requests_stop(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_REQUESTS_H */
