/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.h - locks under the run directory: who is the daemon, who is the dataplane of an instance.
 *
 * A lock on an open file: the kernel drops it with the process, however that ended. A file that
 * lies there says nothing, so there is nothing to clean up.
 */
#ifndef SL_PLATFORM_LOCK_H
#define SL_PLATFORM_LOCK_H

#include <stdbool.h>

#include "platform/instance.h"

/* The run directory: the environment's SLUICE_RUN_DIR, or SL_RUN_DIR. */
const char *sl_run_dir(void);

/* Make the run directory (0755) if it is not there. */
int sl_run_dir_make(struct sl_error *err);

/* Take <run>/<name>.lock for this process. An fd to give to sl_lock_drop(); -EBUSY somebody has it
 * (who, in err). */
int sl_lock_take(const char *name, struct sl_error *err);
void sl_lock_drop(int fd);

/* Does somebody hold it? */
bool sl_lock_held(const char *name);

#endif /* SL_PLATFORM_LOCK_H */
