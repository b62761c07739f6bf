// SPDX-License-Identifier: GPL-2.0-or-later
/* What the shares of tenants become, of a made-up instance. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/tenants.h"

/* An instance of 10^9 cycles a second, one queue, sampled each 100 ms */

#define HZ 1e9
#define LIGHT 1
#define STEADY 2
#define FLOOD 3

struct made {
	struct sl_tenants *t;
	struct sl_tenants_opts opts;
	struct sl_tenant_arrived arrived[SL_MAX_TENANTS];
	struct sl_tenant_done done[SL_MAX_TENANTS];
	uint64_t now_ns;
	unsigned left_out; /* of what is asked; 0: nobody */
	double flows; /* bytes that flows may take */
	double pps[SL_MAX_TENANTS], bytes[SL_MAX_TENANTS], cycles[SL_MAX_TENANTS];
};

static struct made *made(enum sl_policy policy)
{
	struct made *m = calloc(1, sizeof(*m));

	m->t = sl_tenants_new(1);
	m->opts =
		(struct sl_tenants_opts){.policy = policy, .half_life = 1, .weight = {1, 1, 1, 1}};
	m->opts.weight[0] = 0.001;
	for (unsigned i = 0; i < SL_MAX_TENANTS; i++) {
		m->bytes[i] = 100;
		m->cycles[i] = 1000;
	}
	sl_tenants_configure(m->t, &m->opts);
	return m;
}

/* `ticks` of 100 ms; of what came, workers do what the shares say. */
static void pass(struct made *m, unsigned ticks)
{
	while (ticks--) {
		struct sl_tenant_done done[SL_MAX_TENANTS];
		struct sl_tenants_sample s = {.now_ns = m->now_ns += 100000000,
					      .cycles = HZ,
					      .slots = 2048,
					      .flows = m->flows,
					      .queues = 1,
					      .arrived = m->arrived,
					      .done = done};

		for (unsigned i = 0; i < 4; i++) {
			const struct sl_tenant_view *v = sl_tenants_view(m->t, i);
			const double most = fmax(v->share, v->floor) * HZ / m->cycles[i];
			const double served = fmin(m->pps[i], most > 0 ? most : m->pps[i]);

			m->arrived[i].packets += (uint64_t)(m->pps[i] / 10);
			m->arrived[i].bytes += (uint64_t)(m->pps[i] / 10 * m->bytes[i]);
			m->done[i].packets += (uint64_t)(served / 10);
			m->done[i].bytes += (uint64_t)(served / 10 * m->bytes[i]);
			m->done[i].cycles += (uint64_t)(served / 10 * m->cycles[i]);
		}
		/* the daemon looks at no counters of who is not configured */
		memcpy(done, m->done, sizeof(done));
		if (m->left_out)
			done[m->left_out] = (struct sl_tenant_done){0};
		sl_tenants_run(m->t, &s);
	}
}

static void made_free(struct made *m)
{
	sl_tenants_free(m->t);
	free(m);
}

/* Packets a second that a gate's rate lets through. */
static double rate(uint64_t packet)
{
	return packet ? 1e9 * 1024 / (double)packet : INFINITY;
}

static struct sl_tenant_gate gate(const struct made *m, unsigned tenant)
{
	struct sl_tenant_gate g;

	sl_tenants_gate(m->t, 0, tenant, &g);
	return g;
}

Test(tenants, a_flood_leaves_the_others_their_floor)
{
	static const enum sl_policy policies[] = {SL_POLICY_MAXMIN, SL_POLICY_DRF, SL_POLICY_SDRF,
						  SL_POLICY_DRFQ};

	for (unsigned p = 0; p < 4; p++) {
		struct made *m = made(policies[p]);

		m->pps[LIGHT] = 100e3;
		m->pps[STEADY] = 300e3;
		m->pps[FLOOD] = 5e6;
		pass(m, 30);
		cr_expect_geq(rate(gate(m, LIGHT).share_packet), 100e3, "policy %u", p);
		cr_expect_geq(rate(gate(m, STEADY).share_packet), 300e3, "policy %u", p);
		cr_expect_leq(rate(gate(m, FLOOD).share_packet), 600e3, "policy %u", p);
		/* what the light one leaves is the flood's, and not before it is left */
		cr_expect_geq(rate(gate(m, FLOOD).share_packet), 450e3, "policy %u", p);
		cr_expect_leq(sl_tenants_view(m->t, FLOOD)->floor, 0.4, "policy %u", p);
		cr_expect_eq(sl_tenants_view(m->t, FLOOD)->dominant, SL_TENANT_CYCLES);
		made_free(m);
	}
}

