// SPDX-License-Identifier: GPL-2.0-or-later
/* test_nic.c - a NIC taken, steered and given back, against a device made of memory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One that every network namespace has: what is kept is known by the interface's index. */
#define NIC_NAME "lo"

#include "nic_rig.h"
#include "platform/nic.h"
#include "platform/rx_hash.h"

#define BOTH (SL_HASH_ADDRESSES | SL_HASH_PORTS)

static struct nic was;
static uint8_t key[SL_NIC_KEY];
static struct sl_nic hand;
static struct sl_error err;
static uint32_t reta[ENTRIES];
static char run_dir[] = "/tmp/test_nic.XXXXXX";

static void setup(void)
{
	nic_reset();
	was = nic;
	memset(key, 0x6d, sizeof(key));
	cr_assert_not_null(mkdtemp(run_dir));
	setenv("SLUICE_RUN_DIR", run_dir, 1);
}

static void cleanup(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/i.lo.nic.json", run_dir);
	unlink(path);
	rmdir(run_dir);
}

TestSuite(nic, .init = setup, .fini = cleanup);

static int take(void)
{
	int rc = sl_nic_take(&hand, &by_ioctl, "i", NIC_NAME, key, &err);

	memcpy(reta, hand.rss.reta, sizeof(reta));
	return rc;
}

static int give_back(void)
{
	return sl_nic_restore(&by_ioctl, "i", NIC_NAME, &err);
}

static void is_as_it_was(void)
{
	cr_assert_arr_eq(nic.reta, was.reta, sizeof(nic.reta));
	cr_assert_arr_eq(nic.key, was.key, sizeof(nic.key));
	cr_assert_arr_eq(nic.fields, was.fields, sizeof(nic.fields));
	cr_assert_eq(nic.hfunc, was.hfunc);
}

Test(nic, taken_it_hashes_as_the_instance_and_given_back_as_before)
{
	cr_assert_eq(take(), 0, "%s", err.text);
	cr_assert(nic.hfunc == SL_RSS_TOEPLITZ && !memcmp(nic.key, key, SL_NIC_KEY));
	cr_assert(nic.fields[UDP_V4_FLOW] == BOTH && nic.fields[TCP_V4_FLOW] == BOTH);
	cr_assert_eq(nic.table_written, 0, "the table stays");
	reta[3] = 1;
	cr_assert_eq(sl_nic_write(&hand, reta, false), 1);
	cr_assert_eq(nic.reta[3], 1);
	cr_assert_eq(give_back(), 0, "%s", err.text);
	is_as_it_was();
	nic.reta[0] = 2;
	cr_assert_eq(give_back(), 0);
	cr_assert_eq(nic.reta[0], 2, "it is not given back twice");
}

Test(nic, only_what_changed_is_written)
{
	unsigned writes;

	take();
	writes = nic.writes;
	cr_assert_eq(sl_nic_write(&hand, reta, false), 0);
	cr_assert_eq(nic.writes, writes);
	reta[1] = reta[2] = 3;
	cr_assert_eq(sl_nic_write(&hand, reta, false), 2);
	cr_assert_eq(nic.writes, writes + 1);
	cr_assert_eq(sl_nic_write(&hand, reta, true), 0);
	cr_assert_eq(nic.writes, writes + 2, "all of it, though it reads back the same");
	cr_assert(nic.table_written == ENTRIES && nic.key_written == 0);
}

/* Killed, and started again: what is there now is not what was there first. */
Test(nic, a_crash_keeps_the_original)
{
	take();
	reta[7] = 2;
	sl_nic_write(&hand, reta, false);
	cr_assert_eq(take(), 0);
	cr_assert_eq(nic.reta[7], 2, "it goes on where it was");
	cr_assert_eq(give_back(), 0);
	is_as_it_was();
}

Test(nic, a_driver_without_a_table)
{
	nic.entries = 0;
	cr_assert_eq(take(), -EOPNOTSUPP);
	cr_assert(strstr(err.text, "shows no table"));
	nic.entries = 96;
	cr_assert_eq(take(), -EOPNOTSUPP);
	cr_assert(strstr(err.text, "power of two"));
	cr_assert_eq(nic.writes, 0);
	cr_assert_eq(give_back(), 0, "nothing was kept");
	cr_assert_eq(nic.writes, 0);
}

