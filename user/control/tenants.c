// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tenants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/fluid.h"

#define SMOOTHING 0.15 /* seconds: time constant of rates */
#define PEAK_HALF_LIFE 2.0 /* seconds: how long a burst is remembered for the floor */
/* Shares are for that much of the demand, or it could never grow under load. */
#define GROWTH 1.25
#define COST_UNKNOWN 1000.0 /* cycles a packet, until one was measured */
#define QUEUE_SLACK 0.1 /* of a rate: each queue has it, whatever came there lately */
/* How early packets may come, seconds: an RX ring's worth, and no less than a NAPI poll's. */
#define DEPTH_MIN 1e-3
#define DEPTH_MAX 1.0
#define TOTAL_LOW 1e-3 /* what may wait for a capacity in bytes */
#define TOTAL_HIGH 2e-3
#define RATE_MIN 1.0 /* a second: clocks must not overflow */
/* Seconds of a worker that somebody may be preferred for his past: the others' floor is that late
 * at most. */
#define CREDIT_MAX 0.2

struct tenant {
	double weight;
	struct sl_tenant_view view;
	double amount[SL_TENANT_RESOURCES]; /* asked for; in the units of the capacity */
	double peak[SL_TENANT_RESOURCES];
	double given[SL_TENANT_RESOURCES], kept[SL_TENANT_RESOURCES]; /* share, floor */
	double packet_bytes; /* mean */
};

struct sl_tenants {
	unsigned queues;
	struct sl_tenants_opts opts;
	uint64_t then_ns; /* of the latest sample, 0: none */
	bool shared; /* shares are known */
	double capacity[SL_TENANT_RESOURCES]; /* 0: nobody is short of it */
	double depth; /* seconds */
	struct tenant tenant[SL_MAX_TENANTS];
	struct sl_tenant_done done[SL_MAX_TENANTS]; /* latest counters */
	struct sl_tenant_arrived *arrived; /* likewise */
	double *rate; /* packets a second, [queue * SL_MAX_TENANTS + tenant] */
};

const char *sl_tenant_resource_name(int resource)
{
	static const char *const names[] = {"cycles", "bytes", "flows", "slots"};

	return resource < 0 || resource >= SL_TENANT_RESOURCES ? "none" : names[resource];
}

struct sl_tenants *sl_tenants_new(unsigned queues)
{
	const size_t n = (size_t)queues * SL_MAX_TENANTS;
	struct sl_tenants *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->queues = queues;
	t->arrived = calloc(n, sizeof(*t->arrived));
	t->rate = calloc(n, sizeof(*t->rate));
	if (t->arrived && t->rate)
		return t;
	sl_tenants_free(t);
	return NULL;
}

void sl_tenants_free(struct sl_tenants *t)
{
	if (!t)
		return;
	free(t->arrived);
	free(t->rate);
	free(t);
}

void sl_tenants_configure(struct sl_tenants *t, const struct sl_tenants_opts *opts)
{
	t->opts = *opts;
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		if (opts->weight[i] <= 0)
			t->tenant[i] = (struct tenant){.view.dominant = -1};
		t->tenant[i].weight = opts->weight[i];
	}
}

const struct sl_tenant_view *sl_tenants_view(const struct sl_tenants *t, unsigned tenant)
{
	return &t->tenant[tenant].view;
}

/* --- learning */

static double blend(double old, double now, double seconds, double constant)
{
	return now + (old - now) * exp(-seconds / constant);
}

static void learn_arrivals(struct sl_tenants *t, unsigned i, const struct sl_tenants_sample *s,
			   double seconds)
{
	struct sl_tenant_view *v = &t->tenant[i].view;
	uint64_t packets = 0, bytes = 0, drops = 0;

	for (unsigned q = 0; q < s->queues && q < t->queues; q++) {
		const unsigned at = q * SL_MAX_TENANTS + i;
		const struct sl_tenant_arrived *now = &s->arrived[at], *then = &t->arrived[at];

		t->rate[at] = blend(t->rate[at], (double)(now->packets - then->packets) / seconds,
				    seconds, SMOOTHING);
		packets += now->packets - then->packets;
		bytes += now->bytes - then->bytes;
		drops += now->drops - then->drops;
	}
	v->pps = blend(v->pps, (double)packets / seconds, seconds, SMOOTHING);
	v->bps = blend(v->bps, (double)bytes / seconds, seconds, SMOOTHING);
	v->drops = blend(v->drops, (double)drops / seconds, seconds, SMOOTHING);
	if (packets)
		t->tenant[i].packet_bytes = (double)bytes / (double)packets;
}

