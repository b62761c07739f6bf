/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testnet.h - a network namespace of the test's own, with veth pairs in it. It goes with the test's
 * process, however that ends; criterion gives each test a process.
 */
#ifndef TESTS_BPF_TESTNET_H
#define TESTS_BPF_TESTNET_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "platform/attach.h"
#include "platform/bpf_log.h"

static inline int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline int run(const char *fmt, ...)
{
	char command[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

/* Pins are the machine's: two runs of one test must not meet. Held until the process ends. */
static inline void testnet_lock(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/tmp/sluice-test-%s.lock", criterion_current_test->name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && !flock(fd, LOCK_EX));
}

/* Enter a new namespace, or skip the test. */
static inline void testnet_enter(void)
{
	sl_bpf_log_setup(false);
	if (geteuid())
		cr_skip_test("needs root: network namespaces and BPF programs");
	testnet_lock();
	if (unshare(CLONE_NEWNET))
		cr_skip_test("needs network namespaces (CLONE_NEWNET)");
	cr_assert_eq(run("ip link set lo up"), 0);
}

/* A pair <name>, <name>p, up, with `queues` RX and TX queues at both ends. */
static inline void testnet_veth(const char *name, unsigned queues)
{
	cr_assert_eq(run("ip link add %s numrxqueues %u numtxqueues %u type veth peer name %sp "
			 "numrxqueues %u numtxqueues %u",
			 name, queues, queues, name, queues, queues),
		     0);
	cr_assert_eq(run("sysctl -qw net.ipv6.conf.%s.disable_ipv6=1 "
			 "net.ipv6.conf.%sp.disable_ipv6=1",
			 name, name),
		     0);
	cr_assert_eq(run("ip link set %s up && ip link set %sp up", name, name), 0);
}

static inline struct sl_rule testnet_rule_all(void)
{
	struct sl_rule rule;
	char err[128];

	cr_assert_eq(sl_rule_parse("all", &rule, err, sizeof(err)), 0, "%s", err);
	return rule;
}

#endif /* TESTS_BPF_TESTNET_H */
