// SPDX-License-Identifier: GPL-2.0-or-later
/* The settings of sluiced: tables of fields, defaults, and what must agree with what. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/attach.h"
#include "platform/config.h"
#include "platform/config_tenants.h"
#include "platform/config_values.h"
#include "platform/yaml.h"

#define DEFAULT_METRICS "127.0.0.1:9464"

/* Reasons and trade-offs: sluice.yaml(5). */
static const struct sl_balance_config balance_defaults = {
	.enabled = true,
	.tick_min_ns = 100 * 1000000ULL,
	.tick_max_ns = 1000 * 1000000ULL,
	.threshold = 0.5,
	.min_gain = 0.05,
	.min_interval_ns = 100 * 1000000ULL,
	.max_moves = 0,
	.plan_ns = 5 * 1000000ULL,
	.numa = true,
	.smoothing_ns = 200 * 1000000ULL,
	.stuck_ns = 3000 * 1000000ULL,
	.split = true,
	.split_hold_ns = 60 * 1000000000ULL,
	.elastic = {.target = 0.8,
		    .min_workers = 1,
		    .ahead_ns = 500 * 1000000ULL,
		    .hold_ns = 5000 * 1000000ULL},
};

#define AT(type, member) .offset = offsetof(struct type, member)
#define BALANCE(member) AT(sl_balance_config, member)
#define ELASTIC(member) AT(sl_elastic_config, member)
#define INSTANCE(member) AT(sl_instance_config, member)

static const struct sl_yaml_field elastic_fields[] = {
	{"enabled", sl_yaml_set_bool, ELASTIC(enabled), .mend = "write true or false"},
	{"target", sl_yaml_set_fraction, ELASTIC(target), 0.05, 1,
	 "write a share of a core from 0.05 to 1, such as 0.8 or 80%"},
	{"min_workers", sl_yaml_set_unsigned, ELASTIC(min_workers), 1, SL_MAX_WORKERS,
	 "write a number from 1 to 128"},
	{"max_workers", sl_yaml_set_unsigned, ELASTIC(max_workers), 0, SL_MAX_WORKERS,
	 "write a number from 1 to 128, or 0 for all that run"},
	{"ahead", sl_yaml_set_duration, ELASTIC(ahead_ns), 0, 60,
	 "write a time of at most 60s, such as 500ms"},
	{"hold", sl_yaml_set_duration, ELASTIC(hold_ns), 0, 3600,
	 "write a time of at most 60min, such as 5s"},
	{0},
};

const struct sl_yaml_field sl_config_balance_fields[] = {
	{"enabled", sl_yaml_set_bool, BALANCE(enabled), .mend = "write true or false"},
	{"tick_min", sl_yaml_set_duration, BALANCE(tick_min_ns), 0.01, 60,
	 "write a time from 10ms to 60s, such as 100ms"},
	{"tick_max", sl_yaml_set_duration, BALANCE(tick_max_ns), 0.01, 60,
	 "write a time from 10ms to 60s, such as 1s"},
	{"threshold", sl_yaml_set_fraction, BALANCE(threshold), 0, 1,
	 "write a share of a core from 0 to 1, such as 0.5 or 50%"},
	{"min_gain", sl_yaml_set_fraction, BALANCE(min_gain), 0, 1,
	 "write a share from 0 to 1, such as 0.05 or 5%"},
	{"min_interval", sl_yaml_set_duration, BALANCE(min_interval_ns), 0, 3600,
	 "write a time of at most 60min, such as 100ms"},
	{"max_moves", sl_yaml_set_unsigned, BALANCE(max_moves), 0, SL_MAX_BUCKETS,
	 "write a number of buckets from 0 (no limit) to 65536"},
	{"plan_time", sl_yaml_set_duration, BALANCE(plan_ns), 10e-6, 1,
	 "write a time from 10us to 1s, such as 5ms"},
	{"numa", sl_yaml_set_bool, BALANCE(numa), .mend = "write true or false"},
	{"smoothing", sl_yaml_set_duration, BALANCE(smoothing_ns), 0, 60,
	 "write a time of at most 60s, such as 200ms"},
	{"stuck_after", sl_yaml_set_duration, BALANCE(stuck_ns), 1.5, 600,
	 "write a time from 1500ms to 10min, such as 3s"},
	{"elastic", sl_yaml_set_mapping, BALANCE(elastic), .fields = elastic_fields},
	{"split", sl_yaml_set_bool, BALANCE(split), .mend = "write true or false"},
	{"split_hold", sl_yaml_set_duration, BALANCE(split_hold_ns), 0.1, 3600,
	 "write a time from 100ms to 60min, such as 60s"},
	{"pinned", sl_config_set_pins, .mend = "write bucket numbers and ranges: [17, 64-127]"},
	{0},
};

static const struct sl_yaml_field steering_fields[] = {
	{"hardware", sl_config_set_hardware, .mend = "write auto, on or off"},
	{0},
};

