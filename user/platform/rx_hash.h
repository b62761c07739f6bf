/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rx_hash.h - may the steering program take the NIC's own hash of a packet instead of computing it?
 * Only where the two are the same number: then packets for which the NIC has none are computed, and
 * a flow's bucket is the same either way.
 */
#ifndef SL_PLATFORM_RX_HASH_H
#define SL_PLATFORM_RX_HASH_H

#include "platform/nic.h"

/*
 * Does the device hash by Toeplitz with this key over addresses and ports, and does it say so?
 * -EOPNOTSUPP, -EKEYREJECTED; `why` for the operator, without the interface's name.
 */
int sl_rx_hash_alike(const struct sl_rss_door *door, const char *ifname,
		     const uint8_t key[SL_NIC_KEY], struct sl_error *why);

/* That, and its driver gives the hash to XDP (Linux 6.3). */
int sl_rx_hash_usable(const char *ifname, int ifindex, const uint8_t key[SL_NIC_KEY],
		      struct sl_error *why);

#endif /* SL_PLATFORM_RX_HASH_H */