Test(tenants, who_comes_back_has_a_floor_before_it_is_measured)
{
	struct made *m = made(SL_POLICY_DRF);

	m->pps[FLOOD] = 5e6;
	pass(m, 30);
	cr_expect_geq(rate(gate(m, FLOOD).share_packet), 990e3);
	cr_expect_geq(rate(gate(m, LIGHT).floor_packet), 300e3);
	cr_expect_leq(sl_tenants_view(m->t, FLOOD)->floor, 0.34);
	made_free(m);
}

Test(tenants, weights_divide)
{
	struct made *m = made(SL_POLICY_DRF);

	m->opts.weight[STEADY] = 3;
	sl_tenants_configure(m->t, &m->opts);
	m->pps[STEADY] = m->pps[FLOOD] = 5e6;
	pass(m, 30);
	cr_expect_float_eq(sl_tenants_view(m->t, STEADY)->share, 0.75, 0.01);
	cr_expect_float_eq(sl_tenants_view(m->t, FLOOD)->share, 0.25, 0.01);
	made_free(m);
}

/* Cycles are short for one, bytes for the other: DRF makes their dominant shares equal. */
Test(tenants, drf_equals_dominant_shares)
{
	struct made *m = made(SL_POLICY_DRF);

	m->opts.bytes = 100e6;
	sl_tenants_configure(m->t, &m->opts);
	m->pps[LIGHT] = m->pps[STEADY] = 2e6;
	m->bytes[LIGHT] = 10;
	m->bytes[STEADY] = 1000;
	pass(m, 30);
	cr_expect_eq(sl_tenants_view(m->t, LIGHT)->dominant, SL_TENANT_CYCLES);
	cr_expect_eq(sl_tenants_view(m->t, STEADY)->dominant, SL_TENANT_BYTES);
	cr_expect_float_eq(sl_tenants_view(m->t, LIGHT)->share,
			   sl_tenants_view(m->t, STEADY)->share, 1e-3);
	cr_expect_gt(sl_tenants_view(m->t, LIGHT)->share, 0.6);
	cr_expect_gt(gate(m, SL_TENANT_TOTAL).share_byte, 0);
	made_free(m);
}

/* SDRF remembers who had more: a burst then gets more than under DRF. */
Test(tenants, sdrf_gives_a_burst_more_than_drf)
{
	double share[2];

	for (unsigned k = 0; k < 2; k++) {
		struct made *m = made(k ? SL_POLICY_SDRF : SL_POLICY_DRF);

		m->opts.half_life = 10;
		sl_tenants_configure(m->t, &m->opts);
		m->pps[FLOOD] = 5e6;
		pass(m, 300);
		m->pps[LIGHT] = 1e6;
		pass(m, 10);
		share[k] = sl_tenants_view(m->t, LIGHT)->share;
		cr_expect_eq(sl_tenants_view(m->t, FLOOD)->commitment > 0.1, k == 1);
		made_free(m);
	}
	cr_expect_gt(share[1], share[0] + 0.1, "%f %f", share[0], share[1]);
}

/* Karma: a flood pays, who has less than is guaranteed earns, and goes first when it comes. */
Test(tenants, karma_gives_a_burst_what_it_has_earned)
{
	struct made *m = made(SL_POLICY_KARMA);
	double before, sum = 0;

	m->opts.borrowable = 0.5;
	sl_tenants_configure(m->t, &m->opts);
	before = sl_tenants_view(m->t, LIGHT)->credits;
	cr_expect_eq(before, sl_tenants_view(m->t, FLOOD)->credits);
	m->pps[FLOOD] = 5e6;
	pass(m, 100);
	cr_expect_gt(sl_tenants_view(m->t, LIGHT)->credits, before);
	cr_expect_lt(sl_tenants_view(m->t, FLOOD)->credits, before);
	cr_expect_eq(gate(m, FLOOD).turn_credit, 0, "the poorest");
	pass(m, 2000);
	cr_expect_geq(sl_tenants_view(m->t, FLOOD)->credits, 0);
	cr_expect_eq(gate(m, LIGHT).turn_credit, 200000000);
	m->pps[LIGHT] = 1e6;
	pass(m, 10);
	cr_expect_gt(sl_tenants_view(m->t, LIGHT)->share, sl_tenants_view(m->t, FLOOD)->share);
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++)
		sum += sl_tenants_view(m->t, i)->credits;
	cr_expect(isfinite(sum));
	made_free(m);
}

