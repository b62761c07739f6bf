// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/cpu_work.h"
#include "dataplane/housekeeping.h"
#include "dataplane/log.h"
#include "dataplane/members.h"
#include "dataplane/moves.h"
#include "dataplane/redirect_errors.h"
#include "dataplane/resteer.h"
#include "dataplane/worker.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/netlink.h"

/*
 * A row written by hand is seen within IDLE_MS; while rows change, within BUSY_US. Statistics are
 * system calls for each socket, so they are taken less often.
 */
#define IDLE_MS 10
#define BUSY_US 200
#define BUSY_ROUNDS 100
#define STATISTICS_NS 50000000ull

static void nap(struct sl_dataplane *dp, int net_fd, bool busy)
{
	struct timespec ts = {.tv_nsec = busy ? BUSY_US * 1000 : IDLE_MS * 1000000};
	struct pollfd fds[2] = {{.fd = dp->wake_fd, .events = POLLIN},
				{.fd = net_fd, .events = POLLIN}};
	uint64_t rung;

	if (ppoll(fds, net_fd < 0 ? 1 : 2, &ts, NULL) > 0 && fds[0].revents &&
	    read(dp->wake_fd, &rung, sizeof(rung)) < 0)
		return;
}

static void on_link(const struct sl_net_event *event, void *arg)
{
	struct sl_dataplane *dp = arg;

	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		if (event->kind == SL_NET_ADDR || event->link.ifindex != dp->inst->iface[i].ifindex)
			continue;
		if (event->kind == SL_NET_LINK_GONE) {
			/* the text is read by others from then on */
			if (atomic_load(&dp->failed))
				continue;
			snprintf(dp->failure, sizeof(dp->failure),
				 "interface %s is gone: its sockets are dead",
				 dp->inst->iface[i].name);
			atomic_store(&dp->failed, true);
			atomic_store(&dp->stop, true); /* a program's own loops end */
			continue;
		}
		dp->iface_mtu[i] = event->link.mtu;
		/* what waits in TX rings since the link went down can go now */
		for (unsigned w = 0; w < dp->workers_max; w++)
			worker_wake(&dp->worker[w]);
	}
}

/* Nothing new arrives: the workers finish what is on its way and leave their loops. */
void housekeeping_drain(struct sl_dataplane *dp)
{
	if (dp->draining)
		return;
	dp->draining = true;
	resteer_end(dp);
	members_clear_slots(dp);
	sl_instance_grace(dp->inst);
	moves_start(dp);
	for (unsigned i = 0; i < dp->workers_max; i++) {
		atomic_store(&dp->worker[i].quit, true);
		worker_wake(&dp->worker[i]);
	}
}

static void *housekeeping_main(void *arg)
{
	struct sl_dataplane *dp = arg;
	struct sl_control *control = dp->inst->control;
	uint64_t statistics = 0;
	unsigned busy = 0;
	int net_fd = sl_net_watch_open();

	while (!atomic_load(&dp->stop)) {
		uint64_t now = sl_clock_ns();
		struct sl_error err;

		stat_set(&control->heartbeat_ns, now);
		busy = moves_start(dp) ? BUSY_ROUNDS : busy ? busy - 1 : 0;
		if (!members_step(dp))
			busy = BUSY_ROUNDS;
		if (resteer_step(dp, now))
			busy = BUSY_ROUNDS;
		members_top_up(dp);
		cpu_work_publish(dp, now);
		if (now - statistics > STATISTICS_NS) {
			members_statistics(dp);
			redirect_errors_publish(dp);
			statistics = now;
		}
		if (atomic_exchange(&dp->queues_changed, false) && !atomic_load(&dp->failed) &&
		    members_open_queues(dp, &err))
			dp_log(dp, "%s", err.text);
		nap(dp, net_fd, busy);
		if (net_fd >= 0)
			sl_net_watch_read(net_fd, on_link, dp);
	}
	if (net_fd >= 0)
		close(net_fd);
	housekeeping_drain(dp);
	return NULL;
}

int housekeeping_start(struct sl_dataplane *dp, struct sl_error *err)
{
	int ret = pthread_create(&dp->housekeeper, NULL, housekeeping_main, dp);

	if (ret)
		return sl_error_set(err, -ret, "cannot start housekeeping: %s", strerror(ret));
	dp->housekeeping_runs = true;
	pthread_setname_np(dp->housekeeper, "sluice-keeper");
	/* behind workers that never sleep, an ordinary thread waits whole time slices */
	sl_cpu_realtime(dp->housekeeper, 1);
	return 0;
}

void housekeeping_stop(struct sl_dataplane *dp)
{
	atomic_store(&dp->stop, true);
	housekeeping_wake(dp);
	if (dp->housekeeping_runs)
		pthread_join(dp->housekeeper, NULL);
	dp->housekeeping_runs = false;
}

void housekeeping_wake(struct sl_dataplane *dp)
{
	uint64_t one = 1;

	if (write(dp->wake_fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: rung already */
}
