// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice workers, sluice buckets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/elastic.h"
#include "cli/options.h"
#include "cli/move_log.h"
#include "cli/output.h"
#include "cli/sample.h"
#include "cli/target.h"

#define I(x) ((json_int_t)(x))

struct show_config {
	const char *name;
	uint64_t interval;
	uint32_t set; /* workers: new number, 0: only show */
	uint32_t top, worker; /* buckets */
};

#define ANY_WORKER UINT32_MAX

static const struct opt_arg instance_arg[] = {
	ARG_INSTANCE(struct show_config, name),
	ARG_END,
};

static json_t *worker_json(const struct sample *s, unsigned i)
{
	const struct sl_worker *w = &s->after.workers[i];
	const struct worker_rate *r = &s->workers[i];
	uint64_t drops = 0;

	for (unsigned d = 0; d < SL_DROP_REASONS; d++)
		drops += w->nf_drop[d];
	return json_pack(
		"{s:I,s:I,s:s,s:f,s:f,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,"
		"s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
		"worker", I(i), "cpu", I(w->cpu), "state", sample_worker_state(s, i), "load",
		r->load, "pps", r->pps, "packets", I(w->rx_packets), "buckets", I(r->buckets),
		"ring_fill", I(w->ring_fill), "heartbeat_age_ms",
		r->heartbeat_age_ns < 0 ? json_null() : json_integer(r->heartbeat_age_ns / 1000000),
		"rx_bytes", I(w->rx_bytes), "forwarded", I(w->forwarded), "tx_bytes",
		I(w->tx_bytes), "consumed", I(w->consumed), "nf_drop", I(drops), "held", I(w->held),
		"parked", I(w->parked), "park_overflow", I(w->park_overflow), "stray", I(w->stray),
		"ring_full", I(w->ring_full), "no_frame", I(w->no_frame), "tx_invalid",
		I(w->tx_invalid), "flows", I(w->flows), "flow_refused", I(w->flow_refused),
		"flow_evicted", I(w->flow_evicted), "flow_expired", I(w->flow_expired),
		"released_a", I(w->released_a), "released_d", I(w->released_d), "released_c",
		I(w->released_c), "sleeps", I(w->sleeps), "rounds", I(w->rounds), "busy_cycles",
		I(w->busy_cycles), "idle_cycles", I(w->idle_cycles), "sleep_cycles",
		I(w->sleep_cycles));
}

static const struct column worker_columns[] = {
	{"worker", "worker", ALIGN_RIGHT, NULL},
	{"cpu", "cpu", ALIGN_RIGHT, NULL},
	{"state", "state", ALIGN_LEFT, NULL},
	{"load", "load", ALIGN_RIGHT, format_percent},
	{"pps", "packets/s", ALIGN_RIGHT, format_count},
	{"packets", "packets", ALIGN_RIGHT, NULL},
	{"buckets", "buckets", ALIGN_RIGHT, NULL},
	{"ring_fill", "ring fill", ALIGN_RIGHT, NULL},
	{"flows", "flows", ALIGN_RIGHT, NULL},
	{"ring_full", "ring full", ALIGN_RIGHT, NULL},
	{"no_frame", "no frame", ALIGN_RIGHT, NULL},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static int show_workers(const struct sl_instance *inst, uint64_t interval)
{
	struct sample *s = sample_over(inst, interval);
	json_t *rows = json_array(), *daemon = NULL;
	struct sl_error err;
	int status;

	for (unsigned i = 0; s && i < sample_worker_count(inst); i++)
		json_array_append_new(rows, worker_json(s, i));
	/* Who sleeps only the daemon knows; without one, nobody does. */
	if (!target_daemon("status", inst->name, json_object(), &daemon, &err))
		elastic_mark(rows, daemon);
	json_decref(daemon);
	if (!cli.json && !json_array_size(rows))
		printf("no worker has run on instance %s yet\n", inst->name);
	status = output_rows(s ? rows : NULL, worker_columns);
	sample_free(s);
	return status;
}

static int set_workers(const struct opt_spec *spec, const struct sl_instance *inst, uint32_t n)
{
	struct sl_error err;
	int ret;

	if (n > inst->max_workers)
		return opt_usage(spec,
				 "--set: instance %s has room for %u workers; attach with "
				 "--max-workers %u for more",
				 inst->name, inst->max_workers, n);
	ret = target_dataplane("workers", inst, json_pack("{s:I}", "set", I(n)), -1, NULL, &err);
	return ret ? cli_fail(&err) : 0;
}

int cmd_workers(int argc, char **argv)
{
	static const struct opt options[] = {
		OPT_U32(struct show_config, set, 's', "set", "N", 1, SL_MAX_WORKERS,
			"have N workers from now on, then show them"),
		OPT_DURATION(struct show_config, interval, 'i', "interval", "TIME", 1e6, 60e9,
			     "measure the load over TIME (default 200ms)"),
		OPT_END,
	};
	static const struct opt_spec spec = {"workers", "Show the workers and their load",
					     instance_arg, options, NULL};
	struct show_config config = {.interval = SAMPLE_DEFAULT_NS};
	struct sl_instance *inst;
	int status;

	if (!target_parse(&spec, argc, argv, &config, &config.name, &inst, &status))
		return status;
	status = config.set ? set_workers(&spec, inst, config.set) : 0;
	if (!status)
		status = show_workers(inst, config.interval);
	sl_instance_close(inst);
	return status;
}

/* Which buckets are pinned only the daemon knows; without one, none is. */
static bool *pinned_buckets(const struct sl_instance *inst)
{
	bool *pinned = calloc(inst->buckets, sizeof(*pinned));
	json_t *status = NULL, *entry;
	struct sl_error err;
	size_t i;

	if (!pinned || target_daemon("status", inst->name, json_object(), &status, &err))
		return pinned;
	json_array_foreach (json_object_get(status, "pinned_buckets"), i, entry) {
		json_int_t b = json_integer_value(entry);

		if (b >= 0 && b < (json_int_t)inst->buckets)
			pinned[b] = true;
	}
	json_decref(status);
	return pinned;
}

static json_t *bucket_json(const struct sl_instance *inst, const struct bucket_rate *b,
			   unsigned bucket, bool pinned)
{
	const int parts = sl_parts_of(inst, bucket), of = sl_part_of(inst, bucket);

	return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:I,s:b,s:I,s:I,s:f,s:f,s:I,s:I,s:b}", "bucket",
			 I(bucket), "worker", worker_or_null(b->row.worker), "owner",
			 worker_or_null(b->owner.owner), "next", worker_or_null(b->owner.next),
			 "parts", parts < 0 ? json_null() : json_integer(parts), "part_of",
			 of < 0 ? json_null() : json_integer(of), "epoch", I(b->owner.epoch),
			 "moving", b->owner.owner != b->owner.next, "packets", I(b->packets),
			 "bytes", I(b->bytes), "load", b->load, "pps", b->pps, "flows", I(b->flows),
			 "parked", I(b->parked), "pinned", pinned);
}

