// SPDX-License-Identifier: GPL-2.0-or-later
/* How many workers there should be. */
#include <criterion/criterion.h>
#include <math.h>

#include "control/scale.h"

#define MS 1000000ULL
#define TICK (100 * MS)

static struct sl_scale scale_new(void)
{
	return (struct sl_scale){.opts = {.target = 0.8,
					  .ahead_ns = 500 * MS,
					  .hold_ns = 1000 * MS,
					  .least = 1,
					  .most = 16}};
}

/* So many ticks of the same load; returns the last answer. */
static unsigned steady(struct sl_scale *s, uint64_t *now, double load, unsigned ticks)
{
	unsigned n = 0;

	while (ticks--)
		n = sl_scale_workers(s, *now += TICK, load);
	return n;
}

Test(scale, as_few_as_hold_the_target)
{
	for (double load = 0.05; load < 12; load += 0.35) {
		struct sl_scale s = scale_new();
		uint64_t now = 0;
		unsigned want = (unsigned)fmax(1, ceil(load / 0.8 - 0.02));

		cr_expect_eq(steady(&s, &now, load, 30), want, "%.2f", load);
	}
}

Test(scale, least_and_most)
{
	struct sl_scale s = scale_new();
	uint64_t now = 0;

	s.opts.least = 2;
	cr_expect_eq(steady(&s, &now, 0, 30), 2);
	cr_expect_eq(steady(&s, &now, 100, 1), 16, "at once");
}

/* A rising load gets its worker before it needs it; a step at once. */
Test(scale, early_on_the_trend)
{
	struct sl_scale s = scale_new();
	uint64_t now = 0;
	double load = 1;
	unsigned n;

	steady(&s, &now, load, 20);
	do {
		load += 0.05;
		n = sl_scale_workers(&s, now += TICK, load);
	} while (n == 2);
	cr_expect(load < 1.6 - 0.1, "the third came at a load of %.2f", load);
	cr_expect_eq(steady(&s, &now, 6, 1), 8, "a step");
}

/* Only when fewer have been enough for the whole hold time. */
Test(scale, late_when_it_falls)
{
	struct sl_scale s = scale_new();
	uint64_t now = 0;
	unsigned ticks = 0;

	steady(&s, &now, 6, 30);
	while (sl_scale_workers(&s, now += TICK, 2) == 8)
		ticks++;
	cr_expect(ticks >= 9 && ticks <= 20, "after %u ticks", ticks);
	cr_expect_eq(steady(&s, &now, 2, 30), 3);
}

/* A load that swings around a boundary keeps its worker. */
Test(scale, no_ping_pong)
{
	struct sl_scale s = scale_new();
	uint64_t now = 0;
	unsigned last, changes = 0;

	last = steady(&s, &now, 2.4, 30);
	for (unsigned i = 0; i < 600; i++) {
		unsigned n = sl_scale_workers(&s, now += TICK, i % 4 < 2 ? 2.35 : 2.5);

		changes += n != last;
		last = n;
	}
	cr_expect(changes <= 1 && last == 4, "%u changes, %u workers", changes, last);
}

Test(scale, a_long_pause_is_no_trend)
{
	struct sl_scale s = scale_new();
	uint64_t now = 0;

	steady(&s, &now, 2.3, 30);
	now += 3600ULL * 1000 * MS;
	cr_expect_eq(steady(&s, &now, 2.3, 1), 3);
	cr_expect_eq(steady(&s, &now, 0.1, 60), 1);
}
