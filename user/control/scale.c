// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/scale.h"

#include <math.h>

/*
 * The level follows within a few ticks; the slope is a difference of levels, noisier, and averaged
 * over longer.
 */
#define LEVEL_SECONDS 0.15
#define SLOPE_SECONDS 0.5
/* A load this close above what n workers hold does not ask for one more. */
#define SLACK 0.02

static void follow(struct sl_scale *s, double dt, double load)
{
	double alpha = -expm1(-dt / LEVEL_SECONDS), beta = -expm1(-dt / SLOPE_SECONDS);
	double was = s->level, expected = s->level + s->slope * dt;

	s->level = expected + (load - expected) * alpha;
	s->slope += ((s->level - was) / dt - s->slope) * beta;
}

/* A falling trend is not followed: a worker goes when the load has fallen. */
static unsigned wanted_now(const struct sl_scale *s, double load)
{
	double ahead = s->slope > 0 ? s->slope * (double)s->opts.ahead_ns / 1e9 : 0;
	/* What is there already cannot be smoothed away. */
	double n = ceil(fmax(s->level + ahead, load) / s->opts.target - SLACK);

	n = fmax(n, s->opts.least);
	return (unsigned)fmin(n, s->opts.most);
}

/* Keep the latest slots of the hold time; an old one is begun anew. */
static void remember(struct sl_scale *s, uint64_t now_ns, unsigned wanted)
{
	uint64_t width = s->opts.hold_ns / (SL_SCALE_SLOTS - 1) + 1;

	for (unsigned i = 0; i < SL_SCALE_SLOTS && now_ns - s->slot_ns >= width; i++) {
		s->slot = (s->slot + 1) % SL_SCALE_SLOTS;
		s->wanted[s->slot] = wanted;
		s->slot_ns += width;
	}
	if (now_ns - s->slot_ns >= width)
		s->slot_ns = now_ns; /* a long pause */
	sl_scale_want(s, wanted);
}

void sl_scale_want(struct sl_scale *s, unsigned workers)
{
	if (workers > s->wanted[s->slot])
		s->wanted[s->slot] = workers;
}

unsigned sl_scale_workers(struct sl_scale *s, uint64_t now_ns, double load)
{
	unsigned most = 0;

	if (!s->last_ns) {
		s->level = load;
		s->slot_ns = now_ns;
	} else if (now_ns > s->last_ns) {
		follow(s, (double)(now_ns - s->last_ns) / 1e9, load);
	}
	s->last_ns = now_ns;
	remember(s, now_ns, wanted_now(s, load));
	for (unsigned i = 0; i < SL_SCALE_SLOTS; i++)
		if (s->wanted[i] > most)
			most = s->wanted[i];
	return most;
}
