// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tenants_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/fluid.h"
#include "control/karma.h"

#define SMOOTHING 0.15 /* seconds: time constant of rates */
#define PEAK_HALF_LIFE 2.0 /* seconds: how long a burst is remembered for the floor */
#define CREDITS_FIRST 10.0 /* Karma: the whole of a resource for so many seconds */
/* Shares are for that much of the demand, or it could never grow under load. */
#define GROWTH 1.25
/* How early packets may come, seconds: an RX ring's worth, and no less than a NAPI poll's. */
#define DEPTH_MIN 1e-3
#define DEPTH_MAX 1.0

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

/* A newcomer is worth what the others are; the first ones can borrow for a while. */
static double first_credits(const struct sl_tenants *t)
{
	double sum = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++)
		if (t->tenant[i].weight > 0) {
			sum += t->tenant[i].view.credits;
			n++;
		}
	return n ? sum / n : CREDITS_FIRST;
}

void sl_tenants_configure(struct sl_tenants *t, const struct sl_tenants_opts *opts)
{
	const double credits = first_credits(t);

	t->opts = *opts;
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		if (opts->weight[i] <= 0)
			t->tenant[i] = (struct tenant){.view.dominant = -1};
		else if (t->tenant[i].weight <= 0)
			t->tenant[i].view.credits = credits;
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
	k->amount[SL_TENANT_FLOWS] = fmax(now->flows, 0); /* workers are read one by one */
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

double tenants_weights(const struct sl_tenants *t)
{
	double sum = 0;

	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++)
		sum += t->tenant[i].weight;
	return sum;
}

static double equal_share(const struct sl_tenants *t, unsigned i)
{
	return t->tenant[i].weight / tenants_weights(t);
}

/*
 * Who has more than it is guaranteed pays who has less, the poorest first.
 */
static void settle_credits(struct sl_tenants *t, double seconds)
{
	double credits[SL_TENANT_TOTAL], lent[SL_TENANT_TOTAL] = {0}, borrowed = 0;

	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		struct sl_tenant_view *v = &t->tenant[i].view;
		double beyond;

		credits[i] = v->credits;
		if (t->tenant[i].weight <= 0)
			continue;
		beyond = largest(v->used) - (1 - t->opts.borrowable) * equal_share(t, i);
		lent[i] = fmax(-beyond, 0) * seconds;
		borrowed += fmax(beyond, 0) * seconds;
		v->credits += (t->opts.borrowable * equal_share(t, i) - fmax(beyond, 0)) * seconds;
		/* where rings are empty one may have more than one can pay for: nobody lacks it */
		v->credits = fmax(v->credits, 0);
	}
	sl_karma_earn(credits, lent, SL_TENANT_TOTAL, borrowed);
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++)
		t->tenant[i].view.credits += lent[i];
}

static void learn(struct sl_tenants *t, const struct sl_tenants_sample *s, double seconds)
{
	double packets = 0, cycles = 0;

	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++) {
		struct sl_tenant_view *v = &t->tenant[i].view;

		if (!t->tenant[i].known)
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
	if (t->opts.policy == SL_POLICY_KARMA)
		settle_credits(t, seconds);
	t->depth = s->cycles > 0 && packets > 0 ? s->slots * cycles / packets / s->cycles : 0;
	t->depth = fmin(fmax(t->depth, DEPTH_MIN), DEPTH_MAX);
}

/* --- sharing */

/* What fluid.h calls so: what counts against a user, or for it. */
static double memory_of(const struct sl_tenants *t, unsigned i)
{
	const struct sl_tenant_view *v = &t->tenant[i].view;

	return t->opts.policy == SL_POLICY_KARMA ? v->credits : v->commitment;
}

/* The policy over the resources that somebody could be short of. */
static void share(const struct sl_tenants *t, const double demand[][SL_TENANT_RESOURCES],
		  double given[][SL_TENANT_RESOURCES], double *dominant)
{
	struct sl_fair_opts opts = {.policy = t->opts.policy == SL_POLICY_DRFQ ? SL_POLICY_DRF
									       : t->opts.policy,
				    .borrowable = t->opts.borrowable};
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
						  .memory = memory_of(t, i)};
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
	for (unsigned i = 0; i < SL_TENANT_TOTAL; i++)
		t->tenant[i].known = t->tenant[i].weight > 0;
	t->then_ns = s->now_ns;
}
