// SPDX-License-Identifier: GPL-2.0-or-later
/* What the control socket answers. */
#include <errno.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/tenants_told.h"
#include "platform/clock.h"
#include "platform/elephant.h"

/* The instance that the request names; without a name the only one. */
static struct served *target(struct daemon *d, json_t *request, struct sl_error *err)
{
	json_t *named = json_object_get(request, "instance");
	const char *name = json_string_value(named);
	struct served *s;

	if (named && !name) {
		sl_error_set(err, -EINVAL, "\"instance\": a name, such as \"eth1\"");
		return NULL;
	}
	/* It may have been attached a moment ago. */
	instances_discover(d);
	if (!name && d->served_n == 1)
		return d->served[0];
	s = name ? instances_find(d, name) : NULL;
	if (!s && name)
		sl_error_set(err, -ENOENT, "%s is not attached: sluice attach %s --match RULE",
			     name, name);
	else if (!s && !d->served_n)
		sl_error_set(err, -ENOENT,
			     "no instance is attached: sluice attach IF --match RULE");
	else if (!s)
		sl_error_set(err, -EINVAL, "%u instances are attached: name one", d->served_n);
	return s;
}

static json_t *moves_json(const struct served *s, const struct sl_tick_result *r)
{
	const struct sl_load *load = sl_tick_load(s->tick);
	json_t *moves = json_array();

	for (unsigned i = 0; i < r->moves_n; i++)
		json_array_append_new(moves,
				      json_pack("{s:I,s:i,s:i,s:f}", "bucket",
						(json_int_t)r->moves[i].bucket, "from",
						r->moves[i].from, "to", r->moves[i].to, "load",
						(double)load->buckets[r->moves[i].bucket].load));
	return moves;
}

static json_t *stuck_json(const struct sl_tick_result *r)
{
	json_t *stuck = json_array();

	for (unsigned i = 0; i < r->stuck_n; i++)
		json_array_append_new(stuck, json_integer(r->stuck[i]));
	return stuck;
}

static json_t *demand_json(const struct served *s)
{
	const struct sl_load *load = sl_tick_load(s->tick);
	json_t *all = json_array();

	for (unsigned w = 0; w < load->workers_n; w++)
		if (s->workers[w].state == SL_WORKER_RUNNING)
			json_array_append_new(all, json_pack("{s:I,s:f,s:f,s:f}", "worker",
							     (json_int_t)w, "busy",
							     load->workers[w].busy, "other",
							     load->workers[w].other, "demand",
							     load->workers[w].demand));
	return all;
}

static unsigned pinned_count(const struct served *s)
{
	unsigned n = 0;

	for (unsigned b = 0; b < s->inst->buckets; b++)
		n += sl_tick_pinned(s->tick, b);
	return n;
}

static json_t *pinned_json(const struct served *s)
{
	json_t *all = json_array();

	for (unsigned b = 0; b < s->inst->buckets; b++)
		if (sl_tick_pinned(s->tick, b))
			json_array_append_new(all, json_integer(b));
	return all;
}

/* Workers awake and asleep; null if all are awake whatever the load is. */
static json_t *elastic_json(const struct served *s)
{
	const struct sl_elastic *e = sl_tick_elastic(s->tick);
	json_t *asleep;

	if (!s->balance.elastic.enabled || !s->dataplane)
		return json_null();
	asleep = json_array();
	for (unsigned w = 0; w < s->inst->max_workers; w++)
		if (e->asleep[w])
			json_array_append_new(asleep, json_integer(w));
	return json_pack("{s:f,s:f,s:i,s:o}", "target", s->balance.elastic.target, "load", e->load,
			 "awake", (int)e->awake_n, "asleep", asleep);
}

static json_t *elephant_json(const struct served *s)
{
	const int b = s->last.plan.elephant;
	struct sl_elephant e;

	if (b < 0 || !sl_elephant_read(s->inst, (uint32_t)b, &e))
		return json_array();
	return sl_elephant_flows_json(&e);
}

