// SPDX-License-Identifier: GPL-2.0-or-later
/* A scenario of sluice lb sim: settings, defaults, and what must agree with what. */
#include <string.h>

#include "cli/lb/sim.h"
#include "cli/sim/setters.h"

#define MS 1000000ULL
#define ROWS_LEAST 1024
#define ROWS_OF_A_SERVER 64 /* as `sluice lb run` deals them, again and again up to SL_LB_ROWS */

static const struct pool_scenario defaults = {
	.seed = 1,
	.duration_ns = 30000 * MS,
	.warmup_ns = 10000 * MS,
	.window_ns = 1000 * MS,
	.servers = 16,
	.cores = 1,
	.fast_factor = 1,
	.entries = 128,
	.ring_ns = 20 * MS,
	.balancer = {.report_ns = 100 * MS,
		     .stale_ns = 1000 * MS,
		     .refill_ns = 100 * MS,
		     .fresh = 0.5,
		     .cpus = 4,
		     .candidates = 8,
		     .entropies = 1,
		     .added = -1},
	.traffic = {.mean_ns = 7 * MS,
		    .long_factor = 1,
		    .packet_ns = 5000,
		    .shape = 1.05,
		    .fewest = 4,
		    .most = 1e6,
		    .lasts_ns = 1000 * MS,
		    .lasts_cv = 2,
		    .fastest = 0.3},
};

/* --- setters */

static SL_YAML_SETTER(set_one_of)
{
	static const char *const figures[] = {"p99", "p50", "variance", "delivered"};
	static const char *const work[] = {"constant", "exponential", "uniform"};
	static const char *const told[] = {"busy", "arrived"};
	const char *const *words = f->key[0] == 'f' ? figures : f->key[0] == 'd' ? work : told;
	int w = sl_yaml_word(node, words, (int)f->max);

	if (w < 0)
		return sl_yaml_bad_value(y, node, f);
	*(unsigned *)((char *)base + f->offset) = (unsigned)w;
	return 0;
}

#define POLICY_MEND "write some of hash, maglev, rr, wrr, awrr, least, least-stale, pow2, core"

static const struct sl_yaml_field policy_item = {.mend = POLICY_MEND};

static int add_policy(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	const char *names[POOL_POLICIES];
	struct pool_file *f = ctx;
	int p;

	for (unsigned k = 0; k < POOL_POLICIES; k++)
		names[k] = pool_policy_name((enum pool_policy)k);
	p = sl_yaml_word(item, names, POOL_POLICIES);
	return sim_add_policy(y, item, &policy_item, i, p, f->policy, &f->policies);
}

static SL_YAML_SETTER(set_policies)
{
	return sl_yaml_sequence(y, node, add_policy, base);
}

/* A sweep's values; the field's offset is the axis. */
struct sweep {
	struct pool_file *file;
	const struct sl_yaml_field *field;
};

static int add_point(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	const struct sweep *s = ctx;
	struct sl_yaml_field one = *s->field;
	bool time = one.offset == POOL_AXIS_REPORT || one.offset == POOL_AXIS_LASTS;
	unsigned whole = 0;
	int rc;

	if (i >= POOL_POINTS_MAX)
		return sl_yaml_error(y, item, "more than %d values: remove some", POOL_POINTS_MAX);
	if (one.offset == POOL_AXIS_SERVERS) {
		one.offset = 0;
		rc = sl_yaml_set_unsigned(y, item, &whole, &one);
		s->file->point[i] = whole;
	} else {
		one.offset = 0;
		rc = (time ? sim_set_ns : sl_yaml_set_fraction)(y, item, &s->file->point[i], &one);
	}
	s->file->points = i + 1;
	return rc;
}

static SL_YAML_SETTER(set_sweep)
{
	struct pool_file *file = base;
	struct sweep s = {file, f};

	if (file->axis != POOL_AXIS_NONE)
		return sl_yaml_error(y, node, "one setting can be swept: remove %s",
				     pool_axis_name(file->axis));
	file->axis = (enum pool_axis)f->offset;
	file->points = 0;
	return sl_yaml_sequence(y, node, add_point, &s)
		       ?: file->points ? 0
				       : sl_yaml_bad_value(y, node, f);
}

