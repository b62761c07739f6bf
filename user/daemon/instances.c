// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which instances there are. Whoever attached them, the daemon takes them over; their maps are all
 * that it needs, so it starts before or after the dataplane, and again after SIGKILL, alike.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "platform/attach.h"

static const struct sl_balance_config *balance_of(const struct daemon *d, const char *name)
{
	const struct sl_instance_config *in = sl_config_instance(d->config, name);

	return in ? &in->balance : &d->config->balance;
}

struct served *instances_find(struct daemon *d, const char *name)
{
	for (unsigned i = 0; i < d->served_n; i++) {
		struct served *s = d->served[i];

		if (!strcmp(s->inst->name, name))
			return s;
		for (unsigned j = 0; j < s->inst->ifaces; j++)
			if (!strcmp(s->inst->iface[j].name, name))
				return s;
	}
	return NULL;
}

/* Rules compare as text: two that mean the same may differ in padding. */
static bool same_rules(const struct sl_instance *inst, const struct sl_instance_config *in)
{
	bool local = inst->control->flags & SL_CTL_LOCAL;
	struct sl_rule *now = calloc(SL_MAX_RULES, sizeof(*now));
	char a[256], b[256];
	bool same;
	int n;

	n = now ? sl_rules_get(inst, now, SL_MAX_RULES) : -ENOMEM;
	same = n == (int)in->rules_n && local == in->local;
	for (int i = 0; same && i < n; i++) {
		sl_rule_format(&now[i], a, sizeof(a));
		sl_rule_format(&in->rules[i], b, sizeof(b));
		same = !strcmp(a, b);
	}
	free(now);
	return same;
}

static int install_rules(struct sl_instance *inst, const struct sl_instance_config *in,
			 struct sl_error *err)
{
	if (!in->rules_n || same_rules(inst, in))
		return 0;
	log_line(LOG_NOTICE, "%s: installing the configuration's match rules", inst->name);
	return sl_match_install(inst, in->rules, in->rules_n, in->local, err);
}

static int attach_one(const struct sl_instance_config *in, struct sl_error *err)
{
	const char *ifaces[SL_MAX_IFACES];
	struct sl_attach_opts opts = {.instance = in->name,
				      .ifaces = ifaces,
				      .ifaces_n = in->ifaces_n,
				      .buckets = in->buckets,
				      .max_workers = in->max_workers,
				      .mode = in->mode,
				      .rules = in->rules,
				      .rules_n = in->rules_n,
				      .local = in->local,
				      .inband = in->inband,
				      .stack = in->stack,
				      .toeplitz = in->toeplitz,
				      .nic_key = in->nic_key || in->rx_hash,
				      .rx_hash = in->rx_hash};
	struct sl_instance *inst;
	int rc;

	for (unsigned i = 0; i < in->ifaces_n; i++)
		ifaces[i] = in->ifaces[i];
	memcpy(opts.toeplitz_key, in->toeplitz_key, sizeof(opts.toeplitz_key));
	/* By interface: an instance of that name in another network namespace is not this one. */
	rc = sl_instance_open(in->ifaces[0], &inst, err);
	if (!rc) {
		rc = install_rules(inst, in, err);
		sl_instance_close(inst);
		return rc;
	}
	if (rc != -ENOENT)
		return rc;
	log_line(LOG_NOTICE, "%s: attaching; its maps take %zu KiB of kernel memory", in->name,
		 sl_attach_memory(&opts) / 1024);
	rc = sl_attach(&opts, err);
	if (!rc && *err->text)
		log_line(LOG_WARNING, "%s: %s", in->name, err->text);
	return rc;
}

int instances_attach(struct daemon *d, struct sl_error *err)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < d->config->instances_n; i++)
		if (d->config->instances[i].attach) {
			*err->text = 0;
			rc = attach_one(&d->config->instances[i], err);
		}
	return rc;
}

/* Left alone where the file says nothing of it: then `sluice nic --hardware` has the say. */
static void set_hardware(struct served *s, const struct sl_instance_config *in)
{
	if (in && in->hardware_given)
		__atomic_store_n(&s->inst->control->hardware, in->hardware, __ATOMIC_RELAXED);
}

