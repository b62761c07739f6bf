// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prog.c - from a program in the kernel to its maps. The object pins nothing by name, because `ip
 * link`, xdp-loader and sluice pin differently; the program on the interface leads to everything.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/maps.h"

#define ABI_VARIABLE "sluice_abi"

static int map_open(uint32_t id, struct bpf_map_info *info)
{
	__u32 len = sizeof(*info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return -errno;
	memset(info, 0, sizeof(*info));
	if (bpf_obj_get_info_by_fd(fd, info, &len)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

/* Offset of sluice_abi in the data section that the map holds, by the map's own BTF. */
static int abi_offset(const struct bpf_map_info *info)
{
	const struct btf_var_secinfo *var;
	const struct btf_type *section;
	int offset = -ENOENT;
	struct btf *btf;

	if (!info->btf_id || !info->btf_value_type_id)
		return -ENOENT;
	btf = btf__load_from_kernel_by_id(info->btf_id);
	if (!btf)
		return -errno;
	section = btf__type_by_id(btf, info->btf_value_type_id);
	if (!section || !btf_is_datasec(section))
		goto out;
	var = btf_var_secinfos(section);
	for (unsigned i = 0; i < btf_vlen(section); i++, var++) {
		const struct btf_type *type = btf__type_by_id(btf, var->type);

		if (type && !strcmp(btf__name_by_offset(btf, type->name_off), ABI_VARIABLE) &&
		    var->size == sizeof(__u32) && var->offset + var->size <= info->value_size) {
			offset = (int)var->offset;
			break;
		}
	}
out:
	btf__free(btf);
	return offset;
}

/* 1 and *abi if the map is read-only data with sluice_abi in it, 0 if not, or -errno. */
static int map_abi(uint32_t id, uint32_t *abi)
{
	const char suffix[] = ".rodata";
	struct bpf_map_info info = {0};
	int fd, offset, rc = 0;
	const __u32 zero = 0;
	size_t len;
	char *data;

	fd = map_open(id, &info);
	if (fd < 0)
		return fd;
	len = strlen(info.name);
	/* The prefix is the object's name, which is the file's for ip link and xdp-loader. */
	if (len < sizeof(suffix) - 1 || strcmp(info.name + len - (sizeof(suffix) - 1), suffix) != 0)
		goto out;
	offset = abi_offset(&info);
	if (offset < 0 || !info.value_size)
		goto out;
	data = malloc(info.value_size);
	if (!data) {
		rc = -ENOMEM;
		goto out;
	}
	rc = bpf_map_lookup_elem(fd, &zero, data) ? -errno : 1;
	if (rc == 1)
		memcpy(abi, data + offset, sizeof(*abi));
	free(data);
out:
	close(fd);
	return rc;
}

int sl_prog_open(uint32_t id, struct sl_prog *prog, struct sl_error *err)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	int rc;

	memset(prog, 0, sizeof(*prog));
	prog->id = id;
	prog->fd = bpf_prog_get_fd_by_id(id);
	if (prog->fd < 0) {
		rc = -errno;
		return sl_error_set(err, rc, "program %u cannot be opened: %s%s", id, strerror(-rc),
				    rc == -EPERM ? " (needs CAP_SYS_ADMIN: run as root)" : "");
	}
	info.map_ids = (uintptr_t)prog->map_ids;
	info.nr_map_ids = sizeof(prog->map_ids) / sizeof(prog->map_ids[0]);
	if (bpf_obj_get_info_by_fd(prog->fd, &info, &len)) {
		rc = -errno;
		sl_prog_close(prog);
		return sl_error_set(err, rc, "program %u: %s", id, strerror(-rc));
	}
	memcpy(prog->name, info.name, sizeof(prog->name));
	prog->maps_n = info.nr_map_ids;
	if (prog->maps_n > sizeof(prog->map_ids) / sizeof(prog->map_ids[0]))
		prog->maps_n = sizeof(prog->map_ids) / sizeof(prog->map_ids[0]);
	for (unsigned i = 0; i < prog->maps_n && !prog->ours; i++)
		prog->ours = map_abi(prog->map_ids[i], &prog->abi) == 1;
	return 0;
}

void sl_prog_close(struct sl_prog *prog)
{
	if (prog->fd >= 0)
		close(prog->fd);
	prog->fd = -1;
}

/* Entries of a map that the object lacks, from those that it has. */
static uint32_t entries_for(enum sl_map_id id, uint32_t buckets)
{
	switch (id) {
	case SL_MAP_OWNERS:
		return buckets;
	case SL_MAP_WORKERS:
		return SL_MAX_WORKERS;
	case SL_MAP_BUCKET_COST:
		return SL_MAX_WORKERS * buckets;
	case SL_MAP_MOVES:
		return SL_MOVE_LOG;
	case SL_MAP_DROP_REASONS:
		return SL_DROP_REASONS;
	case SL_MAP_GRACE:
	case SL_MAP_TOEPLITZ:
		return 1;
	case SL_MAP_TENANT_WORK:
		return SL_MAX_WORKERS * SL_MAX_TENANTS;
	default: /* XDP itself uses the others: without them it is not our program */
		return 0;
	}
}

static int map_complete(const struct sl_prog *prog, struct sl_map_set *set, enum sl_map_id id,
			uint32_t buckets, struct sl_error *err)
{
	const uint32_t entries = entries_for(id, buckets);
	int fd;

	if (!entries)
		return sl_error_set(err, -EPROTO,
				    "program %u (%s) has no map %s: load this version", prog->id,
				    prog->name, sl_map_defs[id].name);
	fd = sl_map_create(id, entries);
	if (fd < 0)
		return sl_error_set(err, fd, "map %s: %s", sl_map_defs[id].name, strerror(-fd));
	set->fd[id] = fd;
	if (bpf_prog_bind_map(prog->fd, fd, NULL))
		return sl_error_set(err, -errno, "map %s cannot be bound to program %u: %s",
				    sl_map_defs[id].name, prog->id, strerror(errno));
	return 0;
}

int sl_prog_maps(const struct sl_prog *prog, struct sl_map_set *set, struct sl_error *err)
{
	struct bpf_map_info info = {0};
	uint32_t buckets = 0;
	int rc;

	sl_map_set_init(set);
	for (unsigned i = 0; i < prog->maps_n; i++) {
		int fd = map_open(prog->map_ids[i], &info), id;

		if (fd < 0) {
			rc = sl_error_set(err, fd, "map %u of program %u: %s", prog->map_ids[i],
					  prog->id, strerror(-fd));
			goto out_close;
		}
		id = sl_map_find(info.name);
		if (id < 0 || set->fd[id] >= 0) {
			close(fd);
			continue;
		}
		set->fd[id] = fd;
		if (id == SL_MAP_INDIRECTION)
			buckets = info.max_entries;
	}
	for (unsigned i = 0; i < SL_MAP_COUNT; i++) {
		if (set->fd[i] >= 0)
			continue;
		rc = map_complete(prog, set, i, buckets, err);
		if (rc)
			goto out_close;
	}
	rc = sl_map_set_check(set, 0, SL_MAP_COUNT, prog->name, err);
	if (!rc)
		return 0;
out_close:
	sl_map_set_close(set, 0, SL_MAP_COUNT);
	return rc;
}
