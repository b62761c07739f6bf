// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_platform.c - CPU lists, locks, names of pins, the cycle counter: what needs no privilege;
 * and netlink and ethtool in a namespace of the test's own where there is one to be had.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/ethtool.h"
#include "platform/lock.h"
#include "platform/netlink.h"
#include "platform/netns.h"
#include "platform/pin.h"

static struct sl_error err;

Test(cpu, list)
{
	unsigned cpus[4], n;

	cr_assert_eq(sl_cpu_list_parse("0", cpus, 4, &n, &err), 0, "%s", err.text);
	cr_assert_eq(n, 1);
	cr_assert_eq(cpus[0], 0);
	if (sl_cpu_count() > 1) {
		cr_assert_eq(sl_cpu_list_parse("1,0", cpus, 4, &n, &err), 0, "%s", err.text);
		cr_assert(n == 2 && cpus[0] == 1 && cpus[1] == 0, "in the order written");
		cr_assert_eq(sl_cpu_list_parse("0-1", cpus, 4, &n, &err), 0, "%s", err.text);
		cr_assert(n == 2 && cpus[0] == 0 && cpus[1] == 1);
		cr_assert_eq(sl_cpu_list_parse("0-1", cpus, 1, &n, &err), -E2BIG);
	}
}

Test(cpu, list_refuses)
{
	const char *const bad[] = {"",	  ",",	 "0,", "a",   "0-", "1-0",
				   "0;1", "0,0", "-1", "0-x", " 0", "99999999999999999999"};
	unsigned cpus[4], n;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		cr_assert_eq(sl_cpu_list_parse(bad[i], cpus, 4, &n, &err), -EINVAL, "\"%s\"",
			     bad[i]);
		cr_assert(err.text[0], "\"%s\": no message", bad[i]);
	}
}

Test(cpu, default_list_wraps)
{
	unsigned cpus[64];

	sl_cpu_list_default(cpus, 64);
	for (unsigned i = sl_cpu_count(); i < 64; i++)
		cr_assert_eq(cpus[i], cpus[i - sl_cpu_count()]);
}

Test(cpu, counter_rate_agrees_with_the_clock)
{
	const uint64_t hz = sl_cycles_hz(), c0 = sl_cycles(), t0 = sl_clock_ns();
	double seconds, counted;

	usleep(100000);
	counted = (double)(sl_cycles() - c0) / (double)hz;
	seconds = (double)(sl_clock_ns() - t0) / 1e9;
	cr_assert_lt(counted / seconds, 1.01, "%f s counted, %f s passed", counted, seconds);
	cr_assert_gt(counted / seconds, 0.99, "%f s counted, %f s passed", counted, seconds);
}

Test(cpu, pin)
{
	cr_assert_eq(sl_cpu_pin(pthread_self(), 0), 0);
	cr_assert_eq(sched_getcpu(), 0);
	cr_assert_eq(sl_cpu_count(), 1);
	cr_assert_lt(sl_cpu_pin(pthread_self(), CPU_SETSIZE), 0);
}

