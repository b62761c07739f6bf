// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * steer_load.c - the steering object into the kernel.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "platform/attach.h"
#include "platform/ethtool.h"
#include "platform/steer_load.h"
#include "platform/netlink.h"

#include "stack.skel.h"
#include "steer.skel.h"
#include "steer_rxhash.skel.h"

/* <linux/bpf.h> has it from 6.3 on: the program is for one device, and may ask its driver. */
#define DEV_BOUND_ONLY (1u << 6)

/* Packets that GRO holds for a tick are held that long only where a tick is 1 ms or less. */
#define HOLD_TICK_NS 1000000
#define HOLD_JIFFIES 2

/* One of the objects: skeletons differ in type only. */
struct steer_object {
	struct steer_bpf *steer;
	struct steer_rxhash_bpf *rxhash;
	struct stack_bpf *stack;
	struct bpf_object *obj;
	struct bpf_program *prog;
};

uint32_t sl_load_entries(enum sl_map_id id, const struct sl_load_sizes *sizes)
{
	const uint32_t entries = sl_table_entries(sizes->buckets);

	switch (id) {
	case SL_MAP_INDIRECTION:
	case SL_MAP_OWNERS:
		return entries;
	case SL_MAP_WORKERS:
		return SL_MAX_WORKERS;
	case SL_MAP_BUCKET_COST:
		return entries * sizes->max_workers;
	case SL_MAP_BUCKET_STATS:
		return entries * sizes->queues;
	case SL_MAP_XSKS:
		return sizes->queues * SL_MAX_WORKERS;
	case SL_MAP_TENANT_WORK:
		return SL_MAX_TENANTS * sizes->max_workers;
	case SL_MAP_TENANT_GATE:
		return SL_MAX_TENANTS * sizes->queues;
	case SL_MAP_TENANT_RING:
		return SL_MAX_WORKERS * sizes->queues;
	case SL_MAP_STACK:
		return sizes->stack ? entries * sizes->queues : 0;
	case SL_MAP_CPUS:
		return sizes->stack ? (uint32_t)libbpf_num_possible_cpus() : 0;
	default:
		return 0; /* as the object says */
	}
}

unsigned sl_load_queues(const char *ifname)
{
	struct sl_channels channels = {0};
	struct sl_link link;
	unsigned queues = 1;

	if (!sl_link_get(ifname, &link) && link.rx_queues > queues)
		queues = link.rx_queues;
	if (!sl_ethtool_channels(ifname, &channels) && channels.rx > queues)
		queues = channels.rx;
	return queues < SL_MAX_QUEUES ? queues : SL_MAX_QUEUES;
}

static int size_maps(const struct steer_object *o, const struct sl_load_sizes *sizes,
		     const struct sl_map_set *reuse, struct sl_error *err)
{
	for (unsigned i = 0; i < SL_MAP_COUNT; i++) {
		const char *name = sl_map_defs[i].name;
		struct bpf_map *map = bpf_object__find_map_by_name(o->obj, name);
		const uint32_t entries = sl_load_entries(i, sizes);
		int rc = 0;

		if (!map)
			return sl_error_set(err, -ENOENT, "the steering object has no map %s",
					    name);
		if (reuse->fd[i] >= 0)
			rc = bpf_map__reuse_fd(map, reuse->fd[i]);
		else if (entries)
			rc = bpf_map__set_max_entries(map, entries);
		if (rc)
			return sl_error_set(err, rc, "map %s: %s", name, strerror(-rc));
	}
	return 0;
}

