// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rules.c - match rules and local addresses into an instance's maps.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/local.h"
#include "platform/pin.h"
#include "platform/rules.h"

/* What sl_match_compile() made, with the addresses it was made of. */
struct compiled {
	struct sl_match *match;
	struct sl_addr *addrs;
	unsigned addrs_n;
};

static void compiled_free(struct compiled *c)
{
	free(c->match);
	free(c->addrs);
}

static int compile(const struct sl_rule *rules, unsigned n, struct compiled *c,
		   struct sl_error *err)
{
	int rc;

	memset(c, 0, sizeof(*c));
	if (!n)
		return sl_error_set(err, -EINVAL,
				    "no match rule: say what Sluice takes, for example --match "
				    "10.0.0.0/8, or --match all");
	rc = sl_local_collect(&c->addrs, &c->addrs_n);
	if (rc)
		return sl_error_set(err, rc, "the host's addresses cannot be listed: %s",
				    strerror(-rc));
	c->match = calloc(1, sizeof(*c->match));
	rc = c->match ? sl_match_compile(rules, n, c->addrs, c->addrs_n, c->match, err->text,
					 sizeof(err->text))
		      : sl_error_set(err, -ENOMEM, "no memory");
	if (rc)
		compiled_free(c);
	return rc;
}

static int write_entry(int match_fd, __u32 entry, const struct compiled *c, struct sl_error *err)
{
	if (bpf_map_update_elem(match_fd, &entry, c->match, BPF_ANY))
		return sl_error_set(err, -errno, "map match: %s", strerror(errno));
	return 0;
}

static int add_local(int fd, const struct compiled *c, struct sl_error *err)
{
	const int rc = sl_local_add(fd, c->addrs, c->addrs_n);

	if (rc == -E2BIG)
		return sl_error_set(
			err, rc,
			"the host has more addresses than local_addrs has room for (%u): "
			"use --local, with rules that leave them out",
			c->addrs_n);
	return rc ? sl_error_set(err, rc, "map local_addrs: %s", strerror(-rc)) : 0;
}

int sl_match_prepare(int match_fd, int local_addrs_fd, const struct sl_rule *rules, unsigned n,
		     struct sl_error *err)
{
	struct compiled c;
	int rc;

	rc = compile(rules, n, &c, err);
	if (rc)
		return rc;
	rc = add_local(local_addrs_fd, &c, err);
	for (__u32 i = 0; i < 2 && !rc; i++)
		rc = write_entry(match_fd, i, &c, err);
	compiled_free(&c);
	return rc;
}

/* The texts of the rules in force, for `status` and for the next refresh. All or none. */
static int store_texts(int fd, const struct sl_rule *rules, unsigned n)
{
	char text[SL_MAX_RULES][SL_RULE_TEXT] = {0};

	for (__u32 i = 0; i < n && i < SL_MAX_RULES; i++)
		if (sl_rule_format(&rules[i], text[i], sizeof(text[i])) >= (int)sizeof(text[i]))
			return -E2BIG;
	for (__u32 i = 0; i < SL_MAX_RULES; i++)
		if (bpf_map_update_elem(fd, &i, text[i], BPF_ANY))
			return -errno;
	return 0;
}

static void set_local_flag(struct sl_control *control, bool local)
{
	if (local)
		__atomic_fetch_or(&control->flags, SL_CTL_LOCAL, __ATOMIC_RELEASE);
	else
		__atomic_fetch_and(&control->flags, ~(__u32)SL_CTL_LOCAL, __ATOMIC_RELEASE);
}

int sl_match_write(struct sl_instance *inst, const struct sl_rule *rules, unsigned n, bool local,
		   struct sl_error *err)
{
	const __u32 spare = !__atomic_load_n(&inst->control->match_set, __ATOMIC_RELAXED);
	struct compiled c;
	int rc;

	rc = compile(rules, n, &c, err);
	if (rc)
		return rc;
	/* New addresses before the filter that asks for them, old ones after it. */
	for (unsigned i = 0; i < inst->ifaces && !rc; i++) {
		rc = add_local(inst->iface[i].local_addrs_fd, &c, err);
		if (!rc)
			rc = write_entry(inst->iface[i].match_fd, spare, &c, err);
	}
	if (rc)
		goto out;
	rc = store_texts(inst->rules_fd, rules, n);
	if (rc) {
		sl_error_set(err, rc, "map rules: %s", strerror(-rc));
		goto out;
	}
	set_local_flag(inst->control, local);
	__atomic_store_n(&inst->control->match_set, spare, __ATOMIC_RELEASE);
	/* Until then a packet may still be matched by the entry that is the spare one now. */
	rc = sl_instance_grace(inst);
	if (rc) {
		sl_error_set(err, rc, "map grace: %s", strerror(-rc));
		goto out;
	}
	for (unsigned i = 0; i < inst->ifaces; i++)
		sl_local_prune(inst->iface[i].local_addrs_fd, c.addrs, c.addrs_n);
out:
	compiled_free(&c);
	return rc;
}

int sl_match_install(struct sl_instance *inst, const struct sl_rule *rules, unsigned n, bool local,
		     struct sl_error *err)
{
	int lock, rc;

	lock = sl_pin_lock(true, err);
	if (lock < 0)
		return lock;
	rc = sl_match_write(inst, rules, n, local, err);
	close(lock);
	return rc;
}

int sl_rules_get(const struct sl_instance *inst, struct sl_rule *rules, unsigned room)
{
	char text[SL_RULE_TEXT], why[128];
	unsigned n = 0;
	int rc;

	for (__u32 i = 0; i < SL_MAX_RULES; i++) {
		if (bpf_map_lookup_elem(inst->rules_fd, &i, text))
			return -errno;
		text[SL_RULE_TEXT - 1] = '\0';
		if (!text[0])
			break;
		if (n == room)
			return -E2BIG;
		rc = sl_rule_parse(text, &rules[n++], why, sizeof(why));
		if (rc)
			return rc;
	}
	return (int)n;
}

int sl_local_refresh(struct sl_instance *inst, struct sl_error *err)
{
	struct sl_rule rules[SL_MAX_RULES];
	const bool local = inst->control->flags & SL_CTL_LOCAL;
	struct sl_addr *addrs;
	bool same = true;
	unsigned n;
	int rc;

	rc = sl_local_collect(&addrs, &n);
	if (rc)
		return sl_error_set(err, rc, "the host's addresses cannot be listed: %s",
				    strerror(-rc));
	for (unsigned i = 0; i < inst->ifaces; i++)
		same = same && sl_local_same(inst->iface[i].local_addrs_fd, addrs, n);
	free(addrs);
	if (same)
		return 0;
	rc = sl_rules_get(inst, rules, SL_MAX_RULES);
	if (rc <= 0)
		return rc ? sl_error_set(err, rc, "map rules: %s", strerror(-rc)) : 0;
	return sl_match_install(inst, rules, (unsigned)rc, local, err);
}
