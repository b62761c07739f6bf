/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h - the readiness protocol of sd_notify(3): one datagram to $NOTIFY_SOCKET. */
#ifndef SL_DAEMON_NOTIFY_H
#define SL_DAEMON_NOTIFY_H

#include <stdint.h>

/* "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1". Does nothing without $NOTIFY_SOCKET. */
void notify(const char *state);
/* RELOADING with the time stamp that Type=notify-reload asks for. */
void notify_reloading(uint64_t now_ns);
/* How often to send WATCHDOG=1: half of $WATCHDOG_USEC; 0: never. */
uint64_t notify_watchdog_ns(void);

#endif /* SL_DAEMON_NOTIFY_H */