/* f->fields are the traffic's; which kind the key says. */
static SL_YAML_SETTER(set_traffic)
{
	struct pool_file *file = base;
	bool streams = f->key[0] == 's';

	file->scenario.traffic.kind = streams ? POOL_STREAMS : POOL_REQUESTS;
	*(streams ? &file->streams : &file->requests) = true;
	return sl_yaml_mapping(y, node, f->fields, base);
}

/* --- the tables; all over struct pool_file */

#define FILE_AT(member) .offset = offsetof(struct pool_file, member)
#define AT(member) FILE_AT(scenario.member)
#define LOAD_MEND "write a share of what all cores can do, such as 0.9 or 90%"
#define SERVERS_MEND "write a number from 1 to 1024"
#define REPORT_MEND "write a time from 1ms to 60s"
#define LASTS_MEND "write a time from 1ms to 60min"
#define SHAPE_MEND "write an exponent from 0.5 to 10"
#define MOST_MEND "write a number of packets from 2 to 1e9"
#define FASTEST_MEND "write a share of a core from 0.001 to 100"

static const struct sl_yaml_field requests_fields[] = {
	{"load", sl_yaml_set_fraction, AT(traffic.load), 0.001, 10, LOAD_MEND},
	{"mean", sim_set_ns, AT(traffic.mean_ns), 1e-6, 60, "write a time from 1us to 60s"},
	{"distribution", set_one_of, AT(traffic.work), .max = 3,
	 .mend = "write constant, exponential or uniform"},
	{"long_share", sl_yaml_set_fraction, AT(traffic.long_share), 0, 0.99,
	 "write a share of the requests from 0 to 0.99"},
	{"long_factor", sl_yaml_set_fraction, AT(traffic.long_factor), 0, 1000,
	 "write a factor from 0 to 1000"},
	{0},
};

static const struct sl_yaml_field streams_fields[] = {
	{"load", sl_yaml_set_fraction, AT(traffic.load), 0.001, 10, LOAD_MEND},
	{"packet", sim_set_ns, AT(traffic.packet_ns), 1e-8, 1, "write a time from 0.01us to 1s"},
	{"shape", sl_yaml_set_fraction, AT(traffic.shape), 0.5, 10, SHAPE_MEND},
	{"fewest", sl_yaml_set_fraction, AT(traffic.fewest), 1, 1e9,
	 "write a number of packets from 1 to 1e9"},
	{"most", sl_yaml_set_fraction, AT(traffic.most), 2, 1e9, MOST_MEND},
	{"lasts", sim_set_ns, AT(traffic.lasts_ns), 0.001, 3600, LASTS_MEND},
	{"lasts_cv", sl_yaml_set_fraction, AT(traffic.lasts_cv), 0, 100,
	 "write deviation / mean, from 0 to 100"},
	{"fastest", sl_yaml_set_fraction, AT(traffic.fastest), 0.001, 100, FASTEST_MEND},
	{0},
};

static const struct sl_yaml_field balancer_fields[] = {
	{"report", sl_yaml_set_duration, AT(balancer.report_ns), 0.001, 60, REPORT_MEND},
	{"told", set_one_of, AT(balancer.told), .max = 2, .mend = "write busy or arrived"},
	{"delay", sl_yaml_set_duration, AT(balancer.delay_ns), 0, 60,
	 "write a time of at most 60s"},
	{"stale", sl_yaml_set_duration, AT(balancer.stale_ns), 0.001, 3600,
	 "write a time from 1ms to 60min"},
	{"refill", sl_yaml_set_duration, AT(balancer.refill_ns), 0.001, 60,
	 "write a time from 1ms to 60s"},
	{"fresh", sl_yaml_set_fraction, AT(balancer.fresh), 0.01, 1,
	 "write the weight of the latest report from 0.01 to 1"},
	{"alpha", sl_yaml_set_fraction, AT(balancer.alpha), 0, 1, "write a number from 0 to 1"},
	{"cpus", sl_yaml_set_unsigned, AT(balancer.cpus), 1, POOL_CPUS_MAX,
	 "write a number from 1 to 64"},
	{"candidates", sl_yaml_set_unsigned, AT(balancer.candidates), 1, POOL_SERVERS_MAX,
	 SERVERS_MEND},
	{"entropies", sl_yaml_set_unsigned, AT(balancer.entropies), 1, 16,
	 "write a number from 1 to 16"},
	{"added", sl_yaml_set_fraction, AT(balancer.added), 0, 1,
	 "write a share of a core from 0 to 1, or leave it out: it is learned"},
	{0},
};

