// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lb/run.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "platform/clock.h"
#include "lb/direct.h"
#include "platform/lock.h"
#include "platform/notify.h"

#define EVENTS_MAX 64
/* How soon servers that another command brought are taken up. */
#define SYNC_NS 1000000000ull

struct run {
	const char *file;
	struct sl_lb_config config;
	struct sl_lb lb;
	struct run_checks *checks;
	struct run_refill *refill;
	struct run_doors *doors;
	int lock, epoll, signals;
	bool stop;
};

void run_say(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "sluice: %s\n", text);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* who reads the messages may go */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A probe is a file; thousands of servers are more than a shell's limit. */
static void more_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_loop(struct run *r, struct sl_error *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = RUN_SIGNAL_ID};

	more_files();
	r->signals = open_signals();
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->signals < 0 || r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->signals, &ev))
		return sl_error_set(err, -errno, "cannot set up the event loop: %s",
				    strerror(errno));
	r->checks = run_checks_open(&r->lb, r->epoll);
	r->doors = run_doors_open(&r->lb, r->epoll);
	return r->checks && r->doors ? 0 : sl_error_set(err, -ENOMEM, "no memory");
}

/* Locked. */
static int apply(struct run *r, const struct sl_lb_config *config, bool created,
		 struct sl_error *err)
{
	int rc = sl_lb_apply(&r->lb, config, err);

	if (rc && created)
		sl_lb_forget(&r->lb);
	sl_lb_unlock(&r->lb);
	return rc;
}

static int start(struct run *r, struct sl_error *err)
{
	char name[SL_NAME_MAX + 4];
	bool created;
	int rc;

	sl_lb_run_lock(r->config.name, name);
	r->lock = sl_lock_take(name, err);
	if (r->lock < 0)
		return r->lock;
	rc = sl_lb_claim(&r->config, &r->lb, &created, err);
	if (!rc)
		rc = apply(r, &r->config, created, err);
	if (!rc)
		rc = open_loop(r, err);
	if (!rc)
		rc = run_doors_set(r->doors, &r->config, err);
	if (rc) {
		if (created && !sl_lb_lock(&r->lb, true))
			sl_lb_forget(&r->lb);
		return rc;
	}
	run_checks_sync(r->checks, &r->config);
	r->refill = run_refill_start(&r->lb, &r->config, &rc);
	return rc ? sl_error_set(err, rc, "cannot start a thread: %s", strerror(-rc)) : 0;
}

static void stop(struct run *r)
{
	run_refill_stop(r->refill);
	run_doors_close(r->doors);
	run_checks_close(r->checks);
	sl_lb_close(&r->lb);
	sl_lb_config_free(&r->config);
	if (r->epoll >= 0)
		close(r->epoll);
	if (r->signals >= 0)
		close(r->signals);
	sl_lock_drop(r->lock);
}

/* What is wrong leaves everything as it is. */
static int read_again(struct run *r, struct sl_lb_config *config, struct sl_error *err)
{
	int rc = sl_lb_config_read(r->file, config, err);

	if (rc)
		return rc;
	if (strcmp(config->name, r->config.name) != 0)
		rc = sl_error_set(err, -EINVAL, "%s: name: this is %s: write that, or run another",
				  r->file, r->config.name);
	if (!rc)
		rc = sl_lb_lock(&r->lb, true);
	if (rc == -ENOENT)
		sl_error_set(err, rc, "the balancer is gone");
	if (!rc)
		rc = apply(r, config, false, err);
	if (rc)
		sl_lb_config_free(config);
	return rc;
}

static void reload(struct run *r)
{
	struct sl_lb_config config, old = r->config;
	struct sl_error err;
	int rc = read_again(r, &config, &err);

	if (rc) {
		run_say("%s", err.text);
		return;
	}
	run_refill_stop(r->refill);
	r->config = config;
	run_checks_sync(r->checks, &r->config);
	sl_lb_config_free(&old);
	r->refill = run_refill_start(&r->lb, &r->config, &rc);
	if (rc)
		run_say("cannot start a thread: %s: tables stay as they are", strerror(-rc));
	rc = run_doors_set(r->doors, &r->config, &err);
	if (rc)
		run_say("%s", err.text);
	run_say("%s%s is in force", rc ? "the rest of " : "", r->file);
}

static void on_signal(struct run *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(r);
		else
			r->stop = true;
	}
}

/* Others may apply, set and remove. */
static void look(struct run *r)
{
	int rc = sl_lb_lock(&r->lb, false);

	if (!rc)
		sl_lb_unlock(&r->lb);
	if (rc == -ENOENT) {
		run_say("the balancer was removed: nothing is left to run");
		r->stop = true;
		return;
	}
	run_checks_sync(r->checks, &r->config);
}

static int until(uint64_t when, uint64_t now)
{
	return when <= now ? 0 : (int)((when - now) / 1000000 + 1);
}

static void loop(struct run *r)
{
	uint64_t sync = sl_clock_ns() + SYNC_NS, due, now;
	struct epoll_event ev[EVENTS_MAX];

	while (!r->stop) {
		now = sl_clock_ns();
		if (now >= sync) {
			sync = now + SYNC_NS;
			look(r);
		}
		due = run_checks_due(r->checks, now);
		run_doors_serve(r->doors);
		now = sl_clock_ns();
		for (int i = 0, n = epoll_wait(r->epoll, ev, EVENTS_MAX,
					       until(due < sync ? due : sync, now));
		     i < n; i++) {
			if (ev[i].data.u32 == RUN_SIGNAL_ID)
				on_signal(r);
			else if (ev[i].data.u32 >= RUN_DOOR_ID)
				run_doors_event(r->doors, ev[i].data.u32);
			else
				run_checks_event(r->checks, ev[i].data.u32);
		}
	}
}

/* --- the command */

struct run_options {
	const char *file;
};

const struct opt_spec lb_run_spec = {
	.command = "lb run",
	.summary = "apply the file and stay: check servers, deal by load",
	.args = (const struct opt_arg[]){ARG_STRING(struct run_options, file, "FILE", false,
						    "sluice-lb(5); SIGHUP reads it again"),
					 ARG_END},
};

int lb_run(int argc, char **argv)
{
	struct run r = {.lock = -1, .epoll = -1, .signals = -1, .lb.lock = -1, .lb.prog = -1};
	struct run_options options = {0};
	struct sl_error err;
	int status, rc;

	if (!opt_parse(&lb_run_spec, argc, argv, &options, &status))
		return status;
	r.file = options.file;
	for (unsigned i = 0; i < SL_LB_MAPS; i++)
		r.lb.map[i] = -1;
	rc = sl_lb_config_read(r.file, &r.config, &err);
	if (rc)
		return rc == -EINVAL ? opt_usage(&lb_run_spec, "%s", err.text) : cli_fail(&err);
	rc = start(&r, &err);
	if (!rc) {
		sl_notify("READY=1");
		run_say("%s runs", r.config.name);
		loop(&r);
		sl_notify("STOPPING=1");
	}
	stop(&r);
	return rc ? opt_refuse(&lb_run_spec, rc, &err) : 0;
}
