// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration file: defaults, every setting, and every way to get one wrong. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/config.h"

static struct sl_config *config;
static struct sl_error err;
static char file[] = "/tmp/sl-config-XXXXXX";

static int load(const char *text)
{
	char path[] = "/tmp/sl-config-XXXXXX";
	int fd = mkstemp(path), rc;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	strcpy(file, path);
	memset(&err, 0, sizeof(err));
	sl_config_free(config);
	config = NULL;
	rc = sl_config_load(path, &config, &err);
	unlink(path);
	return rc;
}

static void teardown(void)
{
	sl_config_free(config);
	config = NULL;
}

TestSuite(config, .fini = teardown);

Test(config, empty_file_gives_the_defaults)
{
	const struct sockaddr_in *in;

	cr_assert_eq(load("# nothing\n"), 0, "%s", err.text);
	in = (const struct sockaddr_in *)&config->metrics_addr;
	cr_expect(config->metrics);
	cr_expect_eq(ntohs(in->sin_port), 9464);
	cr_expect_eq(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
	cr_expect(config->balance.enabled);
	cr_expect_eq(config->balance.tick_min_ns, 100000000);
	cr_expect_eq(config->balance.tick_max_ns, 1000000000);
	cr_expect_eq(config->instances_n, 0);
}

Test(config, every_setting)
{
	static const char text[] = "version: 1\n"
				   "socket: {group: daemon}\n"
				   "metrics: {listen: '[::1]:9000'}\n"
				   "instances:\n"
				   "  - name: edge\n"
				   "    interfaces: [eth1, eth2]\n"
				   "    attach: true\n"
				   "    match: [10.0.0.0/8, 'proto=tcp,port=443']\n"
				   "    local: true\n"
				   "    buckets: 4096\n"
				   "    max_workers: 8\n"
				   "    mode: native\n"
				   "    hash: toeplitz\n"
				   "    toeplitz_key: '"
				   "6d:5a:56:da:25:5b:0e:c2:41:67:25:3d:43:a3:8f:b0:d0:ca:2b:cb:"
				   "ae:7b:30:b4:77:cb:2d:a3:80:30:f2:0c:6a:42:b7:3b:be:ac:01:fa'\n"
				   "    balance:\n"
				   "      enabled: false\n"
				   "      tick_min: 200 ms\n"
				   "      tick_max: 2s\n"
				   "      threshold: 60%\n"
				   "      min_gain: 0.1\n"
				   "      min_interval: 500ms\n"
				   "      max_moves: 7\n"
				   "      plan_time: 250us\n"
				   "      numa: false\n"
				   "      smoothing: 0.5s\n"
				   "      stuck_after: 5s\n"
				   "      elastic: {enabled: true, target: 70%, min_workers: 2,\n"
				   "        max_workers: 6, ahead: 1s, hold: 30s}\n"
				   "      split: false\n"
				   "      split_hold: 5min\n"
				   "      pinned: [17, 64-127]\n"
				   "  - interfaces: eth3\n"
				   "balance: {max_moves: 9}\n";
	const struct sl_instance_config *in;

	cr_assert_eq(load(text), 0, "%s", err.text);
	cr_expect_str_eq(config->socket_group, "daemon");
	cr_expect_eq(config->metrics_addr.ss_family, AF_INET6);
	cr_assert_eq(config->instances_n, 2);
	in = sl_config_instance(config, "edge");
	cr_assert_not_null(in);
	cr_expect_eq(in->ifaces_n, 2);
	cr_expect_str_eq(in->ifaces[1], "eth2");
	cr_expect(in->attach && in->local && in->toeplitz);
	cr_expect_eq(in->rules_n, 2);
	cr_expect_eq(in->buckets, 4096);
	cr_expect_eq(in->max_workers, 8);
	cr_expect_eq(in->mode, SL_XDP_NATIVE);
	cr_expect_eq(in->toeplitz_key[0], 0x6d);
	cr_expect_eq(in->toeplitz_key[39], 0xfa);
	cr_expect_not(in->balance.enabled);
	cr_expect_eq(in->balance.tick_min_ns, 200000000);
	cr_expect_eq(in->balance.tick_max_ns, 2000000000);
	cr_expect_float_eq(in->balance.threshold, 0.6, 1e-12);
	cr_expect_float_eq(in->balance.min_gain, 0.1, 1e-12);
	cr_expect_eq(in->balance.min_interval_ns, 500000000);
	cr_expect_eq(in->balance.max_moves, 7);
	cr_expect_eq(in->balance.plan_ns, 250000);
	cr_expect_not(in->balance.numa);
	cr_expect_eq(in->balance.smoothing_ns, 500000000);
	cr_expect_eq(in->balance.stuck_ns, 5000000000);
	cr_expect(in->balance.elastic.enabled);
	cr_expect_float_eq(in->balance.elastic.target, 0.7, 1e-12);
	cr_expect_eq(in->balance.elastic.min_workers, 2);
	cr_expect_eq(in->balance.elastic.max_workers, 6);
	cr_expect_eq(in->balance.elastic.ahead_ns, 1000000000);
	cr_expect_eq(in->balance.elastic.hold_ns, 30000000000);
	cr_expect_not(in->balance.split);
	cr_expect_eq(in->balance.split_hold_ns, 300000000000);
	cr_expect_eq(in->balance.pins, 2);
	cr_expect_eq(in->balance.pin[1].first, 64);
	cr_expect_eq(in->balance.pin[1].last, 127);
	/* Named after its interface; what stands behind the list in the file counts too. */
	in = sl_config_instance(config, "eth3");
	cr_assert_not_null(in);
	cr_expect_eq(in->balance.max_moves, 9);
	cr_expect(in->balance.split);
	cr_expect_eq(in->balance.split_hold_ns, 60000000000);
	cr_expect_not(in->balance.elastic.enabled);
	cr_expect_float_eq(in->balance.elastic.target, 0.8, 1e-12);
	cr_expect_eq(in->balance.plan_ns, 5000000);
	cr_expect(in->balance.numa);
	cr_expect_eq(in->buckets, SL_DEFAULT_BUCKETS);
	cr_expect_not(in->attach);
}

Test(config, wrong_settings_name_line_setting_and_mend)
{
	static const struct {
		const char *text;
		const char *says[3]; /* where, which, what */
	} c[] = {
		{"colour: red\n", {":1:", "colour", "version, socket"}},
		{"version: 2\n", {":1:", "version", "version: 1"}},
		{"metrics:\n  listen: 0.0.0.0:9464\n", {":2:", "metrics.listen", "loopback"}},
		{"metrics:\n  listen: 127.0.0.1\n", {":2:", "metrics.listen", "127.0.0.1:9464"}},
		{"metrics:\n  listen: '[2001:db8::1]:80'\n", {":2:", "metrics.listen", "loopback"}},
		{"metrics: {listen: '127.0.0.1:70000'}\n", {":1:", "metrics.listen", "port"}},
		{"balance:\n  tick_min: 100\n", {":2:", "balance.tick_min", "100ms"}},
		{"balance:\n  tick_min: 5ms\n", {":2:", "balance.tick_min", "10ms"}},
		{"balance:\n  tick_min: 0x10ms\n", {":2:", "balance.tick_min", "10ms"}},
		{"balance:\n  tick_min: 2s\n", {":1:", "tick_min", "tick_max"}},
		{"balance:\n\n  threshold: 150%\n", {":3:", "balance.threshold", "50%"}},
		{"balance:\n  threshold: nan\n", {":2:", "balance.threshold", "0 to 1"}},
		{"balance:\n  enabled: maybe\n", {":2:", "balance.enabled", "true or false"}},
		{"balance:\n  enabled: true\n  enabled: false\n", {":3:", "enabled", "twice"}},
		{"balance:\n  max_moves: -1\n", {":2:", "max_moves", "0 (no limit)"}},
		{"balance:\n  max_moves: 1.5\n", {":2:", "max_moves", "0 (no limit)"}},
		{"balance:\n  plan_time: 2s\n", {":2:", "plan_time", "10us to 1s"}},
		{"balance:\n  plan_time: 1us\n", {":2:", "plan_time", "10us to 1s"}},
		{"balance:\n  numa: near\n", {":2:", "balance.numa", "true or false"}},
		{"balance:\n  elastic:\n    target: 2\n", {":3:", "elastic.target", "80%"}},
		{"balance:\n  elastic: {min_workers: 0}\n", {":2:", "min_workers", "1 to 128"}},
		{"balance:\n  elastic: {min_workers: 3, max_workers: 2}\n",
		 {":1:", "min_workers (3)", "lower one"}},
		{"balance:\n  elastic: true\n", {":2:", "elastic", "key: value"}},
		{"balance:\n  pinned: [9-3]\n", {":2:", "pinned[0]", "64-127"}},
		{"balance: [1]\n", {":1:", "balance", "key: value"}},
		{"instances:\n  eth0: 1\n", {":2:", "instances", "- name"}},
		{"instances:\n  - name: a\n", {":2:", "instances[0]", "interfaces"}},
		{"instances:\n  - name: a/b\n    interfaces: x\n", {":2:", "[0].name", "letters"}},
		{"instances:\n  - interfaces: [a, a]\n", {":2:", "interfaces[1]", "twice"}},
		{"instances:\n  - interfaces: [averyverylongname]\n",
		 {":2:", "interfaces", "one to"}},
		{"instances:\n  - interfaces: [a,b,c,d,e]\n", {":2:", "interfaces[4]", "four"}},
		{"instances:\n  - interfaces: a\n    attach: true\n",
		 {":2:", "attach", "match: all"}},
		{"instances:\n  - interfaces: a\n    match: [10.0.0.0/33]\n",
		 {":3:", "match[0]", "33"}},
		{"instances:\n  - interfaces: a\n    buckets: 1000\n",
		 {":3:", "buckets", "power of"}},
		{"instances:\n  - interfaces: a\n    buckets: 64\n", {":3:", "buckets", "128"}},
		{"instances:\n  - interfaces: a\n    mode: fast\n", {":3:", "mode", "native"}},
		{"instances:\n  - interfaces: a\n    hash: crc\n", {":3:", "hash", "symmetric"}},
		{"instances:\n  - interfaces: a\n    hash: toeplitz\n",
		 {":2:", "toeplitz_key", "ethtool -x a"}},
		{"instances:\n  - interfaces: a\n    toeplitz_key: abc\n",
		 {":3:", "toeplitz_key", "hexadecimal"}},
		{"instances:\n  - interfaces: a\n  - name: b\n    interfaces: a\n",
		 {":3:", "instances[1]", "\"a\" already"}},
		{"instances:\n  - {name: x, interfaces: a}\n  - {name: x, interfaces: b}\n",
		 {":3:", "instances[1]", "taken"}},
		{"instances:\n  - interfaces: a\n    balance:\n      pinned: [2000]\n",
		 {":2:", "pinned", "1024"}},
		{"instances:\n  - interfaces: a\n    balance:\n      tick: 1s\n",
		 {":4:", "instances[0].balance", "tick_min"}},
		{"socket:\n  group: ''\n", {":2:", "socket.group", "group"}},
		{"a: [1, 2\nb: 3\n", {":2:", "not YAML", "mend"}},
		{"\tversion: 1\n", {":1:", "not YAML", "mend"}},
		{"- 1\n", {":1:", "key: value", "settings"}},
	};

	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		cr_expect_eq(load(c[i].text), -EINVAL, "case %u was taken: %s", i, c[i].text);
		cr_expect_null(strchr(err.text, '\n'));
		cr_expect_eq(strncmp(err.text, file, strlen(file)), 0, "case %u: %s", i, err.text);
		for (unsigned j = 0; j < 3; j++)
			cr_expect_not_null(strstr(err.text, c[i].says[j]),
					   "case %u lacks \"%s\": %s", i, c[i].says[j], err.text);
	}
}

Test(config, missing_file_is_named)
{
	cr_expect_eq(sl_config_load("/nonexistent/sluice.yaml", &config, &err), -ENOENT);
	cr_expect_not_null(strstr(err.text, "/nonexistent/sluice.yaml"));
}

Test(config, metrics_off)
{
	cr_assert_eq(load("metrics: {listen: off}\n"), 0, "%s", err.text);
	cr_expect_not(config->metrics);
}

Test(config, recursive_alias_is_refused_not_followed)
{
	cr_expect_eq(load("balance: &b\n  enabled: *b\n"), -EINVAL);
	cr_expect_eq(load("instances: &i\n  - *i\n"), -EINVAL);
}

Test(config, every_truncation_of_a_good_file_is_survived)
{
	static const char text[] = "instances:\n  - {name: x, interfaces: [a], match: all,\n"
				   "     balance: {pinned: [1-2], tick_min: 100ms}}\n";
	char part[sizeof(text)];

	for (size_t n = 0; n < sizeof(text); n++) {
		memcpy(part, text, n);
		part[n < sizeof(text) - 1 ? n : n - 1] = 0;
		load(part);
	}
}