static const struct column bucket_columns[] = {
	{"bucket", "bucket", ALIGN_RIGHT, NULL},
	{"worker", "worker", ALIGN_RIGHT, NULL},
	{"owner", "owner", ALIGN_RIGHT, NULL},
	{"parts", "parts", ALIGN_RIGHT, NULL},
	{"part_of", "part of", ALIGN_RIGHT, NULL},
	{"load", "load", ALIGN_RIGHT, format_percent},
	{"pps", "packets/s", ALIGN_RIGHT, format_count},
	{"packets", "packets", ALIGN_RIGHT, NULL},
	{"bytes", "bytes", ALIGN_RIGHT, format_bytes},
	{"flows", "flows", ALIGN_RIGHT, NULL},
	{"parked", "parked", ALIGN_RIGHT, NULL},
	{"epoch", "epoch", ALIGN_RIGHT, NULL},
	{"moving", "moving", ALIGN_LEFT, format_bool},
	{"pinned", "pinned", ALIGN_LEFT, format_bool},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static int heavier_first(const void *a, const void *b, void *rates)
{
	const struct bucket_rate *x = (struct bucket_rate *)rates + *(const unsigned *)a;
	const struct bucket_rate *y = (struct bucket_rate *)rates + *(const unsigned *)b;

	if (x->load != y->load)
		return x->load < y->load ? 1 : -1;
	if (x->packets != y->packets)
		return x->packets < y->packets ? 1 : -1;
	return *(const unsigned *)a < *(const unsigned *)b ? -1 : 1;
}

static json_t *buckets_json(const struct sl_instance *inst, const struct sample *s,
			    const struct show_config *config)
{
	unsigned *order = calloc(inst->buckets, sizeof(*order));
	bool *pinned = pinned_buckets(inst);
	json_t *rows = NULL;

	if (!order || !pinned)
		goto out;
	for (unsigned b = 0; b < inst->buckets; b++)
		order[b] = b;
	if (config->top)
		qsort_r(order, inst->buckets, sizeof(*order), heavier_first, s->buckets);
	rows = json_array();
	for (unsigned i = 0; i < inst->buckets; i++) {
		const struct bucket_rate *b = &s->buckets[order[i]];

		if (!sl_bucket_exists(inst, order[i]))
			continue;
		if (config->worker != ANY_WORKER && b->owner.owner != config->worker)
			continue;
		if (config->top && json_array_size(rows) >= config->top)
			break;
		json_array_append_new(rows, bucket_json(inst, b, order[i], pinned[order[i]]));
	}
out:
	free(order);
	free(pinned);
	return rows;
}

int cmd_buckets(int argc, char **argv)
{
	static const struct opt options[] = {
		OPT_U32(struct show_config, top, 't', "top", "N", 1, SL_MAX_BUCKETS,
			"only the N heaviest, heaviest first"),
		OPT_U32(struct show_config, worker, 'w', "worker", "W", 0, SL_MAX_WORKERS - 1,
			"only those that worker W owns"),
		OPT_DURATION(struct show_config, interval, 'i', "interval", "TIME", 1e6, 60e9,
			     "measure the load over TIME (default 200ms)"),
		OPT_END,
	};
	static const struct opt_spec spec = {"buckets", "Show the buckets, their owner and load",
					     instance_arg, options, NULL};
	struct show_config config = {.interval = SAMPLE_DEFAULT_NS, .worker = ANY_WORKER};
	struct sl_instance *inst;
	struct sample *s;
	int status;

	if (!target_parse(&spec, argc, argv, &config, &config.name, &inst, &status))
		return status;
	s = sample_over(inst, config.interval);
	status = output_rows(s ? buckets_json(inst, s, &config) : NULL, bucket_columns);
	sample_free(s);
	sl_instance_close(inst);
	return status;
}
