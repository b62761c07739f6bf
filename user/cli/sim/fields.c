// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sim/fields.h"

#include <string.h>

#include "cli/sim/setters.h"
#include "platform/config_values.h"

/* --- setters of this file's kinds of values */

static SL_YAML_SETTER(set_distribution)
{
	static const char *const words[] = {"constant", "exponential", "lognormal"};
	int w = sl_yaml_word(node, words, 3);

	if (w < 0)
		return sl_yaml_bad_value(y, node, f);
	*(unsigned *)((char *)base + f->offset) = (unsigned)w;
	return 0;
}

static SL_YAML_SETTER(set_figure)
{
	static const char *const words[FIGURES] = {"p95", "loss", "imbalance", "rate", "awake"};
	int w = sl_yaml_word(node, words, FIGURES);

	if (w < 0)
		return sl_yaml_bad_value(y, node, f);
	((struct sim_file *)base)->figure = (unsigned)w;
	return 0;
}

static SL_YAML_SETTER(set_arrivals)
{
	static const char *const words[] = {"poisson", "even"};
	int w = sl_yaml_word(node, words, 2);

	if (w < 0)
		return sl_yaml_bad_value(y, node, f);
	*(bool *)((char *)base + f->offset) = w;
	return 0;
}

/* --- lists */

#define POLICY_MEND "write some of static, sluice, rsspp, sprayer, ovs"

static int policy_word(const yaml_node_t *node)
{
	const char *names[SIM_POLICIES];

	for (unsigned i = 0; i < SIM_POLICIES; i++)
		names[i] = sim_policy_name((enum sim_policy)i);
	return sl_yaml_word(node, names, SIM_POLICIES);
}

static const struct sl_yaml_field policy_item = {.mend = POLICY_MEND};

static int add_policy(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	struct sim_file *f = ctx;
	int p = policy_word(item);

	return sim_add_policy(y, item, &policy_item, i, p, f->policy, &f->policies);
}

static SL_YAML_SETTER(set_policies)
{
	return sl_yaml_sequence(y, node, add_policy, base);
}

static int add_shared(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	int p = policy_word(item);

	(void)i;
	if (p < 0)
		return sl_yaml_bad_value(y, item, &policy_item);
	((struct sim_file *)ctx)->shared_by[p] = true;
	return 0;
}

static SL_YAML_SETTER(set_shared)
{
	return sl_yaml_sequence(y, node, add_shared, base);
}

/* A sweep's values: of which axis, and within what. */
struct sweep {
	struct sim_file *file;
	const struct sl_yaml_field *field;
	bool whole;
};

static int add_point(struct sl_yaml *y, const yaml_node_t *item, unsigned i, void *ctx)
{
	const struct sweep *s = ctx;
	struct sl_yaml_field one = *s->field;
	double value;
	unsigned n;
	int rc;

	if (i >= SIM_POINTS_MAX)
		return sl_yaml_error(y, item, "more than %d values: remove some", SIM_POINTS_MAX);
	one.offset = 0;
	rc = s->whole ? sl_yaml_set_unsigned(y, item, &n, &one)
		      : sl_yaml_set_fraction(y, item, &value, &one);
	if (rc)
		return rc;
	s->file->point[i] = s->whole ? n : value;
	s->file->points = i + 1;
	return 0;
}

/* f->offset is the axis, not an offset. */
static SL_YAML_SETTER(set_sweep)
{
	struct sim_file *file = base;
	struct sweep s = {file, f, f->offset == AXIS_CORES || f->offset == AXIS_BUCKETS};

	if (file->axis != AXIS_NONE)
		return sl_yaml_error(y, node, "one setting can be swept: remove %s",
				     sim_axis_name(file->axis));
	file->axis = (enum sim_axis)f->offset;
	file->points = 0;
	return sl_yaml_sequence(y, node, add_point, &s)
		       ?: file->points ? 0
				       : sl_yaml_bad_value(y, node, f);
}

static SL_YAML_SETTER(set_balance)
{
	struct sl_balance_config *balance = &((struct sim_file *)base)->balance;
	int rc = sl_yaml_mapping(y, node, f->fields, balance);

	if (rc || !balance->elastic.enabled)
		return rc;
	return sl_yaml_error(y, node,
			     "elastic: here it goes for other policies too: write scale: "
			     "{enabled: true} instead");
}

/* --- the tables; all over struct sim_file */

#define FILE_AT(member) .offset = offsetof(struct sim_file, member)
#define AT(member) FILE_AT(scenario.member)
#define NS 1e-9

