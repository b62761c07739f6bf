/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h - the other end of a veth, which may be in another network namespace.
 */
#ifndef SL_PLATFORM_PEER_H
#define SL_PLATFORM_PEER_H

#include <net/if.h>
#include <stdbool.h>

struct sl_peer {
	char name[IF_NAMESIZE];
	int ns_fd; /* its namespace; -1: the calling thread's own */
	char reach[96]; /* a command there begins with it: "ip netns exec X ", or "" */
};

/*
 * Find the peer of a veth. Looks for its namespace among the named ones (ip netns) and those of
 * processes. 0 (close with sl_peer_close()), -EOPNOTSUPP: no veth; -ENOENT: its namespace is none
 * of those that this process can see; -EPERM.
 */
int sl_peer_find(const char *ifname, struct sl_peer *peer);
void sl_peer_close(struct sl_peer *peer);

/* Take the calling thread into the peer's namespace, and back. 0 or -errno. */
int sl_peer_enter(const struct sl_peer *peer, int *back);
void sl_peer_leave(int back);

#endif /* SL_PLATFORM_PEER_H */
