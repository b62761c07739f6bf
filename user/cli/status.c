// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice status: everything about an instance on one page, and what is wrong with it. */
#include <errno.h>
#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/elastic.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/sample.h"
#include "cli/target.h"
#include "platform/attach.h"
#include "platform/elephant.h"
#include "platform/losses.h"
#include "platform/nic_state.h"

#define I(x) ((json_int_t)(x))

/* Housekeeping's round is a few milliseconds; the same bound as for a worker names a stuck one. */
#define HOUSEKEEPING_STUCK_NS HEARTBEAT_STUCK_NS

struct status_config {
	const char *name;
	uint64_t interval;
};

static const char *mode_name(uint32_t mode)
{
	return mode == SL_XDP_NATIVE ? "native" : mode == SL_XDP_GENERIC ? "generic" : "unknown";
}

static const char *source_name(uint32_t source)
{
	return source == SL_WORK_TRACED	     ? "tracepoints"
	       : source == SL_WORK_PROC_STAT ? "/proc/stat"
					     : "unknown";
}

static void warn(json_t *warnings, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void warn(json_t *warnings, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(warnings, json_string(text));
}

static json_t *interfaces_json(const struct sl_instance *inst)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < inst->ifaces; i++) {
		const struct sl_iface *f = &inst->iface[i];

		json_array_append_new(
			rows, json_pack("{s:s,s:s,s:I,s:I,s:b,s:s}", "name", f->name, "mode",
					mode_name(f->mode), "queues", I(f->queues), "prog_id",
					I(f->prog_id), "rx_hash", f->rx_hash, "nic",
					sl_nic_state_name(sl_nic_state_read(inst, i).state)));
	}
	return rows;
}

/* The rules in force, as `--match` takes them. */
static json_t *rules_json(const struct sl_instance *inst)
{
	struct sl_rule rules[SL_MAX_RULES];
	int n = sl_rules_get(inst, rules, SL_MAX_RULES);
	json_t *rows = json_array();
	char text[256];

	for (int i = 0; i < n; i++) {
		sl_rule_format(&rules[i], text, sizeof(text));
		json_array_append_new(rows, json_string(text));
	}
	return rows;
}

static json_t *dataplane_json(const struct sl_instance *inst, uint64_t now, json_t *warnings)
{
	const struct sl_control *c = inst->control;
	bool alive = target_dataplane_alive(inst);
	int64_t age = c->heartbeat_ns ? (int64_t)(now - c->heartbeat_ns) : -1;

	if (!c->pid)
		warn(warnings,
		     "no dataplane runs; packets go to the stack; start `sluice run -i %s`",
		     inst->iface[0].name);
	else if (!alive)
		warn(warnings,
		     "the dataplane (pid %u) died; packets go to the stack; start it again",
		     c->pid);
	else if (age > (int64_t)HOUSEKEEPING_STUCK_NS)
		warn(warnings, "the dataplane's housekeeping has been silent for %.1f s",
		     (double)age / 1e9);
	return json_pack("{s:b,s:I,s:I,s:o,s:s,s:s,s:I}", "running", alive, "pid", I(c->pid),
			 "incarnation", I(c->incarnation), "heartbeat_age_ms",
			 age < 0 ? json_null() : json_integer(age / 1000000), "mode",
			 mode_name(c->xdp_mode), "work_source", source_name(c->work_source),
			 "workers", I(alive ? c->workers : 0));
}

static void warn_elephant(const struct sl_instance *inst, const json_t *daemon, json_t *warnings)
{
	uint32_t bucket = (uint32_t)json_integer_value(json_object_get(daemon, "elephant"));
	double load = json_real_value(json_object_get(daemon, "elephant_load"));
	char flow[SL_HEAVY_TEXT];
	struct sl_elephant e;

	if (!sl_elephant_read(inst, bucket, &e)) {
		warn(warnings, "bucket %u alone needs %.1f cores", bucket, load);
		return;
	}
	sl_heavy_flow_text(&e.flow[0], flow);
	warn(warnings, "bucket %u alone needs %.1f cores; %.0f %% of that is %s", bucket, load,
	     e.flow[0].share / 10.0, flow);
}

/* What the daemon says of itself, with "running". */
static json_t *daemon_json(const struct sl_instance *inst, json_t *warnings)
{
	json_t *answer = NULL, *daemon;
	struct sl_error err;
	int ret = target_daemon("status", inst->name, json_object(), &answer, &err);

	daemon = json_is_object(answer) ? json_copy(answer) : json_object();
	json_decref(answer);
	if (json_is_integer(json_object_get(daemon, "elephant")) &&
	    json_integer_value(json_object_get(daemon, "elephant")) >= 0)
		warn_elephant(inst, daemon, warnings);
	json_object_set_new(daemon, "running", json_boolean(!ret || ret == -EREMOTEIO));
	if (ret == -EREMOTEIO)
		warn(warnings, "the daemon does not serve this instance: %s", err.text);
	else if (ret == -EACCES)
		warn(warnings, "the daemon's socket refuses this user");
	else if (ret)
		warn(warnings, "no daemon runs; nothing rebalances; start sluiced");
	return daemon;
}