static const struct sl_yaml_field service_fields[] = {
	{"mean", sim_set_ns, AT(service.mean_ns), 10 * NS, 1, "write a time from 0.01us to 1s"},
	{"distribution", set_distribution, AT(service.distribution),
	 .mend = "write constant, exponential or lognormal"},
	{"cv", sl_yaml_set_fraction, AT(service.cv), 0, 100,
	 "write deviation / mean, from 0 to 100"},
	{"overhead", sim_set_ns, AT(service.overhead_ns), 0, 1, "write a time of at most 1s"},
	{"heavy_share", sl_yaml_set_fraction, AT(service.heavy_share), 0, 1,
	 "write a share of the flows from 0 to 1, such as 5%"},
	{"heavy_factor", sl_yaml_set_fraction, AT(service.heavy_factor), 0.001, 1000,
	 "write a factor from 0.001 to 1000"},
	{0},
};

static const struct sl_yaml_field table_fields[] = {
	{"shared_by", set_shared, .offset = 0, .mend = POLICY_MEND},
	{"lock", sim_set_ns, AT(table.lock_ns), 0, 0.001, "write a time of at most 1ms"},
	{"miss", sim_set_ns, AT(table.miss_ns), 0, 0.001, "write a time of at most 1ms"},
	{0},
};

static const struct sl_yaml_field sine_fields[] = {
	{"period", sl_yaml_set_duration, AT(traffic.sine_ns), 0.001, 86400,
	 "write a time from 1ms to 1440min"},
	{"low", sl_yaml_set_fraction, AT(traffic.sine_low), 0, 1,
	 "write a share of the highest rate from 0 to 1"},
	{0},
};

static const struct sl_yaml_field traffic_fields[] = {
	{"load", sl_yaml_set_fraction, AT(traffic.load), 0.0001, 100,
	 "write a share of what all cores can do, such as 0.9 or 90%"},
	{"rate", sl_yaml_set_fraction, AT(traffic.rate), 1, 1e9,
	 "write packets a second from 1 to 1000000000"},
	{"flows", sl_yaml_set_unsigned, AT(traffic.flows), 1, 10000000,
	 "write a number from 1 to 10000000"},
	{"zipf", sl_yaml_set_fraction, AT(traffic.zipf), 0, 10, "write an exponent from 0 to 10"},
	{"elephants", sl_yaml_set_unsigned, AT(traffic.elephants), 0, 1000,
	 "write a number of flows from 0 to 1000"},
	{"elephant_share", sl_yaml_set_fraction, AT(traffic.elephant_share), 0, 0.999,
	 "write a share of the packets from 0 to 0.999"},
	{"shift", sl_yaml_set_duration, AT(traffic.shift_ns), 0.001, 86400,
	 "write a time of at least 1ms"},
	{"on", sl_yaml_set_duration, AT(traffic.on_ns), 1e-6, 3600, "write a time of at least 1us"},
	{"off", sl_yaml_set_duration, AT(traffic.off_ns), 1e-6, 3600,
	 "write a time of at least 1us"},
	{"burst", sl_yaml_set_unsigned, AT(traffic.burst), 1, 10000,
	 "write a number of packets from 1 to 10000"},
	{"arrivals", set_arrivals, AT(traffic.even), .mend = "write poisson or even"},
	{"sine", sl_yaml_set_mapping, .offset = 0, .fields = sine_fields},
	{"capture", sim_set_text, FILE_AT(capture), .max = SIM_FILE_PATH,
	 .mend = "write the path of a pcap or pcapng file"},
	{"sizes", sim_set_text, FILE_AT(sizes), .max = SIM_FILE_PATH,
	 .mend = "write the path of a file of lines \"PACKETS WEIGHT\""},
	{"flow_rate", sl_yaml_set_fraction, AT(traffic.flow_rate), 0.001, 1e9,
	 "write the packets a second of a flow"},
	{0},
};

static const struct sl_yaml_field handover_fields[] = {
	{"start", sl_yaml_set_duration, AT(handover.start_ns), 0, 1,
	 "write a time of at most 1s, such as 50us"},
	{"release", sl_yaml_set_duration, AT(handover.release_ns), 0, 1,
	 "write a time of at most 1s, such as 5us"},
	{"park", sl_yaml_set_unsigned, AT(handover.park), 2, 1048576,
	 "write a number of packets from 2 to 1048576"},
	{0},
};

static const struct sl_yaml_field scale_fields[] = {
	{"enabled", sl_yaml_set_bool, AT(scale.enabled), .mend = "write true or false"},
	{"target", sl_yaml_set_fraction, AT(scale.target), 0.05, 1,
	 "write a utilisation from 0.05 to 1, such as 0.8"},
	{"ahead", sl_yaml_set_duration, AT(scale.ahead_ns), 0, 3600,
	 "write a time of at most 60min, such as 500ms"},
	{"hold", sl_yaml_set_duration, AT(scale.hold_ns), 0, 3600,
	 "write a time of at most 60min, such as 1s"},
	{0},
};

