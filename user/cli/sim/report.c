// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sim/report.h"

#include <stdio.h>

#include "cli/output.h"

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static double per_second(const struct sim_job *j, uint64_t n)
{
	return (double)n * SIM_NS_PER_S / (double)(j->scenario.duration_ns - j->scenario.warmup_ns);
}

static json_t *busy_json(const struct sim_job *j)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < j->scenario.cores; i++)
		json_array_append_new(a, json_real(j->result.busy[i]));
	return a;
}

static json_t *series_json(const struct sim_result *r)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < r->windows; i++) {
		const struct sim_window *w = &r->window[i];

		json_array_append_new(a, json_pack("{s:f,s:f,s:f,s:f,s:i,s:I}", "end_s",
						   (double)w->end_ns / SIM_NS_PER_S,
						   "offered_cores", w->offered, "busiest",
						   w->busiest, "imbalance", w->imbalance, "awake",
						   (int)w->awake, "lost", (json_int_t)w->lost));
	}
	return a;
}

static void add_latencies(json_t *row, const struct sim_result *r)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"p50_us", 0.5}, {"p95_us", 0.95}, {"p99_us", 0.99}, {"p999_us", 0.999}};

	json_object_set_new(row, "mean_us", json_real(r->latency_mean / 1000));
	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_object_set_new(
			row, quantiles[i].name,
			json_real(us(sl_histogram_quantile(&r->latency, quantiles[i].q))));
	json_object_set_new(row, "max_us", json_real(r->latency.n ? us(r->latency.max) : 0));
}

static json_t *row_json(const struct sim_file *f, const struct sim_job *j)
{
	const struct sim_result *r = &j->result;
	uint64_t lost = r->lost_ring + r->lost_park;
	json_t *row = json_pack("{s:s,s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:f}", "policy",
				sim_policy_name(j->policy), "offered", (json_int_t)r->offered,
				"processed", (json_int_t)r->processed, "lost_ring",
				(json_int_t)r->lost_ring, "lost_park", (json_int_t)r->lost_park,
				"loss", r->offered ? (double)lost / (double)r->offered : 0.0,
				"lost_pps", per_second(j, lost), "rate_pps",
				per_second(j, r->processed), "imbalance", r->imbalance);

	if (!row)
		return NULL;
	if (f->axis != AXIS_NONE)
		json_object_set_new(row, sim_axis_name(f->axis), json_real(f->point[j->point]));
	add_latencies(row, r);
	json_object_set_new(row, "moves", json_integer((json_int_t)r->moves));
	json_object_set_new(row, "parked", json_integer((json_int_t)r->parked));
	json_object_set_new(row, "park_peak", json_integer((json_int_t)r->park_peak));
	json_object_set_new(row, "reordered", json_integer((json_int_t)r->reordered));
	json_object_set_new(row, "awake", json_real(r->awake));
	json_object_set_new(row, "awake_peak", json_integer(r->awake_peak));
	json_object_set_new(row, "needed", json_real(r->needed));
	json_object_set_new(row, "packets", json_integer((json_int_t)r->packets));
	json_object_set_new(row, "busy", busy_json(j));
	if (f->series)
		json_object_set_new(row, "series", series_json(r));
	return row;
}

static json_t *rows_json(const struct sim_file *f, const struct sim_job *jobs, unsigned n)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(rows, row_json(f, &jobs[i]));
	return rows;
}

json_t *sim_report_json(const struct sim_file *f, const struct sim_job *jobs, unsigned n)
{
	return json_pack("{s:i,s:s,s:I,s:s,s:o}", "version", 1, "title", f->title, "seed",
			 (json_int_t)f->scenario.seed, "axis", sim_axis_name(f->axis), "rows",
			 rows_json(f, jobs, n));
}

static void format_loss(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%.4f%%", 100 * json_real_value(value));
}

static void format_axis(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%g", json_real_value(value));
}

static void format_two(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%.2f", json_real_value(value));
}

int sim_report_text(const struct sim_file *f, const struct sim_job *jobs, unsigned n)
{
	const struct column columns[] = {
		{sim_axis_name(f->axis), sim_axis_name(f->axis), ALIGN_RIGHT, format_axis},
		{"policy", "policy", ALIGN_LEFT, NULL},
		{"rate_pps", "packets/s", ALIGN_RIGHT, format_count},
		{"loss", "lost", ALIGN_RIGHT, format_loss},
		{"p50_us", "p50 us", ALIGN_RIGHT, format_us},
		{"p95_us", "p95 us", ALIGN_RIGHT, format_us},
		{"p99_us", "p99 us", ALIGN_RIGHT, format_us},
		{"imbalance", "imbalance", ALIGN_RIGHT, format_percent},
		{"awake", "cores", ALIGN_RIGHT, format_two},
		{"moves", "moves", ALIGN_RIGHT, NULL},
		{"reordered", "reordered", ALIGN_RIGHT, NULL},
		{0},
	};
	json_t *rows = rows_json(f, jobs, n);

	if (!rows)
		return output_json(NULL);
	if (*f->title)
		printf("%s\n", f->title);
	output_table(rows, f->axis == AXIS_NONE ? columns + 1 : columns);
	json_decref(rows);
	return 0;
}
