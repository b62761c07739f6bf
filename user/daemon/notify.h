/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h - what sluiced tells systemd beyond platform/notify.h. */
#ifndef SL_DAEMON_NOTIFY_H
#define SL_DAEMON_NOTIFY_H

#include <stdint.h>

/* RELOADING with the time stamp (CLOCK_MONOTONIC) that Type=notify-reload asks for. */
void notify_reloading(uint64_t now_ns);
/* How often to send WATCHDOG=1: half of $WATCHDOG_USEC; 0: never. */
uint64_t notify_watchdog_ns(void);

#endif /* SL_DAEMON_NOTIFY_H */
