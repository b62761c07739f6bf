// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/pinned.h"

int sl_pinned_name_check(const char *what, const char *name, struct sl_error *err)
{
	if (strchr(name, '.'))
		return sl_error_set(err, -EINVAL,
				    "name \"%.40s\": %s's has no dot: use letters, digits, dashes "
				    "and underscores",
				    name, what);
	return sl_instance_name_check(name, err)
		       ? sl_error_set(err, -EINVAL,
				      "--name: \"%.40s\": %s's is 1 to 31 letters, digits, dashes "
				      "and underscores",
				      name, what)
		       : 0;
}

void sl_pinned_path(char path[SL_PIN_PATH], const char *kind, const char *name, const char *file)
{
	snprintf(path, SL_PIN_PATH, SL_BPFFS "/sluice/%s/%s%s%s", kind, name, file ? "/" : "",
		 file ? file : "");
}

int sl_pinned_open(const char *kind, const char *name, const char *const *names, unsigned n,
		   int *fd)
{
	char path[SL_PIN_PATH];

	for (unsigned i = 0; i < n; i++) {
		sl_pinned_path(path, kind, name, names[i]);
		fd[i] = bpf_obj_get(path);
		if (fd[i] < 0)
			return -errno;
	}
	return 0;
}

static int object_fd(const struct bpf_object *object, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	const struct bpf_program *prog = bpf_object__find_program_by_name(object, name);

	return map ? bpf_map__fd(map) : prog ? bpf_program__fd(prog) : -1;
}

int sl_pinned_store(const char *kind, const char *name, const char *const *names, unsigned n,
		    const struct bpf_object *object)
{
	char path[SL_PIN_PATH];

	mkdir(SL_BPFFS "/sluice", 0700);
	snprintf(path, sizeof(path), SL_BPFFS "/sluice/%s", kind);
	mkdir(path, 0700);
	sl_pinned_path(path, kind, name, NULL);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	for (unsigned i = 0; i < n; i++) {
		sl_pinned_path(path, kind, name, names[i]);
		unlink(path);
		if (bpf_obj_pin(object_fd(object, names[i]), path))
			return -errno;
	}
	return 0;
}

void sl_pinned_remove(const char *kind, const char *name, const char *const *names, unsigned n)
{
	char path[SL_PIN_PATH];

	for (unsigned i = n; i--;) {
		sl_pinned_path(path, kind, name, names[i]);
		unlink(path);
	}
	sl_pinned_path(path, kind, name, NULL);
	rmdir(path);
	snprintf(path, sizeof(path), SL_BPFFS "/sluice/%s", kind);
	rmdir(path);
}
