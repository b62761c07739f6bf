// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the operator said with pause and pin outlives the daemon: one who stopped the balancer does
 * not want a restart to set it going. It lies in the run directory, so a boot forgets it; and it
 * was said of one attach, which is known by the inode of its pins: whoever attaches anew starts
 * anew, however the former instance ended.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/served.h"
#include "platform/lock.h"

#define STATE_VERSION 2

static void state_path(const struct served *s, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.balance.json", sl_run_dir(), s->inst->name);
}

void served_state_load(struct served *s)
{
	char path[PATH_MAX];
	json_t *state, *bucket;
	json_error_t error;
	size_t i;

	state_path(s, path);
	if (access(path, F_OK))
		return;
	state = json_load_file(path, 0, &error);
	if (json_integer_value(json_object_get(state, "v")) != STATE_VERSION) {
		log_line(LOG_WARNING, "%s: unreadable, ignored: pause and pin again what should be",
			 path);
		json_decref(state);
		return;
	}
	if ((ino_t)json_integer_value(json_object_get(state, "attach")) != s->pin) {
		unlink(path);
		json_decref(state);
		return;
	}
	s->paused = json_is_true(json_object_get(state, "paused"));
	json_array_foreach (json_object_get(state, "pinned"), i, bucket) {
		json_int_t b = json_integer_value(bucket);

		if (b >= 0 && b < s->inst->buckets)
			s->pinned[b] = true;
	}
	json_decref(state);
	if (s->paused)
		log_line(LOG_NOTICE, "%s: still paused: `sluice resume %s` ends it", s->inst->name,
			 s->inst->name);
}

void served_state_forget(const struct served *s)
{
	char path[PATH_MAX];

	state_path(s, path);
	unlink(path);
}

static json_t *pinned_json(const struct served *s)
{
	json_t *all = json_array();

	for (unsigned b = 0; b < s->inst->buckets; b++)
		if (s->pinned[b])
			json_array_append_new(all, json_integer(b));
	return all;
}

void served_state_save(const struct served *s)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8];
	json_t *pinned = pinned_json(s), *state;
	bool empty = !s->paused && !json_array_size(pinned);

	state_path(s, path);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	state = json_pack("{s:i,s:I,s:b,s:o}", "v", STATE_VERSION, "attach", (json_int_t)s->pin,
			  "paused", s->paused, "pinned", pinned);
	/* Renamed into place: a daemon that is killed here leaves the old state or the new. */
	if (empty)
		unlink(path);
	else if (!state || json_dump_file(state, fresh, JSON_COMPACT) || rename(fresh, path))
		log_line(LOG_WARNING, "%s: cannot keep pause and pins over a restart: %s", path,
			 strerror(errno));
	json_decref(state);
}
