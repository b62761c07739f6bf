// SPDX-License-Identifier: GPL-2.0-or-later
/* The first table: even, or one that has dealt core 0 an unlucky hand. */
#include <errno.h>
#include <stdlib.h>

#include "sim/engine.h"

struct heat {
	uint32_t bucket;
	double peak, mean;
};

static int hotter(const void *a, const void *b)
{
	const struct heat *x = a, *y = b;

	return x->peak != y->peak ? (x->peak < y->peak) - (x->peak > y->peak)
				  : (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

static int heat_of_phases(const struct sim *s, struct heat *heat)
{
	uint32_t n = s->scenario->buckets;
	unsigned phases = sim_source_phases(&s->source);
	double *share = calloc(n, sizeof(*share));

	for (unsigned p = 0; share && p < phases; p++) {
		sim_source_shares(&s->source, p, share);
		for (uint32_t b = 0; b < n; b++) {
			heat[b].bucket = b;
			heat[b].mean += share[b] / phases;
			if (share[b] > heat[b].peak)
				heat[b].peak = share[b];
		}
	}
	free(share);
	return share ? 0 : -ENOMEM;
}

/* The hottest buckets of any phase to core 0, until it has its share; the others in turn. */
static int unlucky(struct sim *s)
{
	uint32_t n = s->scenario->buckets, cores = s->scenario->cores;
	struct heat *heat = calloc(n, sizeof(*heat));
	double sum = 0;
	int rc = heat ? heat_of_phases(s, heat) : -ENOMEM;

	if (!rc)
		qsort(heat, n, sizeof(*heat), hotter);
	for (uint32_t i = 0; !rc && i < n; i++) {
		bool first = sum < s->scenario->first_share || cores == 1;

		s->bucket[heat[i].bucket].row = first ? 0 : 1 + i % (cores - 1);
		sum += heat[i].mean;
	}
	free(heat);
	return rc;
}

int table_init(struct sim *s)
{
	const struct sim_scenario *c = s->scenario;
	int rc = 0;

	s->bucket = calloc(c->buckets, sizeof(*s->bucket));
	if (!s->bucket)
		return -ENOMEM;
	for (uint32_t b = 0; b < c->buckets; b++)
		s->bucket[b].row = b % c->cores;
	if (c->first_share > 0)
		rc = unlucky(s);
	for (uint32_t b = 0; b < c->buckets; b++) {
		s->bucket[b].owner = s->bucket[b].row;
		s->core[s->bucket[b].row].held++;
	}
	for (uint32_t i = 0; i < s->source.flows; i++)
		s->bucket[s->source.flow[i].bucket].flows++;
	return rc;
}
