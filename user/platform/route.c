// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * route.c - one route, one neighbour, by libmnl.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "platform/nl.h"
#include "platform/route.h"

#ifndef NTF_EXT_MANAGED /* Linux 5.16 */
#define NTF_EXT_MANAGED (1u << 0)
#endif
#define ATTR_FLAGS_EXT 15 /* NDA_FLAGS_EXT, of an enum */

static void put_address(struct nlmsghdr *nlh, uint16_t type, const __be32 addr[4], bool v6)
{
	mnl_attr_put(nlh, type, v6 ? 16 : 4, v6 ? addr : addr + 3);
}

static void get_address(const void *from, __be32 addr[4], bool v6)
{
	memset(addr, 0, 16);
	memcpy(v6 ? addr : addr + 3, from, v6 ? 16 : 4);
}

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct sl_route *r = arg;

	r->local = rtm->rtm_type == RTN_LOCAL;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm)) {
		const void *data = mnl_attr_get_payload(attr);
		const struct rtvia *via = data;

		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			r->ifindex = mnl_attr_get_u32(attr);
			break;
		case RTA_PREFSRC:
			get_address(data, r->source, rtm->rtm_family == AF_INET6);
			break;
		case RTA_GATEWAY:
			r->routed = true;
			get_address(data, r->hop, r->hop_v6);
			break;
		case RTA_VIA:
			r->routed = true;
			r->hop_v6 = via->rtvia_family == AF_INET6;
			get_address(via->rtvia_addr, r->hop, r->hop_v6);
			break;
		default:
			break;
		}
	}
	return MNL_CB_STOP;
}

int sl_route_get(const __be32 addr[4], bool v6, struct sl_route *route)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;
	int rc;

	*route = (struct sl_route){.hop_v6 = v6};
	memcpy(route->hop, addr, sizeof(route->hop));
	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = v6 ? AF_INET6 : AF_INET;
	rtm->rtm_dst_len = v6 ? 128 : 32;
	put_address(nlh, RTA_DST, addr, v6);
	rc = sl_nl_query(NETLINK_ROUTE, nlh, on_route, route);
	if (rc)
		return rc;
	return route->ifindex ? 0 : -ENETUNREACH;
}

static struct nlmsghdr *neighbour_begin(char *buf, uint16_t type, uint16_t flags,
					const struct sl_route *route)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = route->hop_v6 ? AF_INET6 : AF_INET;
	ndm->ndm_ifindex = (int)route->ifindex;
	put_address(nlh, NDA_DST, route->hop, route->hop_v6);
	return nlh;
}

static int on_neighbour(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool *theirs = arg;

	*theirs = ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP);
	mnl_attr_for_each (attr, nlh, sizeof(*ndm))
		if (mnl_attr_get_type(attr) == ATTR_FLAGS_EXT)
			*theirs |= mnl_attr_get_u32(attr) & NTF_EXT_MANAGED;
	return MNL_CB_STOP;
}

int sl_neighbour_keep(const struct sl_route *route)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = neighbour_begin(buf, RTM_GETNEIGH, 0, route);
	bool theirs = false;
	int rc;

	sl_nl_query(NETLINK_ROUTE, nlh, on_neighbour, &theirs); /* none: it is not theirs */
	if (theirs)
		return 0;
	nlh = neighbour_begin(buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, route);
	mnl_attr_put_u32(nlh, ATTR_FLAGS_EXT, NTF_EXT_MANAGED);
	rc = sl_nl_query(NETLINK_ROUTE, nlh, NULL, NULL);
	return rc ? rc : 1;
}

int sl_neighbour_release(const struct sl_route *route)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = neighbour_begin(buf, RTM_NEWNEIGH, NLM_F_REPLACE | NLM_F_ACK, route);
	struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);

	ndm->ndm_flags = NTF_USE; /* without NTF_EXT_MANAGED */
	return sl_nl_query(NETLINK_ROUTE, nlh, NULL, NULL);
}

static int on_mac(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool valid = ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE |
				       NUD_STALE | NUD_DELAY);

	mnl_attr_for_each (attr, nlh, sizeof(*ndm))
		if (*(unsigned char **)arg && valid && mnl_attr_get_type(attr) == NDA_LLADDR &&
		    mnl_attr_get_payload_len(attr) == 6) {
			memcpy(*(unsigned char **)arg, mnl_attr_get_payload(attr), 6);
			*(unsigned char **)arg = NULL;
		}
	return MNL_CB_STOP;
}

int sl_neighbour_mac(const struct sl_route *route, unsigned char mac[6])
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = neighbour_begin(buf, RTM_GETNEIGH, 0, route);
	unsigned char *to = mac; /* NULL: found */
	int rc = sl_nl_query(NETLINK_ROUTE, nlh, on_mac, &to);

	return to ? rc ? rc : -EHOSTUNREACH : 0;
}
