/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * instance.h - an instance: the interfaces served as one, and their maps.
 *
 * The object pins nothing by name. Maps are found from the program that is on the interface,
 * checked for their ABI, and pinned under <bpffs>/sluice/<abi>/<instance>/ (instance maps) and
 * .../<instance>/<interface>/ (interface maps, `link`). Daemon, dataplane and CLI open the same
 * way.
 */
#ifndef SL_PLATFORM_INSTANCE_H
#define SL_PLATFORM_INSTANCE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/tenants.h>

#define SL_BPFFS "/sys/fs/bpf"
#define SL_RUN_DIR                                                                                 \
	"/run/sluice" /* sockets and locks; overridden by the environment's SLUICE_RUN_DIR */
#define SL_NAME_MAX 32

/* One interface of an instance. */
struct sl_iface {
	char name[IF_NAMESIZE];
	int ifindex;
	uint32_t prog_id;
	bool rx_hash; /* the program takes the NIC's own hash */
	bool adopted; /* attached by others (ip link, xdp-loader): no bpf_link of ours */
	unsigned queues; /* RX queues now; bucket_stats and xsks have room for queues_max */
	unsigned queues_max;
	enum sl_xdp_mode mode;
	unsigned stats_entries; /* of bucket_stats */
	int bucket_stats_fd, xsks_fd, verdicts_fd, match_fd, local_addrs_fd, stack_fd, cpus_fd;
	int tenant_gate_fd, tenant_ring_fd;
	unsigned stack_entries; /* of stack: 1 unless the mode is `stack` */
	struct sl_stack *stack; /* mmapped, [queue * buckets + bucket] */
	volatile struct sl_bucket_stats *bucket_stats; /* mmapped, [queue * buckets + bucket] */
	unsigned gate_entries, ring_entries; /* of the two maps; room for queues_max */
	struct sl_tenant_gate *gates; /* mmapped, [queue * SL_MAX_TENANTS + tenant] */
	struct sl_tenant_ring *tenant_rings; /* mmapped, [queue * SL_MAX_WORKERS + worker] */
};

/* Everything mmapped is shared memory with the other processes: use atomics as maps.h says. */
struct sl_instance {
	char name[SL_NAME_MAX];
	unsigned ifaces;
	struct sl_iface iface[SL_MAX_IFACES];
	unsigned buckets; /* of the tables: those of the hash, then SL_PARTS parts of split ones */
	unsigned hash_buckets; /* control.bucket_mask + 1 once that is set */
	unsigned max_workers; /* workers that `workers` and `bucket_cost` have room for */
	unsigned workers_entries, cost_entries, work_entries; /* of the maps */
	int indirection_fd, owners_fd, workers_fd, bucket_cost_fd, control_fd, grace_fd, moves_fd,
		drop_reasons_fd, toeplitz_fd, tenant_match_fd, tenant_work_fd;
	int rules_fd; /* the rules in force as text, see sl_rules_get() in attach.h */
	int ifaces_fd; /* which interfaces, see pin.h */
	int grace_inner_fd; /* what an update of `grace` stores */
	uint64_t *rows; /* struct sl_row as words */
	uint64_t *owners; /* struct sl_owner as words */
	struct sl_worker *workers;
	struct sl_bucket_cost *cost; /* [worker * buckets + bucket] */
	struct sl_control *control;
	struct sl_move *moves;
	struct sl_drop_reason *drop_reasons;
	struct sl_tenant_work *tenant_work; /* [worker * SL_MAX_TENANTS + tenant] */
};

/* Where a one-line message for the operator goes; every error here says what, which, why and the
 * mend. */
int sl_error_set(struct sl_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4))); /* returns code */

/*
 * Open the instance that `name` (an instance's or one of its interfaces' name, in this network
 * namespace) belongs to. Finds the maps by pin, or from the program on the interface and pins them.
 * 0 and *out (free with sl_instance_close()), or -errno: -ENODEV no such interface, -ENOENT not
 * attached, -EPROTO another ABI, -EEXIST a foreign program, -EPERM.
 */
int sl_instance_open(const char *name, struct sl_instance **out, struct sl_error *err);
void sl_instance_close(struct sl_instance *inst);

/*
 * Return when every XDP program run and every NAPI poll that was under way at the call has ended:
 * what XDP read before the call is then visible in the rings (an update of an ARRAY_OF_MAPS waits
 * for RCU, kernel/bpf/syscall.c maybe_wait_bpf_programs). 8-20 ms. Any thread. 0 or -errno.
 */
int sl_instance_grace(const struct sl_instance *inst);

/* Does a dataplane run on the instance? By control.pid, and a heartbeat younger than 10 s. */
bool sl_instance_running(const struct sl_instance *inst);

/* The bucket that `part` is of while that is split, or -1: no part, or not in use. Any thread. */
int sl_part_of(const struct sl_instance *inst, uint32_t part);

/* Is there such a bucket now: one of the hash, or a part in use? Any thread. */
bool sl_bucket_exists(const struct sl_instance *inst, uint32_t bucket);

/* The first of a bucket's SL_SPLIT_PARTS parts, or -1: it is not split. Any thread. */
int sl_parts_of(const struct sl_instance *inst, uint32_t bucket);

/* Number of RX queues now, after ethtool -L; at most queues_max is served. */
unsigned sl_iface_queues(const struct sl_iface *iface);

/* Names of all instances pinned, NULL-terminated; free each and the array. NULL on no memory. */
char **sl_instance_list(void);

#endif /* SL_PLATFORM_INSTANCE_H */
