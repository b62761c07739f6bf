// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * detach.c - take the program off every interface of an instance.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/attach.h"
#include "platform/discover.h"
#include "platform/dispatcher.h"
#include "platform/netns.h"
#include "platform/nic.h"

/* Which instance? Like sl_instance_open(), but dead ones too, and nothing is pinned. */
static int find(const char *name, char instance[SL_NAME_MAX], struct sl_hook *hook)
{
	const int ifindex = (int)if_nametoindex(name);

	memset(hook, 0, sizeof(*hook));
	instance[0] = '\0';
	if (ifindex && !sl_hook_query(ifindex, hook) && hook->prog_id &&
	    !sl_discover_by_prog(ifindex, hook->prog_id, instance))
		return 0;
	if (sl_instance_pinned(name)) {
		snprintf(instance, SL_NAME_MAX, "%s", name);
		return 0;
	}
	return ifindex ? 0 : -ENODEV;
}

/* Take a program of ours off that nobody pinned. */
static int clear_unpinned(const char *ifname, const struct sl_hook *hook, struct sl_error *err)
{
	struct sl_prog prog;
	int rc;

	if (!hook->prog_id)
		return sl_error_set(err, -ENOENT, "Sluice is not attached to %s", ifname);
	rc = sl_prog_open(hook->prog_id, &prog, err);
	if (rc)
		return rc;
	rc = sl_hook_judge(ifname, &prog, err);
	if (!rc && hook->dispatcher_id)
		rc = sl_dispatcher_held(ifname, hook->prog_id, err);
	if (!rc) {
		rc = sl_hook_clear((int)if_nametoindex(ifname), hook->mode, prog.fd);
		if (rc)
			sl_error_set(
				err, rc,
				"%s: its program cannot be taken off: %s (is it held by a link of "
				"another program?)",
				ifname, strerror(-rc));
	}
	sl_prog_close(&prog);
	return rc;
}

/* Every packet passes from here on: sockets can go in any order, and nothing is lost in them. */
static int stop_steering(const char *name, bool force, struct sl_error *err)
{
	struct sl_instance *inst;
	struct sl_error ignored;
	int rc = 0;

	/* Interfaces that are gone, or pins that are incomplete: there is nothing to stop. */
	if (sl_instance_open_pinned(name, &inst, &ignored))
		return 0;
	if (!force && sl_instance_running(inst)) {
		rc = sl_error_set(
			err, -EBUSY,
			"a dataplane (process %u) serves %s: stop it first, or add --force",
			inst->control->pid, name);
	} else {
		__atomic_fetch_and(&inst->control->flags, ~(__u32)SL_CTL_READY, __ATOMIC_RELEASE);
		sl_instance_grace(inst);
	}
	sl_instance_close(inst);
	return rc;
}

static int clear_iface(const char *name, const struct sl_pin_iface *iface, struct sl_error *err)
{
	struct sl_hook hook = {0};
	int fd, rc = 0;

	fd = sl_pin_open_link(name, iface->name);
	if (fd >= 0) {
		/* Whoever else holds the link: it is off the interface now. */
		if (bpf_link_detach(fd) && errno != ENOLINK)
			rc = -errno;
		close(fd);
		goto out;
	}
	fd = sl_pin_open_prog(name, iface->name);
	if (fd < 0)
		return 0;
	if (iface->netns == sl_netns_self() && !sl_hook_query((int)iface->ifindex, &hook) &&
	    hook.prog_id == sl_prog_id(fd))
		rc = sl_hook_clear((int)iface->ifindex, hook.mode, fd);
	close(fd);
out:
	return rc ? sl_error_set(err, rc, "%s: its program cannot be taken off: %s", iface->name,
				 strerror(-rc))
		  : 0;
}

/* Nothing is changed where one cannot be taken off. */
static int check_held(const struct sl_pin_iface *ifaces, int n, struct sl_error *err)
{
	struct sl_hook hook;

	for (int i = 0; i < n; i++) {
		memset(&hook, 0, sizeof(hook));
		if (ifaces[i].netns == sl_netns_self() &&
		    !sl_hook_query((int)ifaces[i].ifindex, &hook) && hook.dispatcher_id)
			return sl_dispatcher_held(ifaces[i].name, hook.prog_id, err);
	}
	return 0;
}

static int detach_locked(const char *name, bool force, struct sl_error *err)
{
	struct sl_pin_iface ifaces[SL_MAX_IFACES];
	char instance[SL_NAME_MAX];
	struct sl_hook hook;
	int n, rc;

	rc = find(name, instance, &hook);
	if (rc)
		return sl_instance_unknown(name, err);
	if (!instance[0])
		return clear_unpinned(name, &hook, err);
	n = sl_pin_ifaces(instance, ifaces);
	if (n > 0 && ifaces[0].netns != sl_netns_self() && sl_instance_alive(instance))
		return sl_error_set(
			err, -ENODEV,
			"instance %s is in another network namespace (net:[%llu]): enter it "
			"first (nsenter --net=...)",
			instance, (unsigned long long)ifaces[0].netns);
	rc = check_held(ifaces, n, err);
	if (!rc)
		rc = stop_steering(instance, force, err);
	if (rc)
		return rc;
	for (int i = 0; i < n && !rc; i++)
		rc = clear_iface(instance, &ifaces[i], err);
	if (rc)
		return rc;
	sl_pin_remove(instance);
	for (int i = 0; i < n && !rc; i++)
		rc = sl_nic_restore(sl_rss_kernel(), instance, ifaces[i].name, err);
	return rc;
}

int sl_detach(const char *name, bool force, struct sl_error *err)
{
	const int lock = sl_pin_claim(NULL, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = detach_locked(name, force, err);
	close(lock);
	return rc;
}
