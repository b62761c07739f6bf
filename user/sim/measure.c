// SPDX-License-Identifier: GPL-2.0-or-later
/* What is counted while the simulation runs, and what is made of it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/engine.h"

int measure_init(struct sim *s)
{
	const struct sim_scenario *c = s->scenario;

	s->orders = s->source.flows;
	s->order = calloc(s->orders, sizeof(*s->order));
	s->windows_room = c->duration_ns / c->window_ns + 1;
	s->result->window = calloc(s->windows_room, sizeof(*s->result->window));
	s->awake = s->result->awake_peak = c->cores;
	return s->order && s->result->window ? 0 : -ENOMEM;
}

void measure_lost(struct sim *s, const struct sim_packet *p, uint64_t *counter)
{
	s->window_lost++;
	*counter += measured(s, p);
}

/* Flows that end leave their number to others: one in another bucket is another flow. */
static void check_order(struct sim *s, const struct sim_packet *p)
{
	struct order *o;

	if (p->flow >= s->orders) {
		o = realloc(s->order, s->source.flows * sizeof(*o));
		if (!o) {
			s->error = -ENOMEM;
			return;
		}
		memset(o + s->orders, 0, (s->source.flows - s->orders) * sizeof(*o));
		s->order = o;
		s->orders = s->source.flows;
	}
	o = &s->order[p->flow];
	if (o->bucket == p->bucket && (int32_t)(p->seq - o->seq) < 0) {
		s->result->reordered += measured(s, p);
		return;
	}
	*o = (struct order){p->seq, p->bucket};
}

void measure_done(struct sim *s, const struct sim_packet *p)
{
	uint64_t took = s->now_ns - p->at_ns;

	check_order(s, p);
	if (!measured(s, p))
		return;
	s->result->processed++;
	s->latency_sum += took;
	sl_histogram_add(&s->result->latency, took);
}

static void awake_until_now(struct sim *s)
{
	uint64_t from = s->awake_since_ns > s->scenario->warmup_ns ? s->awake_since_ns
								   : s->scenario->warmup_ns;

	if (s->now_ns > from)
		s->awake_ns += (double)(s->now_ns - from) * s->awake;
	s->awake_since_ns = s->now_ns;
}

void measure_awake(struct sim *s, int change)
{
	awake_until_now(s);
	s->awake += (uint32_t)change;
	if (s->now_ns >= s->scenario->warmup_ns && s->awake > s->result->awake_peak)
		s->result->awake_peak = s->awake;
}

/* (most - fewest) / fewest packets that cores did since the last window. */
static double imbalance(const struct sim *s)
{
	double most = 0, fewest = INFINITY;

	for (uint32_t i = 0; i < s->scenario->cores; i++) {
		const struct core *c = &s->core[i];
		double n = (double)(c->done - c->window_done);

		if (!c->usable)
			continue;
		most = fmax(most, n);
		fewest = fmin(fewest, n);
	}
	return (most - fewest) / fmax(fewest, 1);
}

void measure_window(struct sim *s)
{
	const double ns = (double)s->scenario->window_ns;
	struct sim_window *w;

	if (s->result->windows == s->windows_room || s->now_ns > s->scenario->duration_ns)
		return;
	w = &s->result->window[s->result->windows++];
	*w = (struct sim_window){.end_ns = s->now_ns,
				 .offered = s->window_work_ns / ns,
				 .imbalance = imbalance(s),
				 .awake = s->awake,
				 .lost = s->window_lost};
	for (uint32_t i = 0; i < s->scenario->cores; i++) {
		struct core *c = &s->core[i];

		/* A batch counts when it begins: shares above 1 are its rest. */
		w->busiest =
			fmax(w->busiest, fmin((double)(c->busy_ns - c->window_busy_ns) / ns, 1));
		c->window_busy_ns = c->busy_ns;
		c->window_done = c->done;
		if (s->now_ns <= s->scenario->warmup_ns)
			c->warm_busy_ns = c->busy_ns;
	}
	if (s->now_ns <= s->scenario->warmup_ns)
		s->result->awake_peak = s->awake;
	s->window_work_ns = 0;
	s->window_lost = 0;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Over the windows behind the warm-up: the median imbalance, the mean of the least cores. */
static void windows_sum_up(struct sim *s)
{
	struct sim_result *r = s->result;
	double *value = calloc(r->windows + 1, sizeof(*value));
	uint32_t n = 0;

	if (!value) {
		s->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < r->windows; i++) {
		const struct sim_window *w = &r->window[i];

		if (w->end_ns <= s->scenario->warmup_ns)
			continue;
		value[n++] = w->imbalance;
		r->needed += fmax(1, ceil(w->offered / s->scenario->scale.target));
	}
	qsort(value, n, sizeof(*value), ascending);
	r->imbalance = n ? value[n / 2] : 0;
	r->needed = n ? r->needed / n : 0;
	free(value);
}

/* The last packet has arrived; those that wait are still counted when they are done. */
void measure_end(struct sim *s)
{
	const struct sim_scenario *c = s->scenario;
	double measured_ns = (double)(c->duration_ns - c->warmup_ns);

	awake_until_now(s);
	s->result->awake = s->awake_ns / measured_ns;
	for (uint32_t i = 0; i < c->cores; i++)
		s->result->busy[i] = fmin(
			1, (double)(s->core[i].busy_ns - s->core[i].warm_busy_ns) / measured_ns);
	windows_sum_up(s);
}

void measure_means(struct sim *s)
{
	double n = s->result->processed ? (double)s->result->processed : 1;

	s->result->latency_mean = (double)s->latency_sum / n;
	s->result->wait_mean = (double)s->wait_sum / n;
}
