/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside rss.h: table, key and hash function by ethtool netlink. -EOPNOTSUPP: not with this kernel,
 * or not with this driver. */
#ifndef SL_PLATFORM_RSS_NETLINK_H
#define SL_PLATFORM_RSS_NETLINK_H

#include "platform/rss.h"

int rss_netlink_get(void *ctx, const char *ifname, struct sl_rss *rss);
/* What has no entries, no bytes or no bits stays as it is. */
int rss_netlink_set(void *ctx, const char *ifname, const struct sl_rss *rss);

#endif /* SL_PLATFORM_RSS_NETLINK_H */