/* Cycles a packet. Few packets in an interval say little. */
static void learn_cost(struct sl_tenants *t, unsigned i, const struct sl_tenant_done *now)
{
	struct sl_tenant_view *v = &t->tenant[i].view;
	const double packets = (double)(now->packets - t->done[i].packets);
	const double cycles = (double)(now->cycles - t->done[i].cycles);

	if (packets < 1)
		return;
	v->cost = v->cost > 0 ? v->cost + (cycles / packets - v->cost) * fmin(packets / 1000, 0.5)
			      : cycles / packets;
}

static void learn_amounts(struct sl_tenants *t, unsigned i, const struct sl_tenant_done *now,
			  double seconds)
{
	struct tenant *k = &t->tenant[i];
	const double rate[] = {(double)(now->cycles - t->done[i].cycles) / seconds,
			       (double)(now->bytes - t->done[i].bytes) / seconds, now->flows,
			       now->slots};

	k->amount[SL_TENANT_CYCLES] = k->view.pps * k->view.cost;
	k->amount[SL_TENANT_BYTES] = k->view.bps;
	k->amount[SL_TENANT_FLOWS] = now->flows;
	k->amount[SL_TENANT_SLOTS] = now->slots;
	for (unsigned r = 0; r < SL_TENANT_RESOURCES; r++) {
		const double c = t->capacity[r];

		k->peak[r] = fmax(k->amount[r], k->peak[r] * exp2(-seconds / PEAK_HALF_LIFE));
		k->view.demand[r] = c > 0 ? k->amount[r] / c : 0;
		k->view.used[r] =
			blend(k->view.used[r], c > 0 ? rate[r] / c : 0, seconds, SMOOTHING);
	}
}

static double largest(const double *shares)
{
	double most = 0;

	for (unsigned r = 0; r < SL_TENANT_RESOURCES; r++)
		most = fmax(most, shares[r]);
	return most;
}

static void learn_dominant(struct sl_tenant_view *v)
{
	v->dominant = -1;
	for (int r = 0; r < SL_TENANT_RESOURCES; r++)
		if (v->demand[r] > (v->dominant < 0 ? 1e-6 : v->demand[v->dominant]))
			v->dominant = r;
}

static double weights(const struct sl_tenants *t)
{
	double sum = 0;

	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++)
		sum += t->tenant[i].weight;
	return sum;
}

static double equal_share(const struct sl_tenants *t, unsigned i)
{
	return t->tenant[i].weight / weights(t);
}

static void learn(struct sl_tenants *t, const struct sl_tenants_sample *s, double seconds)
{
	double packets = 0, cycles = 0;

	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		struct sl_tenant_view *v = &t->tenant[i].view;

		if (t->tenant[i].weight <= 0)
			continue;
		learn_arrivals(t, i, s, seconds);
		learn_cost(t, i, &s->done[i]);
		learn_amounts(t, i, &s->done[i], seconds);
		learn_dominant(v);
		v->commitment =
			t->opts.policy == SL_POLICY_SDRF
				? sl_fluid_commitment(v->commitment, largest(v->used),
						      equal_share(t, i), t->opts.half_life, seconds)
				: 0;
		packets += v->pps;
		cycles += v->pps * v->cost;
	}
	t->depth = s->cycles > 0 && packets > 0 ? s->slots * cycles / packets / s->cycles : 0;
	t->depth = fmin(fmax(t->depth, DEPTH_MIN), DEPTH_MAX);
}

/* --- sharing */

/* The policy over the resources that somebody could be short of. */
static void share(const struct sl_tenants *t, const double demand[][SL_TENANT_RESOURCES],
		  double given[][SL_TENANT_RESOURCES], double *dominant)
{
	struct sl_fair_opts opts = {.policy = t->opts.policy == SL_POLICY_DRFQ ? SL_POLICY_DRF
									       : t->opts.policy};
	double in[SL_MAX_TENANTS][SL_TENANT_RESOURCES], out[SL_MAX_TENANTS][SL_TENANT_RESOURCES];
	struct sl_fluid_turn turns[2 * SL_MAX_TENANTS];
	struct sl_fluid_user users[SL_MAX_TENANTS];
	unsigned resource[SL_TENANT_RESOURCES], who[SL_MAX_TENANTS], n = 0;

	for (unsigned r = 0; r < SL_TENANT_RESOURCES; r++)
		if (t->capacity[r] > 0) {
			resource[opts.resources] = r;
			opts.capacity[opts.resources++] = t->capacity[r];
		}
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		if (t->tenant[i].weight <= 0)
			continue;
		for (unsigned r = 0; r < opts.resources; r++)
			in[n][r] = demand[i][resource[r]];
		users[n] = (struct sl_fluid_user){.demand = in[n],
						  .given = out[n],
						  .weight = t->tenant[i].weight,
						  .memory = t->tenant[i].view.commitment};
		who[n++] = i;
	}
	if (!opts.resources)
		return;
	sl_fluid_share(&opts, users, n, turns);
	for (unsigned k = 0; k < n; k++) {
		for (unsigned r = 0; r < opts.resources; r++)
			given[who[k]][resource[r]] = out[k][r];
		dominant[who[k]] = users[k].share;
	}
}

