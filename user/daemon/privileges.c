// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * After start the daemon keeps CAP_BPF alone: opening the pins of an instance that is attached
 * later, and updating `match` and `local_addrs`. Rows and counters are mmapped and need nothing.
 * Attaching (CAP_NET_ADMIN), loading (CAP_PERFMON), finding maps by id (CAP_SYS_ADMIN), a group for
 * the socket (CAP_CHOWN) are all behind it by then.
 */
#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

#include "daemon/daemon.h"

int privileges_drop(struct sl_error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return sl_error_set(err, -errno, "cannot set no_new_privs");
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF) ||
	    capng_apply(CAPNG_SELECT_BOTH))
		return sl_error_set(err, -EPERM,
				    "cannot drop capabilities: start sluiced with CAP_SETPCAP too, "
				    "as its systemd unit does");
	return 0;
}
