// SPDX-License-Identifier: GPL-2.0-or-later
/* Flows: when, how much work, at which rate. */
#include <math.h>

#include "sim/pool_engine.h"

enum { STREAM_ARRIVALS = 16, STREAM_FLOWS, STREAM_NOISE };

/* Mean of a Pareto distribution between two ends. */
static double pareto_mean(double shape, double low, double high)
{
	double cut = 1 - pow(low / high, shape);

	if (fabs(shape - 1) < 1e-9)
		return low * log(high / low) / cut;
	return shape * pow(low, shape) / (shape - 1) *
	       (pow(low, 1 - shape) - pow(high, 1 - shape)) / cut;
}

static double pareto(struct sim_random *r, double shape, double low, double high)
{
	double cut = 1 - pow(low / high, shape);

	return low * pow(1 - sim_random_unit(r) * cut, -1 / shape);
}

/* Mean 1. */
static double lognormal(struct sim_random *r, double cv)
{
	double variance = log(1 + cv * cv);

	return exp(sqrt(variance) * sim_random_normal(r) - variance / 2);
}

/* Of all cores, in cores of speed 1. */
static double capacity(const struct pool_scenario *c)
{
	double sum = 0;

	for (uint32_t i = 0; i < c->servers; i++)
		sum += (double)i < c->fast_share * c->servers ? c->fast_factor : 1;
	return sum * c->cores;
}

int pool_traffic_init(struct pool *p)
{
	const struct pool_traffic *t = &p->scenario->traffic;
	double work = t->mean_ns;

	sim_random_init(&p->arrivals, p->scenario->seed, STREAM_ARRIVALS);
	sim_random_init(&p->flows, p->scenario->seed, STREAM_FLOWS);
	sim_random_init(&p->noise, p->scenario->seed, STREAM_NOISE);
	if (t->kind == POOL_STREAMS)
		work = pareto_mean(t->shape, t->fewest, t->most) * t->packet_ns;
	p->gap_ns = work / (t->load * capacity(p->scenario));
	return 0;
}

static double request_work(struct pool *p)
{
	const struct pool_traffic *t = &p->scenario->traffic;
	double shorter = (1 - t->long_share * t->long_factor) / (1 - t->long_share);
	double mean = sim_random_unit(&p->flows) < t->long_share ? t->long_factor : shorter;

	mean *= t->mean_ns;
	switch ((enum pool_work)t->work) {
	case POOL_EXPONENTIAL:
		return mean * sim_random_exponential(&p->flows);
	case POOL_UNIFORM:
		return mean * 2 * sim_random_unit(&p->flows);
	case POOL_CONSTANT:
		break;
	}
	return mean;
}

double pool_traffic_next(struct pool *p, struct pool_flow *f)
{
	const struct pool_traffic *t = &p->scenario->traffic;

	f->hash = sim_random_bits(&p->flows);
	f->toeplitz = (uint32_t)(sim_random_bits(&p->flows) >> 32);
	f->rate = 0;
	if (t->kind == POOL_REQUESTS) {
		f->work = request_work(p);
	} else {
		double ns = t->lasts_ns * lognormal(&p->flows, t->lasts_cv);

		f->work = pareto(&p->flows, t->shape, t->fewest, t->most) * t->packet_ns;
		f->rate = f->work / ns < t->fastest ? f->work / ns : t->fastest;
	}
	return p->gap_ns * sim_random_exponential(&p->arrivals);
}