static const struct sl_yaml_field sweep_fields[] = {
	{"load", set_sweep, .offset = POOL_AXIS_LOAD, .min = 0.001, .max = 10, .mend = LOAD_MEND},
	{"servers", set_sweep, .offset = POOL_AXIS_SERVERS, .min = 1, .max = POOL_SERVERS_MAX,
	 .mend = SERVERS_MEND},
	{"report", set_sweep, .offset = POOL_AXIS_REPORT, .min = 0.001, .max = 60,
	 .mend = REPORT_MEND},
	{"lasts", set_sweep, .offset = POOL_AXIS_LASTS, .min = 0.001, .max = 3600,
	 .mend = LASTS_MEND},
	{"shape", set_sweep, .offset = POOL_AXIS_SHAPE, .min = 0.5, .max = 10, .mend = SHAPE_MEND},
	{"most", set_sweep, .offset = POOL_AXIS_MOST, .min = 2, .max = 1e9, .mend = MOST_MEND},
	{"fastest", set_sweep, .offset = POOL_AXIS_FASTEST, .min = 0.001, .max = 100,
	 .mend = FASTEST_MEND},
	{0},
};

static const struct sl_yaml_field pool_fields[] = {
	{"version", sim_set_version, .mend = "this release reads version 1: write version: 1"},
	{"title", sim_set_text, FILE_AT(title), .max = POOL_TITLE, .mend = "write a line of text"},
	{"figure", set_one_of, FILE_AT(figure), .max = POOL_FIGURES,
	 .mend = "write p99, p50, variance or delivered"},
	{"seed", sim_set_seed, AT(seed), 0, 4294967295.0, "write a number below 2^32"},
	{"duration", sl_yaml_set_duration, AT(duration_ns), 0.001, 86400,
	 "write a time from 1ms to 1440min"},
	{"warmup", sl_yaml_set_duration, AT(warmup_ns), 0, 86400, "write a time such as 5s"},
	{"window", sl_yaml_set_duration, AT(window_ns), 0.001, 3600,
	 "write a time from 1ms to 60min"},
	{"policies", set_policies, .mend = POLICY_MEND},
	{"sweep", sl_yaml_set_mapping, .offset = 0, .fields = sweep_fields},
	{"servers", sl_yaml_set_unsigned, AT(servers), 1, POOL_SERVERS_MAX, SERVERS_MEND},
	{"cores", sl_yaml_set_unsigned, AT(cores), 1, 128, "write a number from 1 to 128"},
	{"fast_share", sl_yaml_set_fraction, AT(fast_share), 0, 1,
	 "write a share of the servers from 0 to 1"},
	{"fast_factor", sl_yaml_set_fraction, AT(fast_factor), 0.1, 60,
	 "write a factor from 0.1 to 60"},
	{"table", sl_yaml_set_unsigned, AT(entries), 1, 4096, "write a power of two up to 4096"},
	{"ring", sl_yaml_set_duration, AT(ring_ns), 0, 60,
	 "write the work that may wait for a core, a time such as 20ms"},
	{"balancer", sl_yaml_set_mapping, .offset = 0, .fields = balancer_fields},
	{"requests", set_traffic, .fields = requests_fields},
	{"streams", set_traffic, .fields = streams_fields},
	{0},
};

/* --- what must agree with what */

static int check_traffic(struct sl_yaml *y, const yaml_node_t *node, const struct pool_file *f)
{
	const struct pool_traffic *t = &f->scenario.traffic;

	if (f->requests == f->streams)
		return sl_yaml_error(y, node, "write requests or streams, one of the two");
	if (!(t->load > 0) && f->axis != POOL_AXIS_LOAD)
		return sl_yaml_error(y, node, "%s: no load: write load: 0.9",
				     f->streams ? "streams" : "requests");
	if (t->long_share * t->long_factor >= 1)
		return sl_yaml_error(y, node,
				     "requests.long_factor: the long ones alone are more than the "
				     "mean: lower it or long_share");
	if (f->requests && f->axis >= POOL_AXIS_LASTS)
		return sl_yaml_error(y, node, "sweep.%s: requests have none: write streams",
				     pool_axis_name(f->axis));
	return 0;
}

