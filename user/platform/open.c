// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * open.c - which instance does a name mean?
 *
 * An interface of this namespace that carries Sluice's program first, by the program; then an
 * instance's name. A program that nobody pinned is adopted.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/discover.h"

/* Under the lock, and after a fresh look: an attach may have been under way just now. */
static int adopt(const char *ifname, int ifindex, char instance[SL_NAME_MAX], struct sl_error *err)
{
	struct sl_hook hook = {0};
	const int lock = sl_pin_claim(NULL, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = sl_hook_query(ifindex, &hook);
	if (!rc && hook.prog_id && !sl_discover_by_prog(ifindex, hook.prog_id, instance))
		goto out;
	if (!rc && !hook.prog_id)
		rc = -ENOENT;
	if (rc)
		sl_error_set(err, rc, "Sluice is not attached to %s any more", ifname);
	else
		rc = sl_discover_adopt(ifname, ifname, ifindex, &hook, err);
	if (!rc)
		snprintf(instance, SL_NAME_MAX, "%s", ifname);
out:
	close(lock);
	return rc;
}

static int not_found(const char *name, struct sl_error *err)
{
	if (if_nametoindex(name))
		return sl_error_set(err, -ENOENT,
				    "Sluice is not attached to %s: sluice attach %s --match RULE",
				    name, name);
	return sl_instance_unknown(name, err);
}

static int resolve(const char *name, char instance[SL_NAME_MAX], struct sl_error *err)
{
	const int ifindex = (int)if_nametoindex(name);
	struct sl_hook hook = {0};
	int rc;

	if (ifindex && !sl_hook_query(ifindex, &hook) && hook.prog_id &&
	    !sl_discover_by_prog(ifindex, hook.prog_id, instance))
		return 0;
	if (hook.prog_id) {
		rc = adopt(name, ifindex, instance, err);
		/* An interface with a foreign program may bear an instance's name all the same. */
		if (!rc || !sl_instance_pinned(name))
			return rc;
	}
	if (sl_instance_pinned(name)) {
		snprintf(instance, SL_NAME_MAX, "%s", name);
		return 0;
	}
	return not_found(name, err);
}

int sl_instance_open(const char *name, struct sl_instance **out, struct sl_error *err)
{
	char instance[SL_NAME_MAX];
	int lock, rc;

	*out = NULL;
	rc = resolve(name, instance, err);
	if (rc)
		return rc;
	lock = sl_pin_lock(false, err);
	if (lock < 0)
		return lock;
	rc = sl_instance_open_pinned(instance, out, err);
	/* Detached, or swept up, since the look at it. */
	if (rc == -ENOENT && !sl_instance_pinned(instance))
		rc = not_found(name, err);
	close(lock);
	return rc;
}
