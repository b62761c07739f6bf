/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move_log.h - reading the ring of latest moves while the dataplane writes it.
 */
#ifndef SL_CLI_MOVE_LOG_H
#define SL_CLI_MOVE_LOG_H

#include <jansson.h>

#include "platform/instance.h"

/*
 * Copy the moves with seq > `after`, oldest first, into out[SL_MOVE_LOG]. An entry that changes
 * while it is copied is tried again, then left out. Returns how many.
 */
unsigned move_log_read(const struct sl_move *ring, uint64_t after, struct sl_move *out);

/* Forget all but the latest n of `count` moves, in place. Returns how many are left. */
unsigned move_log_latest(struct sl_move *moves, unsigned count, unsigned n);

/* "a", "d", "c", or NULL while none applies. */
const char *move_rule_name(uint32_t rule);

/* Its number; null: the bucket's parts, or nobody. */
json_t *worker_or_null(uint16_t worker);

/* As sluice(8) documents it. NULL: no memory. */
json_t *move_json(const struct sl_move *m);

#endif /* SL_CLI_MOVE_LOG_H */
