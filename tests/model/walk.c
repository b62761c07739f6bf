// SPDX-License-Identifier: GPL-2.0-or-later
/* Random runs to their ends, for products that are too large to be explored. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

#define WALK_STEPS 2000 /* far beyond the longest run of the configurations in use */

/* xorshift64*: runs must be the same everywhere. */
static uint64_t draw(uint64_t *x)
{
	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * 2685821657736338717ull;
}

/*
 * Uniform choices alone hardly ever leave a thread behind for long. So a walk may favour the first
 * or the last of the steps, which are ordered by thread.
 */
static unsigned choose(uint64_t *x, unsigned n, unsigned bias)
{
	uint64_t r = draw(x) >> 11;

	if (bias == 1 && r % 3)
		return 0;
	if (bias == 2 && r % 3)
		return n - 1;
	return (r >> 8) % n;
}

/* `s` is where the run stands; its steps are in `m`. */
static enum model_bad walk_end(struct model_steps *m, const struct model_state *s)
{
	bool goes_on = false;

	for (unsigned k = 0; k < m->n; k++)
		goes_on |= !m->next[k].outside;
	return goes_on ? MODEL_OK : model_end(m->c, s);
}

static enum model_bad walk_once(struct model_steps *m, uint64_t *x, struct model_result *r,
				FILE *out)
{
	unsigned bias = draw(x) % 4;
	struct model_state s;

	model_start(m->c, &s);
	for (r->depth = 0; r->depth < WALK_STEPS; r->depth++) {
		const struct model_next *next;
		enum model_bad bad;

		model_steps(m, &s);
		bad = walk_end(m, &s);
		if (bad || !m->n)
			return bad;
		next = &m->next[choose(x, m->n, bias)];
		if (out)
			fprintf(out, "  %s\n", next->label);
		s = next->s;
		model_normalise(m->c, &s);
		r->steps++;
		if (s.bad)
			return s.bad;
	}
	return MODEL_I4_STUCK;
}

/* The same run again, told step by step. */
static void walk_trace(struct model_steps *m, uint64_t seed, struct model_result *r)
{
	size_t size;
	FILE *out = open_memstream(&r->trace, &size);

	if (!out)
		return;
	m->labels = true;
	walk_once(m, &seed, r, out);
	fprintf(out, "  %s\n", model_bad_name(r->bad));
	fclose(out);
}

int model_walk(const struct model_config *c, unsigned walks, uint64_t seed, struct model_result *r)
{
	struct model_steps *m = calloc(1, sizeof(*m));
	clock_t begin = clock();

	if (!m)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	m->c = c;
	for (unsigned i = 0; i < walks && !r->bad; i++) {
		uint64_t x = seed, again = seed;

		r->bad = walk_once(m, &x, r, NULL);
		r->states++;
		if (r->bad)
			walk_trace(m, again, r);
		seed = x;
	}
	r->complete = !r->bad;
	r->seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
	free(m);
	return 0;
}
