// SPDX-License-Identifier: GPL-2.0-or-later
/* What sluice lb sim prints and draws. */
#include <stdio.h>

#include "cli/lb/sim.h"
#include "cli/output.h"
#include "cli/sim/gnuplot.h"

static double ms(double ns)
{
	return ns / 1e6;
}

static double quantile_ms(const struct pool_job *j, double q)
{
	return ms((double)sl_histogram_quantile(&j->result.fct, q));
}

/* Work done, as a share of what all cores can do. */
static double delivered(const struct pool_job *j)
{
	const struct pool_scenario *c = &j->scenario;
	double all = 0;

	for (uint32_t s = 0; s < c->servers; s++)
		all += (double)s < c->fast_share * c->servers ? c->fast_factor : 1;
	all *= c->cores * (double)(c->duration_ns - c->warmup_ns);
	return j->result.done / all;
}

static json_t *row_json(const struct pool_file *f, const struct pool_job *j)
{
	const struct pool_result *r = &j->result;
	json_t *row = json_pack("{s:s,s:I,s:f,s:f,s:f,s:f}", "policy", pool_policy_name(j->policy),
				"flows", (json_int_t)r->flows, "variance_cores", r->variance_cores,
				"variance_servers", r->variance_servers, "busy", r->busy, "busiest",
				r->busiest);

	if (!row)
		return NULL;
	if (f->axis != POOL_AXIS_NONE)
		json_object_set_new(row, pool_axis_name(f->axis),
				    json_real(pool_point(f, j->point)));
	if (f->requests) {
		json_object_set_new(row, "mean_ms", json_real(ms(r->fct_mean)));
		json_object_set_new(row, "p50_ms", json_real(quantile_ms(j, 0.5)));
		json_object_set_new(row, "p99_ms", json_real(quantile_ms(j, 0.99)));
		return row;
	}
	json_object_set_new(row, "delivered", json_real(delivered(j)));
	json_object_set_new(row, "loss", json_real(r->offered > 0 ? r->lost / r->offered : 0));
	return row;
}

static json_t *rows_json(const struct pool_file *f, const struct pool_job *jobs, unsigned n)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(rows, row_json(f, &jobs[i]));
	return rows;
}

json_t *pool_report_json(const struct pool_file *f, const struct pool_job *jobs, unsigned n)
{
	return json_pack("{s:i,s:s,s:I,s:s,s:o}", "version", 1, "title", f->title, "seed",
			 (json_int_t)f->scenario.seed, "axis", pool_axis_name(f->axis), "rows",
			 rows_json(f, jobs, n));
}

/* --- text */

static void format_axis(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%g", json_real_value(value));
}

static void format_ms(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%.1f", json_real_value(value));
}

static void format_share(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%.3f%%", 100 * json_real_value(value));
}

int pool_report_text(const struct pool_file *f, const struct pool_job *jobs, unsigned n)
{
	const char *axis = pool_axis_name(f->axis);
	const struct column requests[] = {
		{axis, axis, ALIGN_RIGHT, format_axis},
		{"policy", "policy", ALIGN_LEFT, NULL},
		{"flows", "requests", ALIGN_RIGHT, NULL},
		{"p50_ms", "p50 ms", ALIGN_RIGHT, format_ms},
		{"p99_ms", "p99 ms", ALIGN_RIGHT, format_ms},
		{"mean_ms", "mean ms", ALIGN_RIGHT, format_ms},
		{"variance_servers", "variance", ALIGN_RIGHT, format_share},
		{0},
	};
	const struct column streams[] = {
		{axis, axis, ALIGN_RIGHT, format_axis},
		{"policy", "policy", ALIGN_LEFT, NULL},
		{"flows", "flows", ALIGN_RIGHT, NULL},
		{"delivered", "delivered", ALIGN_RIGHT, format_percent},
		{"loss", "lost", ALIGN_RIGHT, format_share},
		{"variance_cores", "variance of cores", ALIGN_RIGHT, format_share},
		{"variance_servers", "of servers", ALIGN_RIGHT, format_share},
		{"busiest", "busiest", ALIGN_RIGHT, format_percent},
		{0},
	};
	const struct column *columns = f->requests ? requests : streams;
	json_t *rows = rows_json(f, jobs, n);

	if (!rows)
		return output_json(NULL);
	if (*f->title)
		printf("%s\n", f->title);
	output_table(rows, f->axis == POOL_AXIS_NONE ? columns + 1 : columns);
	json_decref(rows);
	return 0;
}

