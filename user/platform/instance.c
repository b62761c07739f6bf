// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * instance.c - open an instance by its pins, or by the program on an interface.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "platform/discover.h"
#include "platform/ethtool.h"
#include "platform/netlink.h"
#include "platform/netns.h"

/* Housekeeping beats each second at least; ten missed beats are a dead or wedged dataplane. */
#define HEARTBEAT_LIMIT_NS 10000000000ULL

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void iface_close(struct sl_iface *iface)
{
	sl_map_munmap(iface->bucket_stats, SL_MAP_BUCKET_STATS, iface->stats_entries);
	close_fd(iface->bucket_stats_fd);
	close_fd(iface->xsks_fd);
	close_fd(iface->verdicts_fd);
	close_fd(iface->match_fd);
	close_fd(iface->local_addrs_fd);
	sl_map_munmap(iface->stack, SL_MAP_STACK, iface->stack_entries);
	close_fd(iface->stack_fd);
	close_fd(iface->cpus_fd);
	sl_map_munmap(iface->gates, SL_MAP_TENANT_GATE, iface->gate_entries);
	sl_map_munmap(iface->tenant_rings, SL_MAP_TENANT_RING, iface->ring_entries);
	close_fd(iface->tenant_gate_fd);
	close_fd(iface->tenant_ring_fd);
}

void sl_instance_close(struct sl_instance *inst)
{
	if (!inst)
		return;
	for (unsigned i = 0; i < inst->ifaces; i++)
		iface_close(&inst->iface[i]);
	sl_map_munmap(inst->rows, SL_MAP_INDIRECTION, inst->buckets);
	sl_map_munmap(inst->owners, SL_MAP_OWNERS, inst->buckets);
	sl_map_munmap(inst->workers, SL_MAP_WORKERS, inst->workers_entries);
	sl_map_munmap(inst->cost, SL_MAP_BUCKET_COST, inst->cost_entries);
	sl_map_munmap(inst->control, SL_MAP_CONTROL, 1);
	sl_map_munmap(inst->moves, SL_MAP_MOVES, SL_MOVE_LOG);
	sl_map_munmap(inst->drop_reasons, SL_MAP_DROP_REASONS, SL_DROP_REASONS);
	sl_map_munmap(inst->tenant_work, SL_MAP_TENANT_WORK, inst->work_entries);
	close_fd(inst->indirection_fd);
	close_fd(inst->owners_fd);
	close_fd(inst->workers_fd);
	close_fd(inst->bucket_cost_fd);
	close_fd(inst->control_fd);
	close_fd(inst->grace_fd);
	close_fd(inst->moves_fd);
	close_fd(inst->drop_reasons_fd);
	close_fd(inst->toeplitz_fd);
	close_fd(inst->tenant_match_fd);
	close_fd(inst->tenant_work_fd);
	close_fd(inst->rules_fd);
	close_fd(inst->ifaces_fd);
	close_fd(inst->grace_inner_fd);
	free(inst);
}

unsigned sl_iface_queues(const struct sl_iface *iface)
{
	struct sl_channels channels;
	struct sl_link link;

	if (!sl_ethtool_channels(iface->name, &channels) && channels.rx)
		return channels.rx;
	/* No channels: a device with one fixed set of queues. */
	return !sl_link_get(iface->name, &link) && link.rx_queues ? link.rx_queues : 1;
}

bool sl_instance_running(const struct sl_instance *inst)
{
	const uint32_t pid = __atomic_load_n(&inst->control->pid, __ATOMIC_RELAXED);
	const uint64_t beat = __atomic_load_n(&inst->control->heartbeat_ns, __ATOMIC_RELAXED);
	struct timespec ts;
	uint64_t now;

	if (!pid || (kill((pid_t)pid, 0) && errno == ESRCH))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
	/* The process id alone may be somebody else's by now. */
	return now < beat || now - beat < HEARTBEAT_LIMIT_NS;
}

int sl_part_of(const struct sl_instance *inst, uint32_t part)
{
	if (part < inst->hash_buckets || part >= inst->buckets)
		return -1;
	return (int)__atomic_load_n(
		       &inst->control->split[(part - inst->hash_buckets) / SL_SPLIT_PARTS],
		       __ATOMIC_ACQUIRE) -
	       1;
}