/* What workers are told of turns: weights, what a byte weighs, and who is ahead of whom. */
Test(tenants, turns_follow_weights_and_commitments)
{
	struct made *m = made(SL_POLICY_SDRF);

	m->opts.half_life = 10;
	m->opts.weight[LIGHT] = 2 * m->opts.weight[STEADY];
	sl_tenants_configure(m->t, &m->opts);
	m->pps[FLOOD] = 5e6;
	pass(m, 300);
	cr_expect_float_eq((double)gate(m, STEADY).turn_norm / gate(m, LIGHT).turn_norm, 2, 1e-3);
	cr_expect_eq(gate(m, FLOOD).turn_credit, 0);
	cr_expect_eq(gate(m, STEADY).turn_credit, 200000000, "0.2 s at most");
	m->opts.half_life = 0.05;
	sl_tenants_configure(m->t, &m->opts);
	pass(m, 10);
	cr_expect_lt(gate(m, STEADY).turn_credit, 200000000);
	cr_expect_float_eq((double)gate(m, STEADY).turn_credit / gate(m, LIGHT).turn_credit, 2,
			   1e-3, "seconds, by weight");
	cr_expect_eq(gate(m, STEADY).turn_byte, 0, "bytes are not scarce");
	m->opts.bytes = 1e9;
	sl_tenants_configure(m->t, &m->opts);
	pass(m, 1);
	cr_expect_eq(gate(m, STEADY).turn_byte, 1024, "as many cycles as bytes a second");
	made_free(m);
}

/* What it did before it was left out was long ago, and paid for. */
Test(tenants, who_is_configured_again_starts_anew)
{
	static const enum sl_policy policies[] = {SL_POLICY_SDRF, SL_POLICY_KARMA};

	for (unsigned p = 0; p < 2; p++) {
		struct made *m = made(policies[p]);
		double mean;

		m->opts.borrowable = 0.5;
		sl_tenants_configure(m->t, &m->opts);
		m->pps[FLOOD] = 5e6;
		pass(m, 300);
		m->opts.weight[FLOOD] = 0;
		sl_tenants_configure(m->t, &m->opts);
		m->left_out = FLOOD;
		pass(m, 30);
		mean = (sl_tenants_view(m->t, LIGHT)->credits + sl_tenants_view(m->t, 0)->credits +
			sl_tenants_view(m->t, STEADY)->credits) /
		       3;
		m->opts.weight[FLOOD] = 1;
		sl_tenants_configure(m->t, &m->opts);
		m->left_out = 0;
		m->pps[FLOOD] = 0;
		pass(m, 1);
		cr_expect_eq(sl_tenants_view(m->t, FLOOD)->commitment, 0);
		cr_expect_lt(sl_tenants_view(m->t, FLOOD)->used[SL_TENANT_CYCLES], 1e-9);
		if (policies[p] == SL_POLICY_KARMA)
			cr_expect_geq(sl_tenants_view(m->t, FLOOD)->credits, mean);
		made_free(m);
	}
}

/* A few packets say little of what a packet costs. */
Test(tenants, a_dear_packet_is_no_dear_tenant)
{
	struct made *m = made(SL_POLICY_DRF);

	m->pps[LIGHT] = 100e3;
	pass(m, 30);
	cr_expect_float_eq(sl_tenants_view(m->t, LIGHT)->cost, 1000, 1);
	m->pps[LIGHT] = 0;
	m->done[LIGHT].packets++;
	m->done[LIGHT].cycles += 1000000;
	pass(m, 1);
	cr_expect_float_eq(sl_tenants_view(m->t, LIGHT)->cost, 2000, 10);
	made_free(m);
}