static int dup_fd(int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* The skeleton closes its descriptors; the caller gets its own. */
static int take(const struct steer_object *o, struct sl_map_set *set)
{
	int prog = dup_fd(bpf_program__fd(o->prog));

	for (unsigned i = 0; i < SL_MAP_COUNT && prog >= 0; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(o->obj, sl_map_defs[i].name);

		set->fd[i] = dup_fd(bpf_map__fd(map));
		set->max_entries[i] = bpf_map__max_entries(map);
		if (set->fd[i] < 0) {
			const int rc = set->fd[i];

			sl_map_set_close(set, 0, SL_MAP_COUNT);
			close(prog);
			return rc;
		}
	}
	return prog;
}

static int load_error(int rc, struct sl_error *err)
{
	switch (rc) {
	case -EPERM:
	case -EACCES:
		return sl_error_set(
			err, rc,
			"the kernel refused the steering program: run as root, with CAP_BPF "
			"and CAP_NET_ADMIN (%s)",
			strerror(-rc));
	case -ENOMEM:
	case -E2BIG:
		return sl_error_set(err, rc,
				    "no memory for the maps: use fewer --buckets or --max-workers");
	default:
		return sl_error_set(
			err, rc,
			"the kernel refused the steering program: %s; it needs Linux 6.1 or "
			"newer (-v shows the verifier's reasons)",
			strerror(-rc));
	}
}

/* The length of a tick, by the clock that only ticks. */
static uint32_t hold_jiffies(void)
{
	struct timespec tick = {0};

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return tick.tv_sec || tick.tv_nsec > HOLD_TICK_NS ? 0 : HOLD_JIFFIES;
}

static int rxhash_open(struct steer_object *o, int ifindex)
{
	o->rxhash = steer_rxhash_bpf__open();
	if (!o->rxhash)
		return -errno;
	o->obj = o->rxhash->obj;
	o->prog = o->rxhash->progs.sluice_rxhash;
	bpf_program__set_ifindex(o->prog, (__u32)ifindex);
	return bpf_program__set_flags(o->prog, bpf_program__flags(o->prog) | DEV_BOUND_ONLY);
}

static int object_open(struct steer_object *o, const struct sl_load_sizes *sizes)
{
	*o = (struct steer_object){0};
	if (sizes->rx_hash)
		return rxhash_open(o, sizes->rx_hash);
	if (sizes->stack) {
		o->stack = stack_bpf__open();
		if (!o->stack)
			return -errno;
		o->stack->rodata->hold_jiffies = hold_jiffies();
		o->obj = o->stack->obj;
		o->prog = o->stack->progs.sluice_steer;
		return bpf_program__set_autoload(o->stack->progs.sluice_up, false);
	}
	o->steer = steer_bpf__open();
	if (!o->steer)
		return -errno;
	o->obj = o->steer->obj;
	o->prog = o->steer->progs.sluice_steer;
	return 0;
}

static int object_load(const struct steer_object *o)
{
	if (o->rxhash)
		return steer_rxhash_bpf__load(o->rxhash);
	return o->stack ? stack_bpf__load(o->stack) : steer_bpf__load(o->steer);
}

static void object_destroy(struct steer_object *o)
{
	stack_bpf__destroy(o->stack);
	steer_rxhash_bpf__destroy(o->rxhash);
	steer_bpf__destroy(o->steer);
}

int sl_load(const struct sl_load_sizes *sizes, const struct sl_map_set *reuse,
	    struct sl_map_set *set, struct sl_error *err)
{
	struct steer_object o;
	int rc;

	sl_map_set_init(set);
	rc = object_open(&o, sizes);
	if (rc) {
		load_error(rc, err);
		goto out;
	}
	rc = size_maps(&o, sizes, reuse, err);
	if (rc)
		goto out;
	rc = object_load(&o);
	if (rc) {
		load_error(rc, err);
		goto out;
	}
	rc = take(&o, set);
	if (rc < 0)
		sl_error_set(err, rc, "the steering program: %s", strerror(-rc));
out:
	object_destroy(&o);
	return rc;
}

/* Only the maps that sluice_up reads; the others are not made. */
static int reuse_up(struct stack_bpf *skel, const struct sl_instance *inst, unsigned i)
{
	const struct {
		struct bpf_map *map;
		int fd;
	} read[] = {{skel->maps.control, inst->control_fd},
		    {skel->maps.workers, inst->workers_fd},
		    {skel->maps.stack, inst->iface[i].stack_fd}};
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		if (!bpf_map__is_internal(map))
			bpf_map__set_autocreate(map, false);
	}
	for (unsigned m = 0; !rc && m < sizeof(read) / sizeof(read[0]); m++) {
		bpf_map__set_autocreate(read[m].map, true);
		rc = bpf_map__reuse_fd(read[m].map, read[m].fd);
	}
	return rc;
}

int sl_load_up(const struct sl_instance *inst, unsigned i, struct sl_error *err)
{
	struct stack_bpf *skel = stack_bpf__open();
	int rc;

	if (!skel)
		return load_error(-errno, err);
	rc = bpf_program__set_autoload(skel->progs.sluice_steer, false);
	if (!rc)
		rc = reuse_up(skel, inst, i);
	if (!rc)
		rc = stack_bpf__load(skel);
	if (!rc)
		rc = dup_fd(bpf_program__fd(skel->progs.sluice_up));
	if (rc < 0)
		load_error(rc, err);
	stack_bpf__destroy(skel);
	return rc;
}

size_t sl_attach_memory(const struct sl_attach_opts *opts)
{
	struct sl_load_sizes sizes = {
		.buckets = opts->buckets ? opts->buckets : SL_DEFAULT_BUCKETS,
		.max_workers = opts->max_workers ? opts->max_workers : SL_DEFAULT_MAX_WORKERS,
	};
	const size_t cpus = (size_t)sysconf(_SC_NPROCESSORS_CONF);
	size_t bytes = 0;

	for (unsigned i = 0; i < SL_MAP_IFACE_FIRST; i++) {
		const uint32_t entries = sl_load_entries(i, &sizes);

		bytes += sl_map_bytes(i, entries		    ? entries
					 : i == SL_MAP_MOVES	    ? SL_MOVE_LOG
					 : i == SL_MAP_TENANT_MATCH ? 2
								    : 1);
	}
	for (unsigned i = 0; i < opts->ifaces_n; i++) {
		sizes.queues = sl_load_queues(opts->ifaces[i]);
		bytes += sl_map_bytes(SL_MAP_BUCKET_STATS,
				      sl_load_entries(SL_MAP_BUCKET_STATS, &sizes));
		bytes += sl_load_entries(SL_MAP_XSKS, &sizes) * sizeof(void *);
		if (opts->stack)
			bytes += sl_map_bytes(SL_MAP_STACK,
					      sl_table_entries(sizes.buckets) * sizes.queues);
		bytes += sl_map_bytes(SL_MAP_MATCH, 2);
		bytes += sl_map_bytes(SL_MAP_TENANT_GATE, SL_MAX_TENANTS * sizes.queues);
		bytes += sl_map_bytes(SL_MAP_TENANT_RING, SL_MAX_WORKERS * sizes.queues);
		bytes += cpus * SL_STEER_COUNTS * sizeof(__u64);
	}
	return bytes;
}
