// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_plan [INSTANCES [BUCKETS WORKERS]] - the planner against its baselines on seeded instances:
 * one JSON object a cell (buckets x workers x kind of load), the last the summary. Each instance is
 * planned twice: for the highest load alone, and "even", as sluiced does by default, with elephants
 * isolated and the other workers evened out.
 */
#include <stdio.h>
#include <time.h>

#include "plan_baselines.h"

#define INSTANCES 1000
#define DEADLINE_NS 5000000 /* sluiced's default */
#define MAX_BUCKETS 65536
#define FEW 32 /* buckets a worker: with fewer the optimum may be far above the bound */

static const unsigned buckets_of[] = {128, 512, 1024, 4096, 16384, 65536};
static const unsigned workers_of[] = {2, 8, 16, 32, 64, 128};

enum mode { HIGHEST, EVEN, MODES };

/* CPU time of this thread: who else runs here is no part of the measurement. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static const struct sl_plan_opts opts_of[MODES] = {
	[HIGHEST] = {.deadline = DEADLINE_NS, .clock = cpu_ns, .highest_only = true},
	[EVEN] = {.deadline = DEADLINE_NS, .clock = cpu_ns, .calm = 0.5},
};

/* What one way of planning made of a cell. */
struct tally {
	unsigned within; /* 1 % of the highest bound that is proven: the planner's */
	unsigned within_simple; /* 1 % of max(mean, heaviest bucket) */
	unsigned worse_rsspp, worse_hillclimb, worse_longest; /* than max(that, 1.01 x bound) */
	unsigned long moves;
	double ns; /* sum */
	double *times; /* one an instance */
};

struct cell {
	unsigned buckets, workers, instances;
	enum instance_kind kind;
	struct tally by[MODES];
	unsigned long moves_rsspp, moves_hillclimb;
	double ns_rsspp; /* sum */
};

struct rig {
	struct instance in;
	void *scratch;
	struct sl_plan_move *out;
	uint16_t *at;
	double highest[MODES], enough; /* of this instance */
};

static unsigned instances_for(unsigned buckets, unsigned asked)
{
	if (buckets >= 65536)
		return asked / 100 ? asked / 100 : 1;
	if (buckets >= 16384)
		return asked / 20 ? asked / 20 : 1;
	return buckets >= 4096 ? asked / 5 + 1 : asked;
}

/* What the moves make of it, counted without the planner. */
static double planned_highest(struct rig *rig, unsigned moves)
{
	for (unsigned b = 0; b < rig->in.buckets; b++)
		rig->at[b] = rig->in.bucket[b].worker;
	for (unsigned i = 0; i < moves; i++)
		rig->at[rig->out[i].bucket] = rig->out[i].to;
	return instance_highest(&rig->in, rig->at);
}

static void run_planner(struct rig *rig, struct cell *c, enum mode mode, unsigned seed)
{
	struct tally *t = &c->by[mode];
	struct sl_plan_result r;
	uint64_t begin = cpu_ns();

	sl_plan(rig->in.bucket, c->buckets, rig->in.worker, c->workers, &opts_of[mode],
		rig->scratch, rig->out, &r);
	t->times[seed] = (double)(cpu_ns() - begin);
	t->ns += t->times[seed];
	t->moves += r.moves;
	rig->highest[mode] = planned_highest(rig, r.moves);
	t->within_simple += rig->highest[mode] <= rig->enough;
	t->within += rig->highest[mode] <= fmax(rig->enough, 1.01 * r.bound);
}

static bool is_worse(const struct rig *rig, enum mode mode)
{
	return rig->highest[mode] > fmax(rig->enough, instance_highest(&rig->in, rig->at) + 1e-9);
}

