/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ethtool.h - what a driver says about an interface (ioctl SIOCETHTOOL, ethtool's own interface).
 *
 * Interfaces are those of the calling thread's network namespace. Any thread.
 */
#ifndef SL_PLATFORM_ETHTOOL_H
#define SL_PLATFORM_ETHTOOL_H

#include <stdbool.h>
#include <stdint.h>

/* RX queues: combined and RX-only channels. */
struct sl_channels {
	unsigned rx; /* now */
	unsigned rx_max; /* as far as ethtool -L goes */
	unsigned tx; /* combined and TX-only channels */
	bool combined; /* one channel receives and transmits: ethtool -L IF combined N, not rx N */
};

/* SIOCETHTOOL with `data`, a structure of linux/ethtool.h. 0 or -errno. */
int sl_ethtool_request(const char *ifname, void *data);

/* -EOPNOTSUPP where the driver has no channels. */
int sl_ethtool_channels(const char *ifname, struct sl_channels *channels);

/* ethtool -L; 0 leaves that kind, where the driver tells the two apart. Drivers may reset the link.
 */
int sl_ethtool_set_channels(const char *ifname, unsigned rx, unsigned tx);

/* The driver's name ("veth", "mlx5_core"). */
int sl_ethtool_driver(const char *ifname, char *name, unsigned size);

/* Its place, such as the PCI address "0000:01:00.0"; may be "". */
int sl_ethtool_bus(const char *ifname, char *bus, unsigned size);

/* Descriptors of the RX and TX rings now. -EOPNOTSUPP. */
int sl_ethtool_rings(const char *ifname, unsigned *rx, unsigned *tx);

/*
 * Does the interface leave checksums to the hardware on transmit? On a veth that means: packets
 * from its own stack reach the peer's XDP program with unfinished checksums.
 */
int sl_ethtool_tx_checksum(const char *ifname, bool *on);

/* One driver statistic (ethtool -S). */
struct sl_ethtool_stat {
	char name[33];
	uint64_t value;
};

/* All of them: an array to free, its length in *n. -EOPNOTSUPP where there are none. */
int sl_ethtool_stats(const char *ifname, struct sl_ethtool_stat **stats, unsigned *n);

/*
 * Packets that the driver lost between XDP's verdict and the socket or before XDP, as far as its
 * statistics tell: the sum of those whose names say RX and (xdp) drop or redirect error. 0 if it
 * says nothing.
 */
int sl_ethtool_rx_drops(const char *ifname, uint64_t *drops);

#endif /* SL_PLATFORM_ETHTOOL_H */
