// SPDX-License-Identifier: GPL-2.0-or-later
/* What sluiced tells systemd, see sd_notify(3) and sd_watchdog_enabled(3). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "platform/notify.h"

void notify_reloading(uint64_t now_ns)
{
	char text[80];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(now_ns / 1000));
	sl_notify(text);
}

uint64_t notify_watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10) * 1000 / 2;
}