static const struct sl_yaml_field instance_fields[] = {
	{"name", sl_config_set_name, INSTANCE(name),
	 .mend = "write at most 31 letters, digits, '-', '_' or '.', not first a '.'"},
	{"interfaces", sl_config_set_ifaces,
	 .mend = "write one to four interface names: [eth1, eth2]"},
	{"attach", sl_yaml_set_bool, INSTANCE(attach), .mend = "write true or false"},
	{"match", sl_config_set_rules,
	 .mend = "write rules such as [10.0.0.0/8, \"proto=tcp,port=443\"], or all"},
	{"local", sl_yaml_set_bool, INSTANCE(local), .mend = "write true or false"},
	{"stack", sl_yaml_set_bool, INSTANCE(stack), .mend = "write true or false"},
	{"buckets", sl_config_set_buckets, INSTANCE(buckets), SL_MIN_BUCKETS, SL_MAX_BUCKETS,
	 "write a power of two from 128 to 65536"},
	{"max_workers", sl_yaml_set_unsigned, INSTANCE(max_workers), 1, SL_MAX_WORKERS,
	 "write a number from 1 to 128"},
	{"mode", sl_config_set_mode, INSTANCE(mode), .mend = "write auto, native or generic"},
	{"stamp", sl_config_set_stamp, INSTANCE(inband), .mend = "write metadata or inband"},
	{"hash", sl_config_set_hash, INSTANCE(toeplitz),
	 .mend = "write symmetric, toeplitz or nic"},
	{"toeplitz_key", sl_config_set_key,
	 .mend = "write nic, or 40 or 52 bytes in hexadecimal, such as \"6d:5a:56:da:...\""},
	{"steering", sl_yaml_set_mapping, .fields = steering_fields},
	{"balance", sl_yaml_set_mapping, INSTANCE(balance), .fields = sl_config_balance_fields},
	{"tenants", sl_config_set_tenants, INSTANCE(tenants)},
	{0},
};

static const struct sl_yaml_field socket_fields[] = {
	{"group", sl_config_set_group, AT(sl_config, socket_group),
	 .mend = "write the name of a group"},
	{0},
};

static const struct sl_yaml_field metrics_fields[] = {
	{"listen", sl_config_set_listen,
	 .mend = "write a loopback address and a port, such as 127.0.0.1:9464 or [::1]:9464, or "
		 "off"},
	{0},
};

/* Only remembers the node: defaults may stand behind the list in the file. */
struct root {
	struct sl_config *config;
	const yaml_node_t *instances;
};

static SL_YAML_SETTER(set_version)
{
	const char *text = sl_yaml_text(node);

	return text && !strcmp(text, "1")
		       ? 0
		       : sl_yaml_error(y, node, "this release reads %s", f->mend);
}

static SL_YAML_SETTER(set_part)
{
	return sl_yaml_mapping(y, node, f->fields, ((struct root *)base)->config);
}

static SL_YAML_SETTER(set_balance)
{
	return sl_yaml_mapping(y, node, f->fields, &((struct root *)base)->config->balance);
}

static SL_YAML_SETTER(set_instances)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return sl_yaml_error(y, node,
				     "expected a list: write one \"- name: ...\" an "
				     "instance");
	((struct root *)base)->instances = node;
	return 0;
}

static const struct sl_yaml_field root_fields[] = {
	{"version", set_version, .mend = "version 1: write version: 1"},
	{"socket", set_part, .fields = socket_fields},
	{"metrics", set_part, .fields = metrics_fields},
	{"balance", set_balance, .fields = sl_config_balance_fields},
	{"instances", set_instances, .offset = 0},
	{0},
};

/* What the tables cannot say. */
static int balance_check(struct sl_yaml *y, const yaml_node_t *node,
			 const struct sl_balance_config *b, unsigned buckets)
{
	if (b->tick_min_ns > b->tick_max_ns)
		return sl_yaml_error(
			y, node,
			"balance.tick_min (%llu ms) is longer than tick_max (%llu ms): "
			"lower one or raise the other",
			(unsigned long long)b->tick_min_ns / 1000000,
			(unsigned long long)b->tick_max_ns / 1000000);
	if (b->elastic.max_workers && b->elastic.min_workers > b->elastic.max_workers)
		return sl_yaml_error(y, node,
				     "balance.elastic.min_workers (%u) is above max_workers (%u): "
				     "lower one or raise the other",
				     b->elastic.min_workers, b->elastic.max_workers);
	for (unsigned i = 0; i < b->pins; i++)
		if (b->pin[i].last >= buckets)
			return sl_yaml_error(y, node,
					     "balance.pinned names bucket %u of %u: name buckets "
					     "below that",
					     b->pin[i].last, buckets);
	return 0;
}

