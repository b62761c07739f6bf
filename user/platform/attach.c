// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - what an attach means for what is on the interfaces: new, adopted or replaced.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/attach_internal.h"
#include "platform/discover.h"
#include "platform/dispatcher.h"
#include "platform/nic.h"

void sl_attach_note(struct sl_attach *a, const char *fmt, ...)
{
	const size_t there = strlen(a->note.text), room = sizeof(a->note.text) - there;
	va_list ap;

	if (room < 64) /* so many interfaces, all with something to say */
		return;
	va_start(ap, fmt);
	vsnprintf(a->note.text + there + (there ? 2 : 0), room - 2, fmt, ap);
	va_end(ap);
	if (there)
		memcpy(a->note.text + there, "; ", 2);
}

static int check_opts(const struct sl_attach_opts *opts, struct sl_error *err)
{
	const unsigned b = opts->buckets;

	if (!opts->ifaces_n || opts->ifaces_n > SL_MAX_IFACES)
		return sl_error_set(err, -EINVAL, "%u interfaces: name 1 to %d", opts->ifaces_n,
				    SL_MAX_IFACES);
	for (unsigned i = 0; i < opts->ifaces_n; i++) {
		if (!*opts->ifaces[i] || strlen(opts->ifaces[i]) >= IF_NAMESIZE)
			return sl_error_set(err, -EINVAL,
					    "interface name \"%.40s\": use one that "
					    "ip link shows",
					    opts->ifaces[i]);
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(opts->ifaces[i], opts->ifaces[j]))
				return sl_error_set(err, -EINVAL,
						    "interface %s is named twice: name it once",
						    opts->ifaces[i]);
	}
	if (b && (b < SL_MIN_BUCKETS || b > SL_MAX_BUCKETS || b & (b - 1)))
		return sl_error_set(err, -EINVAL, "%u buckets: use a power of two from %d to %d", b,
				    SL_MIN_BUCKETS, SL_MAX_BUCKETS);
	if (opts->max_workers > SL_MAX_WORKERS)
		return sl_error_set(err, -EINVAL, "%u workers: use %d at most", opts->max_workers,
				    SL_MAX_WORKERS);
	if (opts->stack && opts->ifaces_n > 1)
		return sl_error_set(err, -EINVAL,
				    "--stack with %u interfaces: give each an instance of its own",
				    opts->ifaces_n);
	if (opts->stack && (opts->inband || opts->mode == SL_XDP_GENERIC))
		return sl_error_set(
			err, -EINVAL,
			"--stack needs native mode and metadata: leave --mode generic and "
			"--stamp inband away");
	if (opts->stack && opts->rx_hash)
		return sl_error_set(err, -EINVAL,
				    "--stack computes its hash: give toeplitz:nic instead of nic");
	if (!opts->rules_n && !opts->replace)
		return sl_error_set(err, -EINVAL,
				    "no match rule: say what Sluice takes, for example --match "
				    "10.0.0.0/8, or --match all");
	if (opts->rules_n > SL_MAX_RULES)
		return sl_error_set(err, -E2BIG, "%u match rules: use %d at most", opts->rules_n,
				    SL_MAX_RULES);
	return sl_instance_name_check(opts->instance ? opts->instance : opts->ifaces[0], err);
}

static int already(const struct sl_target *t, struct sl_error *err)
{
	return sl_error_set(
		err, -EEXIST,
		"Sluice is attached to %s already (instance %s): add --replace to swap the "
		"program, or sluice detach %s first",
		t->name, t->instance[0] ? t->instance : t->name, t->name);
}

static int take_rules(struct sl_attach *a, const struct sl_instance *inst, struct sl_error *err)
{
	int n;

	a->local = a->opts->local;
	if (a->opts->rules_n) {
		memcpy(a->rules, a->opts->rules, a->opts->rules_n * sizeof(a->rules[0]));
		a->rules_n = a->opts->rules_n;
		return 0;
	}
	n = inst ? sl_rules_get(inst, a->rules, SL_MAX_RULES) : 0;
	if (n <= 0)
		return sl_error_set(err, -EINVAL,
				    "no match rule: say what Sluice takes, for example --match "
				    "10.0.0.0/8, or --match all");
	a->rules_n = (unsigned)n;
	a->local = a->opts->local || inst->control->flags & SL_CTL_LOCAL;
	return 0;
}

