// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets of a capture, again and again; and flows that come, send what a file of sizes says, and
 * go. */
#include <errno.h>
#include <stdlib.h>

#include "sim/traffic_kinds.h"

/* --- a capture */

int source_capture_init(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;
	uint64_t length = t->record[t->records - 1].at_ns;
	uint32_t flows = 0;
	double sum = 0;

	if (!length)
		return -EINVAL;
	for (uint32_t i = 0; i < t->records; i++)
		if (t->record[i].flow >= flows)
			flows = t->record[i].flow + 1;
	if (source_flows_new(s, flows))
		return -ENOMEM;
	for (uint32_t i = 0; i < t->records; i++)
		sum += (double)s->flow[t->record[i].flow].factor;
	s->mean_factor = sum / t->records;
	source_set_rate(s);
	/* One repetition takes as long as its packets do at the wanted rate. */
	s->stretch = t->load > 0 || t->rate > 0 ? t->records * s->gap_ns / (double)length : 1;
	return 0;
}

uint32_t source_capture_next(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;
	const struct sim_record *r = &t->record[s->next];

	s->clock_ns = fmax(s->clock_ns, s->loop_ns + (double)r->at_ns * s->stretch);
	if (++s->next == t->records) {
		s->next = 0;
		s->loop_ns = s->clock_ns + s->gap_ns;
	}
	return r->flow;
}

/* --- flows of given sizes */

#define SLOTS_MIN 1024

static double mean_size(const struct sim_traffic *t)
{
	double sum = 0, weight = 0;

	for (uint32_t i = 0; i < t->sizes; i++) {
		sum += t->size[i].weight * (double)t->size[i].packets;
		weight += t->size[i].weight;
	}
	return sum / weight;
}

static int sizes_alias(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;
	double *weight = calloc(t->sizes, sizeof(*weight));

	for (uint32_t i = 0; weight && i < t->sizes; i++)
		weight[i] = t->size[i].weight;
	s->alias = weight ? sim_alias_new(weight, t->sizes) : NULL;
	free(weight);
	return s->alias ? 0 : -ENOMEM;
}

int source_sizes_init(struct sim_source *s)
{
	const struct sim_scenario *c = s->scenario;
	const struct sim_traffic *t = &c->traffic;

	s->mean_factor = 1 + c->service.heavy_share * (c->service.heavy_factor - 1);
	source_set_rate(s);
	s->flow_gap_ns = s->gap_ns * mean_size(t);
	s->next_flow_ns = s->flow_gap_ns * sim_random_exponential(&s->random);
	if (source_flows_new(s, SLOTS_MIN) || sizes_alias(s) || sim_heap_init(&s->heap, SLOTS_MIN))
		return -ENOMEM;
	s->unused = calloc(s->flows, sizeof(*s->unused));
	if (!s->unused)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->flows; i++)
		s->unused[s->unused_n++] = i;
	return 0;
}

/* Twice the slots. Without memory the flow is not born: traffic ends a little thinner. */
static void more_slots(struct sim_source *s)
{
	struct sim_flow *flow = realloc(s->flow, 2 * (size_t)s->flows * sizeof(*flow));
	uint32_t *unused;

	if (!flow)
		return;
	s->flow = flow;
	unused = realloc(s->unused, 2 * (size_t)s->flows * sizeof(*unused));
	if (!unused)
		return;
	s->unused = unused;
	for (uint32_t i = 0; i < s->flows; i++) {
		s->flow[s->flows + i] = (struct sim_flow){0};
		s->unused[s->unused_n++] = s->flows + i;
	}
	s->flows *= 2;
}

/* A new flow sends its first packet at once. */
static void flow_is_born(struct sim_source *s)
{
	const struct sim_traffic *t = &s->scenario->traffic;
	uint32_t flow, size;

	if (!s->unused_n)
		more_slots(s);
	s->clock_ns = s->next_flow_ns;
	s->next_flow_ns += s->flow_gap_ns / source_wave(s) * sim_random_exponential(&s->random);
	if (!s->unused_n)
		return;
	flow = s->unused[--s->unused_n];
	size = sim_alias_draw(s->alias, t->sizes, &s->random);
	source_flow_init(s, flow, sim_random_bits(&s->random));
	s->flow[flow].left = (uint32_t)t->size[size].packets;
	if (sim_heap_push(&s->heap, (uint64_t)s->clock_ns, flow))
		s->unused[s->unused_n++] = flow;
}

uint32_t source_sizes_next(struct sim_source *s)
{
	uint32_t flow;

	while (s->next_flow_ns <= (double)sim_heap_due(&s->heap))
		flow_is_born(s);
	flow = s->heap.event[0].what;
	s->clock_ns = (double)s->heap.event[0].at_ns;
	if (--s->flow[flow].left) {
		double gap = SIM_NS_PER_S / s->scenario->traffic.flow_rate *
			     sim_random_exponential(&s->random);

		sim_heap_replace(&s->heap, (uint64_t)(s->clock_ns + gap), flow);
	} else {
		sim_heap_pop(&s->heap);
		s->unused[s->unused_n++] = flow;
	}
	return flow;
}
