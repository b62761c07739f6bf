// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pin.c - paths, names and directories in the BPF file system.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "platform/pin.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

int sl_instance_name_check(const char *name, struct sl_error *err)
{
	const size_t len = strlen(name);

	if (len && len < SL_NAME_MAX && strspn(name, NAME_CHARS) == len)
		return 0;
	return sl_error_set(
		err, -EINVAL,
		"instance name \"%.40s\": use 1 to %d letters, digits, dots, dashes and "
		"underscores (--instance NAME)",
		name, SL_NAME_MAX - 1);
}

/* `name` with what bpffs refuses in hexadecimal; with `first`, the first character too. */
static void append_encoded(char path[SL_PIN_PATH], const char *name, bool first)
{
	size_t at = strlen(path);

	at += (size_t)snprintf(path + at, SL_PIN_PATH - at, "/");
	for (; *name && at + 4 < SL_PIN_PATH; name++, first = false) {
		if (first || *name == '.' || *name == '%')
			at += (size_t)snprintf(path + at, SL_PIN_PATH - at, "%%%02x",
					       (unsigned char)*name);
		else
			path[at++] = *name;
		path[at] = '\0';
	}
}

static void decode(char *name)
{
	char *to = name;

	for (; *name; name++, to++) {
		unsigned value;

		*to = *name;
		if (*name == '%' && sscanf(name + 1, "%2x", &value) == 1) {
			*to = (char)value;
			name += 2;
		}
	}
	*to = '\0';
}

static bool is_file_name(const char *iface)
{
	return sl_map_find(iface) >= 0 || !strcmp(iface, "rules") || !strcmp(iface, "ifaces");
}

void sl_pin_path(char path[SL_PIN_PATH], const char *instance, const char *iface, const char *file)
{
	snprintf(path, SL_PIN_PATH, "%s/sluice/%d", SL_BPFFS, SL_ABI_VERSION);
	if (instance)
		append_encoded(path, instance, false);
	if (iface)
		append_encoded(path, iface, is_file_name(iface));
	if (file) {
		const size_t at = strlen(path);

		snprintf(path + at, SL_PIN_PATH - at, "/%s", file);
	}
}

static bool is_bpffs(void)
{
	struct statfs st;

	return !statfs(SL_BPFFS, &st) && (unsigned long)st.f_type == BPF_FS_MAGIC;
}

/*
 * `ip netns exec` gives each command a /sys of its own: what is mounted below it ends with it. Such
 * a command's mount namespace is not its parent's.
 */
static bool is_private_mount(void)
{
	struct stat self, parent;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)getppid());
	return !stat("/proc/self/ns/mnt", &self) && !stat(path, &parent) &&
	       self.st_ino != parent.st_ino;
}

/* Mount bpffs where it is not, make the directory of this ABI. */
static int set_up(bool *mounted, struct sl_error *err)
{
	char path[SL_PIN_PATH];

	*mounted = false;
	if (!is_bpffs()) {
		if (is_private_mount())
			return sl_error_set(
				err, -ENODEV,
				"no BPF file system at %s in this mount namespace, and one mounted "
				"now would end with it: instead of ip netns exec NAME use nsenter "
				"--net=/run/netns/NAME, or mount -t bpf bpf %s first",
				SL_BPFFS, SL_BPFFS);
		if (mount("bpf", SL_BPFFS, "bpf", 0, "mode=0700"))
			return sl_error_set(
				err, -errno,
				"no BPF file system at %s and it cannot be mounted (%s): run "
				"as root, mount -t bpf bpf %s",
				SL_BPFFS, strerror(errno), SL_BPFFS);
		*mounted = true;
	}
	if (mkdir(SL_BPFFS "/sluice", 0700) && errno != EEXIST)
		goto fail;
	sl_pin_path(path, NULL, NULL, NULL);
	if (mkdir(path, 0700) && errno != EEXIST)
		goto fail;
	return 0;
fail:
	return sl_error_set(err, -errno, "%s/sluice cannot be made: %s%s", SL_BPFFS,
			    strerror(errno), errno == EACCES ? " (run as root)" : "");
}

int sl_pin_lock(bool exclusive, struct sl_error *err)
{
	char path[SL_PIN_PATH];
	int fd, rc;

	sl_pin_path(path, NULL, NULL, NULL);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sl_error_set(err, -errno, "%s: %s%s", path, strerror(errno),
				    errno == EACCES ? " (run as root)" : "");
	while (flock(fd, exclusive ? LOCK_EX : LOCK_SH)) {
		if (errno == EINTR)
			continue;
		rc = -errno;
		close(fd);
		return sl_error_set(err, rc, "%s cannot be locked: %s", path, strerror(-rc));
	}
	return fd;
}

int sl_pin_try(void)
{
	char path[SL_PIN_PATH];
	int fd, rc;

	sl_pin_path(path, NULL, NULL, NULL);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	rc = errno == EWOULDBLOCK || errno == EINTR ? -EBUSY : -errno;
	close(fd);
	return rc;
}

int sl_pin_claim(bool *mounted, struct sl_error *err)
{
	bool ignored;
	int rc = set_up(mounted ? mounted : &ignored, err);

	return rc ? rc : sl_pin_lock(true, err);
}

static void remove_files(const char *path)
{
	char file[SL_PIN_PATH + 256];
	struct dirent *entry;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (unlink(file) && (errno == EISDIR || errno == EPERM)) {
			remove_files(file);
			rmdir(file);
		}
	}
	closedir(dir);
}

void sl_pin_remove_iface(const char *name, const char *iface)
{
	char path[SL_PIN_PATH];

	sl_pin_path(path, name, iface, NULL);
	remove_files(path);
	rmdir(path);
}

void sl_pin_remove(const char *name)
{
	char path[SL_PIN_PATH];

	sl_pin_path(path, name, NULL, NULL);
	remove_files(path);
	rmdir(path);
}

/* 0, or -ENOMEM with *names as it was. */
static int append(char ***names, size_t *n, const char *name)
{
	char **more = realloc(*names, (*n + 2) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	*names = more;
	more[*n] = strdup(name);
	if (!more[*n])
		return -ENOMEM;
	decode(more[(*n)++]);
	more[*n] = NULL;
	return 0;
}

char **sl_instance_list(void)
{
	char **names = calloc(1, sizeof(*names));
	char path[SL_PIN_PATH];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	sl_pin_path(path, NULL, NULL, NULL);
	dir = names ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && append(&names, &n, entry->d_name))
			break;
	if (dir)
		closedir(dir);
	return names;
}