static int check_point(struct sl_yaml *y, const yaml_node_t *node, const struct pool_scenario *c)
{
	if (c->traffic.most <= c->traffic.fewest)
		return sl_yaml_error(y, node, "streams.most: not above fewest: raise it");
	if (c->servers * c->cores > POOL_CORES_MAX)
		return sl_yaml_error(y, node, "cores: more than %d in all: lower it or servers",
				     POOL_CORES_MAX);
	if (c->balancer.report_ns + c->balancer.delay_ns > c->balancer.stale_ns)
		return sl_yaml_error(y, node,
				     "balancer.stale: reports are older than that before the next "
				     "one comes: raise it");
	return 0;
}

static int check(struct sl_yaml *y, const yaml_node_t *node, const struct pool_file *f)
{
	const struct pool_scenario *c = &f->scenario;
	int rc = check_traffic(y, node, f);

	if (rc)
		return rc;
	if (!f->policies)
		return sl_yaml_error(y, node,
				     "policies is missing: write policies: [hash, rr, core]");
	if (c->warmup_ns + c->window_ns >= c->duration_ns)
		return sl_yaml_error(y, node,
				     "warmup: no window is left of the duration: lower it, or "
				     "raise duration");
	if (c->entries & (c->entries - 1))
		return sl_yaml_error(y, node, "table: %u is no power of two: write %u", c->entries,
				     1U << (32 - __builtin_clz(c->entries)));
	for (unsigned i = 0; !rc && i < f->points; i++) {
		struct pool_scenario at = pool_file_scenario(f, i);

		rc = check_point(y, node, &at);
	}
	return rc;
}

int pool_file_load(struct pool_file *f, const char *path, struct sl_error *err)
{
	const yaml_node_t *node;
	struct sl_yaml y;
	int rc;

	*f = (struct pool_file){.scenario = defaults, .points = 1};
	rc = sl_yaml_open(&y, path, err);
	if (rc)
		return rc;
	node = yaml_document_get_root_node(&y.doc);
	if (!node)
		rc = sl_yaml_error(&y, NULL, "an empty file: write at least policies and requests");
	if (!rc)
		rc = sl_yaml_mapping(&y, node, pool_fields, f);
	if (!rc)
		rc = check(&y, node, f);
	yaml_document_delete(&y.doc);
	return rc;
}

const char *pool_axis_name(enum pool_axis axis)
{
	static const char *const names[POOL_AXES] = {"",      "load",  "servers", "report",
						     "lasts", "shape", "most",	  "fastest"};

	return names[axis];
}

double pool_point(const struct pool_file *f, unsigned point)
{
	bool time = f->axis == POOL_AXIS_REPORT || f->axis == POOL_AXIS_LASTS;

	return time ? f->point[point] / (double)MS : f->point[point];
}

struct pool_scenario pool_file_scenario(const struct pool_file *f, unsigned point)
{
	struct pool_scenario c = f->scenario;
	double value = f->point[point];

	switch (f->axis) {
	case POOL_AXIS_LOAD:
		c.traffic.load = value;
		break;
	case POOL_AXIS_SERVERS:
		c.servers = (uint32_t)value;
		break;
	case POOL_AXIS_REPORT: /* rows are dealt as often */
		c.balancer.report_ns = c.balancer.refill_ns = (uint64_t)value;
		break;
	case POOL_AXIS_LASTS:
		c.traffic.lasts_ns = value;
		break;
	case POOL_AXIS_SHAPE:
		c.traffic.shape = value;
		break;
	case POOL_AXIS_MOST:
		c.traffic.most = value;
		break;
	case POOL_AXIS_FASTEST:
		c.traffic.fastest = value;
		break;
	case POOL_AXIS_NONE:
	case POOL_AXES:
		break;
	}
	c.balancer.rows = ROWS_LEAST;
	while (c.balancer.rows < ROWS_OF_A_SERVER * c.servers)
		c.balancer.rows *= 2;
	return c;
}