Test(lock, one_holder_and_gone_with_it)
{
	char dir[] = "/tmp/sluice-lock-XXXXXX";
	int fd, status;
	pid_t child;

	cr_assert_not_null(mkdtemp(dir));
	setenv("SLUICE_RUN_DIR", dir, 1);
	cr_assert_not(sl_lock_held("x"));
	child = fork();
	if (!child) {
		if (sl_lock_take("x", &err) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	cr_assert(WIFSIGNALED(status));
	cr_assert_not(sl_lock_held("x"), "a file that lies there says nothing");
	fd = sl_lock_take("x", &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert(sl_lock_held("x"));
	cr_assert_eq(sl_lock_take("x", &err), -EBUSY);
	cr_assert(strstr(err.text, "x runs already"), "%s", err.text);
	sl_lock_drop(fd);
	cr_assert_not(sl_lock_held("x"));
	cr_assert_eq(sl_lock_take("no/such/folder", &err), -ENOENT);
	unlink(strcat(strcpy(err.text, dir), "/x.lock"));
	rmdir(dir);
}

Test(pin, names)
{
	char path[SL_PIN_PATH];

	cr_assert_eq(sl_instance_name_check("wan-1.a_B", &err), 0);
	cr_assert_eq(sl_instance_name_check("", &err), -EINVAL);
	cr_assert_eq(sl_instance_name_check("a/b", &err), -EINVAL);
	cr_assert_eq(sl_instance_name_check("a b", &err), -EINVAL);
	cr_assert_eq(sl_instance_name_check("0123456789012345678901234567890", &err), 0);
	cr_assert_eq(sl_instance_name_check("01234567890123456789012345678901", &err), -EINVAL);
	sl_pin_path(path, "wan.1", "eth0.100", "link");
	cr_assert(strstr(path, "/wan%2e1/eth0%2e100/link"), "%s", path);
	sl_pin_path(path, "i", "control", NULL);
	cr_assert(strstr(path, "/i/%63ontrol"), "an interface is no map: %s", path);
}

static void setup_net(void)
{
	if (geteuid() || unshare(CLONE_NEWNET))
		cr_skip_test("needs root and network namespaces");
	cr_assert_eq(system("ip link add slpu0 numrxqueues 3 numtxqueues 3 type veth peer name "
			    "slpu1 numrxqueues 3 numtxqueues 3"),
		     0);
}

Test(net, link, .init = setup_net)
{
	struct sl_channels channels;
	struct sl_ethtool_stat *stats;
	struct sl_link link;
	char driver[32];
	uint64_t drops;
	unsigned n;
	bool on;

	cr_assert_eq(sl_link_get("slpu0", &link), 0);
	cr_assert_eq(link.mtu, 1500);
	cr_assert_eq(link.rx_queues, 3);
	cr_assert_not(link.up);
	cr_assert_eq(sl_link_get("slpu9", &link), -ENODEV);
	cr_assert_eq(sl_ethtool_driver("slpu0", driver, sizeof(driver)), 0);
	cr_assert_str_eq(driver, "veth");
	cr_assert_eq(sl_ethtool_channels("slpu0", &channels), 0);
	cr_assert_eq(channels.rx, 3);
	cr_assert_eq(channels.rx_max, 3);
	cr_assert_eq(system("ethtool -L slpu0 rx 2 tx 2"), 0);
	cr_assert_eq(sl_ethtool_channels("slpu0", &channels), 0);
	cr_assert_eq(channels.rx, 2);
	cr_assert_eq(sl_ethtool_tx_checksum("slpu0", &on), 0);
	cr_assert(on);
	cr_assert_eq(system("ethtool -K slpu0 tx off >/dev/null"), 0);
	cr_assert_eq(sl_ethtool_tx_checksum("slpu0", &on), 0);
	cr_assert_not(on);
	cr_assert_eq(sl_ethtool_stats("slpu0", &stats, &n), 0);
	cr_assert_gt(n, 0);
	free(stats);
	cr_assert_eq(sl_ethtool_rx_drops("slpu0", &drops), 0);
	cr_assert_eq(sl_ethtool_rx_drops("lo", &drops), 0);
	cr_assert_eq(drops, 0);
}

static void count_event(const struct sl_net_event *event, void *arg)
{
	unsigned *counts = arg;

	counts[event->kind]++;
}

Test(net, addresses_and_events, .init = setup_net)
{
	const int fd = sl_net_watch_open();
	struct sl_addr want = {.b = {[10] = 0xff, 0xff, 192, 0, 2, 9}};
	struct sl_local_addr *addrs;
	unsigned counts[3] = {0}, n, found = 0;

	cr_assert_geq(fd, 0);
	cr_assert_eq(sl_net_watch_read(fd, count_event, counts), 0, "nothing waits");
	cr_assert_eq(system("ip link set slpu0 up && ip addr add 192.0.2.9/25 brd + dev slpu0"), 0);
	cr_assert_eq(sl_net_watch_read(fd, count_event, counts), 0);
	cr_assert_gt(counts[SL_NET_LINK], 0);
	cr_assert_eq(counts[SL_NET_ADDR], 1);
	cr_assert_eq(counts[SL_NET_LINK_GONE], 0);
	cr_assert_eq(sl_addr_list(&addrs, &n), 0);
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(&addrs[i].addr, &want, sizeof(want))) {
			found++;
			cr_assert(addrs[i].v4);
			cr_assert_eq(addrs[i].prefix, 25);
			cr_assert_eq(addrs[i].broadcast.b[15], 127);
		}
	cr_assert_eq(found, 1);
	free(addrs);
	cr_assert_eq(system("ip link del slpu0"), 0);
	cr_assert_eq(sl_net_watch_read(fd, count_event, counts), 0);
	cr_assert_eq(counts[SL_NET_LINK_GONE], 2, "both ends");
	close(fd);
}

Test(net, namespace_is_alive, .init = setup_net)
{
	const uint64_t self = sl_netns_self();
	pid_t child;

	cr_assert_neq(self, 0);
	cr_assert(sl_netns_alive(self));
	child = fork();
	if (!child) {
		/* Alive by the parent, seen from another namespace. */
		_exit(unshare(CLONE_NEWNET) || sl_netns_self() == self || !sl_netns_alive(self));
	} else {
		int status;

		waitpid(child, &status, 0);
		cr_assert_eq(status, 0);
	}
	cr_assert_not(sl_netns_alive(1));
}