static double elephant_load(const struct served *s)
{
	const int b = s->last.plan.elephant;

	return b < 0 ? 0 : (double)sl_tick_load(s->tick)->buckets[b].load;
}

static json_t *served_json(const struct served *s)
{
	const struct sl_tick_result *r = &s->last;

	return json_pack(
		"{s:s,s:b,s:b,s:b,s:s,s:f,s:f,s:f,s:i,s:f,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,"
		"s:o,s:o}",
		"instance", s->inst->name, "paused", s->paused, "enabled", s->balance.enabled,
		"dataplane", s->dataplane, "verdict", sl_tick_verdict_name(r->verdict), "highest",
		r->plan.before, "planned", r->plan.after, "bound", r->plan.bound, "elephant",
		r->plan.elephant, "elephant_load", elephant_load(s), "elephant_flows",
		elephant_json(s), "stuck", stuck_json(r), "rounds", (json_int_t)s->rounds, "plans",
		(json_int_t)s->plans, "plans_told", (json_int_t)s->plans_told, "plans_late",
		(json_int_t)s->plans_late, "moves", (json_int_t)s->moves, "pinned",
		(json_int_t)pinned_count(s), "round_us", (double)s->round_ns / 1e3, "tick_ms",
		(double)r->next_ns / 1e6, "load", demand_json(s), "elastic", elastic_json(s));
}

static int on_status(void *ctx, json_t *request, int passed_fd, json_t **result,
		     struct sl_error *err)
{
	struct daemon *d = ctx;
	struct served *s;
	json_t *all;

	if (json_object_get(request, "instance")) {
		s = target(d, request, err);
		if (!s)
			return -ENOENT;
		*result = served_json(s);
		json_object_set_new(*result, "pinned_buckets", pinned_json(s));
		return *result ? 0 : sl_error_set(err, -ENOMEM, "no memory");
	}
	all = json_array();
	for (unsigned i = 0; i < d->served_n; i++)
		json_array_append_new(all, served_json(d->served[i]));
	*result = json_pack("{s:s,s:s,s:f,s:I,s:I,s:o}", "version", SL_VERSION, "configuration",
			    d->config_path ? d->config_path : "", "uptime_s",
			    (double)(sl_clock_ns() - d->started_ns) / 1e9, "reloads",
			    (json_int_t)d->reloads, "reloads_failed", (json_int_t)d->reloads_failed,
			    "instances", all);
	return *result ? 0 : sl_error_set(err, -ENOMEM, "no memory");
}

static int set_paused(struct daemon *d, json_t *request, bool paused, json_t **result,
		      struct sl_error *err)
{
	struct served *s = target(d, request, err);

	if (!s)
		return -ENOENT;
	served_pause(s, paused);
	log_line(LOG_NOTICE, "%s: %s", s->inst->name, paused ? "paused" : "resumed");
	*result = json_pack("{s:s,s:b}", "instance", s->inst->name, "paused", paused);
	return 0;
}

static int on_pause(void *ctx, json_t *request, int passed_fd, json_t **result,
		    struct sl_error *err)
{
	return set_paused(ctx, request, true, result, err);
}

static int on_resume(void *ctx, json_t *request, int passed_fd, json_t **result,
		     struct sl_error *err)
{
	return set_paused(ctx, request, false, result, err);
}

static int on_balance(void *ctx, json_t *request, int passed_fd, json_t **result,
		      struct sl_error *err)
{
	json_t *dry = json_object_get(request, "dry_run");
	bool dry_run = json_is_true(dry);
	uint64_t now = sl_clock_ns();
	struct served *s = target(ctx, request, err);
	struct sl_tick_result r;
	struct sl_sample sample;
	unsigned stored = 0;

