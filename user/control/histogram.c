// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/histogram.h"

#include <math.h>

#define STEP_BITS SL_HISTOGRAM_STEP_BITS

/* Below 2 * 2^STEP_BITS every value has a step of its own; above, a step spans 2^(bits above). */
static unsigned step_of(uint64_t value)
{
	unsigned above;

	if (value >> SL_HISTOGRAM_VALUE_BITS)
		return SL_HISTOGRAM_STEPS - 1;
	if (value >> STEP_BITS == 0)
		return (unsigned)value;
	above = 63 - STEP_BITS - (unsigned)__builtin_clzll(value);
	return (above << STEP_BITS) + (unsigned)(value >> above);
}

static uint64_t last_value_of(unsigned step)
{
	unsigned above = step >> STEP_BITS;

	if (!above)
		return step;
	above--;
	return ((((uint64_t)step - ((uint64_t)above << STEP_BITS)) + 1) << above) - 1;
}

void sl_histogram_add(struct sl_histogram *h, uint64_t value)
{
	if (!h->n || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->n++;
	h->count[step_of(value)]++;
}

void sl_histogram_merge(struct sl_histogram *into, const struct sl_histogram *from)
{
	if (!from->n)
		return;
	if (!into->n || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->n += from->n;
	for (unsigned i = 0; i < SL_HISTOGRAM_STEPS; i++)
		into->count[i] += from->count[i];
}

uint64_t sl_histogram_quantile(const struct sl_histogram *h, double q)
{
	uint64_t want = (uint64_t)ceil(q * (double)h->n), seen = 0, value;

	if (!h->n)
		return 0;
	if (want < 1)
		want = 1;
	for (unsigned i = 0; i < SL_HISTOGRAM_STEPS - 1; i++) {
		seen += h->count[i];
		if (seen < want)
			continue;
		value = last_value_of(i);
		return value < h->max ? value : h->max;
	}
	return h->max;
}
