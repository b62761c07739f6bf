// SPDX-License-Identifier: GPL-2.0-or-later
/* test_rss.c - RETA, key, hash function and fields, against a device made of memory. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <stdlib.h>
#include <string.h>

#include "platform/rss.h"

#define ENTRIES 128
#define KEY 40

/* What ethtool's ioctls read and write. */
struct nic {
	unsigned entries;
	uint32_t reta[ENTRIES], fields[64];
	uint8_t key[KEY], hfunc;
	unsigned writes; /* SRSSH */
	uint32_t table_written, key_written; /* sizes in the latest one */
	int refuse; /* -errno of the next write */
};

static struct nic nic;
static struct sl_rss rss;

static int write_rxfh(const struct ethtool_rxfh *x)
{
	const bool keep = x->indir_size == ETH_RXFH_INDIR_NO_CHANGE;
	const unsigned entries = keep ? 0 : x->indir_size;

	if (nic.refuse)
		return nic.refuse;
	/* The kernel's checks; 0 entries is a reset to the driver's default. */
	if ((entries && entries != nic.entries) || (x->key_size && x->key_size != KEY))
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
	return 0;
}

static int read_rxfh(struct ethtool_rxfh *x)
{
	const bool sizes_only = !x->indir_size && !x->key_size;

	if (!sizes_only && (x->indir_size != nic.entries || x->key_size != KEY))
		return -EINVAL;
	x->indir_size = nic.entries;
	x->key_size = KEY;
	x->hfunc = nic.hfunc;
	if (!sizes_only) {
		memcpy(x->rss_config, nic.reta, nic.entries * sizeof(nic.reta[0]));
		memcpy(x->rss_config + nic.entries, nic.key, KEY);
	}
	return 0;
}

