// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop: signals, requests, scrapes, address changes, and the rounds when they are due. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "platform/notify.h"
#include "platform/clock.h"
#include "platform/netlink.h"

#define MS 1000000ULL
#define DISCOVER_NS (1000 * MS) /* how soon an instance attached by others is taken over */
/* Multicast groups come and go without a netlink event. */
#define REFRESH_NS (10000 * MS)
#define EVENTS_MAX 8

enum source { FROM_SIGNAL, FROM_RPC, FROM_NET, FROM_METRICS };

static int watch(struct daemon *d, int fd, enum source source)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = source};

	return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int loop_watch_metrics(struct daemon *d)
{
	return d->metrics ? watch(d, sl_http_page_fd(d->metrics), FROM_METRICS) : 0;
}

int loop_open(struct daemon *d, struct sl_error *err)
{
	sigset_t set;
	int rc = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->net_fd = sl_net_watch_open();
	if (d->epoll_fd < 0 || d->signal_fd < 0 || d->net_fd < 0)
		rc = d->net_fd < 0 ? d->net_fd : -errno;
	if (!rc)
		rc = watch(d, d->signal_fd, FROM_SIGNAL);
	if (!rc)
		rc = watch(d, d->net_fd, FROM_NET);
	if (!rc)
		rc = watch(d, sl_rpc_server_fd(d->rpc), FROM_RPC);
	if (!rc)
		rc = loop_watch_metrics(d);
	return rc ? sl_error_set(err, rc, "cannot set up the event loop: %s", strerror(-rc)) : 0;
}

void loop_close(struct daemon *d)
{
	int fds[] = {d->epoll_fd, d->signal_fd, d->net_fd};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void on_signal(struct daemon *d)
{
	struct signalfd_siginfo info;
	struct sl_error err;

	while (read(d->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			daemon_reload(d, &err); /* says itself how it went */
		else
			d->stop = true;
	}
}

static void on_net_event(const struct sl_net_event *event, void *arg)
{
	struct daemon *d = arg;

	if (event->kind == SL_NET_ADDR)
		d->addresses_changed = true;
	d->discover_ns = 0; /* an interface came or went: look now */
}

static void on_net(struct daemon *d)
{
	int rc = sl_net_watch_read(d->net_fd, on_net_event, d);

	if (rc == -ENOBUFS)
		d->addresses_changed = true;
	else if (rc)
		log_line(LOG_WARNING, "address changes: %s", strerror(-rc));
}

static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Milliseconds until a time, rounded up: never wakes too early to find nothing due. */
static int until(uint64_t when, uint64_t now)
{
	return when <= now ? 0 : (int)((when - now + MS - 1) / MS);
}

/* Do what is due; returns the milliseconds until there is something again. */
static int run_due(struct daemon *d, uint64_t *watchdog_ns, uint64_t *refresh_ns)
{
	uint64_t watchdog = notify_watchdog_ns(), now = sl_clock_ns();
	int wait;

	if (now >= d->discover_ns) {
		d->discover_ns = now + DISCOVER_NS;
		instances_discover(d);
	}
	if (d->addresses_changed || now >= *refresh_ns) {
		*refresh_ns = now + REFRESH_NS;
		d->addresses_changed = false;
		instances_refresh_addresses(d);
	}
	if (watchdog && now >= *watchdog_ns) {
		*watchdog_ns = now + watchdog;
		sl_notify("WATCHDOG=1");
	}
	for (unsigned i = 0; i < d->served_n; i++)
		if (sl_clock_ns() >= d->served[i]->due_ns)
			served_round(d->served[i], sl_clock_ns());
	now = sl_clock_ns();
	wait = until(d->discover_ns, now);
	for (unsigned i = 0; i < d->served_n; i++)
		wait = sooner(wait, until(d->served[i]->due_ns, now));
	return watchdog ? sooner(wait, until(*watchdog_ns, now)) : wait;
}

static void handle(struct daemon *d, const struct epoll_event *ev)
{
	switch ((enum source)ev->data.u32) {
	case FROM_SIGNAL:
		on_signal(d);
		break;
	case FROM_RPC:
		sl_rpc_server_poll(d->rpc);
		break;
	case FROM_NET:
		on_net(d);
		break;
	case FROM_METRICS:
		break; /* run below, also for its time-outs */
	}
}

void loop_run(struct daemon *d)
{
	uint64_t watchdog_ns = 0, refresh_ns = 0;
	struct epoll_event ev[EVENTS_MAX];
	int wait, n;

	while (!d->stop) {
		wait = run_due(d, &watchdog_ns, &refresh_ns);
		if (d->metrics)
			wait = sooner(wait, sl_http_page_run(d->metrics));
		n = epoll_wait(d->epoll_fd, ev, EVENTS_MAX, wait);
		for (int i = 0; i < n; i++)
			handle(d, &ev[i]);
	}
}