/* --- pictures */

static const struct {
	const char *title;
	bool logarithmic;
} figures[POOL_FIGURES] = {
	[POOL_FIGURE_P99] = {"p99 of a flow, ms", true},
	[POOL_FIGURE_P50] = {"p50 of a flow, ms", true},
	[POOL_FIGURE_VARIANCE] = {"variance of load / mean load of the cores, %", true},
	[POOL_FIGURE_DELIVERED] = {"delivered, % of what all cores can do", false},
};

static double value(const struct pool_file *f, const struct pool_job *j)
{
	switch ((enum pool_figure)f->figure) {
	case POOL_FIGURE_P99:
		return quantile_ms(j, 0.99);
	case POOL_FIGURE_P50:
		return quantile_ms(j, 0.5);
	case POOL_FIGURE_VARIANCE:
		return 100 * j->result.variance_cores;
	case POOL_FIGURE_DELIVERED:
		break;
	}
	return 100 * delivered(j);
}

/* A block for each policy: x and y of every point. */
static void write_data(const struct pool_file *f, const struct pool_job *jobs, unsigned n,
		       FILE *out)
{
	for (unsigned p = 0; p < f->policies; p++) {
		fprintf(out, "%s\"%s\"\n", p ? "\n\n" : "",
			pool_policy_name((enum pool_policy)f->policy[p]));
		for (unsigned i = 0; i < n; i++)
			if (jobs[i].policy == f->policy[p])
				fprintf(out, "%g %.6g\n", pool_point(f, jobs[i].point),
					value(f, &jobs[i]));
	}
}

/* Without a sweep one bar beside the other. */
static void write_script(const struct pool_file *f, const char *name, FILE *out)
{
	bool bars = f->axis == POOL_AXIS_NONE,
	     time = f->axis == POOL_AXIS_REPORT || f->axis == POOL_AXIS_LASTS;

	fprintf(out,
		"set terminal svg size 720,480\nset output '%s.svg'\nset title \"%s\"\n"
		"set key outside\nset grid\nset ylabel '%s'\nset xlabel '%s%s'\n",
		name, f->title, figures[f->figure].title, pool_axis_name(f->axis),
		time ? ", ms" : "");
	if (bars)
		fputs("set style fill solid\nset boxwidth 0.8\nset xrange [-1:*]\nunset xtics\n"
		      "set yrange [0:*]\n",
		      out);
	else if (figures[f->figure].logarithmic)
		fputs("set logscale y\n", out);
	if (time || f->axis == POOL_AXIS_SERVERS || f->axis == POOL_AXIS_MOST)
		fputs("set logscale x\n", out);
	fputs("plot ", out);
	for (unsigned p = 0; p < f->policies; p++)
		fprintf(out,
			bars ? "%s'%s.dat' index %u using (%u):2 with boxes title "
			       "columnheader(1)"
			     : "%s'%s.dat' index %u using 1:2 with linespoints title "
			       "columnheader(1)",
			p ? ", " : "", name, p, p);
	fputc('\n', out);
}

struct picture {
	const struct pool_file *file;
	const struct pool_job *jobs;
	unsigned n;
};

static void data(const void *ctx, FILE *out)
{
	const struct picture *p = ctx;

	write_data(p->file, p->jobs, p->n, out);
}

static void script(const void *ctx, const char *name, FILE *out)
{
	write_script(((const struct picture *)ctx)->file, name, out);
}

int pool_plot(const struct pool_file *f, const char *scenario, const char *dir,
	      const struct pool_job *jobs, unsigned n, struct sl_error *err)
{
	const struct picture picture = {f, jobs, n};
	const struct gnuplot_plot plot = {scenario, dir, data, script, &picture};

	return gnuplot_draw(&plot, err);
}
