// SPDX-License-Identifier: GPL-2.0-or-later
/* What a server without Sluice reports: its NIC's table by CPUs, and how busy these are. */
#include <unistd.h>

#include "nic_rig.h"
#include "lb/source.h"

static struct sl_core_table t;
static struct sl_error err;

static int table(unsigned queues)
{
	/* queues 0 to 3; the last two share a CPU */
	static const unsigned cpu[4] = {1, 0, 1, 1};

	if (sysconf(_SC_NPROCESSORS_CONF) < 2)
		cr_skip_test("needs two CPUs");
	return sl_source_nic_table(&by_ioctl, NIC_NAME, cpu, queues, &t, &err);
}

Test(lb_source, a_nics_entries_are_the_cpus_of_its_queues, .init = nic_reset)
{
	nic.hfunc = SL_RSS_TOEPLITZ;
	cr_assert_eq(table(4), 0, "%s", err.text);
	cr_expect(t.hash == SL_REPORT_TOEPLITZ && t.entries == ENTRIES);
	cr_expect(!memcmp(t.key, nic.key, KEY));
	for (unsigned i = 0; i < ENTRIES; i++)
		cr_expect_eq(t.core[i], i % 4 != 1);
	cr_expect_eq(t.fields[SL_REPORT_TCP6], SL_REPORT_ADDRESSES | SL_REPORT_PORTS);
	cr_expect_eq(t.fields[SL_REPORT_UDP4], SL_REPORT_ADDRESSES);
	cr_expect_eq(t.fields[SL_REPORT_TCP4], 0); /* nothing that anybody could compute */
}

Test(lb_source, a_queue_without_a_cpu_is_nobodys, .init = nic_reset)
{
	nic.hfunc = SL_RSS_TOEPLITZ;
	cr_assert_eq(table(2), 0);
	cr_expect(t.core[0] == 1 && t.core[1] == 0);
	cr_expect(t.core[2] == SL_REPORT_NOBODY && t.core[3] == SL_REPORT_NOBODY);
}

Test(lb_source, what_nobody_can_foretell_is_refused, .init = nic_reset)
{
	cr_expect_eq(table(4), -EOPNOTSUPP); /* another hash function */
	cr_expect(strstr(err.text, "hfunc toeplitz"));
	nic.hfunc = SL_RSS_TOEPLITZ;
	nic.transform = 1;
	cr_expect_eq(table(4), -EOPNOTSUPP);
	cr_expect(strstr(err.text, "xfrm"));
	nic.transform = 0;
	nic.key_bytes = 0;
	cr_expect_eq(table(4), -EOPNOTSUPP);
	cr_expect(strstr(err.text, "key"));
	nic.key_bytes = KEY;
	nic.entries = 100;
	cr_expect_eq(table(4), -EOPNOTSUPP);
	cr_expect(strstr(err.text, "power of two"));
}

Test(lb_source, cpus_are_as_busy_as_proc_stat_says)
{
	struct sl_source_cpus before = {0}, now = {0};
	struct sl_core_loads loads;

	if (sysconf(_SC_NPROCESSORS_CONF) < 2)
		cr_skip_test("needs two CPUs");
	sl_source_cpus_parse("cpu0 100 0 100 1000 50 0 0 0 0 0\n", &before);
	sl_source_cpus_parse("cpu1 1 0 1 10 5 0 0 0 0 0\n", &before);
	/* user 10, system 5, idle 70, iowait 5, softirq 5, steal 5 */
	sl_source_cpus_parse("cpu0 110 0 105 1070 55 0 5 5 0 0\n", &now);
	sl_source_cpus_parse("cpu1 11 0 1 10 5 0 0 0 0 0\n", &now);
	sl_source_cpus_parse("cpu99999 1 2 3 4\n", &now);
	sl_source_cpus_loads(&before, &now, &loads);
	cr_expect_eq(loads.load[0], SL_REPORT_CORE / 4);
	cr_expect_eq(loads.load[1], SL_REPORT_CORE);
	cr_expect_eq(now.n, 2);
}
