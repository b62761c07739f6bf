// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rss_netlink.c - ETHTOOL_MSG_RSS_GET and _SET. Debian 12's header has neither: the numbers are
 * those of include/uapi/linux/ethtool_netlink_generated.h, which never change.
 */
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "platform/nl.h"
#include "platform/rss_netlink.h"

#define RSS_GET 38
#define RSS_SET 48

#define RSS_HEADER 1
#define RSS_HFUNC 3
#define RSS_INDIR 4
#define RSS_HKEY 5
#define RSS_INPUT_XFRM 6

static int take(void *to, size_t room, const struct nlattr *attr)
{
	const size_t len = mnl_attr_get_payload_len(attr);

	if (len > room) {
		errno = E2BIG;
		return -1;
	}
	memcpy(to, mnl_attr_get_payload(attr), len);
	return (int)len;
}

static int on_rss(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;
	struct sl_rss *rss = arg;
	int len = 0;

	sl_genl_for_each (attr, nlh) {
		switch (mnl_attr_get_type(attr)) {
		case RSS_HFUNC:
			rss->hfunc = mnl_attr_get_u32(attr);
			break;
		case RSS_INDIR:
			len = take(rss->reta, sizeof(rss->reta), attr);
			rss->entries = (unsigned)len / sizeof(rss->reta[0]);
			break;
		case RSS_HKEY:
			len = take(rss->key, sizeof(rss->key), attr);
			rss->key_bytes = (unsigned)len;
			break;
		case RSS_INPUT_XFRM:
			rss->transform = mnl_attr_get_u32(attr);
			break;
		default:
			break;
		}
		if (len < 0)
			return MNL_CB_ERROR;
	}
	return MNL_CB_STOP;
}

static int begin(char *buf, const char *ifname, uint8_t command, uint16_t flags,
		 struct nlmsghdr **nlh)
{
	struct sl_genl family;
	struct nlattr *head;
	int rc = sl_genl_find(ETHTOOL_GENL_NAME, &family);

	if (rc || family.commands < command)
		return -EOPNOTSUPP;
	*nlh = sl_genl_begin(buf, &family, command, flags);
	head = mnl_attr_nest_start(*nlh, RSS_HEADER);
	mnl_attr_put_strz(*nlh, ETHTOOL_A_HEADER_DEV_NAME, ifname);
	mnl_attr_nest_end(*nlh, head);
	return 0;
}

int rss_netlink_get(void *ctx, const char *ifname, struct sl_rss *rss)
{
	char buf[256] __attribute__((aligned(4)));
	struct nlmsghdr *nlh;
	int rc = begin(buf, ifname, RSS_GET, 0, &nlh);

	return rc ? rc : sl_nl_query(NETLINK_GENERIC, nlh, on_rss, rss);
}

int rss_netlink_set(void *ctx, const char *ifname, const struct sl_rss *rss)
{
	char buf[sizeof(*rss) + 512] __attribute__((aligned(4)));
	struct nlmsghdr *nlh;
	int rc = begin(buf, ifname, RSS_SET, NLM_F_ACK, &nlh);

	if (rc)
		return rc;
	if (rss->hfunc)
		mnl_attr_put_u32(nlh, RSS_HFUNC, rss->hfunc);
	if (rss->entries)
		mnl_attr_put(nlh, RSS_INDIR, rss->entries * sizeof(rss->reta[0]), rss->reta);
	if (rss->key_bytes)
		mnl_attr_put(nlh, RSS_HKEY, rss->key_bytes, rss->key);
	return sl_nl_query(NETLINK_GENERIC, nlh, NULL, NULL);
}