bool sl_bucket_exists(const struct sl_instance *inst, uint32_t bucket)
{
	return bucket < inst->hash_buckets || sl_part_of(inst, bucket) >= 0;
}

int sl_parts_of(const struct sl_instance *inst, uint32_t bucket)
{
	for (unsigned k = 0; k < SL_SPLITS; k++)
		if (__atomic_load_n(&inst->control->split[k], __ATOMIC_ACQUIRE) == bucket + 1)
			return (int)(inst->hash_buckets + k * SL_SPLIT_PARTS);
	return -1;
}

int sl_instance_grace(const struct sl_instance *inst)
{
	const __u32 zero = 0;

	return bpf_map_update_elem(inst->grace_fd, &zero, &inst->grace_inner_fd, BPF_ANY) ? -errno
											  : 0;
}

/* Move the instance maps' descriptors into inst, and map what is mapped. */
static int take_instance_maps(struct sl_instance *inst, struct sl_map_set *set,
			      struct sl_error *err)
{
	const unsigned buckets = set->max_entries[SL_MAP_INDIRECTION];
	unsigned max_workers;

	inst->buckets = buckets;
	inst->hash_buckets = sl_hash_buckets(buckets);
	inst->workers_entries = set->max_entries[SL_MAP_WORKERS];
	inst->cost_entries = set->max_entries[SL_MAP_BUCKET_COST];
	inst->work_entries = set->max_entries[SL_MAP_TENANT_WORK];
	inst->indirection_fd = set->fd[SL_MAP_INDIRECTION];
	inst->owners_fd = set->fd[SL_MAP_OWNERS];
	inst->workers_fd = set->fd[SL_MAP_WORKERS];
	inst->bucket_cost_fd = set->fd[SL_MAP_BUCKET_COST];
	inst->control_fd = set->fd[SL_MAP_CONTROL];
	inst->grace_fd = set->fd[SL_MAP_GRACE];
	inst->moves_fd = set->fd[SL_MAP_MOVES];
	inst->drop_reasons_fd = set->fd[SL_MAP_DROP_REASONS];
	inst->toeplitz_fd = set->fd[SL_MAP_TOEPLITZ];
	inst->tenant_match_fd = set->fd[SL_MAP_TENANT_MATCH];
	inst->tenant_work_fd = set->fd[SL_MAP_TENANT_WORK];
	sl_map_set_init(set);

	if (buckets < SL_PARTS + SL_MIN_BUCKETS || buckets > SL_MAX_BUCKETS ||
	    inst->hash_buckets & (inst->hash_buckets - 1))
		return sl_error_set(err, -EPROTO,
				    "instance %s: %u buckets, not a power of two of %d to %d",
				    inst->name, inst->hash_buckets, SL_MIN_BUCKETS, SL_MAX_BUCKETS);
	max_workers = inst->cost_entries / buckets;
	if (max_workers > inst->workers_entries)
		max_workers = inst->workers_entries;
	if (max_workers > inst->work_entries / SL_MAX_TENANTS)
		max_workers = inst->work_entries / SL_MAX_TENANTS;
	if (max_workers > SL_MAX_WORKERS)
		max_workers = SL_MAX_WORKERS;
	inst->max_workers = max_workers;

	inst->rows = sl_map_mmap(inst->indirection_fd, SL_MAP_INDIRECTION, buckets);
	inst->owners = sl_map_mmap(inst->owners_fd, SL_MAP_OWNERS, buckets);
	inst->workers = sl_map_mmap(inst->workers_fd, SL_MAP_WORKERS, inst->workers_entries);
	inst->cost = sl_map_mmap(inst->bucket_cost_fd, SL_MAP_BUCKET_COST, inst->cost_entries);
	inst->control = sl_map_mmap(inst->control_fd, SL_MAP_CONTROL, 1);
	inst->moves = sl_map_mmap(inst->moves_fd, SL_MAP_MOVES, SL_MOVE_LOG);
	inst->drop_reasons =
		sl_map_mmap(inst->drop_reasons_fd, SL_MAP_DROP_REASONS, SL_DROP_REASONS);
	inst->tenant_work =
		sl_map_mmap(inst->tenant_work_fd, SL_MAP_TENANT_WORK, inst->work_entries);
	if (!inst->rows || !inst->owners || !inst->workers || !inst->cost || !inst->control ||
	    !inst->moves || !inst->drop_reasons || !inst->tenant_work)
		return sl_error_set(err, -errno, "maps of instance %s cannot be mapped: %s",
				    inst->name, strerror(errno));
	inst->grace_inner_fd = sl_grace_inner_create();
	if (inst->grace_inner_fd < 0)
		return sl_error_set(err, inst->grace_inner_fd, "instance %s: %s", inst->name,
				    strerror(-inst->grace_inner_fd));
	return 0;
}

