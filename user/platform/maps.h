/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maps.h - the maps of include/sluice/maps.h as the kernel sees them: one table, and what is done
 * over it: find them from a program, check them, map them into memory.
 */
#ifndef SL_PLATFORM_MAPS_H
#define SL_PLATFORM_MAPS_H

#include <bpf/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/instance.h"

/* Instance maps first: sl_map_defs[] is in this order. */
enum sl_map_id {
	SL_MAP_INDIRECTION,
	SL_MAP_OWNERS,
	SL_MAP_WORKERS,
	SL_MAP_BUCKET_COST,
	SL_MAP_CONTROL,
	SL_MAP_GRACE,
	SL_MAP_MOVES,
	SL_MAP_DROP_REASONS,
	SL_MAP_TOEPLITZ,
	SL_MAP_TENANT_MATCH,
	SL_MAP_TENANT_WORK,
	SL_MAP_IFACE_FIRST,
	SL_MAP_BUCKET_STATS = SL_MAP_IFACE_FIRST,
	SL_MAP_XSKS,
	SL_MAP_MATCH,
	SL_MAP_LOCAL_ADDRS,
	SL_MAP_VERDICTS,
	SL_MAP_STACK,
	SL_MAP_CPUS,
	SL_MAP_TENANT_GATE,
	SL_MAP_TENANT_RING,
	SL_MAP_COUNT
};

struct sl_map_def {
	const char *name;
	enum bpf_map_type type;
	uint32_t key_size, value_size;
	bool mmap; /* BPF_F_MMAPABLE */
};

extern const struct sl_map_def sl_map_defs[SL_MAP_COUNT];

/* File descriptors by enum sl_map_id, -1 where there is none. */
struct sl_map_set {
	int fd[SL_MAP_COUNT];
	uint32_t max_entries[SL_MAP_COUNT];
};

void sl_map_set_init(struct sl_map_set *set);
/* Close maps first..last-1. */
void sl_map_set_close(struct sl_map_set *set, unsigned first, unsigned last);
int sl_map_find(const char *name); /* enum sl_map_id, or -ENOENT */

/* Read max_entries and check type and sizes of maps first..last-1: -EPROTO with a line in err. */
int sl_map_set_check(struct sl_map_set *set, unsigned first, unsigned last, const char *where,
		     struct sl_error *err);

/* What program is that? */
struct sl_prog {
	int fd;
	uint32_t id;
	char name[BPF_OBJ_NAME_LEN];
	bool ours; /* carries sluice_abi */
	uint32_t abi; /* its value */
	uint32_t maps_n;
	uint32_t map_ids[64];
};

/* Open program `id` and look for sluice_abi in its read-only data. Needs CAP_SYS_ADMIN (fd by id).
 * Close with sl_prog_close(). */
int sl_prog_open(uint32_t id, struct sl_prog *prog, struct sl_error *err);
void sl_prog_close(struct sl_prog *prog);

/*
 * Find all maps of a program of ours. Maps that XDP does not use are bound to the program all the
 * same (bpf_prog_bind_map), so that the program alone leads to all of them; an object loaded by
 * someone else may lack them: then they are made and bound. -EPROTO.
 */
int sl_prog_maps(const struct sl_prog *prog, struct sl_map_set *set, struct sl_error *err);

/* A map of the size and kind that the table says. Its fd, or -errno. */
int sl_map_create(enum sl_map_id id, uint32_t max_entries);

/* Map all of a map into memory, to read and write. NULL if it cannot be. */
void *sl_map_mmap(int fd, enum sl_map_id id, uint32_t max_entries);
void sl_map_munmap(const volatile void *p, enum sl_map_id id, uint32_t max_entries);
size_t sl_map_bytes(enum sl_map_id id, uint32_t max_entries);

/* The inner map whose fd an update of `grace` stores. Its fd, or -errno. */
int sl_grace_inner_create(void);

#endif /* SL_PLATFORM_MAPS_H */
