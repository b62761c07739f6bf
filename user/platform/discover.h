/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * discover.h - which instance is meant by a name, and adopt a program that others loaded.
 */
#ifndef SL_PLATFORM_DISCOVER_H
#define SL_PLATFORM_DISCOVER_H

#include "platform/hook.h"

/*
 * The pinned instance that (this namespace, ifindex) with program prog_id belongs to, into name.
 * 0, or -ENOENT. The caller holds the pin lock.
 */
int sl_discover_by_prog(int ifindex, uint32_t prog_id, char name[SL_NAME_MAX]);

/* Is there an instance of this name, alive or not? */
bool sl_instance_pinned(const char *name);
/* -ENODEV: the name is neither an interface's nor an instance's. */
int sl_instance_unknown(const char *name, struct sl_error *err);

/* Is any interface of the pinned instance alive? */
bool sl_instance_alive(const char *name);

/* Remove the pins of an instance of which no interface is alive. -EEXIST: it is alive. */
int sl_discover_clean(const char *name, struct sl_error *err);

/* Remove what attaches left that ended badly: instances all of whose links are dead. The caller
 * holds the pin lock, exclusive. */
void sl_discover_sweep(void);

/*
 * Pin the maps of Sluice's program on the interface as the instance `name`. The caller holds the
 * pin lock, exclusive. -EEXIST foreign program, -EPROTO other ABI.
 */
int sl_discover_adopt(const char *name, const char *ifname, int ifindex, const struct sl_hook *hook,
		      struct sl_error *err);

#endif /* SL_PLATFORM_DISCOVER_H */
