// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/moves.h"
#include "platform/cpu.h"

/*
 * Updating the slot of an ARRAY_OF_MAPS runs synchronize_rcu() before the system call returns
 * (kernel/bpf/syscall.c, maybe_wait_bpf_programs), and a NAPI poll, from the program to the flush
 * of the sockets, runs with bottom halves disabled: so every packet that was steered before is
 * published after. The thread is SCHED_FIFO: an ordinary one was measured to wait up to 1.5 s for a
 * CPU behind workers.
 */
static void grace_run(struct sl_dataplane *dp)
{
	struct sl_control *control = dp->inst->control;
	uint32_t epoch = __atomic_load_n(&control->epoch, __ATOMIC_ACQUIRE);

	if (epoch == control->settled)
		return;
	if (sl_instance_grace(dp->inst))
		return;
	/* pairs with the acquire in ring_drained_c() */
	__atomic_store_n(&control->settled, epoch, __ATOMIC_RELEASE);
}

static void *grace_main(void *arg)
{
	struct sl_dataplane *dp = arg;
	struct pollfd fd = {.fd = dp->grace_event, .events = POLLIN};
	uint64_t rung;

	while (!atomic_load(&dp->grace_quit)) {
		if (poll(&fd, 1, -1) > 0 && read(dp->grace_event, &rung, sizeof(rung)) < 0)
			continue;
		grace_run(dp);
	}
	grace_run(dp);
	return NULL;
}

int grace_start(struct sl_dataplane *dp, struct sl_error *err)
{
	int ret;

	dp->grace_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dp->grace_event < 0)
		return sl_error_set(err, -errno, "eventfd: %s", strerror(errno));
	ret = pthread_create(&dp->gracer, NULL, grace_main, dp);
	if (ret)
		return sl_error_set(err, -ret, "cannot start the grace thread: %s", strerror(ret));
	dp->grace_runs = true;
	pthread_setname_np(dp->gracer, "sluice-grace");
	sl_cpu_realtime(dp->gracer, 1);
	return 0;
}

void grace_stop(struct sl_dataplane *dp)
{
	uint64_t one = 1;

	atomic_store(&dp->grace_quit, true);
	if (dp->grace_runs && write(dp->grace_event, &one, sizeof(one)) == sizeof(one))
		pthread_join(dp->gracer, NULL);
	dp->grace_runs = false;
	if (dp->grace_event >= 0)
		close(dp->grace_event);
	dp->grace_event = -1;
}
