// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pin_maps.c - an instance's maps into the BPF file system and out of it.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pins.skel.h"
#include "platform/pin.h"

static int pin_fd(int fd, const char *path, struct sl_error *err)
{
	if (unlink(path) && errno != ENOENT)
		return sl_error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (bpf_obj_pin(fd, path))
		return sl_error_set(err, -errno, "%s cannot be pinned: %s", path, strerror(errno));
	return 0;
}

static int make_dir(const char *path, struct sl_error *err)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return sl_error_set(err, -errno, "%s cannot be made: %s", path, strerror(errno));
	return 0;
}

int sl_pin_extra_create(struct sl_pin_extra *extra)
{
	struct pins_bpf *skel = pins_bpf__open_and_load();
	int rc = 0;

	extra->rules_fd = extra->ifaces_fd = -1;
	if (!skel)
		return -errno;
	/* The skeleton closes its descriptors. */
	extra->rules_fd = fcntl(bpf_map__fd(skel->maps.rules), F_DUPFD_CLOEXEC, 0);
	extra->ifaces_fd = fcntl(bpf_map__fd(skel->maps.ifaces), F_DUPFD_CLOEXEC, 0);
	if (extra->rules_fd < 0 || extra->ifaces_fd < 0) {
		rc = -errno;
		sl_pin_extra_close(extra);
	}
	pins_bpf__destroy(skel);
	return rc;
}

void sl_pin_extra_close(struct sl_pin_extra *extra)
{
	if (extra->rules_fd >= 0)
		close(extra->rules_fd);
	if (extra->ifaces_fd >= 0)
		close(extra->ifaces_fd);
	extra->rules_fd = extra->ifaces_fd = -1;
}

int sl_pin_instance(const char *name, const struct sl_map_set *set,
		    const struct sl_pin_extra *extra, struct sl_error *err)
{
	char path[SL_PIN_PATH];
	int rc;

	sl_pin_path(path, name, NULL, NULL);
	rc = make_dir(path, err);
	for (unsigned i = 0; !rc && i < SL_MAP_IFACE_FIRST; i++) {
		sl_pin_path(path, name, NULL, sl_map_defs[i].name);
		rc = pin_fd(set->fd[i], path, err);
	}
	if (rc)
		return rc;
	sl_pin_path(path, name, NULL, "rules");
	rc = pin_fd(extra->rules_fd, path, err);
	if (rc)
		return rc;
	sl_pin_path(path, name, NULL, "ifaces");
	return pin_fd(extra->ifaces_fd, path, err);
}

int sl_pin_iface(const char *name, const char *iface, const struct sl_map_set *set, int prog_fd,
		 int link_fd, struct sl_error *err)
{
	char path[SL_PIN_PATH];
	int rc;

	sl_pin_path(path, name, iface, NULL);
	rc = make_dir(path, err);
	for (unsigned i = SL_MAP_IFACE_FIRST; !rc && i < SL_MAP_COUNT; i++) {
		sl_pin_path(path, name, iface, sl_map_defs[i].name);
		rc = pin_fd(set->fd[i], path, err);
	}
	if (rc)
		return rc;
	sl_pin_path(path, name, iface, "prog");
	rc = pin_fd(prog_fd, path, err);
	sl_pin_path(path, name, iface, "link");
	if (link_fd < 0)
		unlink(path); /* of a former interface of that name */
	else if (!rc)
		rc = pin_fd(link_fd, path, err);
	return rc;
}

static int open_pin(const char *name, const char *iface, const char *file)
{
	char path[SL_PIN_PATH];
	int fd;

	sl_pin_path(path, name, iface, file);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int sl_pin_open_instance(const char *name, struct sl_map_set *set, struct sl_pin_extra *extra)
{
	int rc = 0;

	for (unsigned i = 0; i < SL_MAP_IFACE_FIRST; i++) {
		set->fd[i] = open_pin(name, NULL, sl_map_defs[i].name);
		if (set->fd[i] < 0)
			rc = set->fd[i];
	}
	extra->rules_fd = open_pin(name, NULL, "rules");
	extra->ifaces_fd = open_pin(name, NULL, "ifaces");
	if (extra->rules_fd < 0)
		rc = extra->rules_fd;
	if (extra->ifaces_fd < 0)
		rc = extra->ifaces_fd;
	if (!rc)
		return 0;
	sl_map_set_close(set, 0, SL_MAP_IFACE_FIRST);
	sl_pin_extra_close(extra);
	return rc;
}

int sl_pin_open_iface(const char *name, const char *iface, struct sl_map_set *set)
{
	int rc = 0;

	for (unsigned i = SL_MAP_IFACE_FIRST; i < SL_MAP_COUNT; i++) {
		set->fd[i] = open_pin(name, iface, sl_map_defs[i].name);
		if (set->fd[i] < 0)
			rc = set->fd[i];
	}
	if (rc)
		sl_map_set_close(set, SL_MAP_IFACE_FIRST, SL_MAP_COUNT);
	return rc;
}

int sl_pin_open_prog(const char *name, const char *iface)
{
	return open_pin(name, iface, "prog");
}

int sl_pin_open_link(const char *name, const char *iface)
{
	return open_pin(name, iface, "link");
}

int sl_pin_ifaces(const char *name, struct sl_pin_iface ifaces[SL_MAX_IFACES])
{
	const int fd = open_pin(name, NULL, "ifaces");
	int rc = 0;

	if (fd < 0)
		return fd;
	for (__u32 i = 0; i < SL_MAX_IFACES; i++) {
		if (bpf_map_lookup_elem(fd, &i, &ifaces[i])) {
			rc = -errno;
			break;
		}
		if (!ifaces[i].name[0])
			break;
		ifaces[i].name[IF_NAMESIZE - 1] = '\0'; /* the map is anybody's to write */
		rc++;
	}
	close(fd);
	return rc;
}

int sl_pin_ifaces_set(int ifaces_fd, const struct sl_pin_iface *ifaces, unsigned n)
{
	const struct sl_pin_iface none = {0};

	for (__u32 i = 0; i < SL_MAX_IFACES; i++)
		if (bpf_map_update_elem(ifaces_fd, &i, i < n ? &ifaces[i] : &none, BPF_ANY))
			return -errno;
	return 0;
}
