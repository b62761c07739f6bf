// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * discover.c - from a name to the pins of an instance.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/discover.h"
#include "platform/netns.h"

static bool carries(const char *instance, const struct sl_pin_iface *iface, uint32_t prog_id)
{
	const int fd = sl_pin_open_prog(instance, iface->name);
	bool same;

	if (fd < 0)
		return false;
	same = sl_prog_id(fd) == prog_id;
	close(fd);
	return same;
}

static bool instance_has(const char *name, int ifindex, uint32_t prog_id)
{
	struct sl_pin_iface ifaces[SL_MAX_IFACES];
	const int n = sl_pin_ifaces(name, ifaces);

	for (int i = 0; i < n; i++)
		if (ifaces[i].ifindex == (__u32)ifindex && ifaces[i].netns == sl_netns_self() &&
		    carries(name, &ifaces[i], prog_id))
			return true;
	return false;
}

int sl_discover_by_prog(int ifindex, uint32_t prog_id, char name[SL_NAME_MAX])
{
	char **names = sl_instance_list();
	int rc = -ENOENT;

	for (char **p = names; p && *p; p++) {
		if (rc && instance_has(*p, ifindex, prog_id)) {
			snprintf(name, SL_NAME_MAX, "%s", *p);
			rc = 0;
		}
		free(*p);
	}
	free(names);
	return rc;
}

bool sl_instance_pinned(const char *name)
{
	struct sl_pin_iface ifaces[SL_MAX_IFACES];

	return strlen(name) < SL_NAME_MAX && sl_pin_ifaces(name, ifaces) != -ENOENT;
}

int sl_instance_unknown(const char *name, struct sl_error *err)
{
	return sl_error_set(err, -ENODEV,
			    "%.40s is neither an interface of this network namespace nor an "
			    "instance (ip link; sluice status)",
			    name);
}

bool sl_instance_alive(const char *name)
{
	struct sl_pin_iface ifaces[SL_MAX_IFACES];
	const int n = sl_pin_ifaces(name, ifaces);

	for (int i = 0; i < n; i++)
		if (sl_pin_iface_alive(name, &ifaces[i]))
			return true;
	return false;
}

int sl_discover_clean(const char *name, struct sl_error *err)
{
	struct sl_pin_iface ifaces[SL_MAX_IFACES];
	const int n = sl_pin_ifaces(name, ifaces);

	if (n > 0 && sl_instance_alive(name)) {
		if (ifaces[0].netns != sl_netns_self())
			return sl_error_set(err, -EEXIST,
					    "the instance name %s is in use in another network "
					    "namespace: choose another (--instance NAME)",
					    name);
		return sl_error_set(err, -EEXIST,
				    "the instance %s is attached already, to %s: sluice detach %s "
				    "first, or choose another name (--instance NAME)",
				    name, ifaces[0].name, name);
	}
	sl_pin_remove(name);
	return 0;
}

/* Surely dead: a link whose interface is gone. Programs without a link may live where we do not
 * see them. */
static bool is_dead(const char *name)
{
	struct sl_pin_iface ifaces[SL_MAX_IFACES];
	const int n = sl_pin_ifaces(name, ifaces);

	for (int i = 0; i < n; i++) {
		const int link = sl_pin_open_link(name, ifaces[i].name);
		const bool dead = link >= 0 && !sl_link_ifindex(link);

		if (link >= 0)
			close(link);
		if (!dead)
			return false;
	}
	return n > 0;
}

void sl_discover_sweep(void)
{
	char **names = sl_instance_list();

	for (char **p = names; p && *p; p++) {
		if (is_dead(*p))
			sl_pin_remove(*p);
		free(*p);
	}
	free(names);
}

int sl_discover_adopt(const char *name, const char *ifname, int ifindex, const struct sl_hook *hook,
		      struct sl_error *err)
{
	struct sl_pin_iface entry = {
		.ifindex = (__u32)ifindex, .adopted = 1, .netns = sl_netns_self()};
	struct sl_pin_extra extra = {-1, -1};
	struct sl_map_set set;
	struct sl_prog prog;
	int rc;

	rc = sl_prog_open(hook->prog_id, &prog, err);
	if (rc)
		return rc;
	sl_map_set_init(&set);
	rc = sl_hook_judge(ifname, &prog, err);
	if (!rc)
		rc = sl_instance_name_check(name, err);
	if (!rc)
		rc = sl_discover_clean(name, err);
	if (!rc)
		rc = sl_prog_maps(&prog, &set, err);
	if (rc)
		goto out;
	snprintf(entry.name, sizeof(entry.name), "%s", ifname);
	rc = sl_pin_extra_create(&extra);
	if (!rc)
		rc = sl_pin_ifaces_set(extra.ifaces_fd, &entry, 1);
	if (rc) {
		sl_error_set(err, rc, "maps of instance %s: %s", name, strerror(-rc));
		goto out;
	}
	rc = sl_pin_instance(name, &set, &extra, err);
	if (!rc)
		rc = sl_pin_iface(name, ifname, &set, prog.fd, -1, err);
	if (rc)
		sl_pin_remove(name);
out:
	sl_pin_extra_close(&extra);
	sl_map_set_close(&set, 0, SL_MAP_COUNT);
	sl_prog_close(&prog);
	return rc;
}
