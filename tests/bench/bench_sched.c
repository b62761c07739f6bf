// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_sched - what a decision of the task scheduler costs: time goes on, whose turn is it, its
 * task starts, its next one takes the place. SDRF over 2 resources, all users with tasks waiting;
 * the scan against the Live Tree for more and more users, where time goes on slowly (as on a busy
 * cluster) and fast (many priorities cross between two decisions).
 *
 * bench_sched trace N: a CSV of N made-up tasks for `sluice sched`, 29 days of 900 users, in the
 * order of their ends as Google's are.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/fair.h"
#include "platform/clock.h"

#define RESOURCES 2
#define BATCH 64 /* decisions between two readings of the clock */
#define ROUNDS 101 /* the best counts: others use this machine too */
#define HALF_LIFE (8 * 3600.0)
#define DAYS 29

struct running {
	unsigned user;
	double demand[RESOURCES];
};

struct cluster {
	struct sl_fair *fair;
	unsigned users;
	double (*next)[RESOURCES]; /* of each user */
	struct running *running; /* a ring of 2 * users, of which half run */
	unsigned first, n, room;
	uint64_t now, step;
};

static double uniform(void)
{
	return (rand() & 0xffffff) / 16777216.0;
}

/* Tasks take up to twice an even part of half of the cluster, so that overuse is frequent. */
static void draw(const struct cluster *c, double *demand)
{
	for (unsigned r = 0; r < RESOURCES; r++)
		demand[r] = floor(0x1p50 / c->users * uniform());
}

static int decide(struct cluster *c)
{
	struct running *t = &c->running[(c->first + c->n++) % c->room];
	int u;

	sl_fair_advance(c->fair, c->now += c->step);
	u = sl_fair_first(c->fair);
	t->user = (unsigned)u;
	memcpy(t->demand, c->next[u], sizeof(t->demand));
	sl_fair_start(c->fair, t->user, t->demand, 1);
	sl_fair_candidate(c->fair, t->user, t->demand);
	return u;
}

static void finish(struct cluster *c)
{
	const struct running *t = &c->running[c->first];

	c->first = (c->first + 1) % c->room;
	c->n--;
	sl_fair_finish(c->fair, t->user, t->demand);
}

static int build(struct cluster *c, unsigned users, enum sl_order_kind kind, double step_s)
{
	const struct sl_fair_opts o = {.policy = SL_POLICY_SDRF,
				       .resources = RESOURCES,
				       .capacity = {1, 1},
				       .half_life = HALF_LIFE,
				       .no_floor = true};

	*c = (struct cluster){.users = users, .room = 2 * users + BATCH};
	c->step = (uint64_t)(step_s * 1e9);
	c->next = malloc(users * sizeof(*c->next));
	c->running = malloc(c->room * sizeof(*c->running));
	if (!c->next || !c->running || sl_fair_new(&o, kind, &c->fair, NULL))
		return -1;
	for (unsigned u = 0; u < users; u++)
		if (sl_fair_add_user(c->fair, 1) < 0)
			return -1;
	for (unsigned u = 0; u < users; u++) {
		draw(c, c->next[u]);
		sl_fair_candidate(c->fair, u, c->next[u]);
	}
	for (unsigned i = 0; i < 2 * users; i++)
		decide(c);
	return 0;
}

static void tear_down(struct cluster *c)
{
	sl_fair_free(c->fair);
	free(c->next);
	free(c->running);
}

/* Nanoseconds of a decision, or of the end of a task; -1: no memory. */
static double measure(unsigned users, enum sl_order_kind kind, double step_s, double *end_ns)
{
	const unsigned batches = 20000 / (users + 400) + 1;
	double best = INFINITY;
	struct cluster c;

	srand(1);
	if (build(&c, users, kind, step_s))
		return -1;
	*end_ns = INFINITY;
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t decided = 0, ended = 0;

		for (unsigned b = 0; b < batches; b++) {
			uint64_t t[3];

			t[0] = sl_clock_ns();
			for (unsigned i = 0; i < BATCH; i++)
				finish(&c);
			t[1] = sl_clock_ns();
			for (unsigned i = 0; i < BATCH; i++)
				decide(&c);
			t[2] = sl_clock_ns();
			ended += t[1] - t[0];
			decided += t[2] - t[1];
		}
		best = fmin(best, (double)decided / (batches * BATCH));
		*end_ns = fmin(*end_ns, (double)ended / (batches * BATCH));
	}
	tear_down(&c);
	return best;
}

static int crossing(void)
{
	static const double step_s[] = {0.001, 60};

	for (unsigned s = 0; s < 2; s++)
		for (unsigned n = 128; n <= 16384; n *= 2) {
			double ends[2];
			const double scan = measure(n, SL_ORDER_SCAN, step_s[s], &ends[0]);
			const double tree = measure(n, SL_ORDER_TREE, step_s[s], &ends[1]);

			if (scan < 0 || tree < 0)
				return -1;
			printf("{\"users\": %u, \"step_s\": %g, \"scan_ns\": %.0f, \"tree_ns\": "
			       "%.0f, \"scan_end_ns\": %.0f, \"tree_end_ns\": %.0f}\n",
			       n, step_s[s], scan, tree, ends[0], ends[1]);
		}
	return 0;
}

static void trace(unsigned long tasks)
{
	const double second = DAYS * 86400.0 / (double)tasks; /* between two ends */

	puts("submit,duration,user,cpu,memory");
	srand(1);
	for (unsigned long i = 0; i < tasks; i++) {
		const double lasts = -600 * log(1 - uniform());
		const double wait = 10 * uniform();
		double submit = 4000 + second * (double)i - lasts - wait;

		submit = submit > 0 ? submit : 0;
		/* a few users have most of the tasks */
		printf("%.6f,%.3f,user%u,%.5f,%.5f\n", submit, lasts,
		       (unsigned)(900 * pow(uniform(), 4)), 0.001 + 0.05 * uniform(),
		       0.001 + 0.05 * uniform());
	}
}

int main(int argc, char **argv)
{
	double ns[2], end_ns;

	if (argc > 2 && !strcmp(argv[1], "trace")) {
		trace(strtoul(argv[2], NULL, 10));
		return 0;
	}
	if (crossing())
		return 1;
	for (unsigned i = 0; i < 2; i++)
		ns[i] = measure(i ? 1024 : 128, SL_ORDER_AUTO, 0.001, &end_ns);
	printf("{\"ns_128\": %.1f, \"ns_1024\": %.1f}\n", ns[0], ns[1]);
	return 0;
}
