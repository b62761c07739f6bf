/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nic.h - a NIC's table, key and hash fields while they are in Sluice's hands.
 *
 * What they were before lies in <run>/<instance>.<interface>.nic.json until it is given back: a
 * dataplane that is killed leaves it to the next one, or to the detach.
 */
#ifndef SL_PLATFORM_NIC_H
#define SL_PLATFORM_NIC_H

#include "platform/instance.h"
#include "platform/rss.h"

#define SL_NIC_KEY 40 /* bytes of a key that a hash of IPv6 addresses and ports takes */

struct sl_nic {
	const struct sl_rss_door *door;
	char instance[SL_NAME_MAX], ifname[IF_NAMESIZE];
	struct sl_rss rss; /* as it is now */
	bool fields_kept; /* a flow type whose fields the driver would not let change */
};

/*
 * Read the NIC, keep what it is, and make it hash as the instance does: Toeplitz, `key` (NULL: any
 * will do), addresses and ports of TCP and UDP. The table stays as it is. Errors, with a line in
 * err: -EOPNOTSUPP no table, or one whose size is no power of two; -EKEYREJECTED it hashes with
 * another key, and takes none; -EPERM; what the driver says.
 */
int sl_nic_take(struct sl_nic *nic, const struct sl_rss_door *door, const char *instance,
		const char *ifname, const uint8_t key[SL_NIC_KEY], struct sl_error *err);

/*
 * Make its table this one, [rss.entries]: 0 or how many entries differed from what was read back.
 * With `all` it is written even if none did: a table that reads back as written may not be in
 * force. -EINVAL: the driver has another table now (ethtool -L), take it again.
 */
int sl_nic_write(struct sl_nic *nic, const uint32_t *reta, bool all);

/*
 * Give back what was kept. Does nothing where nothing was, or where the interface is another one
 * under the old name. 0 or -errno, with a line in err.
 */
int sl_nic_restore(const struct sl_rss_door *door, const char *instance, const char *ifname,
		   struct sl_error *err);

/*
 * The key that the NIC hashes with, its first SL_NIC_KEY bytes: the device's, or, where it does not
 * tell, the one that the kernel gives to drivers (net.core.netdev_rss_key). -EOPNOTSUPP: neither.
 */
int sl_nic_key(const struct sl_rss_door *door, const char *ifname, uint8_t key[SL_NIC_KEY]);

/* The key of an instance, from its map `toeplitz`. -ENOMEM, or what the map says. */
int sl_nic_instance_key(int toeplitz_fd, uint8_t key[SL_NIC_KEY]);

/* Do they hash alike? */
bool sl_nic_same_key(const uint8_t a[SL_NIC_KEY], const uint8_t b[SL_NIC_KEY]);

#endif /* SL_PLATFORM_NIC_H */