static void run_instance(struct rig *rig, struct cell *c, unsigned seed)
{
	uint64_t begin;

	instance_make(&rig->in, c->buckets, c->workers, c->kind, seed);
	rig->enough = 1.01 * instance_bound(&rig->in) + 1e-9;
	for (unsigned m = 0; m < MODES; m++)
		run_planner(rig, c, m, seed);
	begin = cpu_ns();
	c->moves_rsspp += baseline_rsspp(&rig->in, rig->at);
	c->ns_rsspp += (double)(cpu_ns() - begin);
	for (unsigned m = 0; m < MODES; m++)
		c->by[m].worse_rsspp += is_worse(rig, m);
	c->moves_hillclimb += baseline_hillclimb(&rig->in, rig->at);
	for (unsigned m = 0; m < MODES; m++)
		c->by[m].worse_hillclimb += is_worse(rig, m);
	baseline_longest(&rig->in, rig->at);
	for (unsigned m = 0; m < MODES; m++)
		c->by[m].worse_longest += is_worse(rig, m);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile_us(const struct cell *c, enum mode mode, double q)
{
	return c->by[mode].times[(unsigned)(q * (c->instances - 1))] / 1e3;
}

static void print_cell(const struct cell *c)
{
	double n = c->instances;

	printf("{\"bench\":\"plan\",\"buckets\":%u,\"workers\":%u,\"load\":\"%s\","
	       "\"instances\":%u,\"moves_rsspp\":%.1f,\"moves_hillclimb\":%.1f,"
	       "\"us_rsspp\":%.1f",
	       c->buckets, c->workers, instance_names[c->kind], c->instances,
	       (double)c->moves_rsspp / n, (double)c->moves_hillclimb / n, c->ns_rsspp / n / 1e3);
	for (unsigned m = 0; m < MODES; m++) {
		const struct tally *t = &c->by[m];

		printf(",\"%s\":{\"within_1pct\":%u,\"within_1pct_simple\":%u,"
		       "\"worse_than_rsspp\":%u,\"worse_than_hillclimb\":%u,"
		       "\"worse_than_longest\":%u,\"moves\":%.1f,\"us_p50\":%.1f,"
		       "\"us_p99\":%.1f}",
		       m == HIGHEST ? "highest" : "even", t->within, t->within_simple,
		       t->worse_rsspp, t->worse_hillclimb, t->worse_longest, (double)t->moves / n,
		       quantile_us(c, m, 0.5), quantile_us(c, m, 0.99));
	}
	puts("}");
	fflush(stdout);
}

static void run_cell(struct rig *rig, struct cell *c)
{
	for (unsigned m = 0; m < MODES; m++)
		c->by[m].times = calloc(c->instances, sizeof(double));
	for (unsigned i = 0; i < c->instances; i++)
		run_instance(rig, c, i);
	for (unsigned m = 0; m < MODES; m++)
		qsort(c->by[m].times, c->instances, sizeof(double), compare);
	print_cell(c);
}

/* Sums over cells; those of moves and times over the cells of Zipf 1.0 and above, each a mean. */
struct summary {
	unsigned instances, worse_rsspp, worse_hillclimb, worse_longest;
	unsigned many, many_within, many_simple; /* FEW buckets a worker or more */
	unsigned few, few_within; /* fewer */
	double moves[MODES], moves_rsspp, ns[MODES], ns_rsspp, worst_moves[MODES];
	double us_1024x16, us_65536x128; /* the slowest kind's and way's median */
};

static void count_moves(struct summary *s, const struct cell *c)
{
	double n = c->instances;

	s->moves_rsspp += (double)c->moves_rsspp / n;
	s->ns_rsspp += c->ns_rsspp / n;
	for (unsigned m = 0; m < MODES; m++) {
		s->moves[m] += (double)c->by[m].moves / n;
		s->ns[m] += c->by[m].ns / n;
		if (c->moves_rsspp)
			s->worst_moves[m] = fmax(s->worst_moves[m],
						 (double)c->by[m].moves / (double)c->moves_rsspp);
	}
}

static void count_cell(struct summary *s, const struct cell *c)
{
	bool many = c->buckets >= FEW * c->workers;

	if (c->kind >= KIND_ZIPF_10 && c->kind <= KIND_ZIPF_14)
		count_moves(s, c);
	for (unsigned m = 0; m < MODES; m++) {
		const struct tally *t = &c->by[m];

		s->instances += m == 0 ? c->instances : 0;
		s->worse_rsspp += t->worse_rsspp;
		s->worse_hillclimb += t->worse_hillclimb;
		s->worse_longest += t->worse_longest;
		*(many ? &s->many : &s->few) += c->instances;
		*(many ? &s->many_within : &s->few_within) += t->within;
		s->many_simple += many ? t->within_simple : 0;
		if (c->buckets == 1024 && c->workers == 16)
			s->us_1024x16 = fmax(s->us_1024x16, quantile_us(c, m, 0.5));
		if (c->buckets == 65536 && c->workers == 128)
			s->us_65536x128 = fmax(s->us_65536x128, quantile_us(c, m, 0.5));
	}
}

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 1;
}

