/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * route.h - the way to an address and the neighbour on it (rtnetlink), in the calling thread's
 * network namespace. Addresses as in sluice/lb.h: IPv4 is word 3.
 */
#ifndef SL_PLATFORM_ROUTE_H
#define SL_PLATFORM_ROUTE_H

#include <linux/types.h>
#include <stdbool.h>

struct sl_route {
	unsigned ifindex;
	bool local; /* the address is this host's own */
	bool routed; /* behind a router: `hop` */
	bool hop_v6;
	__be32 hop[4]; /* the next one: a router, or the address itself */
	__be32 source[4]; /* what this host would send from */
};

/* -ENETUNREACH and the like. */
int sl_route_get(const __be32 addr[4], bool v6, struct sl_route *route);

/* The next hop's Ethernet address. -EHOSTUNREACH: not known. */
int sl_neighbour_mac(const struct sl_route *route, unsigned char mac[6]);

/*
 * Have the kernel find out the next hop's link-layer address and keep it (NTF_EXT_MANAGED, Linux
 * 5.16): XDP, which looks it up, cannot ask for it. 1; 0 where somebody else sees to it already: a
 * permanent entry, a managed one.
 */
int sl_neighbour_keep(const struct sl_route *route);
/* No longer. */
int sl_neighbour_release(const struct sl_route *route);

#endif /* SL_PLATFORM_ROUTE_H */
