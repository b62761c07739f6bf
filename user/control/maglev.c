// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "control/maglev.h"
#include "siphash.h"

/* A server's order of the rows: an odd step visits each of a power of two. */
struct walk {
	uint64_t name;
	uint32_t at, step;
	uint32_t weight;
	uint32_t credit;
	uint16_t id;
};

size_t sl_maglev_scratch(unsigned n)
{
	return (n ? n : 1) * sizeof(struct walk);
}

static int by_name(const void *a, const void *b)
{
	const struct walk *x = a, *y = b;

	return (x->name > y->name) - (x->name < y->name);
}

static void walk_begin(struct walk *w, const struct sl_maglev_server *s, unsigned rows)
{
	const __u64 key[2] = {0x536c756963650a4dULL, 0x61676c65760a0001ULL};
	struct sl_sip sip = sl_sip_begin(key);
	uint64_t hash;

	sl_sip_word(&sip, s->name);
	hash = sl_sip_end(&sip, 8);
	*w = (struct walk){.name = s->name,
			   .at = (uint32_t)hash & (rows - 1),
			   .step = (uint32_t)(hash >> 32) | 1,
			   .weight = s->weight,
			   .id = s->id};
}

/* The server's next row that nobody has. */
static uint32_t next_free(struct walk *w, const uint16_t *row, unsigned rows, uint16_t nobody)
{
	while (row[w->at] != nobody)
		w->at = (w->at + w->step) & (rows - 1);
	return w->at;
}

/* In every round a server of the largest weight has a turn, one of half of it in every second. */
void sl_maglev_fill(const struct sl_maglev_server *servers, unsigned n, uint16_t *row,
		    unsigned rows, uint16_t nobody, void *scratch)
{
	struct walk *walk = scratch;
	uint32_t most = 1;
	unsigned dealt = 0;

	for (unsigned i = 0; i < rows; i++)
		row[i] = nobody;
	for (unsigned i = 0; i < n; i++) {
		walk_begin(&walk[i], &servers[i], rows);
		if (walk[i].weight > most)
			most = walk[i].weight;
	}
	qsort(walk, n, sizeof(*walk), by_name);
	for (unsigned i = 0; n && dealt < rows; i = (i + 1) % n) {
		walk[i].credit += walk[i].weight;
		if (walk[i].credit < most)
			continue;
		walk[i].credit -= most;
		row[next_free(&walk[i], row, rows, nobody)] = walk[i].id;
		dealt++;
	}
}
