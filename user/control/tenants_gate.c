// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tenants_impl.h"

#include <math.h>
#include <string.h>

#define QUEUE_SLACK 0.1 /* of a rate: each queue has it, whatever came there lately */
#define TOTAL_LOW 1e-3 /* what may wait for a capacity in bytes */
#define TOTAL_HIGH 2e-3
#define RATE_MIN 1.0 /* a second: clocks must not overflow */
/* Seconds of a worker that somebody may be preferred for his past: the others' floor is that late
 * at most. */
#define CREDIT_MAX 0.2

/* Time that one takes at a rate, in 2^-shift ns. */
static uint64_t time_of(double rate, unsigned shift)
{
	return (uint64_t)(1e9 * (double)(1ull << shift) / fmax(rate, RATE_MIN));
}

static double sum_rates(const struct sl_tenants *t, unsigned queue, unsigned i)
{
	return i == SL_TENANT_TOTAL ? 0 : t->rate[queue * SL_MAX_TENANTS + i];
}

/* The part of a tenant's rate that a queue has: as its packets came, and all where none did. */
static double part_of_queue(const struct sl_tenants *t, unsigned queue, unsigned i)
{
	double all = 0;

	for (unsigned q = 0; q < t->queues; q++)
		all += sum_rates(t, q, i);
	return all > 0 ? fmin(1, sum_rates(t, queue, i) / all + QUEUE_SLACK) : 1;
}

static void gate_total(const struct sl_tenants *t, unsigned queue, struct sl_tenant_gate *gate)
{
	double here = 0, all = 0;

	if (t->capacity[SL_TENANT_BYTES] <= 0)
		return;
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++)
		for (unsigned q = 0; q < t->queues; q++) {
			const double bytes = sum_rates(t, q, i) * t->tenant[i].packet_bytes;

			all += bytes;
			here += q == queue ? bytes : 0;
		}
	gate->share_byte =
		time_of(t->capacity[SL_TENANT_BYTES] * (all > 0 ? fmax(here / all, 0.01) : 1), 20);
	gate->share_depth = (uint64_t)(TOTAL_LOW * 1e9 * 1024);
	gate->floor_depth = (uint64_t)(TOTAL_HIGH * 1e9 * 1024);
}

static void set_rates(const struct sl_tenants *t, const struct tenant *k, const double *amount,
		      double part, __u64 *packet, __u64 *byte)
{
	const double cost = k->view.cost > 0 ? k->view.cost : COST_UNKNOWN;

	*packet = t->capacity[SL_TENANT_CYCLES] > 0
			  ? time_of(amount[SL_TENANT_CYCLES] / cost * part, 10)
			  : 0;
	*byte = t->capacity[SL_TENANT_BYTES] > 0 ? time_of(amount[SL_TENANT_BYTES] * part, 20) : 0;
}

/* Mean weight over the tenant's. */
static double norm_of(const struct sl_tenants *t, unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < SL_TENANT_TOTAL; k++)
		n += t->tenant[k].weight > 0;
	return tenants_weights(t) / n / t->tenant[i].weight;
}

/*
 * What is remembered of the heaviest user and not of this one, as seconds: a commitment is a mean
 * of overuse, so that much of tau has it been used more. Karma's credits are seconds already.
 */
static double credit_of(const struct sl_tenants *t, unsigned i)
{
	double most = 0, poorest = INFINITY, seconds = 0;

	for (unsigned k = 0; k < SL_TENANT_TOTAL; k++) {
		if (t->tenant[k].weight <= 0)
			continue;
		most = fmax(most, t->tenant[k].view.commitment);
		poorest = fmin(poorest, t->tenant[k].view.credits);
	}
	if (t->opts.policy == SL_POLICY_SDRF)
		seconds = (most - t->tenant[i].view.commitment) * t->opts.half_life / M_LN2;
	else if (t->opts.policy == SL_POLICY_KARMA)
		seconds = t->tenant[i].view.credits - poorest;
	return fmin(seconds * norm_of(t, i), CREDIT_MAX);
}

static void set_turn(const struct sl_tenants *t, unsigned i, struct sl_tenant_gate *gate)
{
	const double cycles = t->capacity[SL_TENANT_CYCLES], bytes = t->capacity[SL_TENANT_BYTES];

	gate->turn_norm = (uint32_t)fmin(fmax(norm_of(t, i) * 65536, 1), UINT32_MAX);
	gate->turn_byte = bytes > 0 ? (uint32_t)fmin(cycles / bytes * 1024, UINT32_MAX) : 0;
	gate->turn_credit = (uint64_t)(credit_of(t, i) * 1e9);
}

void sl_tenants_gate(const struct sl_tenants *t, unsigned queue, unsigned tenant,
		     struct sl_tenant_gate *gate)
{
	const struct tenant *k = &t->tenant[tenant];
	double part;

	memset(gate, 0, sizeof(*gate));
	if (!t->shared)
		return;
	if (tenant == SL_TENANT_TOTAL) {
		gate_total(t, queue, gate);
		return;
	}
	if (k->weight <= 0)
		return;
	part = part_of_queue(t, queue, tenant);
	set_rates(t, k, k->kept, part, &gate->floor_packet, &gate->floor_byte);
	set_rates(t, k, k->given, part, &gate->share_packet, &gate->share_byte);
	gate->floor_depth = gate->share_depth = (uint64_t)(t->depth * 1e9 * 1024);
	set_turn(t, tenant, gate);
}
