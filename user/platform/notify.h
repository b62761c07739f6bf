/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h - tell systemd (sd_notify(3), Type=notify): one datagram, no library. */
#ifndef SL_PLATFORM_NOTIFY_H
#define SL_PLATFORM_NOTIFY_H

/* Send e.g. "READY=1" to $NOTIFY_SOCKET; nothing where there is none. Any thread. */
void sl_notify(const char *state);

#endif /* SL_PLATFORM_NOTIFY_H */