static int take_iface_maps(struct sl_instance *inst, struct sl_iface *iface, struct sl_map_set *set,
			   struct sl_error *err)
{
	const unsigned entries = set->max_entries[SL_MAP_BUCKET_STATS];
	const unsigned slots = set->max_entries[SL_MAP_XSKS] / SL_MAX_WORKERS;

	iface->bucket_stats_fd = set->fd[SL_MAP_BUCKET_STATS];
	iface->xsks_fd = set->fd[SL_MAP_XSKS];
	iface->verdicts_fd = set->fd[SL_MAP_VERDICTS];
	iface->match_fd = set->fd[SL_MAP_MATCH];
	iface->local_addrs_fd = set->fd[SL_MAP_LOCAL_ADDRS];
	iface->stats_entries = entries;
	iface->stack_fd = set->fd[SL_MAP_STACK];
	iface->cpus_fd = set->fd[SL_MAP_CPUS];
	iface->stack_entries = set->max_entries[SL_MAP_STACK];
	iface->tenant_gate_fd = set->fd[SL_MAP_TENANT_GATE];
	iface->tenant_ring_fd = set->fd[SL_MAP_TENANT_RING];
	iface->gate_entries = set->max_entries[SL_MAP_TENANT_GATE];
	iface->ring_entries = set->max_entries[SL_MAP_TENANT_RING];
	sl_map_set_init(set);
	iface->queues_max = entries / inst->buckets < slots ? entries / inst->buckets : slots;
	if (iface->queues_max > iface->gate_entries / SL_MAX_TENANTS)
		iface->queues_max = iface->gate_entries / SL_MAX_TENANTS;
	if (iface->queues_max > iface->ring_entries / SL_MAX_WORKERS)
		iface->queues_max = iface->ring_entries / SL_MAX_WORKERS;
	if (iface->queues_max > SL_MAX_QUEUES)
		iface->queues_max = SL_MAX_QUEUES;
	if (!iface->queues_max)
		return sl_error_set(err, -EPROTO, "%s: its maps have no room for one queue",
				    iface->name);
	iface->bucket_stats = sl_map_mmap(iface->bucket_stats_fd, SL_MAP_BUCKET_STATS, entries);
	iface->stack = sl_map_mmap(iface->stack_fd, SL_MAP_STACK, iface->stack_entries);
	iface->gates = sl_map_mmap(iface->tenant_gate_fd, SL_MAP_TENANT_GATE, iface->gate_entries);
	iface->tenant_rings =
		sl_map_mmap(iface->tenant_ring_fd, SL_MAP_TENANT_RING, iface->ring_entries);
	if (!iface->bucket_stats || !iface->stack || !iface->gates || !iface->tenant_rings)
		return sl_error_set(err, -errno, "the maps of %s cannot be mapped: %s", iface->name,
				    strerror(errno));
	iface->queues = sl_iface_queues(iface);
	return 0;
}

/* 1: the interface is gone, 0: it carries what is pinned; else -errno. */
static int iface_state(const char *instance, const struct sl_pin_iface *entry,
		       struct sl_iface *iface, struct sl_error *err)
{
	struct sl_hook hook = {0};
	int link, prog, rc;

	memcpy(iface->name, entry->name, sizeof(iface->name));
	iface->ifindex = (int)entry->ifindex;
	iface->adopted = entry->adopted;
	link = sl_pin_open_link(instance, entry->name);
	if (link >= 0) {
		iface->ifindex = sl_link_ifindex(link);
		close(link);
	}
	if (!iface->ifindex || sl_hook_query(iface->ifindex, &hook))
		return 1;
	if_indextoname((unsigned)iface->ifindex, iface->name);
	prog = sl_pin_open_prog(instance, entry->name);
	if (prog < 0)
		return sl_error_set(err, prog, "%s: pinned program: %s", entry->name,
				    strerror(-prog));
	iface->prog_id = sl_prog_id(prog);
	iface->rx_hash = sl_prog_takes_rx_hash(prog);
	iface->mode = hook.mode;
	close(prog);
	rc = hook.prog_id == iface->prog_id ? 0 : hook.prog_id ? -EEXIST : -ENOENT;
	if (rc)
		return sl_error_set(err, rc,
				    "%s does not carry Sluice's program %u any more (%s): sluice "
				    "detach %s, then attach again",
				    iface->name, iface->prog_id,
				    hook.prog_id ? "another is there" : "it was taken off",
				    instance);
	return 0;
}

