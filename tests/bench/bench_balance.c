// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_balance IF PHASES PHASE_MS SHARE DIR - watches rows and buckets from the first packet on,
 * for PHASES phases of the traffic, and says what it saw afterwards:
 *
 *   DIR/static.rows  a fixed table that gives worker 0 SHARE of the packets: the hottest buckets of
 * every phase DIR/best.rows    the best fixed table for these phases: least highest share over
 * phases and workers stdout           JSON: after each phase began, how long until the table was
 * even for it, and stayed so
 *
 * Two workers. Rows are written as `sluice move` takes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/word.h"
#include "platform/clock.h"
#include "platform/instance.h"

#define STEP_MS 20
#define EDGE_MS 60 /* around a phase's ends packets of the neighbour phase are about */
#define EVEN 1.10 /* even: the highest share is within this of the least possible */
#define SETTLED 1.05
#define MAX_PHASES 64

struct watch {
	struct sl_instance *inst;
	unsigned buckets, phases, phase_ms, steps;
	uint64_t *last; /* [buckets]: packets at the step before */
	double *load; /* [phases][buckets]: share of the phase's packets */
	uint8_t *row; /* [steps][buckets]: worker 0 or 1 */
};

static uint64_t packets(const struct watch *w, unsigned bucket)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < w->inst->ifaces; i++)
		for (unsigned q = 0; q < w->inst->iface[i].queues; q++)
			n += w->inst->iface[i].bucket_stats[q * w->buckets + bucket].packets;
	return n;
}

static uint64_t all_packets(const struct watch *w)
{
	uint64_t n = 0;

	for (unsigned b = 0; b < w->buckets; b++)
		n += packets(w, b);
	return n;
}

static void step(struct watch *w, unsigned s)
{
	unsigned at = s * STEP_MS, phase = at / w->phase_ms, in = at % w->phase_ms;
	bool inner = in > EDGE_MS && in + EDGE_MS < w->phase_ms && phase < w->phases;

	for (unsigned b = 0; b < w->buckets; b++) {
		uint64_t n = packets(w, b);

		if (inner)
			w->load[phase * w->buckets + b] += (double)(n - w->last[b]);
		w->last[b] = n;
		w->row[s * w->buckets + b] = row_load(&w->inst->rows[b]).worker == 1;
	}
}

static void observe(struct watch *w)
{
	uint64_t idle = all_packets(w), begin;

	while (all_packets(w) == idle)
		usleep(1000);
	begin = sl_clock_ns();
	for (unsigned b = 0; b < w->buckets; b++)
		w->last[b] = packets(w, b);
	for (unsigned s = 0; s < w->steps; s++) {
		uint64_t due = begin + (uint64_t)s * STEP_MS * 1000000, now = sl_clock_ns();

		if (due > now)
			usleep((useconds_t)((due - now) / 1000));
		step(w, s);
	}
	for (unsigned p = 0; p < w->phases; p++) {
		double sum = 0;

		for (unsigned b = 0; b < w->buckets; b++)
			sum += w->load[p * w->buckets + b];
		for (unsigned b = 0; b < w->buckets; b++)
			w->load[p * w->buckets + b] /= sum > 0 ? sum : 1;
	}
}

/* The highest of the two shares that a table gives in a phase. */
static double highest(const struct watch *w, unsigned phase, const uint8_t *row)
{
	double one = 0;

	for (unsigned b = 0; b < w->buckets; b++)
		if (row[b])
			one += w->load[phase * w->buckets + b];
	return one > 0.5 ? one : 1 - one;
}

static double bound(const struct watch *w, unsigned phase)
{
	double most = 0.5;

	for (unsigned b = 0; b < w->buckets; b++)
		if (w->load[phase * w->buckets + b] > most)
			most = w->load[phase * w->buckets + b];
	return most;
}

/* Seconds from the phase's begin until the table is even to its end; the whole phase if it never
 * is. */
static double converged(const struct watch *w, unsigned phase)
{
	unsigned per = w->phase_ms / STEP_MS, first = phase * per, last = first + per;
	/* even, or as uneven as it is meant to stay: CPUs that do other work are given less */
	double settled = highest(w, phase, w->row + (last - 1) * w->buckets) * SETTLED;
	double limit = bound(w, phase) * EVEN;
	unsigned s = last;

	if (settled > limit)
		limit = settled;

	while (s > first && highest(w, phase, w->row + (s - 1) * w->buckets) <= limit)
		s--;
	return (double)(s - first) * STEP_MS / 1000;
}

