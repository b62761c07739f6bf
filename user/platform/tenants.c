// SPDX-License-Identifier: GPL-2.0-or-later
#include "platform/tenants.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sl_tenants_on(const struct sl_instance *inst)
{
	return __atomic_load_n(&inst->control->flags, __ATOMIC_RELAXED) & SL_CTL_TENANTS;
}

static __u32 set_in_force(const struct sl_instance *inst)
{
	return !!(__atomic_load_n(&inst->control->flags, __ATOMIC_RELAXED) & SL_CTL_TENANT_SET);
}

int sl_tenants_names(const struct sl_instance *inst, char names[SL_MAX_TENANTS][SL_TENANT_NAME])
{
	const __u32 set = set_in_force(inst);
	struct sl_tenant_match *m = malloc(sizeof(*m));
	int rc = m ? 0 : -ENOMEM;

	memset(names, 0, SL_MAX_TENANTS * SL_TENANT_NAME);
	if (m && bpf_map_lookup_elem(inst->tenant_match_fd, &set, m))
		rc = -errno;
	for (unsigned i = 0; !rc && i < SL_MAX_TENANTS; i++)
		snprintf(names[i], SL_TENANT_NAME, "%.*s", SL_TENANT_NAME - 1, m->name[i]);
	free(m);
	return rc;
}

/* Who has been here keeps its id; who is new gets one that nobody has had, as long as there is. */
static void deal_ids(struct sl_tenants_named *named, char old[SL_MAX_TENANTS][SL_TENANT_NAME])
{
	bool taken[SL_MAX_TENANTS] = {[0] = true, [SL_TENANT_TOTAL] = true};
	unsigned next = 1;

	for (unsigned i = 0; i < named->n; i++) {
		named->id[i] = 0;
		for (unsigned id = 1; id < SL_TENANT_TOTAL; id++)
			if (!strcmp(old[id], named->name[i])) {
				named->id[i] = id;
				taken[id] = true;
			}
	}
	for (unsigned pass = 0; pass < 2; pass++, next = 1)
		for (unsigned i = 0; i < named->n; i++) {
			if (named->id[i])
				continue;
			while (next < SL_TENANT_TOTAL && (taken[next] || (!pass && *old[next])))
				next++;
			if (next == SL_TENANT_TOTAL)
				break;
			named->id[i] = next;
			taken[next] = true;
		}
}

static int compile(const struct sl_tenants_named *named, char old[SL_MAX_TENANTS][SL_TENANT_NAME],
		   const struct sl_tenant_rule *rules, unsigned n, struct sl_tenant_match *m,
		   struct sl_error *err)
{
	struct sl_tenant_rule by_id[SL_MAX_RULES];

	for (unsigned i = 0; i < n && i < SL_MAX_RULES; i++) {
		by_id[i] = rules[i];
		by_id[i].tenant = named->id[rules[i].tenant - 1];
	}
	/* who is gone keeps its id too: its counters are its own */
	memcpy(m->name, old, sizeof(m->name));
	for (unsigned i = 0; i < named->n; i++)
		snprintf(m->name[named->id[i]], SL_TENANT_NAME, "%s", named->name[i]);
	return sl_tenant_compile(by_id, n, m, err->text, sizeof(err->text));
}

/* One store for XDP: whether there are tenants, and by which entry. */
static void put_in_force(struct sl_instance *inst, bool on, __u32 set)
{
	__u32 *at = &inst->control->flags, old = __atomic_load_n(at, __ATOMIC_RELAXED), flags;

	do {
		flags = old & ~(__u32)(SL_CTL_TENANTS | SL_CTL_TENANT_SET);
		flags |= (on ? SL_CTL_TENANTS : 0) | (set ? SL_CTL_TENANT_SET : 0);
	} while (!__atomic_compare_exchange_n(at, &old, flags, false, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
}

int sl_tenants_install(struct sl_instance *inst, struct sl_tenants_named *named,
		       const struct sl_tenant_rule *rules, unsigned n, struct sl_error *err)
{
	const __u32 spare = !set_in_force(inst);
	char old[SL_MAX_TENANTS][SL_TENANT_NAME];
	struct sl_tenant_match *m;
	int rc;

	if (named->n && inst->control->flags & SL_CTL_STACK)
		return sl_error_set(err, -EINVAL,
				    "tenants need AF_XDP: leave out tenants, or attach %s without "
				    "stack",
				    inst->name);
	rc = sl_tenants_names(inst, old);
	if (rc)
		return sl_error_set(err, rc, "map tenant_match: %s", strerror(-rc));
	if (!named->n) {
		put_in_force(inst, false, !spare);
		return 0;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return sl_error_set(err, -ENOMEM, "no memory");
	deal_ids(named, old);
	rc = compile(named, old, rules, n, m, err);
	if (!rc && bpf_map_update_elem(inst->tenant_match_fd, &spare, m, BPF_ANY))
		rc = sl_error_set(err, -errno, "map tenant_match: %s", strerror(errno));
	free(m);
	if (rc)
		return rc;
	put_in_force(inst, true, spare);
	/* Until then a packet may still meet the entry that is the spare one now. */
	rc = sl_instance_grace(inst);
	return rc ? sl_error_set(err, rc, "map grace: %s", strerror(-rc)) : 0;
}
