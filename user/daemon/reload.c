// SPDX-License-Identifier: GPL-2.0-or-later
/* SIGHUP: a new configuration, whole or not at all. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "platform/notify.h"
#include "platform/clock.h"

static int load(const struct daemon *d, struct sl_config **out, struct sl_error *err)
{
	if (d->config_path)
		return sl_config_load(d->config_path, out, err);
	*out = sl_config_new();
	return *out ? 0 : sl_error_set(err, -ENOMEM, "no memory for the configuration");
}

static bool same_listener(const struct sl_config *a, const struct sl_config *b)
{
	return a->metrics == b->metrics &&
	       !memcmp(&a->metrics_addr, &b->metrics_addr, sizeof(a->metrics_addr));
}

/* The only part that can fail once the file is good: then the old listener comes back. */
static int move_listener(struct daemon *d, struct sl_config *fresh, struct sl_error *err)
{
	struct sl_config *old = d->config;
	struct sl_error again;
	int rc;

	if (same_listener(old, fresh))
		return 0;
	metrics_stop(d);
	d->config = fresh;
	rc = metrics_start(d, err);
	d->config = old;
	if (rc && metrics_start(d, &again))
		log_line(LOG_ERR, "%s", again.text);
	if (loop_watch_metrics(d))
		log_line(LOG_ERR, "metrics: cannot watch the listener");
	return rc;
}

static int try_reload(struct daemon *d, struct sl_error *err)
{
	struct sl_config *fresh, *old = d->config;
	int rc;

	rc = load(d, &fresh, err);
	if (rc)
		return rc;
	rc = move_listener(d, fresh, err);
	if (rc) {
		sl_config_free(fresh);
		return rc;
	}
	if (strcmp(old->socket_group, fresh->socket_group) != 0)
		log_line(LOG_WARNING, "socket.group takes effect at start: restart sluiced");
	d->config = fresh;
	sl_config_free(old);
	instances_configure(d);
	return 0;
}

int daemon_reload(struct daemon *d, struct sl_error *err)
{
	const char *path = d->config_path ? d->config_path : "the defaults";
	int rc;

	notify_reloading(sl_clock_ns());
	rc = try_reload(d, err);
	d->reloads += !rc;
	d->reloads_failed += rc != 0;
	if (rc)
		log_line(LOG_ERR, "reload refused, the old configuration stays in force: %s",
			 err->text);
	else
		log_line(LOG_NOTICE, "configuration reloaded from %s", path);
	sl_notify("READY=1");
	return rc;
}
