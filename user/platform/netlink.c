// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netlink.c - rtnetlink by libmnl.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/netlink.h"
#include "platform/nl.h"

#define BUFFER 16384

static void parse_link(const struct nlmsghdr *nlh, struct sl_link *link)
{
	const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	memset(link, 0, sizeof(*link));
	link->ifindex = ifm->ifi_index;
	link->up = ifm->ifi_flags & IFF_UP;
	link->running = ifm->ifi_flags & IFF_RUNNING;
	mnl_attr_for_each (attr, nlh, sizeof(*ifm)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			strncpy(link->name, mnl_attr_get_str(attr), sizeof(link->name) - 1);
			break;
		case IFLA_MTU:
			link->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_NUM_RX_QUEUES:
			link->rx_queues = mnl_attr_get_u32(attr);
			break;
		default:
			break;
		}
	}
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	parse_link(nlh, arg);
	return MNL_CB_STOP;
}

int sl_link_get(const char *ifname, struct sl_link *link)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifm;
	int rc;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_index = (int)if_nametoindex(ifname);
	if (!ifm->ifi_index)
		return -ENODEV;
	memset(link, 0, sizeof(*link));
	rc = sl_nl_query(NETLINK_ROUTE, nlh, on_link, link);
	if (rc)
		return rc;
	return link->ifindex ? 0 : -ENODEV;
}

/* Begin a change of a link; the caller adds what changes. */
static struct nlmsghdr *change_begin(char *buf, const char *ifname, struct ifinfomsg **ifm)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	*ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(**ifm));
	(*ifm)->ifi_index = (int)if_nametoindex(ifname);
	return nlh;
}

int sl_link_up(const char *ifname)
{
	char buf[256] __attribute__((aligned(4)));
	struct ifinfomsg *ifm;
	struct nlmsghdr *nlh = change_begin(buf, ifname, &ifm);

	ifm->ifi_flags = ifm->ifi_change = IFF_UP;
	return ifm->ifi_index ? sl_nl_query(NETLINK_ROUTE, nlh, NULL, NULL) : -ENODEV;
}

int sl_link_set_mtu(const char *ifname, unsigned mtu)
{
	char buf[256] __attribute__((aligned(4)));
	struct ifinfomsg *ifm;
	struct nlmsghdr *nlh = change_begin(buf, ifname, &ifm);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return ifm->ifi_index ? sl_nl_query(NETLINK_ROUTE, nlh, NULL, NULL) : -ENODEV;
}

struct addr_list {
	struct sl_local_addr *addrs;
	unsigned n, room;
};

static void put_v4(struct sl_addr *out, const void *in)
{
	memset(out->b, 0, 10);
	out->b[10] = out->b[11] = 0xff;
	memcpy(out->b + 12, in, 4);
}

static int on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct addr_list *list = arg;
	struct sl_local_addr a = {.ifindex = (int)ifa->ifa_index, .prefix = ifa->ifa_prefixlen};
	const struct nlattr *attr;
	bool local = false;

	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return MNL_CB_OK;
	a.v4 = ifa->ifa_family == AF_INET;
	mnl_attr_for_each (attr, nlh, sizeof(*ifa)) {
		const unsigned type = mnl_attr_get_type(attr);
		const void *data = mnl_attr_get_payload(attr);

		/* IFA_ADDRESS is the peer's on a point-to-point link; IFA_LOCAL is ours then. */
		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !local)) {
			if (a.v4)
				put_v4(&a.addr, data);
			else
				memcpy(a.addr.b, data, 16);
			local = local || type == IFA_LOCAL;
		} else if (type == IFA_BROADCAST && a.v4) {
			put_v4(&a.broadcast, data);
		}
	}
	if (list->n == list->room) {
		const unsigned room = list->room ? 2 * list->room : 16;
		struct sl_local_addr *more = realloc(list->addrs, room * sizeof(*more));

		if (!more) {
			errno = ENOMEM;
			return MNL_CB_ERROR;
		}
		list->addrs = more;
		list->room = room;
	}
	list->addrs[list->n++] = a;
	return MNL_CB_OK;
}

int sl_addr_list(struct sl_local_addr **addrs, unsigned *n)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct addr_list list = {0};
	struct ifaddrmsg *ifa;
	int rc;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	rc = sl_nl_query(NETLINK_ROUTE, nlh, on_addr, &list);
	if (rc < 0) {
		free(list.addrs);
		return rc;
	}
	*addrs = list.addrs;
	*n = list.n;
	return 0;
}

int sl_net_watch_open(void)
{
	const struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

struct watch {
	void (*fn)(const struct sl_net_event *event, void *arg);
	void *arg;
};

static int on_event(const struct nlmsghdr *nlh, void *arg)
{
	const struct watch *watch = arg;
	struct sl_net_event event = {.kind = SL_NET_ADDR};

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		/* A port that leaves a bridge is deleted too, but only from the bridge's family. */
		if (((const struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_family != AF_UNSPEC)
			return MNL_CB_OK;
		event.kind = nlh->nlmsg_type == RTM_NEWLINK ? SL_NET_LINK : SL_NET_LINK_GONE;
		parse_link(nlh, &event.link);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		break;
	default:
		return MNL_CB_OK;
	}
	watch->fn(&event, watch->arg);
	return MNL_CB_OK;
}

int sl_net_watch_read(int fd, void (*fn)(const struct sl_net_event *event, void *arg), void *arg)
{
	struct watch watch = {fn, arg};
	char buf[BUFFER] __attribute__((aligned(4)));
	ssize_t len;

	for (;;) {
		len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (mnl_cb_run(buf, (size_t)len, 0, 0, on_event, &watch) < 0)
			return -errno;
	}
}
