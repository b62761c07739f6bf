// SPDX-License-Identifier: GPL-2.0-or-later
/* Pictures: data and a script, for gnuplot. */
#include <errno.h>
#include <stdio.h>

#include "cli/sim/gnuplot.h"
#include "cli/sim/report.h"

static const struct {
	const char *title;
	bool logarithmic;
	double factor;
} figures[FIGURES] = {
	[FIGURE_P95] = {"p95 latency, us", true, 1},
	[FIGURE_LOSS] = {"packets lost a second (none: not drawn)", true, 1},
	[FIGURE_IMBALANCE] = {"(most - fewest) / fewest packets of a core, %", true, 100},
	[FIGURE_RATE] = {"packets processed, a second", false, 1},
	[FIGURE_AWAKE] = {"cores", false, 1},
};

static double value(const struct sim_file *f, const struct sim_job *j)
{
	const struct sim_result *r = &j->result;
	double seconds = (double)(j->scenario.duration_ns - j->scenario.warmup_ns) / SIM_NS_PER_S;

	switch ((enum sim_figure)f->figure) {
	case FIGURE_P95:
		return (double)sl_histogram_quantile(&r->latency, 0.95) / 1000;
	case FIGURE_LOSS:
		return (double)(r->lost_ring + r->lost_park) / seconds;
	case FIGURE_IMBALANCE:
		return r->imbalance;
	case FIGURE_RATE:
		return (double)r->processed / seconds;
	case FIGURE_AWAKE:
	case FIGURES:
		break;
	}
	return r->awake;
}

/* A block for each policy: x and y of every point, or of every window. */
static void write_data(const struct sim_file *f, const struct sim_job *jobs, unsigned n, FILE *out)
{
	const double factor = figures[f->figure].factor;

	for (unsigned p = 0; p < f->policies; p++) {
		fprintf(out, "%s\"%s\"\n", p ? "\n\n" : "",
			sim_policy_name((enum sim_policy)f->policy[p]));
		for (unsigned i = 0; i < n; i++) {
			const struct sim_result *r = &jobs[i].result;

			if (jobs[i].policy != f->policy[p])
				continue;
			if (f->figure != FIGURE_AWAKE || f->axis != AXIS_NONE)
				fprintf(out, "%g %.6g\n", f->point[jobs[i].point],
					value(f, &jobs[i]) * factor);
			else
				for (uint32_t w = 0; w < r->windows; w++)
					fprintf(out, "%.4f %u\n",
						(double)r->window[w].end_ns / SIM_NS_PER_S,
						r->window[w].awake);
		}
	}
}

/* A logarithmic axis has no place for nothing, and gnuplot fails where nothing is all there is. */
static bool draws_logarithmic(const struct sim_file *f, const struct sim_job *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (value(f, &jobs[i]) > 0)
			return figures[f->figure].logarithmic;
	return false;
}

static void write_script(const struct sim_file *f, const char *name, bool logarithmic, FILE *out)
{
	bool series = f->figure == FIGURE_AWAKE && f->axis == AXIS_NONE;
	bool bars = !series && f->axis == AXIS_NONE;

	fprintf(out, "set terminal svg size 720,480\nset output '%s.svg'\n", name);
	fprintf(out,
		"set title \"%s\"\nset key outside\nset grid\nset offsets graph 0, 0, graph 0.05, "
		"0\n",
		f->title);
	fprintf(out, "set ylabel '%s'\nset xlabel '%s'\n", figures[f->figure].title,
		series ? "seconds" : sim_axis_name(f->axis));
	/* One point each: a bar beside the other, from 0. */
	if (bars)
		fputs("set style fill solid\nset boxwidth 0.8\nset xrange [-1:*]\n"
		      "unset xtics\nset yrange [0:*]\n",
		      out);
	else if (logarithmic)
		fputs("set logscale y\n", out);
	else
		fputs("set yrange [0:*]\n", out);
	fputs("plot ", out);
	for (unsigned p = 0; p < f->policies; p++)
		if (bars)
			fprintf(out,
				"%s'%s.dat' index %u using (%u):2 with boxes title columnheader(1)",
				p ? ", " : "", name, p, p);
		else
			fprintf(out, "%s'%s.dat' index %u using 1:2 with %s title columnheader(1)",
				p ? ", " : "", name, p, series ? "steps" : "linespoints");
	fputc('\n', out);
}

struct picture {
	const struct sim_file *file;
	const struct sim_job *jobs;
	unsigned n;
};

static void data(const void *ctx, FILE *out)
{
	const struct picture *p = ctx;

	write_data(p->file, p->jobs, p->n, out);
}

static void script(const void *ctx, const char *name, FILE *out)
{
	const struct picture *p = ctx;

	write_script(p->file, name, draws_logarithmic(p->file, p->jobs, p->n), out);
}

int sim_plot(const struct sim_file *f, const char *scenario, const char *dir,
	     const struct sim_job *jobs, unsigned n, struct sl_error *err)
{
	const struct picture picture = {f, jobs, n};
	const struct gnuplot_plot plot = {scenario, dir, data, script, &picture};

	return gnuplot_draw(&plot, err);
}
