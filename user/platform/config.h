/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - the configuration file of sluiced, checked whole before anything uses it.
 * sluice.yaml(5) documents every setting.
 */
#ifndef SL_PLATFORM_CONFIG_H
#define SL_PLATFORM_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <sluice/fair.h>

#include "control/tenant_rules.h"
#include "platform/instance.h"

#define SL_CONFIG_PATH "/etc/sluice/sluice.yaml"
#define SL_CONFIG_VERSION 1
#define SL_CONFIG_PINS 64 /* ranges of pinned buckets */
#define SL_CONFIG_INSTANCES 64

struct sl_bucket_range {
	uint32_t first, last; /* inclusive */
};

/* `balance.elastic`: how many workers are awake. */
struct sl_elastic_config {
	bool enabled;
	double target; /* utilisation of the workers that are awake */
	unsigned min_workers, max_workers; /* awake; max 0: all that run */
	uint64_t ahead_ns; /* how far a rising load is followed */
	uint64_t hold_ns; /* how long fewer must have been enough */
};

/* `balance`: how one instance is kept even. */
struct sl_balance_config {
	bool enabled;
	uint64_t tick_min_ns; /* while unbalanced */
	uint64_t tick_max_ns; /* at rest */
	double threshold; /* acts when the highest worker load is above, cores */
	double min_gain; /* least relative fall of the highest load worth moving for */
	uint64_t min_interval_ns; /* between two plans that move */
	unsigned max_moves; /* in one plan; 0: no limit */
	uint64_t plan_ns; /* a plan ends with the best found so far */
	bool numa; /* a bucket leaves its NUMA node only if no worker there has room */
	uint64_t smoothing_ns; /* time constant of the load estimate */
	uint64_t stuck_ns; /* a worker silent for so long while it has load is stuck */
	struct sl_elastic_config elastic;
	bool split; /* buckets above a core that are more than one flow */
	uint64_t split_hold_ns; /* calm for so long before one is whole again */
	unsigned pins;
	struct sl_bucket_range pin[SL_CONFIG_PINS];
};

struct sl_tenant_config {
	char name[SL_TENANT_NAME];
	double weight; /* > 0 */
};

/* `tenants`: who shares an instance, and how. */
struct sl_tenants_config {
	enum sl_policy policy;
	uint64_t half_life_ns; /* SDRF: of commitments */
	double borrowable; /* Karma: of the equal share, 0..1 */
	double bandwidth; /* bits a second that all have; 0: as much as there is */
	double others; /* weight of who is no tenant */
	unsigned n;
	struct sl_tenant_config tenant[SL_TENANT_TOTAL - 1];
	unsigned rules_n;
	struct sl_tenant_rule rule[SL_MAX_RULES]; /* .tenant: 1 + index in `tenant` */
};

struct sl_instance_config {
	char name[SL_NAME_MAX];
	unsigned ifaces_n;
	char ifaces[SL_MAX_IFACES][IF_NAMESIZE];
	bool attach; /* the daemon attaches it at start; else it waits for somebody to */
	unsigned rules_n;
	struct sl_rule rules[SL_MAX_RULES];
	bool local;
	unsigned buckets, max_workers;
	enum sl_xdp_mode mode; /* SL_XDP_UNKNOWN: native, else generic */
	bool inband;
	bool stack;
	bool toeplitz;
	bool nic_key; /* toeplitz_key: nic */
	bool rx_hash; /* hash: nic */
	uint8_t toeplitz_key[SL_TOEPLITZ_KEY];
	bool hardware_given; /* else it stays what it is */
	enum sl_hardware hardware;
	struct sl_balance_config balance;
	struct sl_tenants_config tenants;
};

struct sl_config {
	char socket_group[32]; /* "": the daemon's own group */
	bool metrics;
	struct sockaddr_storage metrics_addr; /* a loopback address and a port */
	struct sl_balance_config balance; /* of instances that the file does not list */
	unsigned instances_n;
	struct sl_instance_config *instances;
};

/* The defaults: no instance listed, metrics on 127.0.0.1:9464. NULL on no memory. */
struct sl_config *sl_config_new(void);
void sl_config_free(struct sl_config *c);

/*
 * Read and check a file. 0 and *out (sl_config_free() it), or -errno with one line "file:line:
 * setting: what is wrong: the mend". Nothing is attached, opened or changed.
 */
int sl_config_load(const char *path, struct sl_config **out, struct sl_error *err);

/* The settings of the instance of that name, or NULL if the file does not list it. */
const struct sl_instance_config *sl_config_instance(const struct sl_config *c, const char *name);

#endif /* SL_PLATFORM_CONFIG_H */