/* A burst of a moment ago counts for the floor, as far as what others lean on leaves it room. */
Test(tenants, the_floor_remembers_a_burst_for_seconds)
{
	struct made *m = made(SL_POLICY_DRF);

	m->opts.bytes = 100e6;
	sl_tenants_configure(m->t, &m->opts);
	m->bytes[STEADY] = m->bytes[FLOOD] = 1000; /* short of bytes, and of no cycles */
	m->pps[STEADY] = m->pps[FLOOD] = 1000;
	m->bytes[LIGHT] = 10;
	m->pps[LIGHT] = 900e3;
	pass(m, 30);
	cr_expect_gt(sl_tenants_view(m->t, LIGHT)->floor, 0.8);
	m->pps[LIGHT] = 0;
	pass(m, 10);
	cr_expect_gt(sl_tenants_view(m->t, LIGHT)->floor, 0.6);
	pass(m, 200);
	cr_expect_lt(sl_tenants_view(m->t, LIGHT)->floor, 0.4);
	made_free(m);
}

/* Ring places and memory for flows are resources as cycles are. */
Test(tenants, slots_and_flows_are_shared_too)
{
	struct made *m = made(SL_POLICY_DRF);

	m->pps[FLOOD] = 100e3;
	m->done[FLOOD].slots = 2048 * 0.9;
	m->done[STEADY].flows = 800e3;
	m->flows = 1e6;
	pass(m, 30);
	cr_expect_eq(sl_tenants_view(m->t, FLOOD)->dominant, SL_TENANT_SLOTS);
	cr_expect_float_eq(sl_tenants_view(m->t, FLOOD)->demand[SL_TENANT_SLOTS], 0.9, 1e-6);
	cr_expect_float_eq(sl_tenants_view(m->t, FLOOD)->share, 1, 1e-6);
	cr_expect_eq(sl_tenants_view(m->t, STEADY)->dominant, SL_TENANT_FLOWS);
	cr_expect_float_eq(sl_tenants_view(m->t, STEADY)->used[SL_TENANT_FLOWS], 0.8, 1e-6);
	made_free(m);
}

/* Three quarters of a tenant's packets come on queue 0, and all of the others' on queue 1. */
Test(tenants, a_rate_goes_where_the_packets_come)
{
	static struct sl_tenant_arrived arrived[2 * SL_MAX_TENANTS];
	static struct sl_tenant_done done[SL_MAX_TENANTS];
	struct made *m = made(SL_POLICY_DRF);
	struct sl_tenants *t = sl_tenants_new(2);
	struct sl_tenants_sample s = {
		.cycles = HZ, .slots = 2048, .queues = 2, .arrived = arrived, .done = done};
	struct sl_tenant_gate g[2];

	m->opts.bytes = 1e9;
	sl_tenants_configure(t, &m->opts);
	for (unsigned i = 0; i < 30; i++) {
		s.now_ns += 100000000;
		arrived[LIGHT].packets += 3000;
		arrived[LIGHT].bytes += 300000;
		arrived[SL_MAX_TENANTS + LIGHT].packets += 1000;
		arrived[SL_MAX_TENANTS + LIGHT].bytes += 100000;
		arrived[SL_MAX_TENANTS + FLOOD].packets += 4000;
		arrived[SL_MAX_TENANTS + FLOOD].bytes += 400000;
		sl_tenants_run(t, &s);
	}
	for (unsigned q = 0; q < 2; q++)
		sl_tenants_gate(t, q, LIGHT, &g[q]);
	cr_expect_float_eq(rate(g[0].floor_packet) / rate(g[1].floor_packet), 0.85 / 0.35, 1e-3,
			   "a tenth more each");
	cr_expect_float_eq(rate(g[0].floor_byte >> 10) / rate(g[0].floor_packet), 100, 1,
			   "bytes a packet");
	cr_expect(g[0].floor_depth >= 1000000ull << 10 && g[0].floor_depth == g[0].share_depth);
	for (unsigned q = 0; q < 2; q++)
		sl_tenants_gate(t, q, SL_TENANT_TOTAL, &g[q]);
	cr_expect_float_eq(rate(g[0].share_byte >> 10), 1e9 * 3 / 8, 1e6);
	cr_expect_float_eq(rate(g[1].share_byte >> 10), 1e9 * 5 / 8, 1e6);
	sl_tenants_free(t);
	made_free(m);
}

Test(tenants, nothing_is_limited_before_it_is_measured)
{
	struct made *m = made(SL_POLICY_DRF);

	pass(m, 1);
	cr_expect_eq(gate(m, LIGHT).floor_packet, 0);
	cr_expect_eq(gate(m, LIGHT).share_byte, 0);
	cr_expect_eq(gate(m, SL_TENANT_TOTAL).share_byte, 0);
	made_free(m);
}
