/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nl.h - one netlink request and its answer, on a socket of its own (RFC 3549). Any thread; in the
 * calling thread's network namespace.
 */
#ifndef SL_PLATFORM_NL_H
#define SL_PLATFORM_NL_H

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdint.h>

/* Room for one message: an RSS table of 4,096 entries, a netdev's features by name. */
#define SL_NL_BUFFER 32768

/*
 * Send `request` over the bus (NETLINK_ROUTE, NETLINK_GENERIC) and run cb over the answer; cb is
 * NULL where only the acknowledgement counts (NLM_F_ACK). 0 or -errno, the kernel's own included.
 */
int sl_nl_query(int bus, struct nlmsghdr *request, mnl_cb_t cb, void *arg);

/* A generic netlink family, and what this kernel's has. */
struct sl_genl {
	uint16_t id;
	uint8_t version;
	unsigned commands; /* the highest command that it knows */
};

/* Find a family by name. -ENOENT. */
int sl_genl_find(const char *name, struct sl_genl *family);

/* Begin a request to a family in `buf`, of SL_NL_BUFFER bytes, aligned. */
struct nlmsghdr *sl_genl_begin(void *buf, const struct sl_genl *family, uint8_t command,
			       uint16_t flags);

/* Attributes of a generic netlink message. */
#define sl_genl_for_each(attr, nlh) mnl_attr_for_each (attr, nlh, sizeof(struct genlmsghdr))

#endif /* SL_PLATFORM_NL_H */
