// SPDX-License-Identifier: GPL-2.0-or-later
/* What a connection adds to a core, found again in reports that were made by a known rule. */
#include <criterion/criterion.h>

#include "control/lb_flow.h"
#include "sim/random.h"

/* Reports of 16 cores: each connection adds `adds`, a share `ends` of the load goes at each. */
static double learned(double adds, double ends, double noise, unsigned reports)
{
	struct sl_lb_flow f = {0};
	struct sim_random r;
	double load[16] = {0}, before[16] = {0};

	sim_random_init(&r, 1, 1);
	for (unsigned k = 0; k < reports; k++)
		for (unsigned i = 0; i < 16; i++) {
			double sent = sim_random_unit(&r) * 20 + (i == k % 16) * 40, was = load[i];

			load[i] += adds * (sent + before[i]) / 2 - ends * load[i];
			load[i] += noise * load[i] * sim_random_normal(&r);
			sl_lb_flow_observe(&f, was, load[i], sent, before[i]);
			before[i] = sent;
		}
	return sl_lb_flow_added(&f);
}

Test(lb_flow, is_found_again)
{
	for (double ends = 0.01; ends < 0.5; ends *= 3) {
		cr_expect_float_eq(learned(0.002, ends, 0, 500), 0.002, 1e-5, "%g", ends);
		cr_expect_float_eq(learned(0.002, ends, 0.02, 500), 0.002, 4e-4, "%g: %g", ends,
				   learned(0.002, ends, 0.02, 500));
		cr_expect_float_eq(learned(2, ends, 0, 500), 2, 1e-2, "any unit");
	}
}

Test(lb_flow, nothing_known_is_nothing)
{
	struct sl_lb_flow f = {0};

	cr_expect_eq(sl_lb_flow_added(&f), 0);
	for (unsigned i = 0; i < 100; i++)
		sl_lb_flow_observe(&f, 0.5, 0.5, 0, 0);
	cr_expect_eq(sl_lb_flow_added(&f), 0, "no connections");
	for (unsigned i = 0; i < 100; i++)
		sl_lb_flow_observe(&f, 0, 0, 5, 5);
	cr_expect_eq(sl_lb_flow_added(&f), 0, "no load");
}

/* Load that falls with connections, and load that rises by more than there is. */
Test(lb_flow, is_within_reason)
{
	struct sl_lb_flow falls = {0}, leaps = {0};

	for (unsigned i = 0; i < 5000; i++) {
		double sent = i % 7;

		sl_lb_flow_observe(&falls, 0.5 + 0.01 * (i % 3), 0.5 - 0.1 * sent, sent, sent);
		sl_lb_flow_observe(&leaps, 0.5 + 0.01 * (i % 3), 0.5 + 9 * sent, sent, sent);
	}
	cr_expect_eq(sl_lb_flow_added(&falls), 0);
	cr_expect_float_eq(sl_lb_flow_added(&leaps), 0.51 / 3, 0.005, "%g",
			   sl_lb_flow_added(&leaps));
}