	if (!s)
		return -ENOENT;
	if (dry && !json_is_boolean(dry))
		return sl_error_set(err, -EINVAL, "\"dry_run\": true or false");
	if (!sl_instance_running(s->inst))
		return sl_error_set(err, -ENOTCONN,
				    "no dataplane runs on %s, there is no load to balance: "
				    "sluice run -i %s",
				    s->inst->name, s->inst->iface[0].name);
	sample = served_sample(s, now);
	sl_tick_plan_now(s->tick, &sample, &r);
	if (r.verdict == SL_TICK_LEARNING)
		return sl_error_set(err, -EAGAIN, "%s: no load is measured yet: ask again in %u ms",
				    s->inst->name, (unsigned)(s->balance.tick_min_ns / 500000));
	*result = json_pack("{s:s,s:b,s:f,s:f,s:f,s:f,s:b,s:i,s:o}", "instance", s->inst->name,
			    "dry_run", dry_run, "before", r.plan.before, "after", r.plan.after,
			    "bound", r.plan.bound, "cost", r.plan.cost, "late", r.plan.late,
			    "elephant", r.plan.elephant, "moves", moves_json(s, &r));
	if (!dry_run)
		stored = served_apply(s, r.moves, r.moves_n);
	if (stored)
		sl_tick_applied(s->tick, now);
	return json_object_set_new(*result, "stored", json_integer(stored))
		       ? sl_error_set(err, -ENOMEM, "no memory")
		       : 0;
}

static int set_pinned(struct daemon *d, json_t *request, bool pinned, json_t **result,
		      struct sl_error *err)
{
	json_t *first = json_object_get(request, "first"), *last = json_object_get(request, "last");
	struct served *s = target(d, request, err);
	json_int_t a = json_integer_value(first), b = last ? json_integer_value(last) : a;

	if (!s)
		return -ENOENT;
	if (!json_is_integer(first) || (last && !json_is_integer(last)))
		return sl_error_set(err, -EINVAL, "name buckets: \"first\" and \"last\"");
	if (a < 0 || b < a || b >= s->inst->buckets || !sl_bucket_exists(s->inst, (uint32_t)b))
		return sl_error_set(
			err, -ERANGE, "buckets %lld-%lld: %s has 0-%u, name some of these",
			(long long)a, (long long)b, s->inst->name, s->inst->hash_buckets - 1);
	served_pin(s, (uint32_t)a, (uint32_t)b, pinned);
	*result = json_pack("{s:s,s:I}", "instance", s->inst->name, "pinned",
			    (json_int_t)pinned_count(s));
	return 0;
}

static int on_pin(void *ctx, json_t *request, int passed_fd, json_t **result, struct sl_error *err)
{
	return set_pinned(ctx, request, true, result, err);
}

static int on_unpin(void *ctx, json_t *request, int passed_fd, json_t **result,
		    struct sl_error *err)
{
	return set_pinned(ctx, request, false, result, err);
}

static int on_tenants(void *ctx, json_t *request, int passed_fd, json_t **result,
		      struct sl_error *err)
{
	json_t *named = json_object_get(request, "tenant");
	struct served *s = target(ctx, request, err);

	if (!s)
		return -ENOENT;
	if (named && !json_is_string(named) && !json_is_null(named))
		return sl_error_set(err, -EINVAL, "\"tenant\": a name, such as \"gold\"");
	return tenants_told_json(s, json_string_value(named), result, err);
}

static int on_reload(void *ctx, json_t *request, int passed_fd, json_t **result,
		     struct sl_error *err)
{
	struct daemon *d = ctx;
	int rc = daemon_reload(d, err);

	if (!rc)
		*result = json_pack("{s:s}", "configuration", d->config_path ? d->config_path : "");
	return rc;
}

int requests_register(struct daemon *d)
{
	static const struct {
		const char *cmd;
		sl_rpc_handler handler;
	} commands[] = {
		{"status", on_status},	 {"pause", on_pause},	  {"resume", on_resume},
		{"balance", on_balance}, {"pin", on_pin},	  {"unpin", on_unpin},
		{"reload", on_reload},	 {"tenants", on_tenants},
	};
	int rc = 0;

	for (unsigned i = 0; !rc && i < sizeof(commands) / sizeof(commands[0]); i++)
		rc = sl_rpc_server_add(d->rpc, commands[i].cmd, commands[i].handler, d);
	return rc;
}
