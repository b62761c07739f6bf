/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * features.h - offloads of an interface (ethtool netlink FEATURES_GET and _SET, Linux 5.6).
 *
 * Names are the kernel's own, as ethtool -k prints the single ones ("rx-gro", "rx-vlan-hw-parse").
 * Interfaces are those of the calling thread's network namespace. Any thread.
 */
#ifndef SL_PLATFORM_FEATURES_H
#define SL_PLATFORM_FEATURES_H

#include <stdbool.h>

struct sl_feature {
	const char *name;
	bool on; /* in force */
	bool fixed; /* cannot be changed now */
};

/* Fill in `on` and `fixed` of the n features named; what the kernel does not know is off and fixed.
 * 0, -ENODEV or another -errno. */
int sl_features_get(const char *ifname, struct sl_feature *features, unsigned n);

/* Turn the named features on or off, and leave the others. -EPERM; -EOPNOTSUPP: the driver kept one
 * of them as it was. */
int sl_features_set(const char *ifname, const char *const *names, unsigned n, bool on);

#endif /* SL_PLATFORM_FEATURES_H */
