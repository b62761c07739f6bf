// SPDX-License-Identifier: GPL-2.0-or-later
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/gen/pace.h"
#include "cli/gen/report.h"
#include "cli/options.h"
#include "cli/output.h"

#define PACKETS 200000
#define WAITS 2000
#define WAIT_NS 50000 /* what 20,000 packets a second would wait */

static double clock_ns(void)
{
	const uint64_t began = gen_now_ns();

	for (unsigned i = 0; i < PACKETS; i++)
		gen_now_ns();
	return (double)(gen_now_ns() - began) / PACKETS;
}

/* As the sender makes them, one clock reading each. Stamps go on where the plan's stood. */
static double make_ns(struct gen_plan *plan, uint8_t *frame)
{
	struct gen_source source;
	uint64_t began, now;

	gen_source_init(&source, plan, gen_now_ns());
	began = now = gen_now_ns();
	for (unsigned i = 0; i < PACKETS; i++) {
		struct gen_pick pick = gen_source_pick(&source, now);

		now = gen_now_ns();
		gen_source_write(&source, &pick, frame, now);
	}
	return (double)(gen_now_ns() - began) / PACKETS;
}

static void wait_error(struct sl_histogram *late, uint64_t margin_ns)
{
	uint64_t until = gen_now_ns();

	for (unsigned i = 0; i < WAITS; i++) {
		uint64_t now;

		until += WAIT_NS;
		do
			gen_wait_until(until, margin_ns);
		while ((now = gen_now_ns()) < until);
		sl_histogram_add(late, now - until);
	}
}

int gen_calibrate(struct gen_plan *plan)
{
	struct sl_histogram *late = calloc(1, sizeof(*late));
	uint8_t *frame = calloc(1, 4096);
	json_t *o = NULL;

	if (late && frame) {
		const struct gen_clock_offset clock = gen_clock_offset();
		const uint64_t margin = gen_spin_margin_ns();

		wait_error(late, margin);
		o = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "clock_ns", clock_ns(),
			      "gen_ns_per_packet", make_ns(plan, frame), "clock_error_us",
			      (double)clock.error_ns / 1e3, "spin_us", (double)margin / 1e3,
			      "pace_p50_us", (double)sl_histogram_quantile(late, 0.5) / 1e3,
			      "pace_p99_us", (double)sl_histogram_quantile(late, 0.99) / 1e3,
			      "pace_max_us", (double)late->max / 1e3);
	}
	free(frame);
	free(late);
	if (cli.json || !o)
		return output_json(o);
	printf("making a packet     %.1f ns, of which the clock %.1f\n",
	       json_number_value(json_object_get(o, "gen_ns_per_packet")),
	       json_number_value(json_object_get(o, "clock_ns")));
	printf("sender, receiver    clocks agree to %.2f us\n",
	       json_number_value(json_object_get(o, "clock_error_us")));
	printf("pacing              late by p50 %.1f us, p99 %.1f, max %.1f; spins the last %.1f\n",
	       json_number_value(json_object_get(o, "pace_p50_us")),
	       json_number_value(json_object_get(o, "pace_p99_us")),
	       json_number_value(json_object_get(o, "pace_max_us")),
	       json_number_value(json_object_get(o, "spin_us")));
	json_decref(o);
	return 0;
}