static int instance_check(struct sl_yaml *y, const yaml_node_t *node, const struct sl_config *c,
			  const struct sl_instance_config *in)
{
	static const uint8_t no_key[SL_TOEPLITZ_KEY];

	for (const struct sl_instance_config *o = c->instances; o < in; o++) {
		if (!strcmp(o->name, in->name))
			return sl_yaml_error(y, node, "name \"%s\" is taken: choose another",
					     in->name);
		for (unsigned i = 0; i < o->ifaces_n * in->ifaces_n; i++)
			if (!strcmp(o->ifaces[i / in->ifaces_n], in->ifaces[i % in->ifaces_n]))
				return sl_yaml_error(y, node,
						     "interface %s is in instance \"%s\" already: "
						     "an interface has one",
						     o->ifaces[i / in->ifaces_n], o->name);
	}
	if (in->attach && !in->rules_n)
		return sl_yaml_error(y, node,
				     "attach: true needs match: list what Sluice takes, or write "
				     "match: all");
	if (in->stack && in->tenants.n)
		return sl_yaml_error(y, node,
				     "tenants need AF_XDP: leave out tenants, or write stack: "
				     "false");
	if (in->rx_hash && memcmp(in->toeplitz_key, no_key, sizeof(no_key)))
		return sl_yaml_error(y, node,
				     "hash: nic has the NIC's key: leave out toeplitz_key, or "
				     "write hash: toeplitz");
	if (in->rx_hash && in->stack)
		return sl_yaml_error(y, node,
				     "stack: true computes its hash: write hash: toeplitz and "
				     "toeplitz_key: nic");
	if (in->toeplitz && !in->nic_key && !in->rx_hash &&
	    !memcmp(in->toeplitz_key, no_key, sizeof(no_key)))
		return sl_yaml_error(y, node,
				     "hash: toeplitz needs toeplitz_key: write nic, or the key "
				     "that ethtool -x %s shows",
				     in->ifaces[0]);
	return balance_check(y, node, &in->balance, in->buckets);
}

static int read_instance(struct sl_yaml *y, const yaml_node_t *node, unsigned i, void *ctx)
{
	struct sl_config *c = ctx;
	struct sl_instance_config *in;
	int rc;

	if (i == SL_CONFIG_INSTANCES)
		return sl_yaml_error(y, node, "more than %d instances", SL_CONFIG_INSTANCES);
	in = realloc(c->instances, (i + 1) * sizeof(*in));
	if (!in)
		return sl_error_set(y->err, -ENOMEM, "%s: no memory", y->file);
	c->instances = in;
	in += i;
	*in = (struct sl_instance_config){.buckets = SL_DEFAULT_BUCKETS,
					  .max_workers = SL_DEFAULT_MAX_WORKERS,
					  .balance = c->balance};
	rc = sl_yaml_mapping(y, node, instance_fields, in);
	if (rc)
		return rc;
	if (!in->ifaces_n)
		return sl_yaml_error(y, node, "interfaces is missing: write interfaces: [eth1]");
	if (!*in->name)
		memcpy(in->name, in->ifaces[0], sizeof(in->ifaces[0]));
	rc = instance_check(y, node, c, in);
	if (!rc)
		c->instances_n = i + 1;
	return rc;
}

static int read_root(struct sl_yaml *y, struct sl_config *c)
{
	const yaml_node_t *node = yaml_document_get_root_node(&y->doc);
	struct root root = {.config = c};
	int rc;

	if (!node)
		return 0; /* an empty file: the defaults */
	rc = sl_yaml_mapping(y, node, root_fields, &root);
	if (!rc)
		rc = balance_check(y, node, &c->balance, SL_MAX_BUCKETS);
	if (rc || !root.instances)
		return rc;
	snprintf(y->where, sizeof(y->where), "instances");
	return sl_yaml_sequence(y, root.instances, read_instance, c);
}

struct sl_config *sl_config_new(void)
{
	struct sl_config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->balance = balance_defaults;
	c->metrics = true;
	sl_listen_parse(DEFAULT_METRICS, &c->metrics_addr);
	return c;
}

void sl_config_free(struct sl_config *c)
{
	if (!c)
		return;
	free(c->instances);
	free(c);
}

int sl_config_load(const char *path, struct sl_config **out, struct sl_error *err)
{
	struct sl_config *c;
	struct sl_yaml y;
	int rc;

	rc = sl_yaml_open(&y, path, err);
	if (rc)
		return rc;
	c = sl_config_new();
	rc = c ? read_root(&y, c) : sl_error_set(err, -ENOMEM, "%s: no memory", path);
	yaml_document_delete(&y.doc);
	if (rc)
		sl_config_free(c);
	else
		*out = c;
	return rc;
}

const struct sl_instance_config *sl_config_instance(const struct sl_config *c, const char *name)
{
	for (unsigned i = 0; i < c->instances_n; i++)
		if (!strcmp(c->instances[i].name, name))
			return &c->instances[i];
	return NULL;
}