/* The instance whose maps stay: the one called for by name, else the first configured. */
static int choose_base(struct sl_attach *a, struct sl_error *err)
{
	a->base = -1;
	for (unsigned i = 0; i < a->n; i++) {
		const struct sl_target *t = &a->target[i];

		if (!t->ready)
			continue;
		if (a->base < 0 || (a->opts->instance && !strcmp(t->instance, a->opts->instance)))
			a->base = (int)i;
	}
	if (a->base < 0)
		return 0;
	if (a->opts->instance && a->target[a->base].instance[0] &&
	    strcmp(a->target[a->base].instance, a->opts->instance) != 0)
		return sl_error_set(
			err, -EINVAL,
			"%s belongs to the instance %s: leave --instance away, or detach "
			"it first",
			a->target[a->base].name, a->target[a->base].instance);
	if (a->target[a->base].instance[0])
		snprintf(a->name, sizeof(a->name), "%s", a->target[a->base].instance);
	return 0;
}

/* A target that leaves another configured instance must not be taken from under a dataplane. */
static int check_merge(const struct sl_attach *a, struct sl_error *err)
{
	for (unsigned i = 0; i < a->n; i++) {
		const struct sl_target *t = &a->target[i];
		struct sl_instance *inst;
		bool running;
		int rc;

		if (!t->ready || !t->instance[0] || !strcmp(t->instance, a->name))
			continue;
		rc = sl_instance_open_pinned(t->instance, &inst, err);
		if (rc)
			return rc;
		running = sl_instance_running(inst);
		rc = inst->ifaces > 1 ? -EBUSY : 0;
		sl_instance_close(inst);
		if (running || rc)
			return sl_error_set(
				err, -EBUSY,
				"%s belongs to the instance %s, which %s: %ssluice detach %s first",
				t->name, t->instance,
				running ? "a dataplane serves" : "has other interfaces too",
				running ? "stop that, and " : "", t->instance);
	}
	return 0;
}

static int plan_replace(struct sl_attach *a, struct sl_error *err)
{
	struct sl_instance *inst = NULL;
	int rc;

	rc = choose_base(a, err);
	if (!rc && a->base >= 0 && a->target[a->base].instance[0])
		rc = sl_instance_open_pinned(a->name, &inst, err);
	if (!rc && a->base >= 0)
		rc = sl_attach_keep_sizes(a, &a->target[a->base].old, err);
	if (!rc && a->base >= 0)
		rc = sl_attach_keep_flags(a, &a->target[a->base].old, err);
	if (!rc)
		rc = check_merge(a, err);
	if (!rc)
		rc = take_rules(a, inst, err);
	sl_instance_close(inst);
	for (unsigned i = 0; i < a->n && !rc; i++) {
		struct sl_target *t = &a->target[i];

		rc = t->hook.dispatcher_id ? sl_dispatcher_held(t->name, t->hook.prog_id, err)
					   : sl_attach_keep_mode(a, t, err);
		t->keep = (int)i == a->base ||
			  (a->base >= 0 && t->ready && !strcmp(t->instance, a->name));
	}
	return rc;
}

/* After a success: instances that the interfaces came from, and have left. */
static void remove_left(const struct sl_attach *a)
{
	struct sl_error ignored;

	for (unsigned i = 0; i < a->n; i++) {
		const struct sl_target *t = &a->target[i];

		if (!t->instance[0] || !strcmp(t->instance, a->name))
			continue;
		sl_pin_remove(t->instance);
		sl_nic_restore(sl_rss_kernel(), t->instance, t->name, &ignored);
	}
}

static int finish(struct sl_attach *a, struct sl_error *err)
{
	struct sl_instance *inst;
	int rc;

	rc = sl_instance_open_pinned(a->name, &inst, err);
	if (rc)
		return rc;
	rc = sl_configure(inst, a, err);
	sl_instance_close(inst);
	return rc;
}

