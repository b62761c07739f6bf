// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lock.c - open-file-description locks (fcntl F_OFD_SETLK) on files of the run directory. Unlike
 * flock(2) they can be asked about without being taken for a moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/lock.h"

const char *sl_run_dir(void)
{
	const char *dir = getenv("SLUICE_RUN_DIR");

	return dir && *dir ? dir : SL_RUN_DIR;
}

int sl_run_dir_make(struct sl_error *err)
{
	if (!mkdir(sl_run_dir(), 0755) || errno == EEXIST)
		return 0;
	return sl_error_set(
		err, -errno,
		"run directory %s cannot be made: %s (run as root, or set SLUICE_RUN_DIR)",
		sl_run_dir(), strerror(errno));
}

static int open_lock(const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.lock", sl_run_dir(), name);
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? -errno : fd;
}

/* Who holds the lock, as the holder wrote it. For the message only; nothing is decided by it. */
static long holder(int fd)
{
	char text[16] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

int sl_lock_take(const char *name, struct sl_error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd, rc;

	rc = sl_run_dir_make(err);
	if (rc)
		return rc;
	fd = open_lock(name, O_RDWR | O_CREAT);
	if (fd < 0)
		return sl_error_set(err, fd, "%s/%s.lock: %s%s", sl_run_dir(), name, strerror(-fd),
				    fd == -EACCES ? " (run as root, or set SLUICE_RUN_DIR)" : "");
	if (fcntl(fd, F_OFD_SETLK, &lock)) {
		rc = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		if (rc == -EBUSY)
			sl_error_set(err, rc, "%s runs already (process %ld): stop it first", name,
				     holder(fd));
		else
			sl_error_set(err, rc, "%s/%s.lock: %s", sl_run_dir(), name, strerror(-rc));
		close(fd);
		return rc;
	}
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", (int)getpid()) < 0) {
		rc = errno ? -errno : -EIO;
		close(fd);
		return sl_error_set(err, rc, "%s/%s.lock: %s", sl_run_dir(), name, strerror(-rc));
	}
	return fd;
}

void sl_lock_drop(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool sl_lock_held(const char *name)
{
	const int fd = open_lock(name, O_RDONLY);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	bool held;

	if (fd < 0)
		return false;
	held = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
	close(fd);
	return held;
}
