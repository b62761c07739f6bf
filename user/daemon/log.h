/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - one line a message on stderr; with journald's <N> priority where it listens. */
#ifndef SL_DAEMON_LOG_H
#define SL_DAEMON_LOG_H

#include <syslog.h>

/* Looks at JOURNAL_STREAM once; call before the first log_line(). */
void log_open(void);
/* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO of syslog.h. */
void log_line(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* SL_DAEMON_LOG_H */
