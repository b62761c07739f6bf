// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer.c - a link names its peer by index and by the number that our namespace has for the peer's;
 * which namespace that is, only asking for the number of each tells.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/nl.h"
#include "platform/peer.h"

#define NAMED "/run/netns"
#define NOT_GIVEN (-1)

struct ends {
	bool veth;
	int ifindex; /* of the peer, in its namespace */
	int nsid; /* NOT_GIVEN: ours */
};

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr, *info;
	struct ends *ends = arg;

	mnl_attr_for_each (attr, nlh, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) == IFLA_LINK)
			ends->ifindex = (int)mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINK_NETNSID)
			ends->nsid = (int)mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			mnl_attr_for_each_nested (info, attr)
				if (mnl_attr_get_type(info) == IFLA_INFO_KIND)
					ends->veth = !strcmp(mnl_attr_get_str(info), "veth");
	}
	return MNL_CB_STOP;
}

static int read_ends(const char *ifname, struct ends *ends)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifm;

	*ends = (struct ends){.nsid = NOT_GIVEN};
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_index = (int)if_nametoindex(ifname);
	if (!ifm->ifi_index)
		return -ENODEV;
	return sl_nl_query(NETLINK_ROUTE, nlh, on_link, ends);
}

static int on_nsid(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;
	int *nsid = arg;

	mnl_attr_for_each (attr, nlh, sizeof(struct rtgenmsg))
		if (mnl_attr_get_type(attr) == NETNSA_NSID)
			*nsid = (int)mnl_attr_get_u32(attr);
	return MNL_CB_STOP;
}

/* Does our namespace call that of the descriptor `nsid`? */
static bool is_called(int fd, int nsid)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *gen;
	int found = NOT_GIVEN;

	nlh->nlmsg_type = RTM_GETNSID;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	gen->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)fd);
	return !sl_nl_query(NETLINK_ROUTE, nlh, on_nsid, &found) && found == nsid;
}

static bool try_path(const char *path, int nsid, struct sl_peer *peer)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (is_called(fd, nsid)) {
		peer->ns_fd = fd;
		return true;
	}
	close(fd);
	return false;
}

static bool find_named(int nsid, struct sl_peer *peer)
{
	struct dirent *entry;
	bool found = false;
	char path[300];
	DIR *dir;

	dir = opendir(NAMED);
	while (dir && !found && (entry = readdir(dir))) {
		/* A longer name would not fit the command. */
		if (entry->d_name[0] == '.' || strlen(entry->d_name) > 64)
			continue;
		snprintf(path, sizeof(path), NAMED "/%s", entry->d_name);
		found = try_path(path, nsid, peer);
		if (found)
			snprintf(peer->reach, sizeof(peer->reach), "ip netns exec %.64s ",
				 entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool find_process(int nsid, struct sl_peer *peer)
{
	struct dirent *entry;
	bool found = false;
	char path[300];
	DIR *dir;

	dir = opendir("/proc");
	while (dir && !found && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		found = try_path(path, nsid, peer);
		if (found)
			snprintf(peer->reach, sizeof(peer->reach), "nsenter --net=%.32s ", path);
	}
	if (dir)
		closedir(dir);
	return found;
}

int sl_peer_find(const char *ifname, struct sl_peer *peer)
{
	struct ends ends;
	int rc, back;

	*peer = (struct sl_peer){.ns_fd = -1};
	rc = read_ends(ifname, &ends);
	if (rc)
		return rc;
	if (!ends.veth || !ends.ifindex)
		return -EOPNOTSUPP;
	if (ends.nsid != NOT_GIVEN && !find_named(ends.nsid, peer) &&
	    !find_process(ends.nsid, peer))
		return -ENOENT;
	rc = sl_peer_enter(peer, &back);
	if (!rc) {
		if (!if_indextoname((unsigned)ends.ifindex, peer->name))
			rc = -errno;
		sl_peer_leave(back);
	}
	if (rc)
		sl_peer_close(peer);
	return rc;
}

void sl_peer_close(struct sl_peer *peer)
{
	if (peer->ns_fd >= 0)
		close(peer->ns_fd);
	peer->ns_fd = -1;
}

int sl_peer_enter(const struct sl_peer *peer, int *back)
{
	int rc;

	*back = -1;
	if (peer->ns_fd < 0)
		return 0;
	*back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*back < 0)
		return -errno;
	if (!setns(peer->ns_fd, CLONE_NEWNET))
		return 0;
	rc = -errno;
	close(*back);
	*back = -1;
	return rc;
}

void sl_peer_leave(int back)
{
	if (back < 0)
		return;
	/* In the wrong namespace anything more would be done to somebody else's interfaces. */
	if (setns(back, CLONE_NEWNET))
		abort();
	close(back);
}
