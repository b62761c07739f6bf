/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h - links and addresses of the calling thread's network namespace (rtnetlink, RFC 3549).
 */
#ifndef SL_PLATFORM_NETLINK_H
#define SL_PLATFORM_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/maps.h>

struct sl_link {
	char name[IF_NAMESIZE];
	int ifindex;
	bool up; /* administratively */
	bool running; /* carrier too */
	unsigned mtu; /* bytes */
	unsigned rx_queues; /* as many as the device was made with: the most it can have */
};

/* -ENODEV. */
int sl_link_get(const char *ifname, struct sl_link *link);

/* ip link set dev IF up; ip link set dev IF mtu N. */
int sl_link_up(const char *ifname);
int sl_link_set_mtu(const char *ifname, unsigned mtu);

/* An address of this host. */
struct sl_local_addr {
	struct sl_addr addr; /* IPv4 as ::ffff:a.b.c.d */
	struct sl_addr broadcast; /* IPv4 subnet broadcast, all zeros where there is none */
	int ifindex;
	uint8_t prefix; /* bits, of 32 or 128 */
	bool v4;
};

/* All addresses of the namespace: an array to free, its length in *n. */
int sl_addr_list(struct sl_local_addr **addrs, unsigned *n);

/* Something happened to a link or an address. */
struct sl_net_event {
	enum { SL_NET_LINK, SL_NET_LINK_GONE, SL_NET_ADDR } kind;
	struct sl_link link; /* SL_NET_LINK*: its state now */
};

/*
 * Subscribe to changes of links and addresses: a non-blocking fd for poll(), to be close()d. The
 * daemon refreshes local_addrs by it, the dataplane notices links that go down, up or away.
 */
int sl_net_watch_open(void);

/*
 * Read what waits and call fn for each event. 0, or -ENOBUFS: events were lost, look at everything
 * anew. Another -errno: the subscription is broken.
 */
int sl_net_watch_read(int fd, void (*fn)(const struct sl_net_event *event, void *arg), void *arg);

#endif /* SL_PLATFORM_NETLINK_H */
