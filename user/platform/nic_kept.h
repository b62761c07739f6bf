/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic_kept.h - inside nic.h: what a NIC was, in a file. */
#ifndef SL_PLATFORM_NIC_KEPT_H
#define SL_PLATFORM_NIC_KEPT_H

#include "platform/rss.h"

#define NIC_NO_FIELDS UINT32_MAX /* the driver does not tell */

struct nic_kept {
	struct sl_rss rss;
	uint32_t fields[SL_FLOW_TYPES];
};

/* 0, or -ENOENT: nothing is kept of this interface (of this index); -errno. */
int nic_kept_load(const char *instance, const char *ifname, int ifindex, struct nic_kept *kept);
int nic_kept_save(const char *instance, const char *ifname, int ifindex,
		  const struct nic_kept *kept);
void nic_kept_forget(const char *instance, const char *ifname);

#endif /* SL_PLATFORM_NIC_KEPT_H */
