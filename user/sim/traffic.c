// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets by ranks of flows: Zipf, elephants, shifts, pauses, bursts, a sine. */
#include <errno.h>
#include <stdlib.h>

#include "sim/traffic.h"
#include "sim/traffic_kinds.h"

#define PHASES_MAX 64 /* that are looked at: later ones are as good */
#define WAVE_STEPS 1000 /* a period of the sine */
enum { STREAM_ARRIVALS, STREAM_COSTS };

static uint32_t rank_flow(uint32_t rank, uint32_t shift, uint32_t flows)
{
	return rank < flows - shift ? rank + shift : rank - (flows - shift);
}

unsigned sim_source_phases(const struct sim_source *s)
{
	uint64_t shift = s->scenario->traffic.shift_ns, n;

	if (!shift)
		return 1;
	n = (s->scenario->duration_ns + shift - 1) / shift;
	return n < PHASES_MAX ? (unsigned)n : PHASES_MAX;
}

/* Elephants first, then Zipf's law among the others. */
static double *rank_weights(const struct sim_traffic *t)
{
	double *w = calloc(t->flows, sizeof(*w)), sum = 0;
	uint32_t first = t->elephants < t->flows ? t->elephants : t->flows - 1;

	if (!w)
		return NULL;
	for (uint32_t r = t->flows; r-- > first;)
		sum += w[r] = pow(r - first + 1, -t->zipf);
	for (uint32_t r = first; r < t->flows; r++)
		w[r] *= (first ? 1 - t->elephant_share : 1) / sum;
	for (uint32_t r = 0; r < first; r++)
		w[r] = t->elephant_share / first;
	return w;
}

static uint32_t phase_shift(const struct sim_source *s, unsigned phase)
{
	return (uint32_t)((uint64_t)phase * s->shift_step % s->flows);
}

/* Of all phases, since the heavy ones among the hot flows change. */
static double mean_factor(const struct sim_source *s, const double *weight)
{
	unsigned phases = sim_source_phases(s);
	double sum = 0;

	for (unsigned p = 0; p < phases; p++)
		for (uint32_t r = 0; r < s->flows; r++)
			sum += weight[r] *
			       s->flow[rank_flow(r, phase_shift(s, p), s->flows)].factor;
	return sum / phases;
}

void sim_source_shares(const struct sim_source *s, unsigned phase, double *share)
{
	double *weight = rank_weights(&s->scenario->traffic);

	for (uint32_t b = 0; b < s->scenario->buckets; b++)
		share[b] = 0;
	for (uint32_t r = 0; weight && r < s->flows; r++)
		share[s->flow[rank_flow(r, phase_shift(s, phase), s->flows)].bucket] += weight[r];
	free(weight);
}

void source_flow_init(const struct sim_source *s, uint32_t flow, uint64_t identity)
{
	const struct sim_scenario *c = s->scenario;
	uint64_t h = sim_hash(c->seed, identity);
	bool heavy = (double)(h >> 32) * 0x1p-32 < c->service.heavy_share;

	s->flow[flow].bucket = (uint32_t)h & (c->buckets - 1);
	s->flow[flow].factor = heavy ? (float)c->service.heavy_factor : 1;
}

int source_flows_new(struct sim_source *s, uint32_t flows)
{
	s->flows = flows;
	s->flow = calloc(flows, sizeof(*s->flow));
	if (!s->flow)
		return -ENOMEM;
	for (uint32_t i = 0; i < flows; i++)
		source_flow_init(s, i, i);
	return 0;
}

void source_set_rate(struct sim_source *s)
{
	const struct sim_scenario *c = s->scenario;

	s->rate = c->traffic.load > 0 ? c->traffic.load * c->cores * SIM_NS_PER_S /
						(c->service.mean_ns * s->mean_factor)
				      : c->traffic.rate;
	s->gap_ns = SIM_NS_PER_S / s->rate;
}

/* Where each flow stands in its pauses when the simulation begins. */
static void pauses_init(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;
	double on = (double)t->on_ns, off = (double)t->off_ns;

	if (!t->on_ns)
		return;
	for (uint32_t i = 0; i < s->flows; i++) {
		bool sends = sim_random_unit(&s->random) < on / (on + off);
		double until = sim_random_exponential(&s->random) * (sends ? on : off);

		s->flow[i].toggle_ns = ((uint64_t)until & ~1ULL) | sends;
	}
	s->gap_ns *= on / (on + off);
}

