// SPDX-License-Identifier: GPL-2.0-or-later
/* A scenario: defaults, what must agree with what, and the files it names. */
#include "cli/sim/file.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sim/fields.h"

#define MS 1000000ULL
#define WINDOWS_MAX 100000

/* Reasons: sluice-sim(5). */
static const struct sim_scenario defaults = {
	.seed = 1,
	.duration_ns = 5000 * MS,
	.warmup_ns = 1000 * MS,
	.window_ns = 100 * MS,
	.cores = 8,
	.buckets = 1024,
	.ring = 2048,
	.batch = 1,
	.service = {.mean_ns = 20000, .heavy_factor = 1},
	.traffic = {.flows = 10000, .burst = 1},
	.handover = {.start_ns = 50000, .release_ns = 5000, .park = 4096},
	.scale = {.target = 0.8, .ahead_ns = 500 * MS, .hold_ns = 1000 * MS},
	.rsspp = {.tick_ns = 100 * MS, .target = 0.8},
	.ovs = {.queues = 2,
		.sample_ns = 10000 * MS,
		.samples = 6,
		.limit = 0.95,
		.gain = 0.25,
		.interval_ns = 60000 * MS},
};

static int check_times(struct sl_yaml *y, const yaml_node_t *node, const struct sim_scenario *c)
{
	if (c->warmup_ns >= c->duration_ns)
		return sl_yaml_error(y, node,
				     "warmup: nothing is left of the duration: lower it, or raise "
				     "duration");
	if (c->duration_ns / c->window_ns > WINDOWS_MAX)
		return sl_yaml_error(y, node,
				     "window: more than %d windows in the duration: raise it",
				     WINDOWS_MAX);
	return 0;
}

static int check_traffic(struct sl_yaml *y, const yaml_node_t *node, const struct sim_file *f)
{
	const struct sim_traffic *t = &f->scenario.traffic;
	bool files = *f->capture || *f->sizes, load = t->load > 0 || f->axis == AXIS_LOAD;

	if (load && t->rate > 0)
		return sl_yaml_error(y, node, "traffic.rate: load says it already: leave one out");
	if (!load && !(t->rate > 0) && !*f->capture)
		return sl_yaml_error(y, node,
				     "traffic: no load: write load: 0.9 (of what all cores can "
				     "do), or rate");
	if (*f->capture && *f->sizes)
		return sl_yaml_error(y, node, "traffic.sizes: capture says it all: leave one out");
	if (*f->sizes && !(t->flow_rate > 0))
		return sl_yaml_error(y, node,
				     "traffic.sizes: needs flow_rate: write the packets a second "
				     "of a flow");
	if (files && (t->shift_ns || t->on_ns || t->elephants || f->scenario.first_share > 0))
		return sl_yaml_error(y, node,
				     "traffic: shift, on, elephants and first_share are of flows "
				     "by rank: leave them out with capture and sizes");
	if (*f->capture && t->sine_ns)
		return sl_yaml_error(y, node,
				     "traffic.sine: a capture has its own times: leave "
				     "it out");
	if (!t->on_ns != !t->off_ns)
		return sl_yaml_error(y, node, "traffic: on and off go together: write both");
	if (t->elephants >= t->flows)
		return sl_yaml_error(
			y, node, "traffic.elephants: as many as flows: lower it or raise flows");
	if (!t->elephants != !(t->elephant_share > 0))
		return sl_yaml_error(y, node,
				     "traffic: elephants and elephant_share go together: write "
				     "both");
	return 0;
}

static bool has_policy(const struct sim_file *f, enum sim_policy p)
{
	for (unsigned i = 0; i < f->policies; i++)
		if (f->policy[i] == p)
			return true;
	return false;
}

static int check_cores(struct sl_yaml *y, const yaml_node_t *node, const struct sim_file *f)
{
	for (unsigned i = 0; i < f->points; i++) {
		struct sim_scenario c = sim_file_scenario(f, i, SIM_STATIC);

		if (c.buckets & (c.buckets - 1))
			return sl_yaml_error(y, node, "buckets: %u is no power of two: write %u",
					     c.buckets, 1U << (32 - __builtin_clz(c.buckets)));
		if (c.cores > c.buckets)
			return sl_yaml_error(y, node,
					     "cores: more than the %u buckets: lower it or raise "
					     "buckets",
					     c.buckets);
		if (has_policy(f, SIM_OVS) && c.ovs.queues * c.cores > c.buckets)
			return sl_yaml_error(y, node,
					     "ovs.queues: %u queues for %u buckets: lower it",
					     c.ovs.queues * c.cores, c.buckets);
	}
	return 0;
}

