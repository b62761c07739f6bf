// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netns.c - which network namespace is this, and does one still exist.
 */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/netns.h"

uint64_t sl_netns_self(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) ? 0 : st.st_ino;
}

static bool has_process(uint64_t inode)
{
	struct dirent *entry;
	bool found = false;
	struct stat st;
	char path[300];
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return true; /* unknown: assume the careful answer */
	while (!found && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		found = !stat(path, &st) && st.st_ino == inode;
	}
	closedir(dir);
	return found;
}

static bool is_mounted(uint64_t inode)
{
	bool found = false;
	char line[4096], root[64];
	FILE *f;

	f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return true;
	/* The root field of an nsfs mount is the name of the namespace. */
	snprintf(root, sizeof(root), " net:[%" PRIu64 "] ", inode);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, root);
	fclose(f);
	return found;
}

bool sl_netns_alive(uint64_t inode)
{
	return inode == sl_netns_self() || is_mounted(inode) || has_process(inode);
}
