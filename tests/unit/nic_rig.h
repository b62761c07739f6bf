/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic_rig.h - a NIC with a table, a key and hash fields, made of memory, behind ethtool's ioctls.
 */
#ifndef SL_TESTS_NIC_RIG_H
#define SL_TESTS_NIC_RIG_H

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <string.h>

#include "platform/rss.h"

#ifndef NIC_NAME
#define NIC_NAME "eth7"
#endif
#define ENTRIES 128
#define KEY 40

/* What ethtool's ioctls read and write. */
struct nic {
	unsigned entries;
	uint32_t reta[ENTRIES], fields[64];
	unsigned key_bytes; /* KEY, or 0: it does not tell */
	uint8_t key[KEY], hfunc, transform;
	unsigned writes; /* SRSSH */
	uint32_t table_written, key_written; /* sizes in the latest one */
	unsigned fields_written;
	int refuse; /* -errno of writes */
	int refuse_fields; /* -errno of writes of fields */
};

static struct nic nic;

static int write_rxfh(const struct ethtool_rxfh *x)
{
	const bool keep = x->indir_size == ETH_RXFH_INDIR_NO_CHANGE;
	const unsigned entries = keep ? 0 : x->indir_size;

	if (nic.refuse)
		return nic.refuse;
	/* The kernel's checks; 0 entries is a reset to the driver's default. */
	if ((entries && entries != nic.entries) || (x->key_size && x->key_size != nic.key_bytes))
		return -EINVAL;
	nic.writes++;
	nic.table_written = entries;
	nic.key_written = x->key_size;
	if (!keep && !entries)
		memset(nic.reta, 0, sizeof(nic.reta));
	memcpy(nic.reta, x->rss_config, entries * sizeof(nic.reta[0]));
	memcpy(nic.key, x->rss_config + entries, x->key_size);
	if (x->hfunc)
		nic.hfunc = x->hfunc;
	if ((&x->hfunc)[1] != 0xff) /* RXH_XFRM_NO_CHANGE; 0 takes a transform away */
		nic.transform = (&x->hfunc)[1];
	return 0;
}

static int read_rxfh(struct ethtool_rxfh *x)
{
	const bool sizes_only = !x->indir_size && !x->key_size;

	if (!sizes_only && (x->indir_size != nic.entries || x->key_size != nic.key_bytes))
		return -EINVAL;
	x->indir_size = nic.entries;
	x->key_size = nic.key_bytes;
	x->hfunc = nic.hfunc;
	(&x->hfunc)[1] = nic.transform;
	if (!sizes_only) {
		memcpy(x->rss_config, nic.reta, nic.entries * sizeof(nic.reta[0]));
		memcpy(x->rss_config + nic.entries, nic.key, nic.key_bytes);
	}
	return 0;
}

static int fake_ioctl(void *ctx, const char *ifname, void *data)
{
	struct ethtool_rxnfc *fields = data;

	cr_assert_str_eq(ifname, NIC_NAME);
	switch (*(uint32_t *)data) {
	case ETHTOOL_GRSSH:
		return read_rxfh(data);
	case ETHTOOL_SRSSH:
		return write_rxfh(data);
	case ETHTOOL_GRXFH:
		fields->data = nic.fields[fields->flow_type];
		return 0;
	case ETHTOOL_SRXFH:
		if (nic.refuse_fields)
			return nic.refuse_fields;
		nic.fields_written++;
		nic.fields[fields->flow_type] = (uint32_t)fields->data;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static const struct sl_rss_door by_ioctl = {.ioctl = fake_ioctl};

static inline void nic_reset(void)
{
	memset(&nic, 0, sizeof(nic));
	nic.entries = ENTRIES;
	nic.key_bytes = KEY;
	nic.hfunc = 2;
	for (unsigned i = 0; i < ENTRIES; i++)
		nic.reta[i] = i % 4;
	for (unsigned i = 0; i < KEY; i++)
		nic.key[i] = (uint8_t)(i + 1);
	nic.fields[TCP_V6_FLOW] = SL_HASH_ADDRESSES | SL_HASH_PORTS;
	nic.fields[UDP_V4_FLOW] = SL_HASH_ADDRESSES;
}

#endif /* SL_TESTS_NIC_RIG_H */