static void print_summary(const struct summary *s)
{
	printf("{\"bench\":\"plan\",\"summary\":true,\"instances\":%u,\"within_1pct_share\":%.5f,"
	       "\"within_1pct_simple_share\":%.5f,\"within_1pct_few_share\":%.5f,"
	       "\"worse_than_rsspp\":%u,\"worse_than_hillclimb\":%u,\"worse_than_longest\":%u,"
	       "\"moves_ratio_zipf\":%.3f,\"moves_ratio_worst_cell\":%.3f,"
	       "\"time_ratio_zipf\":%.3f,\"moves_ratio_zipf_even\":%.3f,"
	       "\"moves_ratio_worst_cell_even\":%.3f,\"time_ratio_zipf_even\":%.3f,"
	       "\"us_1024x16\":%.1f,\"us_65536x128\":%.1f}\n",
	       s->instances, share(s->many_within, s->many), share(s->many_simple, s->many),
	       share(s->few_within, s->few), s->worse_rsspp, s->worse_hillclimb, s->worse_longest,
	       share(s->moves[HIGHEST], s->moves_rsspp), s->worst_moves[HIGHEST],
	       share(s->ns[HIGHEST], s->ns_rsspp), share(s->moves[EVEN], s->moves_rsspp),
	       s->worst_moves[EVEN], share(s->ns[EVEN], s->ns_rsspp), s->us_1024x16,
	       s->us_65536x128);
}

static void run_size(struct rig *rig, struct summary *sum, unsigned buckets, unsigned workers,
		     unsigned asked)
{
	for (unsigned k = 0; k < KINDS; k++) {
		struct cell c = {.buckets = buckets,
				 .workers = workers,
				 .instances = instances_for(buckets, asked),
				 .kind = k};

		run_cell(rig, &c);
		count_cell(sum, &c);
		for (unsigned m = 0; m < MODES; m++)
			free(c.by[m].times);
	}
}

static bool rig_init(struct rig *rig)
{
	rig->in.bucket = malloc(MAX_BUCKETS * sizeof(*rig->in.bucket));
	rig->scratch = malloc(sl_plan_scratch_size(MAX_BUCKETS, SL_MAX_WORKERS));
	rig->out = malloc(MAX_BUCKETS * sizeof(*rig->out));
	rig->at = malloc(MAX_BUCKETS * sizeof(*rig->at));
	return rig->in.bucket && rig->scratch && rig->out && rig->at;
}

static void rig_fini(struct rig *rig)
{
	free(rig->in.bucket);
	free(rig->in.flow);
	free(rig->scratch);
	free(rig->out);
	free(rig->at);
}

int main(int argc, char **argv)
{
	unsigned asked = argc > 1 ? (unsigned)atoi(argv[1]) : INSTANCES;
	unsigned buckets = argc > 3 ? (unsigned)atoi(argv[2]) : 0;
	unsigned workers = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	struct summary sum = {0};
	struct rig rig = {0};

	if (!asked || !rig_init(&rig)) {
		fprintf(stderr, "bench_plan: no memory, or no instances asked for\n");
		return 1;
	}
	for (unsigned i = 0; i < sizeof(buckets_of) / sizeof(buckets_of[0]); i++)
		for (unsigned j = 0; j < sizeof(workers_of) / sizeof(workers_of[0]); j++)
			if (!buckets || (buckets == buckets_of[i] && workers == workers_of[j]))
				run_size(&rig, &sum, buckets_of[i], workers_of[j], asked);
	print_summary(&sum);
	rig_fini(&rig);
	return 0;
}
