// SPDX-License-Identifier: GPL-2.0-or-later
/* The loss identities over an instance in plain memory: no interface, so no map is asked. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "platform/losses.h"

#define WORKERS 3

static struct sl_worker worker[WORKERS];
static struct sl_control control;
static struct sl_drop_reason reasons[SL_DROP_REASONS];
static struct sl_instance inst = {
	.max_workers = WORKERS, .workers = worker, .control = &control, .drop_reasons = reasons};

static void fill(void)
{
	worker[0].rx_packets = 100;
	worker[0].forwarded = 60;
	worker[0].consumed = 30;
	worker[0].nf_drop[2] = 4;
	worker[0].held = 6;
	worker[2].rx_packets = 50;
	worker[2].forwarded = 40;
	worker[2].nf_drop[2] = 1;
	worker[2].nf_drop[9] = 5;
	worker[2].park_overflow = 3;
	worker[2].stray = 1;
	worker[2].ring_full = 7;
	worker[1].no_frame = 8;
	control.abandoned = 11;
	control.abandoned_rx = 11;
	control.redirect_error = 9;
	strcpy(reasons[2].name, "malformed");
}

Test(losses, sums_every_writer)
{
	struct sl_losses l;

	fill();
	cr_assert_eq(sl_losses_read(&inst, &l), 0);
	cr_assert_eq(l.delivered, 161);
	cr_assert_eq(l.forwarded, 100);
	cr_assert_eq(l.consumed, 30);
	cr_assert_eq(sl_losses_nf_drops(&l), 10);
	cr_assert_eq(l.ring_full, 7);
	cr_assert_eq(l.no_frame, 8);
	cr_assert_eq(l.redirect_error, 9);
	cr_assert_eq(l.abandoned, 11);
	cr_assert_eq(sl_losses_gap_out(&l), 0);
	cr_assert_eq(sl_losses_gap_in(&l), -161 - 7 - 8 - 9);
}

/* Each named cause is part of exactly one identity. */
Test(losses, each_cause_counts_once)
{
	struct sl_losses l = {.seen = 36,
			      .delivered = 15,
			      .ring_full = 1,
			      .no_frame = 2,
			      .no_slot = 3,
			      .stamp_error = 4,
			      .bad_row = 5,
			      .redirect_error = 6,
			      .forwarded = 1,
			      .consumed = 2,
			      .park_overflow = 1,
			      .stray = 1,
			      .held = 1,
			      .abandoned = 1,
			      .nf_drop = {[0] = 3, [SL_DROP_REASONS - 1] = 5}};

	cr_assert_eq(sl_losses_gap_in(&l), 0);
	cr_assert_eq(sl_losses_gap_out(&l), 0);
	l.stray++;
	cr_assert_eq(sl_losses_gap_out(&l), -1);
	l.seen += 3;
	cr_assert_eq(sl_losses_gap_in(&l), 3);
}

Test(losses, what_passes_is_not_lost)
{
	struct sl_losses l = {.steer = {[SL_PASS_ARP] = 1,
					[SL_PASS_UNKNOWN] = 2,
					[SL_PASS_UNCONFIGURED] = 4,
					[SL_NO_SLOT] = 8,
					[SL_BAD_ROW] = 16,
					[SL_STAMP_ERROR] = 32,
					[SL_INFO_FRAGMENT] = 64}};

	cr_assert_eq(sl_losses_passed(&l), 7);
}

Test(losses, still_numbers_are_quiet)
{
	struct sl_losses l;
	bool quiet = false;

	worker[0].rx_packets = 0;
	cr_assert_eq(sl_losses_read_quiet(&inst, 20, &l, &quiet), 0);
	cr_assert(quiet);
}

Test(losses, json_has_the_documented_keys)
{
	static const char *const keys[] = {
		"seen",		 "delivered", "ring_full",	"no_frame",  "no_slot",
		"stamp_error",	 "bad_row",   "redirect_error", "forwarded", "consumed",
		"park_overflow", "stray",     "held",		"abandoned", "passed_to_stack",
	};
	struct sl_losses l;
	json_t *doc;

	fill();
	cr_assert_eq(sl_losses_read(&inst, &l), 0);
	doc = sl_losses_json(&inst, &l, true);
	cr_assert_not_null(doc);
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cr_assert(json_is_integer(json_object_get(doc, keys[i])), "%s", keys[i]);
	cr_assert_eq(
		json_integer_value(json_object_get(json_object_get(doc, "nf_drop"), "malformed")),
		5);
	cr_assert_eq(
		json_integer_value(json_object_get(json_object_get(doc, "nf_drop"), "reason9")), 5);
	cr_assert(json_is_true(json_object_get(json_object_get(doc, "identity_ok"), "out")));
	cr_assert(json_is_false(json_object_get(json_object_get(doc, "identity_ok"), "in")));
	json_decref(doc);
}