/* Those of an instance that the file does not list are left alone. */
static void configure_tenants(const struct daemon *d, struct served *s)
{
	const struct sl_instance_config *in = sl_config_instance(d->config, s->inst->name);

	if (in)
		served_tenants_configure(s, &in->tenants);
}

static void let_go(struct daemon *d, unsigned i)
{
	log_line(LOG_NOTICE, "%s: detached", d->served[i]->inst->name);
	served_state_forget(d->served[i]);
	served_free(d->served[i]);
	d->served[i] = d->served[--d->served_n];
}

static void take_over(struct daemon *d, const char *name)
{
	struct sl_instance *inst;
	struct sl_error err;
	struct served *s;

	/* Of another network namespace, or about to go: it is looked at again later. */
	if (sl_instance_open(name, &inst, &err))
		return;
	s = served_new(inst, balance_of(d, inst->name));
	if (!s) {
		log_line(LOG_ERR, "%s: no memory for its control loop", name);
		return;
	}
	d->served[d->served_n++] = s;
	set_hardware(s, sl_config_instance(d->config, inst->name));
	log_line(LOG_NOTICE, "%s: adopted: %u interfaces, %u buckets%s", inst->name, inst->ifaces,
		 inst->hash_buckets, s->balance.enabled ? "" : ", balancing disabled");
	instances_refresh_addresses(d);
	configure_tenants(d, s);
}

static bool is_served(const struct daemon *d, const char *name)
{
	for (unsigned i = 0; i < d->served_n; i++)
		if (!strcmp(d->served[i]->inst->name, name))
			return true;
	return false;
}

void instances_discover(struct daemon *d)
{
	char **names = sl_instance_list();

	/* Attached anew under an old name: the maps are others, and so is the folder. */
	for (unsigned i = d->served_n; i-- > 0;)
		if (served_pin_inode(d->served[i]->inst->name) != d->served[i]->pin)
			let_go(d, i);
	for (unsigned i = 0; names && names[i]; i++) {
		if (!is_served(d, names[i]) && d->served_n < INSTANCES_MAX)
			take_over(d, names[i]);
		free(names[i]);
	}
	free(names);
}

static bool same_shape(const struct sl_instance *inst, const struct sl_instance_config *in)
{
	bool toeplitz = inst->control->flags & SL_CTL_TOEPLITZ;
	bool stack = inst->control->flags & SL_CTL_STACK;

	if (inst->hash_buckets != in->buckets || inst->max_workers != in->max_workers ||
	    inst->ifaces != in->ifaces_n || stack != in->stack || toeplitz != in->toeplitz)
		return false;
	for (unsigned i = 0; i < inst->ifaces; i++)
		if (strcmp(inst->iface[i].name, in->ifaces[i]) != 0)
			return false;
	return true;
}

void instances_configure(struct daemon *d)
{
	struct sl_error err;

	for (unsigned i = 0; i < d->served_n; i++) {
		struct served *s = d->served[i];
		const struct sl_instance_config *in = sl_config_instance(d->config, s->inst->name);

		served_configure(s, balance_of(d, s->inst->name));
		set_hardware(s, in);
		configure_tenants(d, s);
		if (in && install_rules(s->inst, in, &err))
			log_line(LOG_ERR, "%s: match: %s", s->inst->name, err.text);
		if (in && in->attach && !same_shape(s->inst, in))
			log_line(LOG_WARNING,
				 "%s: interfaces, buckets, max_workers, hash or stack differ from "
				 "the "
				 "configuration: they change with the next attach",
				 s->inst->name);
	}
	for (unsigned i = 0; i < d->config->instances_n; i++)
		if (d->config->instances[i].attach && !is_served(d, d->config->instances[i].name))
			log_line(LOG_WARNING,
				 "%s: attach: true takes effect at start: restart sluiced, or run "
				 "sluice attach",
				 d->config->instances[i].name);
}

void instances_refresh_addresses(struct daemon *d)
{
	struct sl_error err;

	for (unsigned i = 0; i < d->served_n; i++)
		if (sl_local_refresh(d->served[i]->inst, &err))
			log_line(LOG_WARNING, "%s: %s", d->served[i]->inst->name, err.text);
}
