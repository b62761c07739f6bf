/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - a dataplane thread: receive, run the chain, transmit, let go of what must move, sleep.
 */
#ifndef SL_DATAPLANE_WORKER_H
#define SL_DATAPLANE_WORKER_H

#include "dataplane/internal.h"

/* Memory of a worker; its sockets are opened by members.c. */
int worker_init(struct sl_dataplane *dp, unsigned id);
void worker_free(struct worker *w);

/* The thread, pinned to its CPU; worker_join() waits until it has left its loop. */
int worker_start(struct worker *w, struct sl_error *err);
void worker_join(struct worker *w);

/* End its sleep. Any thread. */
void worker_wake(struct worker *w);

/*
 * The halves of a round, for the thread and for a program's own loop. worker_begin() returns the
 * size of the batch; worker_end() carries out its verdicts, lets buckets go and does what else is
 * due; true if anything happened. Both keep the statistics by which the daemon balances.
 */
unsigned worker_begin(struct worker *w);
bool worker_end(struct worker *w);

/*
 * After a round in which nothing happened: poll on for a while, then sleep, at most limit_ms (-1:
 * no limit) and never so long that the heartbeat looks stale.
 */
void worker_rest(struct worker *w, int limit_ms);

/* What worker_begin() and worker_end() do to packets; alone where nobody keeps statistics. */
unsigned worker_collect(struct worker *w);
bool worker_finish(struct worker *w);

/* Sleep until a packet, a wake-up or timeout_ms. Returns at once if there is something to do. */
void worker_sleep(struct worker *w, int timeout_ms);

/* Nothing in any ring, park, cache or move. */
bool worker_idle(const struct worker *w);

#endif /* SL_DATAPLANE_WORKER_H */