/* What the tenant would ask for its equal share of, in its own proportions as far as known. */
static void equal_demand(const struct sl_tenants *t, unsigned i, double *out)
{
	const struct tenant *k = &t->tenant[i];
	const double pps = 1, cost = k->view.cost > 0 ? k->view.cost : COST_UNKNOWN;
	double most = 0;

	memset(out, 0, SL_TENANT_RESOURCES * sizeof(*out));
	out[SL_TENANT_CYCLES] = pps * cost;
	out[SL_TENANT_BYTES] = pps * k->packet_bytes;
	for (unsigned r = 0; r < SL_TENANT_RESOURCES; r++)
		if (t->capacity[r] > 0)
			most = fmax(most, out[r] / t->capacity[r]);
	for (unsigned r = 0; r < SL_TENANT_RESOURCES && most > 0; r++)
		out[r] *= equal_share(t, i) / most;
}

static void share_all(struct sl_tenants *t)
{
	double now[SL_MAX_TENANTS][SL_TENANT_RESOURCES] = {0},
	       most[SL_MAX_TENANTS][SL_TENANT_RESOURCES] = {0};
	double given[SL_MAX_TENANTS][SL_TENANT_RESOURCES] = {0},
	       kept[SL_MAX_TENANTS][SL_TENANT_RESOURCES] = {0};
	double shares[SL_MAX_TENANTS] = {0}, floors[SL_MAX_TENANTS] = {0};

	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		struct tenant *k = &t->tenant[i];
		double equal[SL_TENANT_RESOURCES];

		if (k->weight <= 0)
			continue;
		equal_demand(t, i, equal);
		for (unsigned r = 0; r < SL_TENANT_RESOURCES; r++) {
			now[i][r] = GROWTH * k->amount[r];
			most[i][r] = fmax(GROWTH * k->peak[r], equal[r]);
		}
	}
	share(t, now, given, shares);
	share(t, most, kept, floors);
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		struct tenant *k = &t->tenant[i];

		memcpy(k->given, given[i], sizeof(k->given));
		memcpy(k->kept, kept[i], sizeof(k->kept));
		k->view.share = shares[i];
		k->view.floor = floors[i];
	}
	t->shared = true;
}

void sl_tenants_run(struct sl_tenants *t, const struct sl_tenants_sample *s)
{
	const double seconds = (double)(s->now_ns - t->then_ns) / 1e9;
	const unsigned queues = s->queues < t->queues ? s->queues : t->queues;

	if (t->then_ns && s->now_ns <= t->then_ns)
		return;
	t->capacity[SL_TENANT_CYCLES] = s->cycles;
	t->capacity[SL_TENANT_BYTES] = t->opts.bytes;
	t->capacity[SL_TENANT_FLOWS] = s->flows;
	t->capacity[SL_TENANT_SLOTS] = s->slots;
	if (t->then_ns) {
		learn(t, s, seconds);
		share_all(t);
	}
	memcpy(t->arrived, s->arrived, queues * SL_MAX_TENANTS * sizeof(*t->arrived));
	memcpy(t->done, s->done, sizeof(t->done));
	t->then_ns = s->now_ns;
}

/* --- the gate */

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
	return weights(t) / n / t->tenant[i].weight;
}

/*
 * What is remembered of the heaviest user and not of this one, as seconds: a commitment is a mean
 * of overuse, so that much of tau has it been used more.
 */
static double credit_of(const struct sl_tenants *t, unsigned i)
{
	double most = 0, seconds;

	if (t->opts.policy != SL_POLICY_SDRF)
		return 0;
	for (unsigned k = 0; k < SL_TENANT_TOTAL; k++)
		most = fmax(most, t->tenant[k].view.commitment);
	seconds = (most - t->tenant[i].view.commitment) * t->opts.half_life / M_LN2 * norm_of(t, i);
	return fmin(seconds, CREDIT_MAX);
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