static int ranked_init(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;
	double *weight;

	if (source_flows_new(s, t->flows))
		return -ENOMEM;
	/* The golden section, as `sluice gen` has it: hot sets of successive phases overlap least.
	 */
	s->shift_step = (uint32_t)(t->flows * 0.6180339887);
	weight = rank_weights(t);
	s->alias = weight ? sim_alias_new(weight, t->flows) : NULL;
	s->mean_factor = weight ? mean_factor(s, weight) : 1;
	free(weight);
	if (!s->alias)
		return -ENOMEM;
	source_set_rate(s);
	pauses_init(s);
	s->next_shift_ns = t->shift_ns ? t->shift_ns : UINT64_MAX;
	return 0;
}

int sim_source_init(struct sim_source *s, const struct sim_scenario *c)
{
	int rc;

	*s = (struct sim_source){.scenario = c, .wave = 1};
	sim_random_init(&s->random, c->seed, STREAM_ARRIVALS);
	sim_random_init(&s->cost_random, c->seed, STREAM_COSTS);
	if (c->traffic.records)
		rc = source_capture_init(s);
	else if (c->traffic.sizes)
		rc = source_sizes_init(s);
	else
		rc = ranked_init(s);
	if (rc)
		sim_source_free(s);
	return rc;
}

void sim_source_free(struct sim_source *s)
{
	free(s->flow);
	free(s->alias);
	free(s->unused);
	sim_heap_free(&s->heap);
	s->flow = NULL;
	s->alias = NULL;
	s->unused = NULL;
}

double source_wave(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;

	if (t->sine_ns && s->clock_ns >= (double)s->wave_until_ns) {
		double turn = s->clock_ns / (double)t->sine_ns;

		s->wave = t->sine_low + (1 - t->sine_low) * (1 - cos(6.283185307179586 * turn)) / 2;
		/* An empty wave would never see its end. */
		s->wave = fmax(s->wave, 1e-3);
		s->wave_until_ns = (uint64_t)s->clock_ns + t->sine_ns / WAVE_STEPS + 1;
	}
	return s->wave;
}

static void advance(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;

	if (s->burst_left) {
		s->burst_left--;
		return;
	}
	s->burst_left = t->burst - 1;
	s->clock_ns += s->gap_ns * t->burst / source_wave(s) *
		       (t->even ? 1 : sim_random_exponential(&s->random));
	if (s->clock_ns >= (double)s->next_shift_ns) {
		s->next_shift_ns += t->shift_ns;
		s->shift = rank_flow(s->shift, s->shift_step, s->flows);
	}
}

/* Bring its pauses up to now. */
static bool sends(struct sim_source *s, struct sim_flow *f)
{
	const struct sim_traffic *t = &s->scenario->traffic;
	uint64_t now = (uint64_t)s->clock_ns;

	while (f->toggle_ns <= now) {
		bool on = !(f->toggle_ns & 1);
		double last =
			sim_random_exponential(&s->random) * (double)(on ? t->on_ns : t->off_ns);

		f->toggle_ns = ((f->toggle_ns + (uint64_t)last + 2) & ~1ULL) | on;
	}
	return f->toggle_ns & 1;
}

static uint32_t draw_flow(struct sim_source *s)
{
	for (;;) {
		uint32_t rank, flow;

		advance(s);
		rank = sim_alias_draw(s->alias, s->flows, &s->random);
		flow = rank_flow(rank, s->shift, s->flows);
		if (!s->scenario->traffic.on_ns || rank < s->scenario->traffic.elephants ||
		    sends(s, &s->flow[flow]))
			return flow;
	}
}

static uint32_t draw_cost(struct sim_source *s, float factor)
{
	const struct sim_service *v = &s->scenario->service;
	double cost = v->mean_ns * (double)factor;

	if (v->distribution == SIM_EXPONENTIAL) {
		cost *= sim_random_exponential(&s->cost_random);
	} else if (v->distribution == SIM_LOGNORMAL) {
		double variance = log1p(v->cv * v->cv);

		cost *= exp(sqrt(variance) * sim_random_normal(&s->cost_random) - variance / 2);
	}
	return cost < UINT32_MAX ? (uint32_t)(cost + 0.5) : UINT32_MAX;
}

void sim_source_next(struct sim_source *s, struct sim_packet *p)
{
	struct sim_flow *f;

	if (s->scenario->traffic.records)
		p->flow = source_capture_next(s);
	else if (s->scenario->traffic.sizes)
		p->flow = source_sizes_next(s);
	else
		p->flow = draw_flow(s);
	f = &s->flow[p->flow];
	p->at_ns = (uint64_t)s->clock_ns;
	p->bucket = f->bucket;
	p->seq = f->seq++;
	p->cost_ns = draw_cost(s, f->factor);
}