static int fake_ioctl(void *ctx, const char *ifname, void *data)
{
	struct ethtool_rxnfc *fields = data;

	cr_assert_str_eq(ifname, "eth7");
	switch (*(uint32_t *)data) {
	case ETHTOOL_GRSSH:
		return read_rxfh(data);
	case ETHTOOL_SRSSH:
		return write_rxfh(data);
	case ETHTOOL_GRXFH:
		fields->data = nic.fields[fields->flow_type];
		return 0;
	case ETHTOOL_SRXFH:
		nic.fields[fields->flow_type] = (uint32_t)fields->data;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static const struct sl_rss_door by_ioctl = {.ioctl = fake_ioctl};

static void setup(void)
{
	memset(&nic, 0, sizeof(nic));
	nic.entries = ENTRIES;
	nic.hfunc = 2;
	for (unsigned i = 0; i < ENTRIES; i++)
		nic.reta[i] = i % 4;
	for (unsigned i = 0; i < KEY; i++)
		nic.key[i] = (uint8_t)(i + 1);
	nic.fields[TCP_V6_FLOW] = SL_HASH_ADDRESSES | SL_HASH_PORTS;
	nic.fields[UDP_V4_FLOW] = SL_HASH_ADDRESSES;
}

TestSuite(rss, .init = setup);

Test(rss, reads_what_the_device_has)
{
	cr_assert_eq(sl_rss_get(&by_ioctl, "eth7", &rss), 0);
	cr_assert(rss.entries == ENTRIES && rss.key_bytes == KEY && rss.hfunc == 2);
	cr_assert(rss.reta[127] == 3 && rss.key[0] == 1 && rss.key[39] == 40);
	nic.entries = SL_RETA_MAX + 1;
	cr_assert_eq(sl_rss_get(&by_ioctl, "eth7", &rss), -E2BIG);
}

Test(rss, writes_only_what_differs)
{
	unsigned changed = 99;

	cr_assert_eq(sl_rss_get(&by_ioctl, "eth7", &rss), 0);
	cr_assert_eq(sl_rss_set(&by_ioctl, "eth7", &rss, &changed), 0);
	cr_assert(changed == 0 && nic.writes == 0, "nothing differs, nothing is written");
	rss.reta[5] = 0;
	rss.reta[6] = 0;
	cr_assert_eq(sl_rss_set(&by_ioctl, "eth7", &rss, &changed), 0);
	cr_assert(changed == 2 && nic.writes == 1 && nic.reta[5] == 0 && nic.reta[7] == 3);
	cr_assert(nic.key_written == 0 && nic.hfunc == 2, "key and function stay");
	rss.key[0] = 0x6d;
	rss.hfunc = SL_RSS_TOEPLITZ;
	cr_assert_eq(sl_rss_set(&by_ioctl, "eth7", &rss, &changed), 0);
	cr_assert(changed == 0 && nic.table_written == 0 && nic.key[0] == 0x6d && nic.hfunc == 1);
	cr_assert_eq(nic.reta[7], 3, "the table is not reset");
}

Test(rss, refusals)
{
	unsigned changed = 99;

	cr_assert_eq(sl_rss_get(&by_ioctl, "eth7", &rss), 0);
	rss.reta[0] = 3;
	nic.refuse = -EBUSY;
	cr_assert_eq(sl_rss_set(&by_ioctl, "eth7", &rss, &changed), -EBUSY);
	cr_assert(changed == 0 && nic.reta[0] == 0);
	nic.refuse = 0;
	nic.entries = ENTRIES / 2; /* ethtool -L made the table smaller */
	cr_assert_eq(sl_rss_set(&by_ioctl, "eth7", &rss, &changed), -EINVAL);
	cr_assert_eq(nic.writes, 0);
}

Test(rss, fields)
{
	uint32_t fields;

	cr_assert_eq(sl_rss_fields_get(&by_ioctl, "eth7", SL_FLOW_UDP4, &fields), 0);
	cr_assert_eq(fields, SL_HASH_ADDRESSES);
	cr_assert_eq(sl_rss_fields_get(&by_ioctl, "eth7", SL_FLOW_TCP6, &fields), 0);
	cr_assert_eq(fields, SL_HASH_ADDRESSES | SL_HASH_PORTS);
	cr_assert_eq(sl_rss_fields_set(&by_ioctl, "eth7", SL_FLOW_UDP4, fields), 0);
	cr_assert_eq(nic.fields[UDP_V4_FLOW], SL_HASH_ADDRESSES | SL_HASH_PORTS);
}

Test(rss, spread)
{
	rss.entries = 10;
	sl_rss_spread(&rss, 3);
	cr_assert(rss.reta[0] == 0 && rss.reta[2] == 2 && rss.reta[3] == 0 && rss.reta[9] == 0);
}

/* Netlink where the kernel has it, for each direction by itself. */
static unsigned netlink_gets, netlink_sets;
static int netlink_answer;

static int fake_get(void *ctx, const char *ifname, struct sl_rss *out)
{
	netlink_gets++;
	out->entries = ENTRIES;
	out->key_bytes = KEY;
	out->hfunc = SL_RSS_TOEPLITZ;
	return 0;
}

static int fake_set(void *ctx, const char *ifname, const struct sl_rss *want)
{
	netlink_sets++;
	cr_assert(want->entries == ENTRIES && !want->key_bytes && !want->hfunc);
	return netlink_answer;
}

Test(rss, netlink_first_the_ioctl_where_there_is_none)
{
	const struct sl_rss_door both = {fake_ioctl, fake_get, fake_set, NULL};
	unsigned changed;

	cr_assert_eq(sl_rss_get(&both, "eth7", &rss), 0);
	cr_assert(netlink_gets == 1 && rss.hfunc == SL_RSS_TOEPLITZ);
	rss.reta[1] = 3;
	cr_assert_eq(sl_rss_set(&both, "eth7", &rss, &changed), 0);
	cr_assert(netlink_sets == 1 && changed == 1 && nic.writes == 0);
	netlink_answer = -EOPNOTSUPP; /* 6.3 to 6.16: RSS_GET, no RSS_SET */
	cr_assert_eq(sl_rss_set(&both, "eth7", &rss, &changed), 0);
	cr_assert(netlink_sets == 2 && nic.writes == 1 && nic.reta[1] == 3);
	netlink_answer = -EPERM;
	cr_assert_eq(sl_rss_set(&both, "eth7", &rss, &changed), -EPERM);
	cr_assert_eq(nic.writes, 1);
}
