// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rss.c - ETHTOOL_GRSSH, _SRSSH, _GRXFH and _SRXFH, behind netlink where that is to be had.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <stdlib.h>
#include <string.h>

#include "platform/ethtool.h"
#include "platform/rss.h"
#include "platform/rss_netlink.h"

_Static_assert(SL_HASH_ADDRESSES == (RXH_IP_SRC | RXH_IP_DST), "ethtool's bits");
_Static_assert(SL_HASH_PORTS == (RXH_L4_B_0_1 | RXH_L4_B_2_3), "ethtool's bits");

static int kernel_ioctl(void *ctx, const char *ifname, void *data)
{
	return sl_ethtool_request(ifname, data);
}

const struct sl_rss_door *sl_rss_kernel(void)
{
	static const struct sl_rss_door door = {kernel_ioctl, rss_netlink_get, rss_netlink_set,
						NULL};

	return &door;
}

/* input_xfrm, which Debian 12's header does not name. Kernels before 6.8 want 0 there, and say 0.
 */
static uint8_t *transform_of(struct ethtool_rxfh *x)
{
	return &x->hfunc + 1;
}

/* A write with 0 would take a transform away: it says what is there. */
static int ioctl_write(const struct sl_rss_door *door, const char *ifname, struct ethtool_rxfh *x)
{
	struct ethtool_rxfh head = {.cmd = ETHTOOL_GRSSH};
	int rc = door->ioctl(door->ctx, ifname, &head);

	if (rc)
		return rc;
	*transform_of(x) = *transform_of(&head);
	return door->ioctl(door->ctx, ifname, x);
}

static struct ethtool_rxfh *rxfh_new(uint32_t cmd, unsigned entries, unsigned key_bytes)
{
	struct ethtool_rxfh *x =
		calloc(1, sizeof(*x) + (size_t)entries * sizeof(x->rss_config[0]) + key_bytes);

	if (x) {
		x->cmd = cmd;
		x->indir_size = entries;
		x->key_size = key_bytes;
	}
	return x;
}

/* Sizes first, by a request without room, as the kernel wants it. */
static int ioctl_get(const struct sl_rss_door *door, const char *ifname, struct sl_rss *rss)
{
	struct ethtool_rxfh head = {.cmd = ETHTOOL_GRSSH};
	struct ethtool_rxfh *x;
	int rc = door->ioctl(door->ctx, ifname, &head);

	if (rc)
		return rc;
	if (head.indir_size > SL_RETA_MAX || head.key_size > SL_RSS_KEY_MAX)
		return -E2BIG;
	x = rxfh_new(ETHTOOL_GRSSH, head.indir_size, head.key_size);
	if (!x)
		return -ENOMEM;
	rc = door->ioctl(door->ctx, ifname, x);
	if (!rc) {
		rss->hfunc = x->hfunc;
		rss->transform = *transform_of(x);
		rss->entries = x->indir_size;
		rss->key_bytes = x->key_size;
		memcpy(rss->reta, x->rss_config, (size_t)x->indir_size * sizeof(rss->reta[0]));
		memcpy(rss->key, x->rss_config + x->indir_size, x->key_size);
	}
	free(x);
	return rc;
}

int sl_rss_get(const struct sl_rss_door *door, const char *ifname, struct sl_rss *rss)
{
	int rc;

	memset(rss, 0, sizeof(*rss));
	rc = door->get ? door->get(door->ctx, ifname, rss) : -EOPNOTSUPP;
	return rc == -EOPNOTSUPP ? ioctl_get(door, ifname, rss) : rc;
}

/* Parts without an entry stay as they are: no table is ETH_RXFH_INDIR_NO_CHANGE, no key a length of
 * 0, no function 0. */
