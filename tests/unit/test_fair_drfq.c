// SPDX-License-Identifier: GPL-2.0-or-later
/* DRFQ, a resource in time: beside the formulas of its paper, with and without memory. */
#include "fair_rig.h"

/* Flow 0 alone for long, then flow 1 too: without memory nobody pays for having been alone; and
 * tasks that lean on different resources share as DRF would. */
Test(fair_drfq, drfq_memoryless_and_dove_tailing)
{
	struct sl_fair_opts o = {.policy = SL_POLICY_DRFQ, .resources = 2, .capacity = {1, 1}};
	const double cpu[2] = {0x1p50, 0x1p48}, mem[2] = {0x1p48, 0x1p50};
	unsigned served[2] = {0};
	double v[2];

	for (unsigned dove = 0; dove < 2; dove++) {
		struct sl_fair *f;

		o.memory = dove ? INFINITY : 0;
		f = make(o, SL_ORDER_AUTO, 2);
		sl_fair_candidate(f, 0, cpu);
		for (unsigned i = 0; i < 100; i++) {
			sl_fair_start(f, 0, cpu, 1);
			sl_fair_finish(f, 0, cpu);
			sl_fair_candidate(f, 0, cpu);
		}
		sl_fair_candidate(f, 1, cpu);
		served[0] = served[1] = 0;
		for (unsigned i = 0; i < 40; i++) {
			const int u = sl_fair_first(f);

			served[u]++;
			sl_fair_start(f, (unsigned)u, cpu, 1);
			sl_fair_finish(f, (unsigned)u, cpu);
			sl_fair_candidate(f, (unsigned)u, cpu);
		}
		cr_assert_leq(abs((int)served[0] - (int)served[1]), 1);
		sl_fair_free(f);
		/* user 0 alternates between the resources, user 1 does not. With dove-tailing two
		 * tasks of user 0 cost it as much time as five eighths of two of user 1. */
		f = make(o, SL_ORDER_AUTO, 2);
		sl_fair_candidate(f, 0, cpu);
		sl_fair_candidate(f, 1, cpu);
		served[0] = served[1] = 0;
		for (unsigned i = 0; i < 400; i++) {
			const int u = sl_fair_first(f);
			const double *now = u == 0 && served[0] % 2 ? mem : cpu;

			served[u]++;
			sl_fair_start(f, (unsigned)u, now, 1);
			sl_fair_finish(f, (unsigned)u, now);
			sl_fair_candidate(f, (unsigned)u, now);
		}
		v[dove] = (double)served[0] / served[1];
		sl_fair_free(f);
	}
	cr_assert_float_eq(v[0], 1, 0.02);
	cr_assert_float_eq(v[1], 1.6, 0.05);
}

#define FLOWS 5

/* A flow by the formulas of DRFQ's paper: tags of what waits are known when it arrives. */
struct flow {
	double start[200][2], demand[200][2], finish[2];
	unsigned arrived, served;
};

static void flow_arrive(struct flow *w, const double *virtual_time, const double *demand,
			double norm, double seconds, double memory)
{
	double *start = w->start[w->arrived], cost, latest = 0;

	for (unsigned r = 0; r < 2; r++) {
		w->demand[w->arrived][r] = demand[r];
		start[r] = fmax(virtual_time[r], w->finish[r]);
		cost = demand[r] * SL_FAIR_UNIT * norm * seconds;
		w->finish[r] = start[r] + cost;
		latest = fmax(latest, w->finish[r]);
	}
	for (unsigned r = 0; r < 2; r++)
		w->finish[r] = fmax(w->finish[r], latest - memory);
	w->arrived++;
}

static int flow_first(const struct flow *flows)
{
	double least = INFINITY;
	int first = -1;

	for (unsigned u = 0; u < FLOWS; u++) {
		const struct flow *w = &flows[u];

		if (w->served < w->arrived &&
		    fmax(w->start[w->served][0], w->start[w->served][1]) < least) {
			least = fmax(w->start[w->served][0], w->start[w->served][1]);
			first = (int)u;
		}
	}
	return first;
}

/* Arrivals at any time; where resources have times of their own, only while nothing is served: a
 * task behind others takes their tag, not the virtual time of its arrival. */
static void drfq_by_the_formula(double memory)
{
	static struct flow flows[FLOWS];
	struct sl_fair_opts o = {
		.policy = SL_POLICY_DRFQ, .resources = 2, .capacity = {1, 1}, .memory = memory};
	struct sl_fair *f = make(o, SL_ORDER_AUTO, 0);
	double virtual_time[2] = {0}, weights = 0;
	const unsigned steps = FLOWS * 300;

	memset(flows, 0, sizeof(flows));
	for (unsigned u = 0; u < FLOWS; u++) {
		sl_fair_add_user(f, u + 1);
		weights += u + 1;
	}
	for (unsigned i = 0; i < 4 * steps; i++) {
		const unsigned u = rand() % FLOWS;
		struct flow *w = &flows[u];
		const double demand[2] = {floor(uniform() * 0x1p40), floor(uniform() * 0x1p40)};
		int first;

		if (w->arrived < 200 && (memory == 0 ? rand() % 2 : i < steps)) {
			flow_arrive(w, virtual_time, demand, weights / (FLOWS * (u + 1.0)), 3,
				    memory);
			if (w->served + 1 == w->arrived)
				sl_fair_candidate(f, u, demand);
			continue;
		}
		if (memory > 0 && i < steps)
			continue;
		first = flow_first(flows);
		cr_assert_eq(sl_fair_first(f), first, "memory %g, step %u", memory, i);
		if (first < 0)
			continue;
		w = &flows[first];
		for (unsigned r = 0; r < 2; r++)
			virtual_time[r] = fmax(virtual_time[r], w->start[w->served][r]);
		sl_fair_start(f, (unsigned)first, w->demand[w->served], 3);
		sl_fair_finish(f, (unsigned)first, w->demand[w->served]);
		if (++w->served < w->arrived)
			sl_fair_candidate(f, (unsigned)first, w->demand[w->served]);
		else
			sl_fair_no_candidate(f, (unsigned)first);
	}
	sl_fair_free(f);
}

Test(fair_drfq, drfq_serves_by_the_formula)
{
	srand(3);
	for (unsigned i = 0; i < 20; i++) {
		drfq_by_the_formula(0);
		drfq_by_the_formula(INFINITY);
		drfq_by_the_formula(1e-4);
	}
}
