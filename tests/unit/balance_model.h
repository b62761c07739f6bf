/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of a dataplane for tests of the control loop: Poisson arrivals, workers that process in
 * order at a cost per bucket, rings that overflow. Moves take effect at once.
 */
#ifndef TESTS_BALANCE_MODEL_H
#define TESTS_BALANCE_MODEL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/tick.h"

#define MODEL_BUCKETS 1024
#define MODEL_WORKERS 8
#define MODEL_HZ 2e9
#define MODEL_RING 2048
#define MS 1000000ULL

static const struct sl_tick_opts model_opts = {
	.tick_min_ns = 100 * MS,
	.tick_max_ns = 1000 * MS,
	.threshold = 0.5,
	.min_gain = 0.05,
	.min_interval_ns = 100 * MS,
	.smoothing_ns = 200 * MS,
	.stuck_ns = 3000 * MS,
};

struct model {
	unsigned buckets, workers;
	uint64_t now_ns, rng;
	double rate[MODEL_BUCKETS]; /* packets per second */
	double cost[MODEL_BUCKETS]; /* cycles per packet, of the chain */
	double overhead; /* cycles per packet outside the chain, which no sample sees */
	bool sampled; /* cost samples are taken */
	double backlog[MODEL_WORKERS], backlog_cycles[MODEL_WORKERS];
	uint64_t sampled_cycles[MODEL_WORKERS][MODEL_BUCKETS];
	uint32_t samples[MODEL_WORKERS][MODEL_BUCKETS];
	struct sl_sample_worker worker[MODEL_WORKERS];
	struct sl_sample_bucket bucket[MODEL_BUCKETS];
	unsigned moves;
};

static inline double model_uniform(struct model *m)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return ((double)(m->rng >> 11) + 0.5) / 9007199254740992.0;
}

/* Poisson by its normal approximation above 30. */
static inline double model_poisson(struct model *m, double mean)
{
	double p = 1, limit = exp(-mean);
	unsigned n = 0;

	if (mean > 30)
		return fmax(0, round(mean + sqrt(mean) * sqrt(-2 * log(model_uniform(m))) *
						    cos(6.283185307 * model_uniform(m))));
	while ((p *= model_uniform(m)) > limit)
		n++;
	return n;
}

static inline void model_init(struct model *m, unsigned buckets, unsigned workers, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	m->buckets = buckets;
	m->workers = workers;
	m->rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	m->now_ns = 1000000000;
	m->sampled = true;
	for (unsigned b = 0; b < buckets; b++) {
		m->cost[b] = 20000;
		m->bucket[b].owner = m->bucket[b].target = (uint16_t)(b % workers);
	}
	for (unsigned w = 0; w < workers; w++)
		m->worker[w].state = SL_WORKER_RUNNING;
}

/* Zipf over a random order of the buckets; `total` cores in sum. */
static inline void model_zipf(struct model *m, double skew, double total)
{
	double sum = 0;

	for (unsigned b = 0; b < m->buckets; b++)
		m->rate[b] = 1 / pow(b + 1, skew);
	for (unsigned b = m->buckets - 1; b > 0; b--) {
		unsigned o = (unsigned)(model_uniform(m) * (b + 1));
		double t = m->rate[b];

		m->rate[b] = m->rate[o];
		m->rate[o] = t;
	}
	for (unsigned b = 0; b < m->buckets; b++)
		sum += m->rate[b] * (m->cost[b] + m->overhead);
	for (unsigned b = 0; b < m->buckets; b++)
		m->rate[b] *= total * MODEL_HZ / sum;
}

/* Highest demand of a worker by the model's own rates, cores. */
static inline double model_highest(const struct model *m)
{
	double load[MODEL_WORKERS] = {0}, high = 0;

	for (unsigned b = 0; b < m->buckets; b++)
		load[m->bucket[b].target] += m->rate[b] * (m->cost[b] + m->overhead) / MODEL_HZ;
	for (unsigned w = 0; w < m->workers; w++)
		high = fmax(high, load[w]);
	return high;
}

static inline void model_arrive(struct model *m, unsigned b, double dt)
{
	double packets = model_poisson(m, m->rate[b] * dt);
	unsigned w = m->bucket[b].owner;
	double room = MODEL_RING + dt * MODEL_HZ / (m->cost[b] + m->overhead) - m->backlog[w];
	double taken = fmin(packets, fmax(room, 0));

	m->bucket[b].packets += (uint64_t)packets;
	m->worker[w].ring_full += (uint64_t)(packets - taken);
	m->backlog[w] += taken;
	m->backlog_cycles[w] += taken * (m->cost[b] + m->overhead);
	if (m->sampled && taken >= 16) {
		m->samples[w][b] += (uint32_t)(taken / 16);
		m->sampled_cycles[w][b] += (uint64_t)(floor(taken / 16) * m->cost[b]);
	}
	m->bucket[b].cost_samples = m->samples[w][b];
	m->bucket[b].cost_cycles = m->sampled_cycles[w][b];
}

static inline void model_run(struct model *m, uint64_t ns)
{
	double dt = (double)ns / 1e9;

	m->now_ns += ns;
	for (unsigned b = 0; b < m->buckets; b++)
		model_arrive(m, b, dt);
	for (unsigned w = 0; w < m->workers; w++) {
		double cycles = fmin(m->backlog_cycles[w], dt * MODEL_HZ), done;

		done = m->backlog_cycles[w] > 0 ? m->backlog[w] * cycles / m->backlog_cycles[w] : 0;
		m->worker[w].busy_cycles += (uint64_t)cycles;
		m->worker[w].packets += (uint64_t)round(done);
		m->backlog[w] = fmax(0, m->backlog[w] - round(done));
		m->backlog_cycles[w] -= cycles;
		m->worker[w].ring_fill = (uint32_t)fmin(m->backlog[w], MODEL_RING);
		m->worker[w].heartbeat_ns = m->now_ns;
	}
}

static inline struct sl_sample model_sample(const struct model *m)
{
	return (struct sl_sample){.now_ns = m->now_ns,
				  .cycles_per_ns = MODEL_HZ / 1e9,
				  .workers_n = m->workers,
				  .buckets_n = m->buckets,
				  .workers = m->worker,
				  .buckets = m->bucket};
}

/* One round: sample, decide, move, let the time pass. */
static inline struct sl_tick_result model_tick(struct model *m, struct sl_tick *t)
{
	struct sl_sample s = model_sample(m);
	struct sl_tick_result r;

	sl_tick_run(t, &s, &r);
	for (unsigned i = 0; i < r.moves_n; i++) {
		struct sl_sample_bucket *b = &m->bucket[r.moves[i].bucket];

		b->owner = b->target = r.moves[i].to;
		b->cost_samples = m->samples[b->owner][r.moves[i].bucket];
		b->cost_cycles = m->sampled_cycles[b->owner][r.moves[i].bucket];
	}
	if (r.moves_n)
		sl_tick_applied(t, m->now_ns);
	m->moves += r.moves_n;
	model_run(m, r.next_ns);
	return r;
}

static inline void model_run_for(struct model *m, struct sl_tick *t, uint64_t ns)
{
	uint64_t end = m->now_ns + ns;

	while (m->now_ns < end)
		model_tick(m, t);
}

#endif /* TESTS_BALANCE_MODEL_H */
