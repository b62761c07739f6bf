// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ethtool.c - SIOCETHTOOL.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/ethtool.h"

int sl_ethtool_request(const char *ifname, void *data)
{
	struct ifreq ifr = {0};
	int fd, rc = 0;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	ifr.ifr_data = data;
	if (ioctl(fd, SIOCETHTOOL, &ifr))
		rc = -errno;
	close(fd);
	return rc;
}

int sl_ethtool_channels(const char *ifname, struct sl_channels *channels)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};
	int rc = sl_ethtool_request(ifname, &c);

	if (rc)
		return rc;
	channels->rx = c.rx_count + c.combined_count;
	channels->tx = c.tx_count + c.combined_count;
	channels->combined = c.max_combined;
	/* Drivers report the larger of the two kinds, not their sum, as the device's limit. */
	channels->rx_max = c.max_rx > c.max_combined ? c.max_rx : c.max_combined;
	if (channels->rx_max < channels->rx)
		channels->rx_max = channels->rx;
	return 0;
}

int sl_ethtool_set_channels(const char *ifname, unsigned rx, unsigned tx)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};
	int rc = sl_ethtool_request(ifname, &c);

	if (rc)
		return rc;
	c.cmd = ETHTOOL_SCHANNELS;
	if (c.max_combined) {
		c.combined_count = rx ? rx : tx;
		c.rx_count = c.tx_count = 0;
	} else {
		c.rx_count = rx ? rx : c.rx_count;
		c.tx_count = tx ? tx : c.tx_count;
	}
	return sl_ethtool_request(ifname, &c);
}

int sl_ethtool_driver(const char *ifname, char *name, unsigned size)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	int rc = sl_ethtool_request(ifname, &info);

	if (!rc)
		snprintf(name, size, "%s", info.driver);
	return rc;
}

int sl_ethtool_bus(const char *ifname, char *bus, unsigned size)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	int rc = sl_ethtool_request(ifname, &info);

	if (!rc)
		snprintf(bus, size, "%s", info.bus_info);
	return rc;
}

int sl_ethtool_rings(const char *ifname, unsigned *rx, unsigned *tx)
{
	struct ethtool_ringparam rings = {.cmd = ETHTOOL_GRINGPARAM};
	int rc = sl_ethtool_request(ifname, &rings);

	if (rc)
		return rc;
	*rx = rings.rx_pending;
	*tx = rings.tx_pending;
	return 0;
}

int sl_ethtool_tx_checksum(const char *ifname, bool *on)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GTXCSUM};
	int rc = sl_ethtool_request(ifname, &value);

	if (!rc)
		*on = value.data;
	return rc;
}

static int stats_count(const char *ifname, unsigned *n)
{
	union { /* the kernel puts the one length that is asked for behind the head */
		struct ethtool_sset_info info;
		__u32 room[sizeof(struct ethtool_sset_info) / sizeof(__u32) + 1];
	} sset = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_STATS}};
	int rc = sl_ethtool_request(ifname, &sset);

	if (rc)
		return rc;
	if (!sset.info.sset_mask || !sset.info.data[0])
		return -EOPNOTSUPP;
	*n = sset.info.data[0];
	return 0;
}

int sl_ethtool_stats(const char *ifname, struct sl_ethtool_stat **stats, unsigned *n)
{
	struct ethtool_gstrings *names = NULL;
	struct sl_ethtool_stat *out = NULL;
	struct ethtool_stats *values = NULL;
	unsigned count;
	int rc;

	rc = stats_count(ifname, &count);
	if (rc)
		return rc;
	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + (size_t)count * sizeof(values->data[0]));
	out = calloc(count, sizeof(*out));
	rc = -ENOMEM;
	if (!names || !values || !out)
		goto out;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = count;
	values->cmd = ETHTOOL_GSTATS;
	values->n_stats = count;
	rc = sl_ethtool_request(ifname, names);
	if (!rc)
		rc = sl_ethtool_request(ifname, values);
	if (rc)
		goto out;
	/* ethtool -L in between may have taken some away. */
	if (values->n_stats < count)
		count = values->n_stats;
	for (unsigned i = 0; i < count; i++) {
		memcpy(out[i].name, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
		out[i].value = values->data[i];
	}
	*stats = out;
	*n = count;
	out = NULL;
out:
	free(out);
	free(values);
	free(names);
	return rc;
}

static bool is_rx_drop(const char *name)
{
	const bool rx = !strncmp(name, "rx", 2);

	return rx && (strstr(name, "drop") || strstr(name, "redirect_err") ||
		      strstr(name, "redirect_fail"));
}

int sl_ethtool_rx_drops(const char *ifname, uint64_t *drops)
{
	struct sl_ethtool_stat *stats;
	unsigned n;
	int rc;

	*drops = 0;
	rc = sl_ethtool_stats(ifname, &stats, &n);
	if (rc)
		return rc == -EOPNOTSUPP ? 0 : rc;
	for (unsigned i = 0; i < n; i++)
		if (is_rx_drop(stats[i].name))
			*drops += stats[i].value;
	free(stats);
	return 0;
}
