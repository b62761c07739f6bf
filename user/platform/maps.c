// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * maps.c - the table of maps, and what is done over it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/maps.h"

#define ARRAY_OF(struct_name) BPF_MAP_TYPE_ARRAY, 4, sizeof(struct struct_name)

const struct sl_map_def sl_map_defs[SL_MAP_COUNT] = {
	[SL_MAP_INDIRECTION] = {"indirection", ARRAY_OF(sl_row), true},
	[SL_MAP_OWNERS] = {"owners", ARRAY_OF(sl_owner), true},
	[SL_MAP_WORKERS] = {"workers", ARRAY_OF(sl_worker), true},
	[SL_MAP_BUCKET_COST] = {"bucket_cost", ARRAY_OF(sl_bucket_cost), true},
	[SL_MAP_CONTROL] = {"control", ARRAY_OF(sl_control), true},
	[SL_MAP_GRACE] = {"grace", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, false},
	[SL_MAP_MOVES] = {"moves", ARRAY_OF(sl_move), true},
	[SL_MAP_DROP_REASONS] = {"drop_reasons", ARRAY_OF(sl_drop_reason), true},
	[SL_MAP_TOEPLITZ] = {"toeplitz", ARRAY_OF(sl_toeplitz), false},
	[SL_MAP_TENANT_MATCH] = {"tenant_match", ARRAY_OF(sl_tenant_match), false},
	[SL_MAP_TENANT_WORK] = {"tenant_work", ARRAY_OF(sl_tenant_work), true},
	[SL_MAP_BUCKET_STATS] = {"bucket_stats", ARRAY_OF(sl_bucket_stats), true},
	[SL_MAP_XSKS] = {"xsks", BPF_MAP_TYPE_XSKMAP, 4, 4, false},
	[SL_MAP_MATCH] = {"match", ARRAY_OF(sl_match), false},
	[SL_MAP_LOCAL_ADDRS] = {"local_addrs", BPF_MAP_TYPE_HASH, sizeof(struct sl_addr), 1, false},
	[SL_MAP_VERDICTS] = {"verdicts", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, false},
	[SL_MAP_STACK] = {"stack", ARRAY_OF(sl_stack), true},
	[SL_MAP_CPUS] = {"cpus", BPF_MAP_TYPE_CPUMAP, 4, sizeof(struct sl_cpu_slot), false},
	[SL_MAP_TENANT_GATE] = {"tenant_gate", ARRAY_OF(sl_tenant_gate), true},
	[SL_MAP_TENANT_RING] = {"tenant_ring", ARRAY_OF(sl_tenant_ring), true},
};

void sl_map_set_init(struct sl_map_set *set)
{
	for (unsigned i = 0; i < SL_MAP_COUNT; i++) {
		set->fd[i] = -1;
		set->max_entries[i] = 0;
	}
}

void sl_map_set_close(struct sl_map_set *set, unsigned first, unsigned last)
{
	for (unsigned i = first; i < last; i++) {
		if (set->fd[i] >= 0)
			close(set->fd[i]);
		set->fd[i] = -1;
	}
}

int sl_map_find(const char *name)
{
	for (unsigned i = 0; i < SL_MAP_COUNT; i++)
		if (!strcmp(name, sl_map_defs[i].name))
			return (int)i;
	return -ENOENT;
}

int sl_map_set_check(struct sl_map_set *set, unsigned first, unsigned last, const char *where,
		     struct sl_error *err)
{
	for (unsigned i = first; i < last; i++) {
		const struct sl_map_def *def = &sl_map_defs[i];
		struct bpf_map_info info = {0};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(set->fd[i], &info, &len))
			return sl_error_set(err, -errno, "%s: map %s cannot be read: %s", where,
					    def->name, strerror(errno));
		if (info.type != def->type || info.key_size != def->key_size ||
		    info.value_size != def->value_size ||
		    def->mmap != !!(info.map_flags & BPF_F_MMAPABLE))
			return sl_error_set(
				err, -EPROTO,
				"%s: map %s is not of ABI %d (values of %u bytes, %u "
				"expected): detach it with the version that attached it",
				where, def->name, SL_ABI_VERSION, info.value_size, def->value_size);
		set->max_entries[i] = info.max_entries;
	}
	return 0;
}

size_t sl_map_bytes(enum sl_map_id id, uint32_t max_entries)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t stride = (sl_map_defs[id].value_size + 7u) & ~7u;

	return (stride * max_entries + page - 1) & ~(page - 1);
}

void *sl_map_mmap(int fd, enum sl_map_id id, uint32_t max_entries)
{
	void *p = mmap(NULL, sl_map_bytes(id, max_entries), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

void sl_map_munmap(const volatile void *p, enum sl_map_id id, uint32_t max_entries)
{
	if (p)
		munmap((void *)(uintptr_t)p, sl_map_bytes(id, max_entries));
}

int sl_grace_inner_create(void)
{
	/* The shape that bpf/steer.bpf.c declares as the inner map of `grace`. */
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "grace_inner", 4, 8, 1, NULL);

	return fd < 0 ? -errno : fd;
}

int sl_map_create(enum sl_map_id id, uint32_t max_entries)
{
	const struct sl_map_def *def = &sl_map_defs[id];
	struct bpf_map_create_opts opts = {.sz = sizeof(opts),
					   .map_flags = def->mmap ? BPF_F_MMAPABLE : 0};
	int inner = -1, fd;

	if (def->type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
		inner = sl_grace_inner_create();
		if (inner < 0)
			return inner;
		opts.inner_map_fd = (__u32)inner;
	}
	fd = bpf_map_create(def->type, def->name, def->key_size, def->value_size, max_entries,
			    &opts);
	if (fd < 0)
		fd = -errno;
	if (inner >= 0)
		close(inner);
	return fd;
}
