// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_BITS 64

int gen_tally_init(struct gen_tally *t, uint32_t flows)
{
	memset(t, 0, sizeof(*t));
	t->flow = calloc(flows, sizeof(*t->flow));
	if (!t->flow)
		return -ENOMEM;
	t->flows = flows;
	for (uint32_t i = 0; i < flows; i++)
		t->flow[i].bits = SMALL_BITS;
	return 0;
}

void gen_tally_free(struct gen_tally *t)
{
	for (uint32_t i = 0; i < t->flows; i++)
		if (t->flow[i].bits > SMALL_BITS)
			free(t->flow[i].map);
	free(t->flow);
	memset(t, 0, sizeof(*t));
}

static uint64_t *words(struct gen_tally_flow *f)
{
	return f->bits > SMALL_BITS ? f->map : &f->small;
}

/*
 * Until a bitmap has its full size it starts at sequence number 0, so that growing is copying.
 * Returns false if seq is beyond what the bitmap holds without going round.
 */
static bool grow(struct gen_tally_flow *f, uint64_t seq)
{
	uint32_t bits = f->bits;
	uint64_t *map;

	if (f->next > f->bits)
		return false; /* it already goes round */
	while (bits < TALLY_WINDOW && seq >= bits)
		bits *= 2;
	if (bits == f->bits)
		return false;
	map = calloc(bits / 64, sizeof(*map));
	if (!map)
		return false;
	memcpy(map, words(f), f->bits / 8);
	if (f->bits > SMALL_BITS)
		free(f->map);
	f->map = map;
	f->bits = bits;
	return true;
}

/* Forget what the bitmap held for the numbers `next` to `seq`, which come round to the same bits.
 */
static void advance(struct gen_tally_flow *f, uint64_t seq)
{
	uint64_t *map = words(f);

	if (seq - f->next >= f->bits) {
		memset(map, 0, f->bits / 8);
		return;
	}
	for (uint64_t s = f->next; s <= seq; s++)
		map[(s & (f->bits - 1)) / 64] &= ~(1ULL << (s % 64));
}

enum gen_arrival gen_tally_add(struct gen_tally *t, uint32_t flow, uint64_t seq)
{
	struct gen_tally_flow *f;
	enum gen_arrival arrival = GEN_NEW;
	uint64_t *word, bit = 1ULL << (seq % 64);

	if (flow >= t->flows) {
		t->foreign++;
		return GEN_FOREIGN;
	}
	f = &t->flow[flow];
	t->received++;
	if (seq >= f->next) {
		if (seq >= f->bits)
			grow(f, seq);
		if (seq >= f->bits)
			advance(f, seq);
		f->next = seq + 1;
	} else {
		if (f->next - 1 - seq > t->reach_max)
			t->reach_max = f->next - 1 - seq;
		if (f->next - seq > f->bits) {
			t->beyond++;
			return GEN_BEYOND;
		}
		arrival = GEN_LATE;
	}
	word = &words(f)[(seq & (f->bits - 1)) / 64];
	if (*word & bit) {
		t->duplicated++;
		return GEN_DUPLICATE;
	}
	*word |= bit;
	if (arrival == GEN_LATE)
		t->reordered++;
	return arrival;
}

uint64_t gen_tally_unique(const struct gen_tally *t)
{
	return t->received - t->duplicated;
}
