// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * available.c - memory that is left on the machine and in the cgroup.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "platform/available.h"
#include "platform/xsk.h"

/* Where a version of cgroups keeps what. A limit that is none reads "max", or close to 2^63. */
struct group_files {
	const char *mount, *limit, *usage, *inactive;
};

static const struct group_files version2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
					    "inactive_file"};
static const struct group_files version1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
					    "memory.usage_in_bytes", "total_inactive_file"};

/* The number behind `key` at the start of a line of the file; false: not there. */
static bool read_key(const char *path, const char *key, uint64_t *value)
{
	size_t len = strlen(key);
	FILE *f = fopen(path, "re");
	bool found = false;
	char line[256];

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, key, len) && sscanf(line + len, "%" SCNu64, value) == 1;
	if (f)
		fclose(f);
	return found;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* One cgroup. Pages of files that nobody uses go when memory is wanted. */
static void read_group(const char *root, const struct group_files *v, const char *group,
		       struct sl_available *a)
{
	uint64_t limit, usage, inactive = 0;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s/%s", root, v->mount, group, v->limit);
	if (!read_key(path, "", &limit))
		return;
	snprintf(path, sizeof(path), "%s%s%s/%s", root, v->mount, group, v->usage);
	if (!read_key(path, "", &usage))
		return;
	snprintf(path, sizeof(path), "%s%s%s/memory.stat", root, v->mount, group);
	read_key(path, v->inactive, &inactive);
	limit = less(limit, less(usage, inactive));
	if (limit >= a->group)
		return;
	a->group = limit;
	snprintf(a->name, sizeof(a->name), "%s", *group ? group : "/");
}

/* The cgroup and all above it; in a container its own may be seen as the root. */
static void read_groups(const char *root, const struct group_files *v, char *group,
			struct sl_available *a)
{
	char *slash;

	while ((slash = strrchr(group, '/'))) {
		if (slash[1]) /* "/" itself is "" */
			read_group(root, v, group, a);
		*slash = '\0';
	}
	read_group(root, v, "", a);
}

/* Lines "hierarchy:controllers:path"; version 2 is "0::path". */
static void read_cgroups(const char *root, struct sl_available *a)
{
	char path[PATH_MAX], line[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *controllers = strchr(line, ':'), *group;

		group = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!group)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (!strcmp(controllers, ":"))
			read_groups(root, &version2, group, a);
		else if (!strcmp(controllers, ":memory"))
			read_groups(root, &version1, group, a);
	}
	if (f)
		fclose(f);
}

void sl_available_read(const char *root, struct sl_available *a)
{
	uint64_t kib, size, reserved = 0;
	char path[PATH_MAX];

	*a = (struct sl_available){.machine = UINT64_MAX, .group = UINT64_MAX};
	snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	if (read_key(path, "MemAvailable:", &kib))
		a->machine = kib << 10;
	/* no other size is asked for */
	if (read_key(path, "Hugepagesize:", &size) && size << 10 == SL_AREA_ALIGN &&
	    read_key(path, "HugePages_Free:", &kib)) {
		read_key(path, "HugePages_Rsvd:", &reserved);
		a->huge = less(kib, reserved) * SL_AREA_ALIGN;
	}
	read_cgroups(root, a);
}