static double worst(const struct watch *w, const uint8_t *row)
{
	double sum = 0;

	/* a high power: the worst phase decides, the others break ties */
	for (unsigned p = 0; p < w->phases; p++) {
		double h = highest(w, p, row), h2 = h * h, h8 = h2 * h2 * h2 * h2;

		sum += h8 * h8;
	}
	return sum;
}

/* Local search from the table of alternating buckets: flip whatever helps until nothing does. */
static void best_fixed(const struct watch *w, uint8_t *row)
{
	double now;
	bool better;

	for (unsigned b = 0; b < w->buckets; b++)
		row[b] = b % 2;
	now = worst(w, row);
	do {
		better = false;
		for (unsigned b = 0; b < w->buckets; b++) {
			double then;

			row[b] ^= 1;
			then = worst(w, row);
			if (then < now * (1 - 1e-9)) {
				now = then;
				better = true;
			} else {
				row[b] ^= 1;
			}
		}
	} while (better);
}

struct heat {
	unsigned bucket;
	double peak, mean;
};

static int hotter(const void *a, const void *b)
{
	const struct heat *x = a, *y = b;

	return (x->peak < y->peak) - (x->peak > y->peak);
}

static void unlucky(const struct watch *w, double share, uint8_t *row)
{
	struct heat *heat = calloc(w->buckets, sizeof(*heat));
	double sum = 0;

	for (unsigned b = 0; heat && b < w->buckets; b++) {
		heat[b].bucket = b;
		for (unsigned p = 0; p < w->phases; p++) {
			double l = w->load[p * w->buckets + b];

			heat[b].mean += l / w->phases;
			if (l > heat[b].peak)
				heat[b].peak = l;
		}
	}
	if (heat)
		qsort(heat, w->buckets, sizeof(*heat), hotter);
	for (unsigned i = 0; heat && i < w->buckets; i++) {
		row[heat[i].bucket] = sum >= share;
		sum += heat[i].mean;
	}
	free(heat);
}

static double write_rows(const struct watch *w, const uint8_t *row, const char *dir,
			 const char *name)
{
	double high = 0;
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	for (unsigned b = 0; f && b < w->buckets; b++)
		fprintf(f, "%u:%u\n", b, row[b]);
	if (f)
		fclose(f);
	for (unsigned p = 0; p < w->phases; p++)
		high += highest(w, p, row) / w->phases;
	return high;
}

static int report(const struct watch *w, double share, const char *dir)
{
	uint8_t *row = calloc(w->buckets, 1);
	double slowest = 0, heaviest = 0;

	if (!row)
		return 1;
	printf("{\"converged\":[");
	for (unsigned p = 0; p < w->phases; p++) {
		double c = converged(w, p);

		printf("%s%.2f", p ? "," : "", c);
		if (p && c > slowest) /* the first phase is the warm-up, from the static table */
			slowest = c;
		if (bound(w, p) > heaviest)
			heaviest = bound(w, p);
	}
	printf("],\"converged_s\":%.2f,\"bound\":%.3f,", slowest, heaviest);
	unlucky(w, share, row);
	printf("\"static_share\":%.3f,", write_rows(w, row, dir, "static.rows"));
	best_fixed(w, row);
	printf("\"best_share\":%.3f}\n", write_rows(w, row, dir, "best.rows"));
	free(row);
	return 0;
}

int main(int argc, char **argv)
{
	struct watch w = {0};
	struct sl_error err;

	if (argc != 6) {
		fprintf(stderr, "usage: bench_balance IF PHASES PHASE_MS SHARE DIR\n");
		return 2;
	}
	if (sl_instance_open(argv[1], &w.inst, &err)) {
		fprintf(stderr, "bench_balance: %s\n", err.text);
		return 1;
	}
	w.buckets = w.inst->hash_buckets;
	w.phases = (unsigned)atoi(argv[2]);
	w.phase_ms = (unsigned)atoi(argv[3]);
	if (!w.phases || w.phases > MAX_PHASES || w.phase_ms < 4 * EDGE_MS)
		return 2;
	w.steps = w.phases * w.phase_ms / STEP_MS;
	w.last = calloc(w.buckets, sizeof(*w.last));
	w.load = calloc((size_t)w.phases * w.buckets, sizeof(*w.load));
	w.row = calloc((size_t)w.steps * w.buckets, 1);
	if (!w.last || !w.load || !w.row)
		return 1;
	observe(&w);
	return report(&w, atof(argv[4]), argv[5]);
}
