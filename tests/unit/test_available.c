// SPDX-License-Identifier: GPL-2.0-or-later
/* What is left to take, as /proc and both versions of cgroups say it. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/available.h"

#define MIB (1ull << 20)

static char root[] = "/tmp/sluice-available-XXXXXX";
static struct sl_available got;

/* Write root/PATH, with its folders. */
static void put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *s = full + sizeof(root); (s = strchr(s, '/')); s++) {
		*s = '\0';
		mkdir(full, 0755);
		*s = '/';
	}
	f = fopen(full, "w");
	cr_assert_not_null(f, "%s", full);
	fputs(text, f);
	fclose(f);
}

static void begin(void)
{
	cr_assert_not_null(mkdtemp(root));
}

static void end(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(available, .init = begin, .fini = end);

Test(available, nothing_to_read)
{
	sl_available_read(root, &got);
	cr_expect(got.machine == UINT64_MAX && got.group == UINT64_MAX && !got.huge && !*got.name);
}

Test(available, the_machine)
{
	put("/proc/meminfo",
	    "MemTotal:       8000 kB\nMemFree:   100 kB\nMemAvailable:    4096 kB\n"
	    "HugePages_Free:       40\nHugePages_Rsvd:    10\n"
	    "Hugepagesize:       2048 kB\n");
	put("/proc/self/cgroup", "0::/\n");
	sl_available_read(root, &got);
	cr_expect_eq(got.machine, 4 * MIB);
	cr_expect_eq(got.huge, 60 * MIB);
	cr_expect_eq(got.group, UINT64_MAX);
	put("/proc/meminfo", "HugePages_Free:       40\nHugePages_Rsvd:    0\n"
			     "Hugepagesize:       1048576 kB\n");
	sl_available_read(root, &got);
	cr_expect_eq(got.huge, 0, "pages of 1 GiB are not used");
}

Test(available, cgroup_2_the_tightest_of_all_above)
{
	put("/proc/self/cgroup", "0::/system.slice/sluice-run.service\n");
	put("/sys/fs/cgroup/system.slice/sluice-run.service/memory.max", "max\n");
	put("/sys/fs/cgroup/system.slice/sluice-run.service/memory.current", "1048576\n");
	sl_available_read(root, &got);
	cr_expect_eq(got.group, UINT64_MAX);
	put("/sys/fs/cgroup/system.slice/memory.max", "104857600\n");
	put("/sys/fs/cgroup/system.slice/memory.current", "31457280\n");
	put("/sys/fs/cgroup/system.slice/memory.stat", "anon 20971520\nfile 10485760\n"
						       "inactive_file 10485760\n");
	sl_available_read(root, &got);
	cr_expect_eq(got.group, 80 * MIB, "%llu", (unsigned long long)got.group);
	cr_expect_str_eq(got.name, "/system.slice");
	put("/sys/fs/cgroup/system.slice/sluice-run.service/memory.max", "1048576\n");
	sl_available_read(root, &got);
	cr_expect_eq(got.group, 0);
	cr_expect_str_eq(got.name, "/system.slice/sluice-run.service");
}

Test(available, cgroup_1_beside_2)
{
	put("/proc/self/cgroup", "4:memory:/docker/abc\n2:cpuacct,cpu:/\n0::/docker/abc\n");
	/* in a container the group's own files lie at the root */
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "52428800\n");
	put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "31457280\n");
	put("/sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 10485760\n");
	sl_available_read(root, &got);
	cr_expect_eq(got.group, 30 * MIB);
	cr_expect_str_eq(got.name, "/");
	put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n");
	put("/sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", "1\n");
	sl_available_read(root, &got);
	cr_expect_eq(got.group, 30 * MIB, "a limit that is none");
}

/* Whatever this machine is, the answer is of its scale. */
Test(available, here)
{
	sl_available_read("", &got);
	cr_expect_gt(got.machine, MIB);
	cr_expect_lt(got.machine, 1ull << 50);
}
