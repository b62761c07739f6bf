// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/housekeeping.h"
#include "dataplane/watch.h"

#define WATCH_MS 250
#define RETRY_ROUNDS 8

static void look(struct sl_dataplane *dp, unsigned round)
{
	bool changed = false;

	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		unsigned now = sl_iface_queues(&dp->inst->iface[i]);

		/* a queue that could not be opened is tried again every two seconds */
		if (now != dp->queues_looked[i] ||
		    (round % RETRY_ROUNDS == 0 && atomic_load(&dp->iface_active[i]) < now &&
		     atomic_load(&dp->iface_active[i]) < dp->iface_queues[i]))
			changed = true;
		dp->queues_looked[i] = now;
	}
	if (changed) {
		atomic_store(&dp->queues_changed, true);
		housekeeping_wake(dp);
	}
}

static void *watch_main(void *arg)
{
	struct sl_dataplane *dp = arg;
	struct pollfd fd = {.fd = dp->watch_event, .events = POLLIN};

	for (unsigned round = 1; !poll(&fd, 1, WATCH_MS); round++)
		look(dp, round);
	return NULL;
}

int watch_start(struct sl_dataplane *dp, struct sl_error *err)
{
	int ret;

	dp->watch_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dp->watch_event < 0)
		return sl_error_set(err, -errno, "eventfd: %s", strerror(errno));
	for (unsigned i = 0; i < dp->inst->ifaces; i++)
		dp->queues_looked[i] = sl_iface_queues(&dp->inst->iface[i]);
	ret = pthread_create(&dp->watcher, NULL, watch_main, dp);
	if (ret)
		return sl_error_set(err, -ret, "cannot start the watch thread: %s", strerror(ret));
	dp->watch_runs = true;
	pthread_setname_np(dp->watcher, "sluice-watch");
	return 0;
}

void watch_stop(struct sl_dataplane *dp)
{
	uint64_t one = 1;

	if (dp->watch_runs && write(dp->watch_event, &one, sizeof(one)) == sizeof(one))
		pthread_join(dp->watcher, NULL);
	dp->watch_runs = false;
	if (dp->watch_event >= 0)
		close(dp->watch_event);
	dp->watch_event = -1;
}
