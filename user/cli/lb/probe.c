// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lb/probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/clock.h"
#include "lb/probe.h"

#define WAIT_MS 1000
#define MOST_AT_ONCE 1024
#define OTHER_FILES 64
/* An offset for each connection shows at the fifth. */
#define PROBES 6

struct probe {
	uint32_t id;
	struct sl_lb_server server;
	__be16 port;
	bool answered;
};

/* One connection to every server at once; WAIT_MS for all of them. */
static void probe_round(struct probe *probes, unsigned n)
{
	struct pollfd *fds = calloc(n ? n : 1, sizeof(*fds));
	uint64_t end = sl_clock_ns() + WAIT_MS * 1000000ull, now;
	unsigned left = n;

	for (unsigned i = 0; fds && i < n; i++)
		fds[i] =
			(struct pollfd){.fd = sl_lb_dial(probes[i].server.addr, probes[i].server.v6,
							 probes[i].port, SOCK_STREAM),
					.events = POLLOUT};
	while (fds && left && (now = sl_clock_ns()) < end) {
		if (poll(fds, n, (int)((end - now) / 1000000) + 1) <= 0)
			break;
		left = 0;
		for (unsigned i = 0; i < n; i++) {
			if (fds[i].fd < 0)
				continue;
			if (fds[i].revents) {
				probes[i].answered |= !(fds[i].revents & POLLERR);
				close(fds[i].fd);
				fds[i].fd = -1;
			} else {
				left++;
			}
		}
	}
	for (unsigned i = 0; fds && i < n; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	free(fds);
}

bool probe_clock_known(const struct sl_lb *lb, uint32_t id, bool *erratic)
{
	struct sl_lb_clock c = {0};

	bpf_map_lookup_elem(lb->map[SL_LB_M_CLOCKS], &id, &c);
	*erratic = c.erratic;
	return c.now;
}

/* Servers of cookie VIPs whose clock nobody knows yet. */
static unsigned collect(const struct sl_lb *lb, struct probe *probes)
{
	struct sl_lb_vip_entry *vips;
	unsigned vips_n, n = 0;
	struct sl_lb_server s;
	bool erratic;

	if (sl_lb_vips(lb, &vips, &vips_n))
		return 0;
	for (uint32_t id = 0; id < SL_LB_MAX_SERVERS; id++) {
		if (!sl_lb_server_there(lb, id, &s) || probe_clock_known(lb, id, &erratic))
			continue;
		for (unsigned i = 0; i < vips_n; i++) {
			__be16 port = s.port ? s.port : vips[i].key.port;

			if (vips[i].vip.id == s.vip && vips[i].vip.keep == SL_LB_KEEP_COOKIE &&
			    vips[i].key.proto == IPPROTO_TCP && port)
				probes[n++] = (struct probe){.id = id, .server = s, .port = port};
		}
	}
	free(vips);
	return n;
}

void probe_tell(const struct sl_lb *lb, uint32_t id, __be16 port, bool answered)
{
	const struct sl_lb_server *s = &lb->servers[id];
	bool erratic, known = probe_clock_known(lb, id, &erratic);
	char end[64];

	sl_lb_end_text(s->addr, s->v6, port, end, sizeof(end));
	if (!answered)
		fprintf(stderr,
			"sluice: server %s does not answer: until it does, its clock is not "
			"known and its clients wait\n",
			end);
	else if (erratic)
		fprintf(stderr,
			"sluice: server %s has a timestamp offset for each connection, so they go "
			"by "
			"the table and a cookie is not possible: sysctl -w "
			"net.ipv4.tcp_timestamps=2 "
			"there, then remove and apply again\n",
			end);
	else if (!known)
		fprintf(stderr,
			"sluice: server %s sends no timestamps: its connections go by the "
			"table: sysctl -w net.ipv4.tcp_timestamps=2 there\n",
			end);
}

/* poll() refuses more than the process may have files. */
static unsigned most_at_once(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur <= OTHER_FILES)
		return 1;
	return limit.rlim_cur - OTHER_FILES < MOST_AT_ONCE
		       ? (unsigned)(limit.rlim_cur - OTHER_FILES)
		       : MOST_AT_ONCE;
}

void probe_clocks(const struct sl_lb *lb)
{
	struct probe *probes = calloc(SL_LB_MAX_SERVERS, sizeof(*probes));
	unsigned n = probes ? collect(lb, probes) : 0;

	for (unsigned at = 0, most = most_at_once(); at < n; at += most)
		for (unsigned i = 0; i < PROBES; i++)
			probe_round(probes + at, n - at < most ? n - at : most);
	for (unsigned i = 0; i < n; i++)
		probe_tell(lb, probes[i].id, probes[i].port, probes[i].answered);
	free(probes);
}
