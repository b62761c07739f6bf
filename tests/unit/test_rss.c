// SPDX-License-Identifier: GPL-2.0-or-later
/* test_rss.c - RETA, key, hash function and fields, against a device made of memory. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <stdlib.h>
#include <string.h>

#include "nic_rig.h"

static struct sl_rss rss;

TestSuite(rss, .init = nic_reset);

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

/* Symmetric XOR, say: who moves entries must not take it away. */
Test(rss, the_transform_stays_whatever_is_written)
{
	unsigned changed;

	nic.transform = 1;
	cr_assert_eq(sl_rss_get(&by_ioctl, "eth7", &rss), 0);
	rss.reta[5] = 0;
	cr_assert_eq(sl_rss_set(&by_ioctl, "eth7", &rss, &changed), 0);
	cr_expect_eq(nic.transform, 1);
	cr_assert_eq(sl_rss_write_table(&by_ioctl, "eth7", &rss), 0);
	cr_expect_eq(nic.transform, 1);
	cr_assert_eq(sl_rss_default_table(&by_ioctl, "eth7"), 0);
	cr_expect_eq(nic.transform, 1);
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