static int ioctl_set(const struct sl_rss_door *door, const char *ifname, const struct sl_rss *rss)
{
	struct ethtool_rxfh *x = rxfh_new(ETHTOOL_SRSSH, rss->entries, rss->key_bytes);
	int rc;

	if (!x)
		return -ENOMEM;
	x->hfunc = (uint8_t)rss->hfunc;
	memcpy(x->rss_config, rss->reta, (size_t)rss->entries * sizeof(rss->reta[0]));
	memcpy(x->rss_config + rss->entries, rss->key, rss->key_bytes);
	/* 0 would mean the driver's own default. */
	if (!rss->entries)
		x->indir_size = ETH_RXFH_INDIR_NO_CHANGE;
	rc = ioctl_write(door, ifname, x);
	free(x);
	return rc;
}

int sl_rss_write_table(const struct sl_rss_door *door, const char *ifname, const struct sl_rss *rss)
{
	struct sl_rss *table = malloc(sizeof(*table));
	int rc;

	if (!table)
		return -ENOMEM;
	*table = *rss;
	table->key_bytes = 0;
	table->hfunc = 0;
	rc = door->set ? door->set(door->ctx, ifname, table) : -EOPNOTSUPP;
	if (rc == -EOPNOTSUPP)
		rc = ioctl_set(door, ifname, table);
	free(table);
	return rc;
}

int sl_rss_default_table(const struct sl_rss_door *door, const char *ifname)
{
	struct ethtool_rxfh x = {.cmd = ETHTOOL_SRSSH};

	return ioctl_write(door, ifname, &x);
}

/* Leave in `want` what differs from `now`. How many entries of the table do. */
static unsigned reduce(struct sl_rss *want, const struct sl_rss *now)
{
	unsigned changed = 0;

	for (unsigned i = 0; i < want->entries; i++)
		changed += want->reta[i] != now->reta[i];
	if (!changed)
		want->entries = 0;
	if (!memcmp(want->key, now->key, want->key_bytes))
		want->key_bytes = 0;
	if (want->hfunc == now->hfunc)
		want->hfunc = 0;
	return changed;
}

int sl_rss_set(const struct sl_rss_door *door, const char *ifname, const struct sl_rss *want,
	       unsigned *changed)
{
	struct sl_rss *pair = malloc(2 * sizeof(*pair)), *now = pair, *rest = pair + 1;
	int rc;

	*changed = 0;
	if (!pair)
		return -ENOMEM;
	rc = sl_rss_get(door, ifname, now);
	if (rc)
		goto out;
	rc = -EINVAL;
	if (now->entries != want->entries || now->key_bytes != want->key_bytes)
		goto out; /* ethtool -L in between */
	*rest = *want;
	*changed = reduce(rest, now);
	rc = 0;
	if (!rest->entries && !rest->key_bytes && !rest->hfunc)
		goto out;
	rc = door->set ? door->set(door->ctx, ifname, rest) : -EOPNOTSUPP;
	if (rc == -EOPNOTSUPP)
		rc = ioctl_set(door, ifname, rest);
out:
	if (rc)
		*changed = 0;
	free(pair);
	return rc;
}

static const uint32_t flow_types[SL_FLOW_TYPES] = {
	[SL_FLOW_TCP4] = TCP_V4_FLOW,
	[SL_FLOW_TCP6] = TCP_V6_FLOW,
	[SL_FLOW_UDP4] = UDP_V4_FLOW,
	[SL_FLOW_UDP6] = UDP_V6_FLOW,
};

int sl_rss_fields_get(const struct sl_rss_door *door, const char *ifname, enum sl_flow_type type,
		      uint32_t *fields)
{
	struct ethtool_rxnfc x = {.cmd = ETHTOOL_GRXFH, .flow_type = flow_types[type]};
	int rc = door->ioctl(door->ctx, ifname, &x);

	if (!rc)
		*fields = (uint32_t)x.data;
	return rc;
}

int sl_rss_fields_set(const struct sl_rss_door *door, const char *ifname, enum sl_flow_type type,
		      uint32_t fields)
{
	struct ethtool_rxnfc x = {
		.cmd = ETHTOOL_SRXFH, .flow_type = flow_types[type], .data = fields};

	return door->ioctl(door->ctx, ifname, &x);
}

void sl_rss_spread(struct sl_rss *rss, unsigned queues)
{
	for (unsigned i = 0; i < rss->entries; i++)
		rss->reta[i] = i % queues;
}
