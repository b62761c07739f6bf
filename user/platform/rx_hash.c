// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/ethtool.h"
#include "platform/features.h"
#include "platform/napi.h"
#include "platform/rx_hash.h"

/* As `ethtool -N IF rx-flow-hash TYPE sdfn` calls them. */
static const char *const type_names[SL_FLOW_TYPES] = {
	[SL_FLOW_TCP4] = "tcp4",
	[SL_FLOW_TCP6] = "tcp6",
	[SL_FLOW_UDP4] = "udp4",
	[SL_FLOW_UDP6] = "udp6",
};

#define XFRM_NO_CHANGE 0xff /* RXH_XFRM_NO_CHANGE: where a driver has no transforms */

/* Whose hash is Toeplitz as published where they say so. Not mlx5's: that is made symmetric, and
 * older kernels do not tell. */
static const char *const drivers[] = {"virtio_net", "ice", "idpf", "igc"};

static bool known_driver(const char *ifname)
{
	char name[32];

	if (sl_ethtool_driver(ifname, name, sizeof(name)))
		return false;
	for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (!strcmp(name, drivers[i]))
			return true;
	return false;
}

static int same_function(const struct sl_rss *rss, const char *ifname,
			 const uint8_t key[SL_NIC_KEY], struct sl_error *why)
{
	if (rss->hfunc && rss->hfunc != SL_RSS_TOEPLITZ)
		return sl_error_set(why, -EOPNOTSUPP,
				    "it does not hash by Toeplitz (ethtool -X %s hfunc toeplitz)",
				    ifname);
	if (rss->transform && rss->transform != XFRM_NO_CHANGE)
		return sl_error_set(why, -EOPNOTSUPP,
				    "it changes the fields before it hashes (ethtool -X %s xfrm "
				    "none)",
				    ifname);
	if (rss->key_bytes < SL_NIC_KEY)
		return sl_error_set(why, -EOPNOTSUPP, "its driver does not tell its key");
	if (!sl_nic_same_key(rss->key, key))
		return sl_error_set(why, -EKEYREJECTED,
				    "its key is not the instance's (ethtool -X %s hkey)", ifname);
	return 0;
}

/* A driver that knows no such setting says of each packet whether ports are in its hash. */
static int same_fields(const struct sl_rss_door *door, const char *ifname, struct sl_error *why)
{
	uint32_t fields;

	for (enum sl_flow_type t = 0; t < SL_FLOW_TYPES; t++)
		if (!sl_rss_fields_get(door, ifname, t, &fields) &&
		    fields != (SL_HASH_ADDRESSES | SL_HASH_PORTS))
			return sl_error_set(why, -EOPNOTSUPP,
					    "it does not hash %s on addresses and ports (ethtool "
					    "-N %s rx-flow-hash %s sdfn)",
					    type_names[t], ifname, type_names[t]);
	return 0;
}

int sl_rx_hash_alike(const struct sl_rss_door *door, const char *ifname,
		     const uint8_t key[SL_NIC_KEY], struct sl_error *why)
{
	struct sl_rss *rss = malloc(sizeof(*rss));
	int rc = rss ? sl_rss_get(door, ifname, rss) : -ENOMEM;

	if (rc)
		sl_error_set(why, rc, "its driver shows no hash key: %s", strerror(-rc));
	else
		rc = same_function(rss, ifname, key, why);
	free(rss);
	return rc ? rc : same_fields(door, ifname, why);
}

int sl_rx_hash_usable(const char *ifname, int ifindex, const uint8_t key[SL_NIC_KEY],
		      struct sl_error *why)
{
	struct sl_feature hashing = {.name = "rx-hashing"};
	struct sl_xdp_features features;
	int rc = sl_xdp_features(ifindex, &features);

	if (rc)
		return sl_error_set(why, -EOPNOTSUPP,
				    "this kernel gives no hash to XDP (Linux 6.3 does)");
	if (!features.rx_hash)
		return sl_error_set(why, -EOPNOTSUPP, "its driver gives no hash to XDP");
	if (!known_driver(ifname))
		return sl_error_set(why, -EOPNOTSUPP,
				    "its driver is none whose hash is known to be plain Toeplitz");
	if (!sl_features_get(ifname, &hashing, 1) && !hashing.on)
		return sl_error_set(why, -EOPNOTSUPP,
				    "it keeps its hash to itself (ethtool -K %s rxhash on)",
				    ifname);
	return sl_rx_hash_alike(sl_rss_kernel(), ifname, key, why);
}
