/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.h - network namespaces. An interface is looked up in the caller's; pins are shared by all.
 */
#ifndef SL_PLATFORM_NETNS_H
#define SL_PLATFORM_NETNS_H

#include <stdbool.h>
#include <stdint.h>

/* Inode of the calling thread's network namespace, 0 where there is no /proc. */
uint64_t sl_netns_self(void);

/*
 * Is there a process in the namespace, or a mount of it (ip netns)? Looks at what this process can
 * see: /proc/N/ns/net and mountinfo. A namespace held only by an open descriptor counts as gone.
 */
bool sl_netns_alive(uint64_t inode);

#endif /* SL_PLATFORM_NETNS_H */
