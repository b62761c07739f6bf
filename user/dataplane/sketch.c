// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <string.h>

#include "dataplane/sketch.h"

/* Then all counts are halved: what was heavy long ago fades. */
#define FADE_SAMPLES 4096

static void fade(struct sl_sketch *s)
{
	s->total = 0;
	for (unsigned i = 0; i < SL_SKETCH_FLOWS; i++)
		s->total += s->flow[i].cycles /= 2;
	s->samples /= 2;
}

void sketch_add(struct sl_sketch *s, uint32_t bucket, const struct sl_flow_key *key,
		uint64_t cycles)
{
	struct sl_sketch_flow *least = &s->flow[0];

	if (s->bucket != bucket + 1)
		*s = (struct sl_sketch){.bucket = bucket + 1};
	if (++s->samples >= FADE_SAMPLES)
		fade(s);
	s->total += cycles;
	for (unsigned i = 0; i < SL_SKETCH_FLOWS; i++) {
		struct sl_sketch_flow *f = &s->flow[i];

		if (f->cycles && !memcmp(&f->key, key, sizeof(*key))) {
			f->cycles += cycles;
			return;
		}
		if (f->cycles < least->cycles)
			least = f;
	}
	least->key = *key;
	least->cycles += cycles;
}

static void put(struct sl_heavy_flow *out, const struct sl_sketch_flow *f, uint64_t total)
{
	memcpy(out->addr, f->key.addr, sizeof(out->addr));
	memcpy(out->port, f->key.port, sizeof(out->port));
	out->proto = f->key.proto;
	out->share = (uint16_t)(f->cycles >= total ? 1000 : f->cycles * 1000 / total);
}

void sketch_top(const struct sl_sketch *s, struct sl_elephant *out)
{
	bool taken[SL_SKETCH_FLOWS] = {false};

	*out = (struct sl_elephant){.bucket = s->bucket, .samples = s->samples};
	while (out->flows < SL_HEAVY_FLOWS) {
		int best = -1;

		for (int i = 0; i < SL_SKETCH_FLOWS; i++)
			if (!taken[i] && s->flow[i].cycles &&
			    (best < 0 || s->flow[i].cycles > s->flow[best].cycles))
				best = i;
		if (best < 0)
			break;
		taken[best] = true;
		put(&out->flow[out->flows++], &s->flow[best], s->total);
	}
}