static const struct sl_yaml_field rsspp_fields[] = {
	{"tick", sl_yaml_set_duration, AT(rsspp.tick_ns), 0.001, 60,
	 "write a time from 1ms to 60s"},
	{"target", sl_yaml_set_fraction, AT(rsspp.target), 0.05, 1,
	 "write a utilisation from 0.05 to 1, such as 0.8"},
	{0},
};

static const struct sl_yaml_field ovs_fields[] = {
	{"queues", sl_yaml_set_unsigned, AT(ovs.queues), 1, 64,
	 "write a number of queues a core from 1 to 64"},
	{"sample", sl_yaml_set_duration, AT(ovs.sample_ns), 0.001, 3600,
	 "write a time from 1ms to 60min"},
	{"samples", sl_yaml_set_unsigned, AT(ovs.samples), 1, 1000,
	 "write a number from 1 to 1000"},
	{"limit", sl_yaml_set_fraction, AT(ovs.limit), 0, 1, "write a load from 0 to 1"},
	{"gain", sl_yaml_set_fraction, AT(ovs.gain), 0, 1, "write a share from 0 to 1"},
	{"interval", sl_yaml_set_duration, AT(ovs.interval_ns), 0, 86400,
	 "write a time of at most 1440min"},
	{0},
};

#define CORES_MEND "write a number from 1 to 128"
#define BUCKETS_MEND "write a power of two from 16 to 65536"

static const struct sl_yaml_field sweep_fields[] = {
	{"load", set_sweep, .offset = AXIS_LOAD, .min = 0.0001, .max = 100,
	 .mend = "write shares of what all cores can do: [0.8, 0.9]"},
	{"cores", set_sweep, .offset = AXIS_CORES, .min = 1, .max = SIM_CORES_MAX,
	 .mend = CORES_MEND},
	{"zipf", set_sweep, .offset = AXIS_ZIPF, .min = 0, .max = 10,
	 .mend = "write exponents from 0 to 10"},
	{"buckets", set_sweep, .offset = AXIS_BUCKETS, .min = 16, .max = SL_MAX_BUCKETS,
	 .mend = BUCKETS_MEND},
	{0},
};

const struct sl_yaml_field sim_fields[] = {
	{"version", sim_set_version, .mend = "this release reads version 1: write version: 1"},
	{"title", sim_set_text, FILE_AT(title), .max = SIM_TITLE, .mend = "write a line of text"},
	{"figure", set_figure, .mend = "write p95, loss, imbalance, rate or awake"},
	{"series", sl_yaml_set_bool, FILE_AT(series), .mend = "write true or false"},
	{"seed", sim_set_seed, AT(seed), .min = 0, .max = 4294967295.0,
	 .mend = "write a number below 2^32"},
	{"duration", sl_yaml_set_duration, AT(duration_ns), 0.001, 86400,
	 "write a time from 1ms to 1440min"},
	{"warmup", sl_yaml_set_duration, AT(warmup_ns), 0, 86400, "write a time such as 1s"},
	{"window", sl_yaml_set_duration, AT(window_ns), 0.001, 3600,
	 "write a time from 1ms to 60min"},
	{"policies", set_policies, .mend = POLICY_MEND},
	{"sweep", sl_yaml_set_mapping, .offset = 0, .fields = sweep_fields},
	{"cores", sl_yaml_set_unsigned, AT(cores), 1, SIM_CORES_MAX, CORES_MEND},
	{"buckets", sl_yaml_set_unsigned, AT(buckets), 16, SL_MAX_BUCKETS, BUCKETS_MEND},
	{"ring", sl_yaml_set_unsigned, AT(ring), 1, 1048576,
	 "write a number of packets from 1 to 1048576"},
	{"batch", sl_yaml_set_unsigned, AT(batch), 1, 1024,
	 "write a number of packets from 1 to 1024"},
	{"first_share", sl_yaml_set_fraction, AT(first_share), 0, 1,
	 "write a share of the packets from 0 to 1"},
	{"other", sl_yaml_set_fraction, AT(other), 0, 0.95,
	 "write a share of each core from 0 to 0.95"},
	{"service", sl_yaml_set_mapping, .offset = 0, .fields = service_fields},
	{"table", sl_yaml_set_mapping, .offset = 0, .fields = table_fields},
	{"traffic", sl_yaml_set_mapping, .offset = 0, .fields = traffic_fields},
	{"handover", sl_yaml_set_mapping, .offset = 0, .fields = handover_fields},
	{"balance", set_balance, .fields = sl_config_balance_fields},
	{"scale", sl_yaml_set_mapping, .offset = 0, .fields = scale_fields},
	{"rsspp", sl_yaml_set_mapping, .offset = 0, .fields = rsspp_fields},
	{"ovs", sl_yaml_set_mapping, .offset = 0, .fields = ovs_fields},
	{0},
};