Test(nic, refusals)
{
	nic.refuse = -EPERM;
	cr_assert_eq(take(), -EPERM);
	cr_assert(strstr(err.text, "CAP_NET_ADMIN"), "%s", err.text);
	nic.refuse = 0;
	take();
	nic.refuse = -EOPNOTSUPP;
	reta[0] = 3;
	cr_assert_eq(sl_nic_write(&hand, reta, false), -EOPNOTSUPP);
	cr_assert_eq(give_back(), -EOPNOTSUPP);
	nic.refuse = 0;
	cr_assert_eq(give_back(), 0, "what was refused once is still kept");
	is_as_it_was();
}

Test(nic, fields_that_a_driver_keeps)
{
	nic.refuse_fields = -EOPNOTSUPP;
	cr_assert_eq(take(), 0);
	cr_assert(hand.fields_kept);
	cr_assert_eq(nic.fields_written, 0);
}

Test(nic, a_key_that_it_does_not_tell)
{
	uint8_t kernel[SL_NIC_KEY];
	const bool known = (nic.key_bytes = 0, !sl_nic_key(&by_ioctl, NIC_NAME, kernel));

	cr_assert_eq(take(), -EKEYREJECTED, "0x6d all over is nobody's");
	cr_assert(strstr(err.text, "--hash toeplitz:nic"));
	if (!known)
		return; /* no driver here has asked the kernel for one */
	memcpy(key, kernel, sizeof(key));
	cr_assert_eq(take(), 0);
}

/* The NIC's number may stand for the computed one only where it is the same. */
Test(nic, its_own_hash)
{
	cr_assert_eq(take(), 0); /* sets all of it */
	cr_assert_eq(sl_rx_hash_alike(&by_ioctl, NIC_NAME, key, &err), 0, "%s", err.text);
	key[SL_NIC_KEY - 1] ^= 1; /* in no hash */
	cr_assert_eq(sl_rx_hash_alike(&by_ioctl, NIC_NAME, key, &err), 0);
	key[0] ^= 1;
	cr_assert_eq(sl_rx_hash_alike(&by_ioctl, NIC_NAME, key, &err), -EKEYREJECTED);
	key[0] ^= 1;
	nic.hfunc = 2;
	cr_assert_eq(sl_rx_hash_alike(&by_ioctl, NIC_NAME, key, &err), -EOPNOTSUPP);
	cr_assert(strstr(err.text, "hfunc toeplitz"));
	nic.hfunc = SL_RSS_TOEPLITZ;
	nic.transform = 1; /* symmetric-xor */
	cr_assert_eq(sl_rx_hash_alike(&by_ioctl, NIC_NAME, key, &err), -EOPNOTSUPP);
	cr_assert(strstr(err.text, "xfrm none"));
	nic.transform = 0;
	nic.fields[UDP_V6_FLOW] = SL_HASH_ADDRESSES;
	cr_assert_eq(sl_rx_hash_alike(&by_ioctl, NIC_NAME, key, &err), -EOPNOTSUPP);
	cr_assert(strstr(err.text, "ethtool -N " NIC_NAME " rx-flow-hash udp6 sdfn"));
	nic.fields[UDP_V6_FLOW] = BOTH;
	nic.key_bytes = 0;
	cr_assert_eq(sl_rx_hash_alike(&by_ioctl, NIC_NAME, key, &err), -EOPNOTSUPP);
}

/* ethtool -L with fewer queues: the old table would name queues that are gone. */
Test(nic, another_size_gets_the_drivers_default)
{
	take();
	nic.entries = ENTRIES / 2;
	cr_assert_eq(sl_nic_write(&hand, reta, false), -EINVAL);
	cr_assert_eq(give_back(), 0);
	cr_assert(nic.table_written == 0 && nic.reta[1] == 0);
}