/* Load of the workers that run and are not asleep: highest over mean, 1 when even; 0 when idle. */
static double unbalance(const struct sl_instance *inst, const struct sample *s,
			const json_t *daemon)
{
	double sum = 0, max = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < inst->max_workers; i++) {
		if (s->after.workers[i].state != SL_WORKER_RUNNING || elastic_asleep(daemon, i))
			continue;
		n++;
		sum += s->workers[i].load;
		if (s->workers[i].load > max)
			max = s->workers[i].load;
	}
	return sum > 0 ? max * n / sum : 0;
}

static json_t *workers_json(const struct sl_instance *inst, const struct sample *s, bool alive,
			    json_t *warnings)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < sample_worker_count(inst); i++) {
		const struct sl_worker *w = &s->after.workers[i];

		json_array_append_new(
			rows, json_pack("{s:I,s:I,s:s,s:f,s:I}", "worker", I(i), "cpu", I(w->cpu),
					"state", sample_worker_state(s, i), "load",
					s->workers[i].load, "buckets", I(s->workers[i].buckets)));
		if (alive && s->workers[i].stuck)
			warn(warnings, "worker %u is stuck: no heartbeat for %.1f s", i,
			     (double)s->workers[i].heartbeat_age_ns / 1e9);
		if (w->tx_invalid)
			warn(warnings, "worker %u sent %llu descriptors that the kernel refused", i,
			     (unsigned long long)w->tx_invalid);
	}
	return rows;
}

static void warn_nics(const struct sl_instance *inst, json_t *warnings)
{
	char line[SL_NIC_LINE];

	for (unsigned i = 0; i < inst->ifaces; i++)
		if (sl_nic_trouble(inst, i, line))
			json_array_append_new(warnings, json_string(line));
}

static json_t *moves_json(const struct sl_instance *inst, const struct sample *s)
{
	unsigned under_way = 0;

	for (unsigned b = 0; b < inst->buckets; b++)
		under_way += s->buckets[b].owner.owner != s->buckets[b].owner.next;
	return json_pack("{s:I,s:I,s:I}", "started", I(inst->control->moves_started), "refused",
			 I(inst->control->moves_refused), "under_way", I(under_way));
}

static unsigned split_buckets(const struct sl_control *c)
{
	unsigned n = 0;

	for (unsigned k = 0; k < SL_SPLITS; k++)
		n += c->split[k] != 0;
	return n;
}

static json_t *status_json(const struct sl_instance *inst, const struct sample *s)
{
	const struct sl_control *c = inst->control;
	json_t *warnings = json_array(), *dataplane, *daemon, *workers;
	bool ready = c->flags & SL_CTL_READY;
	struct sl_losses losses;

	if (!ready)
		warn(warnings,
		     "not configured: every packet goes to the stack; `sluice attach %s "
		     "--match RULE` configures it",
		     inst->iface[0].name);
	if (!sl_losses_read(inst, &losses) && losses.stamp_error)
		warn(warnings,
		     "the driver has no room for metadata, %" PRIu64
		     " packets went to the stack; detach, and attach with --stamp inband",
		     losses.stamp_error);
	dataplane = dataplane_json(inst, s->after.now_ns, warnings);
	warn_nics(inst, warnings);
	workers = workers_json(inst, s, target_dataplane_alive(inst), warnings);
	daemon = daemon_json(inst, warnings);
	elastic_mark(workers, daemon);
	return json_pack(
		"{s:s,s:b,s:b,s:o,s:I,s:I,s:I,s:o,s:b,s:s,s:s,s:I,s:I,s:o,s:f,s:o,s:o,s:o,s:o}",
		"instance", inst->name, "stack", !!(c->flags & SL_CTL_STACK), "ready", ready,
		"interfaces", interfaces_json(inst), "buckets", I(inst->hash_buckets), "split",
		I(split_buckets(c)), "max_workers", I(inst->max_workers), "rules", rules_json(inst),
		"local", !!(c->flags & SL_CTL_LOCAL), "hash",
		c->flags & SL_CTL_TOEPLITZ ? "toeplitz" : "symmetric", "stamp",
		c->flags & SL_CTL_INBAND ? "inband" : "metadata", "epoch", I(c->epoch), "settled",
		I(c->settled), "moves", moves_json(inst, s), "unbalance",
		unbalance(inst, s, daemon), "workers", workers, "dataplane", dataplane, "daemon",
		daemon, "warnings", warnings);
}