static int open_ifaces(struct sl_instance *inst, struct sl_error *err)
{
	struct sl_pin_iface entries[SL_MAX_IFACES];
	const int n = sl_pin_ifaces(inst->name, entries);

	if (n <= 0)
		return sl_error_set(err, n ? n : -ENOENT,
				    "instance %s has no interface: sluice "
				    "detach %s, then attach again",
				    inst->name, inst->name);
	if (entries[0].netns != sl_netns_self())
		return sl_error_set(
			err, -ENODEV,
			"instance %s is in another network namespace (net:[%llu]): enter it "
			"first (nsenter --net=...)",
			inst->name, (unsigned long long)entries[0].netns);
	for (int i = 0; i < n; i++) {
		struct sl_iface *iface = &inst->iface[inst->ifaces];
		struct sl_map_set set;
		int rc = iface_state(inst->name, &entries[i], iface, err);

		if (rc < 0)
			return rc;
		if (rc)
			continue;
		sl_map_set_init(&set);
		rc = sl_pin_open_iface(inst->name, entries[i].name, &set);
		if (rc)
			return sl_error_set(err, rc, "maps of %s: %s", iface->name, strerror(-rc));
		rc = sl_map_set_check(&set, SL_MAP_IFACE_FIRST, SL_MAP_COUNT, iface->name, err);
		if (rc) {
			sl_map_set_close(&set, SL_MAP_IFACE_FIRST, SL_MAP_COUNT);
			return rc;
		}
		inst->ifaces++;
		rc = take_iface_maps(inst, iface, &set, err);
		if (rc)
			return rc;
	}
	if (!inst->ifaces)
		return sl_error_set(
			err, -ENODEV,
			"the interfaces of instance %s are gone: sluice detach %s removes "
			"what is left",
			inst->name, inst->name);
	return 0;
}

static struct sl_instance *instance_new(const char *name)
{
	struct sl_instance *inst = calloc(1, sizeof(*inst));

	if (!inst)
		return NULL;
	snprintf(inst->name, sizeof(inst->name), "%s", name);
	inst->indirection_fd = inst->owners_fd = inst->workers_fd = inst->bucket_cost_fd = -1;
	inst->control_fd = inst->grace_fd = inst->moves_fd = inst->drop_reasons_fd = -1;
	inst->tenant_match_fd = inst->tenant_work_fd = -1;
	inst->toeplitz_fd = inst->rules_fd = inst->ifaces_fd = inst->grace_inner_fd = -1;
	return inst;
}

int sl_instance_open_pinned(const char *name, struct sl_instance **out, struct sl_error *err)
{
	struct sl_instance *inst = instance_new(name);
	struct sl_pin_extra extra;
	struct sl_map_set set;
	int rc;

	if (!inst)
		return sl_error_set(err, -ENOMEM, "no memory");
	sl_map_set_init(&set);
	rc = sl_pin_open_instance(name, &set, &extra);
	if (rc) {
		sl_error_set(err, rc, "instance %s: pinned maps: %s%s", name, strerror(-rc),
			     rc == -EACCES || rc == -EPERM ? " (run as root)" : "");
		goto fail;
	}
	inst->rules_fd = extra.rules_fd;
	inst->ifaces_fd = extra.ifaces_fd;
	rc = sl_map_set_check(&set, 0, SL_MAP_IFACE_FIRST, name, err);
	if (!rc)
		rc = take_instance_maps(inst, &set, err);
	if (!rc)
		rc = open_ifaces(inst, err);
	if (rc)
		goto fail;
	*out = inst;
	return 0;
fail:
	sl_map_set_close(&set, 0, SL_MAP_IFACE_FIRST);
	sl_instance_close(inst);
	return rc;
}
