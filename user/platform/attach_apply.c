// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach_apply.c - programs onto interfaces, pins into bpffs; all of it or nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/attach_internal.h"
#include "platform/discover.h"
#include "platform/netns.h"
#include "platform/rules.h"
#include "platform/rx_hash.h"

/* Which maps the program for target i is loaded over. */
static struct sl_map_set maps_to_reuse(const struct sl_attach *a, unsigned i)
{
	const struct sl_target *t = &a->target[i];
	struct sl_map_set reuse;
	const struct sl_map_set *shared = NULL;

	sl_map_set_init(&reuse);
	if (a->base >= 0)
		shared = &a->target[a->base].old;
	else if (i)
		shared = &a->target[0].set;
	for (unsigned m = 0; m < SL_MAP_IFACE_FIRST && shared; m++)
		reuse.fd[m] = shared->fd[m];
	for (unsigned m = SL_MAP_IFACE_FIRST; m < SL_MAP_COUNT && t->keep; m++)
		reuse.fd[m] = t->old.fd[m];
	return reuse;
}

static int rx_hash_usable(const struct sl_attach *a, const struct sl_target *t,
			  struct sl_error *why)
{
	const enum sl_xdp_mode mode = t->prog.fd < 0 ? a->opts->mode : t->hook.mode;
	uint8_t key[SL_NIC_KEY];
	int rc = 0;

	/* an attach that replaces need not be told the key */
	if (a->base < 0)
		memcpy(key, a->opts->toeplitz_key, sizeof(key));
	else
		rc = sl_nic_instance_key(a->target[a->base].old.fd[SL_MAP_TOEPLITZ], key);
	if (rc)
		return sl_error_set(why, rc, "map toeplitz: %s", strerror(-rc));
	if (mode == SL_XDP_GENERIC)
		return sl_error_set(why, -EOPNOTSUPP, "there is none in generic mode");
	return sl_rx_hash_usable(t->name, t->ifindex, key, why);
}

/* The build for the NIC's hash where that can be had, else the ordinary one, which says why. */
static int load_one(struct sl_attach *a, struct sl_target *t, const struct sl_map_set *reuse,
		    struct sl_error *err)
{
	struct sl_load_sizes sizes = a->sizes;
	struct sl_error why;
	int fd = -1;

	sizes.queues = sl_load_queues(t->name);
	if (a->rx_hash && !rx_hash_usable(a, t, &why)) {
		sizes.rx_hash = t->ifindex;
		fd = sl_load(&sizes, reuse, &t->set, &why);
		sizes.rx_hash = 0;
	}
	t->rx_hash = fd >= 0;
	if (t->rx_hash)
		return fd;
	if (a->rx_hash)
		sl_attach_note(a, "%s: the hash is computed, not the NIC's: %s", t->name, why.text);
	return sl_load(&sizes, reuse, &t->set, err);
}

