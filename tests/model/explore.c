// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Breadth-first search over full packed states (no fingerprints: nothing is left to luck). States
 * are kept in the order in which they are found, which is the queue too; each knows its parent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "model.h"

#define STATES_MAX 400000000ull /* address space only: pages come with use */
#define TABLE_FIRST (1u << 16)

struct store {
	const struct model_config *c;
	unsigned words; /* of a key; fixed by the first pass over the configuration */
	uint64_t *key; /* [n][words] */
	uint32_t *parent;
	uint32_t n;
	uint32_t *slot; /* 1 + index, 0 free; linear probing */
	uint64_t slots;
};

static void *reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static uint64_t key_hash(const uint64_t *w, unsigned words)
{
	uint64_t h = 0x9e3779b97f4a7c15ull;

	for (unsigned i = 0; i < words; i++) {
		h = (h ^ w[i]) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}

static bool table_grow(struct store *st)
{
	uint64_t slots = st->slots ? st->slots * 2 : TABLE_FIRST;
	uint32_t *slot = reserve(slots * sizeof(*slot));

	if (!slot)
		return false;
	for (uint32_t i = 0; i < st->n; i++) {
		uint64_t h = key_hash(st->key + (size_t)i * st->words, st->words) & (slots - 1);

		while (slot[h])
			h = (h + 1) & (slots - 1);
		slot[h] = i + 1;
	}
	release(st->slot, st->slots * sizeof(*slot));
	st->slot = slot;
	st->slots = slots;
	return true;
}

static bool store_init(struct store *st, const struct model_config *c, unsigned words)
{
	*st = (struct store){.c = c, .words = words};
	st->key = reserve(STATES_MAX * words * sizeof(*st->key));
	st->parent = reserve(STATES_MAX * sizeof(*st->parent));
	return st->key && st->parent && table_grow(st);
}

static void store_free(struct store *st)
{
	release(st->key, STATES_MAX * st->words * sizeof(*st->key));
	release(st->parent, STATES_MAX * sizeof(*st->parent));
	release(st->slot, st->slots * sizeof(*st->slot));
}

static bool key_equal(const uint64_t *a, const uint64_t *b, unsigned words)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < words; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* True if the state is new. */
static bool store_add(struct store *st, const uint64_t *w, uint32_t parent)
{
	uint64_t h = key_hash(w, st->words) & (st->slots - 1);

	for (; st->slot[h]; h = (h + 1) & (st->slots - 1))
		if (key_equal(st->key + (size_t)(st->slot[h] - 1) * st->words, w, st->words))
			return false;
	memcpy(st->key + (size_t)st->n * st->words, w, st->words * sizeof(*w));
	st->parent[st->n] = parent;
	st->slot[h] = ++st->n;
	return true;
}

static void store_get(const struct store *st, uint32_t i, struct model_state *s)
{
	struct model_key key = {0};

	memcpy(key.w, st->key + (size_t)i * st->words, st->words * sizeof(key.w[0]));
	model_unpack(st->c, &key, s);
}

/* The queues' names in a label, exchanged. */
static void label_swap(char *label)
{
	for (char *p = label; (p = strchr(p, 'q')); p++)
		if (p[1] == '0' || p[1] == '1')
			p[1] ^= 1;
}

/* The step that led from state `i` to its child `j`, as text; true if that exchanged the queues. */
static bool trace_step(const struct store *st, struct model_steps *m, uint32_t i, uint32_t j,
		       FILE *out, bool swapped)
{
	const uint64_t *want = st->key + (size_t)j * st->words;
	struct model_state s;

	store_get(st, i, &s);
	model_steps(m, &s);
	for (unsigned k = 0; k < m->n; k++) {
		struct model_key key = {0};
		unsigned words;
		bool swap;

		model_normalise(st->c, &m->next[k].s);
		swap = model_pack(st->c, &m->next[k].s, &key, &words);
		if (memcmp(key.w, want, st->words * sizeof(*want)))
			continue;
		if (swapped)
			label_swap(m->next[k].label);
		fprintf(out, "  %s\n", m->next[k].label);
		return swapped ^ swap;
	}
	fprintf(out, "  (no step leads on: packing is wrong)\n");
	return swapped;
}

static void trace(const struct store *st, struct model_steps *m, uint32_t last,
		  struct model_result *r)
{
	uint32_t *path, n = 0;
	bool swapped = false;
	size_t size;
	FILE *out;

	for (uint32_t i = last; i; i = st->parent[i])
		n++;
	path = malloc((n + 1) * sizeof(*path));
	out = open_memstream(&r->trace, &size);
	if (path && out) {
		for (uint32_t i = last, k = n; k; i = st->parent[i])
			path[k--] = i;
		path[0] = 0;
		m->labels = true;
		for (uint32_t k = 0; k < n; k++)
			swapped = trace_step(st, m, path[k], path[k + 1], out, swapped);
		fprintf(out, "  %s\n", model_bad_name(r->bad));
	}
	if (out)
		fclose(out);
	free(path);
	r->depth = n;
}

/* Successors of state `i`. 0, or -ENOMEM; a violation is left in `r`, with the state that shows it.
 */
static int expand(struct store *st, struct model_steps *m, uint32_t i, struct model_result *r,
		  uint32_t *culprit)
{
	bool goes_on = false;
	struct model_state s;

	store_get(st, i, &s);
	model_steps(m, &s);
	r->steps += m->n;
	for (unsigned k = 0; k < m->n && !r->bad; k++) {
		struct model_key key = {0};
		unsigned words;

		goes_on |= !m->next[k].outside;
		model_normalise(st->c, &m->next[k].s);
		model_pack(st->c, &m->next[k].s, &key, &words);
		if (words > st->words)
			return -E2BIG;
		if (st->n * 2ull > st->slots && !table_grow(st))
			return -ENOMEM;
		if (store_add(st, key.w, i) && m->next[k].s.bad) {
			r->bad = m->next[k].s.bad;
			*culprit = st->n - 1;
		}
	}
	if (!r->bad && !goes_on) {
		r->bad = model_end(st->c, &s);
		*culprit = i;
	}
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static int explore(struct store *st, struct model_steps *m, struct model_result *r)
{
	uint64_t limit = st->c->limit ? st->c->limit : STATES_MAX - MODEL_FANOUT;
	struct model_key key = {0};
	uint32_t culprit = 0;
	struct model_state s;
	unsigned words;
	int ret = 0;

	m->c = st->c;
	model_start(st->c, &s);
	model_normalise(st->c, &s);
	model_pack(st->c, &s, &key, &words);
	store_add(st, key.w, 0);
	for (uint32_t i = 0; i < st->n && !r->bad && !ret && st->n < limit; i++) {
		ret = expand(st, m, i, r, &culprit);
		r->complete = i + 1 == st->n;
	}
	r->states = st->n;
	r->memory = st->n * (st->words * sizeof(uint64_t) + sizeof(uint32_t)) +
		    st->slots * sizeof(uint32_t);
	if (r->bad)
		trace(st, m, culprit, r);
	return ret;
}

int model_explore(const struct model_config *c, struct model_result *r)
{
	struct model_steps *m = calloc(1, sizeof(*m));
	double begin = now();
	int ret = m ? -E2BIG : -ENOMEM;

	/* most configurations need three or four words; the few larger ones start again with more
	 */
	for (unsigned words = 3; ret == -E2BIG && words <= MODEL_KEY; words++) {
		struct store st;

		memset(r, 0, sizeof(*r));
		m->labels = false;
		ret = store_init(&st, c, words) ? explore(&st, m, r) : -ENOMEM;
		store_free(&st);
	}
	r->seconds = now() - begin;
	free(m);
	return ret;
}