static int check(struct sl_yaml *y, const yaml_node_t *node, const struct sim_file *f)
{
	int rc = check_times(y, node, &f->scenario);

	if (!rc)
		rc = check_traffic(y, node, f);
	if (!rc)
		rc = check_cores(y, node, f);
	if (rc)
		return rc;
	if (!f->policies)
		return sl_yaml_error(y, node,
				     "policies is missing: write policies: [static, "
				     "rsspp, sluice]");
	if (has_policy(f, SIM_OVS) && f->scenario.first_share > 0)
		return sl_yaml_error(y, node,
				     "first_share: deals buckets, ovs moves queues of "
				     "them: leave one out");
	for (unsigned i = 0; i < SIM_POLICIES; i++)
		if (f->shared_by[i] && f->scenario.batch > 1)
			return sl_yaml_error(y, node,
					     "batch: a shared table is locked packet by "
					     "packet: write batch: 1");
	if (f->balance.tick_min_ns > f->balance.tick_max_ns)
		return sl_yaml_error(y, node,
				     "balance.tick_min is longer than tick_max: lower one "
				     "or raise the other");
	return 0;
}

static void tick_opts(struct sim_file *f)
{
	const struct sl_balance_config *b = &f->balance;

	f->scenario.balance = (struct sl_tick_opts){
		.tick_min_ns = b->tick_min_ns,
		.tick_max_ns = b->tick_max_ns,
		.threshold = b->threshold,
		.min_gain = b->min_gain,
		.min_interval_ns = b->min_interval_ns,
		.max_moves = b->max_moves,
		.smoothing_ns = b->smoothing_ns,
		.stuck_ns = b->stuck_ns,
	};
}

static int read_root(struct sl_yaml *y, struct sim_file *f)
{
	const yaml_node_t *node = yaml_document_get_root_node(&y->doc);
	int rc;

	if (!node)
		return sl_yaml_error(y, NULL, "an empty file: write at least traffic and policies");
	rc = sl_yaml_mapping(y, node, sim_fields, f);
	if (!rc)
		rc = check(y, node, f);
	if (!rc)
		tick_opts(f);
	return rc;
}

static int balance_defaults(struct sim_file *f, struct sl_error *err)
{
	struct sl_config *c = sl_config_new();

	if (!c)
		return sl_error_set(err, -ENOMEM, "no memory");
	f->balance = c->balance;
	sl_config_free(c);
	return 0;
}

static void path_of(const struct sim_file *f, const char *name, char path[2 * SIM_FILE_PATH])
{
	snprintf(path, 2 * SIM_FILE_PATH, "%s%s%s", *name == '/' ? "" : f->folder,
		 *name == '/' ? "" : "/", name);
}

static int load_traces(struct sim_file *f, struct sl_error *err)
{
	struct sim_traffic *t = &f->scenario.traffic;
	char path[2 * SIM_FILE_PATH];
	int rc = 0;

	if (*f->capture) {
		path_of(f, f->capture, path);
		rc = sim_capture_load(path, &f->record, &t->records, err);
		t->record = f->record;
	}
	if (!rc && *f->sizes) {
		path_of(f, f->sizes, path);
		rc = sim_sizes_load(path, &f->size, &t->sizes, err);
		t->size = f->size;
	}
	return rc;
}

int sim_file_load(struct sim_file *f, const char *path, struct sl_error *err)
{
	char copy[SIM_FILE_PATH];
	struct sl_yaml y;
	int rc;

	*f = (struct sim_file){.scenario = defaults, .points = 1};
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(f->folder, sizeof(f->folder), "%s", dirname(copy));
	rc = balance_defaults(f, err);
	if (!rc)
		rc = sl_yaml_open(&y, path, err);
	if (rc)
		return rc;
	rc = read_root(&y, f);
	yaml_document_delete(&y.doc);
	if (!rc)
		rc = load_traces(f, err);
	if (rc)
		sim_file_free(f);
	return rc;
}

void sim_file_free(struct sim_file *f)
{
	free(f->record);
	free(f->size);
	f->record = NULL;
	f->size = NULL;
}

const char *sim_axis_name(enum sim_axis axis)
{
	static const char *const names[AXES] = {"", "load", "cores", "zipf", "buckets"};

	return names[axis];
}

struct sim_scenario sim_file_scenario(const struct sim_file *f, unsigned point,
				      enum sim_policy policy)
{
	struct sim_scenario c = f->scenario;
	double value = f->point[point];

	c.table.shared = f->shared_by[policy];
	switch (f->axis) {
	case AXIS_LOAD:
		c.traffic.load = value;
		break;
	case AXIS_CORES:
		c.cores = (uint32_t)value;
		break;
	case AXIS_ZIPF:
		c.traffic.zipf = value;
		break;
	case AXIS_BUCKETS:
		c.buckets = (uint32_t)value;
		break;
	case AXIS_NONE:
	case AXES:
		break;
	}
	return c;
}
