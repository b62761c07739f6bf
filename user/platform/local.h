/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local.h - the addresses whose packets belong to the host, and the `local_addrs` maps.
 *
 * What the host receives as its own: every address of the namespace, each IPv4 subnet's broadcast
 * and 255.255.255.255, every multicast group that was joined (/proc/net/igmp, igmp6: among them the
 * solicited-node groups, RFC 4291 2.7.1), and, because a routing daemon may join after we looked,
 * the well-known groups of routing and discovery protocols (IANA, 224.0.0.0/24 and ff02::/16).
 */
#ifndef SL_PLATFORM_LOCAL_H
#define SL_PLATFORM_LOCAL_H

#include "platform/instance.h"

/* All of these, sorted, each once: an array to free, its length in *n. 0 or -errno. */
int sl_local_collect(struct sl_addr **addrs, unsigned *n);

/* Add to a `local_addrs` map what it lacks. -E2BIG: it is full. */
int sl_local_add(int map_fd, const struct sl_addr *addrs, unsigned n);

/* Remove from it what is not in the (sorted) list. */
int sl_local_prune(int map_fd, const struct sl_addr *addrs, unsigned n);

/* Does it hold exactly the list? */
bool sl_local_same(int map_fd, const struct sl_addr *addrs, unsigned n);

#endif /* SL_PLATFORM_LOCAL_H */
