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
 * The halves of a round, for the thread and for a program's own loop. worker_collect() returns the
 * size of the batch; worker_finish() carries out its verdicts and lets buckets go; true if anything
 * happened.
 */
unsigned worker_collect(struct worker *w);
bool worker_finish(struct worker *w);

/* Sleep until a packet, a wake-up or timeout_ms. Returns at once if there is something to do. */
void worker_sleep(struct worker *w, int timeout_ms);

/* Nothing in any ring, park, cache or move. */
bool worker_idle(const struct worker *w);

#endif /* SL_DATAPLANE_WORKER_H */