static const struct column interface_columns[] = {
	{"name", "interface", ALIGN_LEFT, NULL},  {"mode", "mode", ALIGN_LEFT, NULL},
	{"queues", "queues", ALIGN_RIGHT, NULL},  {"prog_id", "program", ALIGN_RIGHT, NULL},
	{"nic", "NIC's table", ALIGN_LEFT, NULL}, {NULL, NULL, ALIGN_LEFT, NULL},
};

static const struct column worker_columns[] = {
	{"worker", "worker", ALIGN_RIGHT, NULL},   {"cpu", "cpu", ALIGN_RIGHT, NULL},
	{"state", "state", ALIGN_LEFT, NULL},	   {"load", "load", ALIGN_RIGHT, format_percent},
	{"buckets", "buckets", ALIGN_RIGHT, NULL}, {NULL, NULL, ALIGN_LEFT, NULL},
};

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_lines(const json_t *lines, const char *label)
{
	json_t *line;
	size_t i;

	json_array_foreach (lines, i, line)
		printf("%s%s\n", label, json_string_value(line));
}

static const char *daemon_words(const json_t *daemon)
{
	if (!json_is_true(json_object_get(daemon, "running")))
		return "not running";
	return json_is_true(json_object_get(daemon, "paused")) ? "running, paused" : "running";
}

static void print_elastic(const json_t *elastic)
{
	if (json_is_object(elastic))
		printf("elastic    %lld workers awake, %zu asleep; load %.2f cores, target "
		       "%.0f%%\n",
		       number(elastic, "awake"),
		       json_array_size(json_object_get(elastic, "asleep")),
		       json_real_value(json_object_get(elastic, "load")),
		       100 * json_real_value(json_object_get(elastic, "target")));
}

static void print_status(const json_t *st)
{
	const json_t *plane = json_object_get(st, "dataplane"),
		     *moves = json_object_get(st, "moves");

	printf("instance   %s: %lld buckets, room for %lld workers%s%s, %s hash\n",
	       json_string_value(json_object_get(st, "instance")), number(st, "buckets"),
	       number(st, "max_workers"),
	       json_is_true(json_object_get(st, "stack")) ? ", mode stack" : "",
	       json_is_true(json_object_get(st, "local")) ? " (local traffic too)" : "",
	       json_string_value(json_object_get(st, "hash")));
	print_lines(json_object_get(st, "rules"), "rule       ");
	if (json_is_true(json_object_get(plane, "running")))
		printf("dataplane  pid %lld, incarnation %lld, %lld workers\n",
		       number(plane, "pid"), number(plane, "incarnation"),
		       number(plane, "workers"));
	else
		printf("dataplane  not running\n");
	printf("daemon     %s\n", daemon_words(json_object_get(st, "daemon")));
	print_elastic(json_object_get(json_object_get(st, "daemon"), "elastic"));
	printf("moves      %lld started, %lld refused, %lld under way; epoch %lld, settled %lld\n",
	       number(moves, "started"), number(moves, "refused"), number(moves, "under_way"),
	       number(st, "epoch"), number(st, "settled"));
	printf("unbalance  %.2f (highest load / mean)\n\n",
	       json_real_value(json_object_get(st, "unbalance")));
	output_table(json_object_get(st, "interfaces"), interface_columns);
	if (json_array_size(json_object_get(st, "workers"))) {
		putchar('\n');
		output_table(json_object_get(st, "workers"), worker_columns);
	}
	putchar('\n');
	print_lines(json_object_get(st, "warnings"), "warning: ");
}

int cmd_status(int argc, char **argv)
{
	static const struct opt_arg args[] = {
		ARG_INSTANCE(struct status_config, name),
		ARG_END,
	};
	static const struct opt options[] = {
		OPT_DURATION(struct status_config, interval, 'i', "interval", "TIME", 1e6, 60e9,
			     "measure the load over TIME (default 200ms)"),
		OPT_END,
	};
	static const struct opt_spec spec = {"status", "Show an instance and what is wrong with it",
					     args, options, NULL};
	struct status_config config = {.interval = SAMPLE_DEFAULT_NS};
	struct sl_instance *inst;
	struct sample *s;
	json_t *doc;
	int status;

	if (!target_parse(&spec, argc, argv, &config, &config.name, &inst, &status))
		return status;
	s = sample_over(inst, config.interval);
	doc = s ? status_json(inst, s) : NULL;
	if (cli.json || !doc) {
		status = output_json(doc);
	} else {
		print_status(doc);
		json_decref(doc);
		status = 0;
	}
	sample_free(s);
	sl_instance_close(inst);
	return status;
}