static int load_all(struct sl_attach *a, struct sl_error *err)
{
	for (unsigned i = 0; i < a->n; i++) {
		struct sl_target *t = &a->target[i];
		const struct sl_map_set reuse = maps_to_reuse(a, i);
		int rc;

		t->prog_fd = load_one(a, t, &reuse, err);
		if (t->prog_fd < 0) {
			rc = t->prog_fd;
			t->prog_fd = -1;
			return rc;
		}
		if (t->keep)
			continue;
		rc = sl_match_prepare(t->set.fd[SL_MAP_MATCH], t->set.fd[SL_MAP_LOCAL_ADDRS],
				      a->rules, a->rules_n, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int place(struct sl_attach *a, struct sl_target *t, struct sl_error *err)
{
	struct sl_error note = {0};
	int rc;

	if (t->prog.fd < 0) {
		/* In generic mode several CPUs may serve one queue: no order to keep; and it has
		 * no program for one device. */
		if (a->sizes.stack || t->rx_hash)
			t->mode = SL_XDP_NATIVE;
		t->link_fd = sl_hook_link(t->name, t->ifindex, t->prog_fd, &t->mode, &note, err);
		if (t->link_fd < 0) {
			rc = t->link_fd;
			t->link_fd = -1;
			return rc;
		}
		t->linked = true;
		if (note.text[0])
			sl_attach_note(a, "%s", note.text);
		return 0;
	}
	rc = sl_hook_swap(t->ifindex, t->hook.mode, t->link_fd, t->prog.fd, t->prog_fd);
	if (rc)
		return sl_error_set(
			err, rc,
			"%s: its program cannot be replaced: %s (was it changed just now? "
			"try again)",
			t->name, strerror(-rc));
	t->swapped = true;
	return 0;
}

/* A link that is created but not pinned ends with its last descriptor; be explicit all the same. */
static void unplace(struct sl_target *t)
{
	if (t->linked)
		bpf_link_detach(t->link_fd);
	if (t->swapped)
		sl_hook_swap(t->ifindex, t->hook.mode, t->link_fd, t->prog_fd, t->prog.fd);
	t->linked = t->swapped = false;
}

/* Interfaces of the base instance that this attach does not name stay in it, before the new ones.
 */
static int list_ifaces(const struct sl_attach *a, struct sl_pin_iface list[SL_MAX_IFACES],
		       struct sl_error *err)
{
	struct sl_pin_iface there[SL_MAX_IFACES];
	int n = a->base >= 0 && a->target[a->base].instance[0] ? sl_pin_ifaces(a->name, there) : 0;
	unsigned kept = 0;

	for (int i = 0; i < n; i++) {
		if (sl_pin_iface_alive(a->name, &there[i]))
			list[kept++] = there[i];
		else
			sl_pin_remove_iface(a->name, there[i].name);
	}
	for (unsigned i = 0; i < a->n; i++) {
		const struct sl_target *t = &a->target[i];
		unsigned at = 0;

		while (at < kept && strcmp(list[at].name, t->name) != 0)
			at++;
		if (at == SL_MAX_IFACES)
			return sl_error_set(
				err, -E2BIG,
				"instance %s would have more than %d interfaces: attach fewer, or "
				"sluice detach %s first",
				a->name, SL_MAX_IFACES, a->name);
		if (at == kept)
			kept++;
		memset(&list[at], 0, sizeof(list[at]));
		snprintf(list[at].name, sizeof(list[at].name), "%s", t->name);
		list[at].ifindex = (__u32)t->ifindex;
		list[at].adopted = t->link_fd < 0;
		list[at].netns = sl_netns_self();
	}
	return (int)kept;
}

static int pin_all(struct sl_attach *a, struct sl_error *err)
{
	struct sl_pin_iface list[SL_MAX_IFACES];
	struct sl_pin_extra extra = {-1, -1};
	struct sl_map_set pinned;
	int n, rc;

	n = list_ifaces(a, list, err);
	if (n < 0)
		return n;
	sl_map_set_init(&pinned);
	/* The base instance's pins stay, and with them its rules. */
	if (a->base < 0 || sl_pin_open_instance(a->name, &pinned, &extra)) {
		rc = sl_pin_extra_create(&extra);
		if (rc)
			return sl_error_set(err, rc, "maps of instance %s: %s", a->name,
					    strerror(-rc));
		rc = sl_pin_instance(a->name, &a->target[0].set, &extra, err);
		if (rc)
			goto out;
	}
	for (unsigned i = 0; i < a->n; i++) {
		struct sl_target *t = &a->target[i];

		rc = sl_pin_iface(a->name, t->name, &t->set, t->prog_fd, t->link_fd, err);
		if (rc)
			goto out;
	}
	rc = sl_pin_ifaces_set(extra.ifaces_fd, list, (unsigned)n);
	if (rc)
		sl_error_set(err, rc, "map ifaces: %s", strerror(-rc));
out:
	sl_map_set_close(&pinned, 0, SL_MAP_IFACE_FIRST);
	sl_pin_extra_close(&extra);
	return rc;
}

/* The base instance's pins as they were; a new instance's go. */
static void unpin_all(struct sl_attach *a)
{
	struct sl_pin_iface list[SL_MAX_IFACES];
	struct sl_pin_extra extra;
	struct sl_map_set set;
	struct sl_error ignored;
	int n, kept = 0;

	if (a->base < 0 || !a->target[a->base].instance[0]) {
		sl_pin_remove(a->name);
		return;
	}
	for (unsigned i = 0; i < a->n; i++) {
		struct sl_target *t = &a->target[i];

		if (!strcmp(t->instance, a->name))
			sl_pin_iface(a->name, t->name, &t->old, t->prog.fd, t->link_fd, &ignored);
		else
			sl_pin_remove_iface(a->name, t->name);
	}
	n = sl_pin_ifaces(a->name, list);
	for (int i = 0; i < n; i++)
		if (sl_pin_iface_alive(a->name, &list[i]))
			list[kept++] = list[i];
	sl_map_set_init(&set);
	if (!sl_pin_open_instance(a->name, &set, &extra)) {
		sl_pin_ifaces_set(extra.ifaces_fd, list, (unsigned)kept);
		sl_map_set_close(&set, 0, SL_MAP_IFACE_FIRST);
		sl_pin_extra_close(&extra);
	}
}

void sl_attach_undo(struct sl_attach *a)
{
	for (unsigned i = a->n; i-- > 0;)
		unplace(&a->target[i]);
	unpin_all(a);
}

/* The kernel's -EINVAL is about the driver or the device, ours is about the options. */
static int not_the_options(int rc)
{
	return rc == -EINVAL ? -EOPNOTSUPP : rc;
}

int sl_attach_apply(struct sl_attach *a, struct sl_error *err)
{
	int rc;

	rc = load_all(a, err);
	if (rc)
		return not_the_options(rc);
	for (unsigned i = 0; i < a->n && !rc; i++)
		rc = place(a, &a->target[i], err);
	if (rc) {
		for (unsigned i = a->n; i-- > 0;)
			unplace(&a->target[i]);
		return not_the_options(rc);
	}
	rc = pin_all(a, err);
	if (rc)
		sl_attach_undo(a);
	return not_the_options(rc);
}