/* One interface with a program of ours that nobody configured: pin its maps, nothing is loaded. */
static int adopt(struct sl_attach *a, struct sl_error *err)
{
	const struct sl_target *t = &a->target[0];
	int rc;

	rc = sl_attach_keep_sizes(a, &t->old, err);
	if (rc)
		return rc;
	rc = sl_attach_keep_mode(a, t, err);
	if (!rc)
		rc = take_rules(a, NULL, err);
	if (rc)
		return rc;
	if (a->rx_hash)
		sl_attach_note(a,
			       "%s: the hash is computed, not the NIC's: its program was loaded by "
			       "another (sluice attach --replace %s)",
			       t->name, t->name);
	/* A first look at it may have pinned it already, under the interface's name. */
	if (!strcmp(t->instance, a->name))
		return finish(a, err);
	rc = sl_discover_adopt(a->name, t->name, t->ifindex, &t->hook, err);
	if (rc)
		return rc;
	rc = finish(a, err);
	if (rc)
		sl_pin_remove(a->name);
	else if (t->instance[0])
		sl_pin_remove(t->instance);
	return rc;
}

/* Is the instance's name that of pins which this attach replaces or keeps? */
static bool is_own_name(const struct sl_attach *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (!strcmp(a->target[i].instance, a->name))
			return true;
	return false;
}

static int attach_locked(struct sl_attach *a, struct sl_error *err)
{
	unsigned ours = 0;
	int rc;

	rc = sl_attach_survey(a, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < a->n; i++)
		ours += a->target[i].prog.fd >= 0;
	if (ours && !a->opts->replace) {
		for (unsigned i = 0; i < a->n; i++)
			if (a->target[i].prog.fd >= 0 && (a->n > 1 || a->target[i].ready))
				return already(&a->target[i], err);
		return adopt(a, err);
	}
	rc = ours ? plan_replace(a, err) : take_rules(a, NULL, err);
	if (!rc && !is_own_name(a))
		rc = sl_discover_clean(a->name, err);
	if (!rc)
		rc = sl_attach_apply(a, err);
	if (rc)
		return rc;
	rc = finish(a, err);
	if (rc)
		sl_attach_undo(a);
	else
		remove_left(a);
	return rc;
}

static int take_nic_key(struct sl_attach_opts *opts, struct sl_error *err)
{
	const char *name = opts->ifaces[0];
	int rc;

	memset(opts->toeplitz_key, 0, sizeof(opts->toeplitz_key));
	rc = sl_nic_key(sl_rss_kernel(), name, opts->toeplitz_key);
	return rc ? sl_error_set(err, rc,
				 "%s: its driver tells no key to hash with, nor does the kernel: "
				 "give toeplitz:KEY, or the symmetric hash",
				 name)
		  : 0;
}

int sl_attach(const struct sl_attach_opts *options, struct sl_error *err)
{
	struct sl_attach_opts with_key = *options;
	const struct sl_attach_opts *opts = &with_key;
	struct sl_attach a = {.opts = opts, .base = -1};
	struct sl_error local;
	bool mounted;
	int lock, rc;

	if (!err)
		err = &local;
	rc = check_opts(opts, err);
	if (!rc && opts->toeplitz && opts->nic_key)
		rc = take_nic_key(&with_key, err);
	if (rc)
		return rc;
	snprintf(a.name, sizeof(a.name), "%s", opts->instance ? opts->instance : opts->ifaces[0]);
	a.sizes.buckets = opts->buckets ? opts->buckets : SL_DEFAULT_BUCKETS;
	a.sizes.stack = opts->stack;
	a.rx_hash = opts->rx_hash;
	a.sizes.max_workers = opts->max_workers ? opts->max_workers : SL_DEFAULT_MAX_WORKERS;
	lock = sl_pin_claim(&mounted, err);
	if (lock < 0)
		return lock;
	sl_discover_sweep();
	rc = attach_locked(&a, err);
	sl_attach_forget(&a);
	close(lock);
	if (!rc)
		sl_error_set(err, 0, "%s%s%s",
			     mounted ? "mounted a BPF file system at " SL_BPFFS : "",
			     mounted && a.note.text[0] ? "; " : "", a.note.text);
	return rc;
}
