/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger.h - the counters outlive a dataplane: what a killed one held is counted by the next.
 */
#ifndef SL_DATAPLANE_LEDGER_H
#define SL_DATAPLANE_LEDGER_H

#include "dataplane/internal.h"

/*
 * At start, before any socket is open: whatever XDP redirected and nobody has accounted for was
 * held by a dataplane that was killed. Counts it as abandoned, so that both loss identities close
 * again.
 */
void ledger_settle(struct sl_dataplane *dp);

/* Names of the chain's drop reasons, for those who read the counters. */
void ledger_name_reasons(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_LEDGER_H */
