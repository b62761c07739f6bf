// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fair.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/fair_internal.h"

#define HALF_LIFE_DEFAULT (8 * 3600.0)
#define QUANTUM_DEFAULT 1.0
#define QUANTUM_MIN 1e-6
#define QUANTUM_MAX 1e9 /* in nanoseconds it has 64 bits */
#define NS 1e9
#define ROOM_FIRST 16
/* x below which its origin moves on: the exponent stays short and exact, and looking at all users
 * for it once in 11 tau costs nothing. */
#define X_MIN 0x1p-16

bool sl_fair_quantize(const struct sl_fair_opts *opts, const double *demand, double *out)
{
	for (unsigned r = 0; r < opts->resources; r++) {
		const double share = demand[r] / opts->capacity[r];

		if (!(share >= 0) || !isfinite(share))
			return false;
		/* down, so that what fits exactly still does */
		out[r] = floor(share / SL_FAIR_UNIT);
	}
	return true;
}

/* The setting that makes no sense, or NULL. Fills in defaults. */
static const char *check(struct sl_fair_opts *o)
{
	if ((unsigned)o->policy > SL_POLICY_MAXMIN)
		return "policy";
	if (o->resources < 1 || o->resources > SL_FAIR_RESOURCES)
		return "resources";
	for (unsigned r = 0; r < o->resources; r++)
		if (!(o->capacity[r] > 0) || !isfinite(o->capacity[r]))
			return "capacity";
	o->half_life = o->half_life == 0 ? HALF_LIFE_DEFAULT : o->half_life;
	o->quantum = o->quantum == 0 ? QUANTUM_DEFAULT : o->quantum;
	if (!(o->half_life > 0) || !isfinite(o->half_life))
		return "half_life";
	if (!(o->quantum >= QUANTUM_MIN && o->quantum <= QUANTUM_MAX))
		return "quantum";
	if (!(o->memory >= 0))
		return "memory";
	if (!(o->borrowable >= 0 && o->borrowable <= 1))
		return "borrowable";
	return o->resource < o->resources ? NULL : "resource";
}

int sl_fair_new(const struct sl_fair_opts *opts, enum sl_order_kind kind, struct sl_fair **out,
		const char **what)
{
	struct sl_fair_opts o = *opts;
	const char *wrong = check(&o);
	struct sl_fair *f;

	if (wrong) {
		if (what)
			*what = wrong;
		return -EINVAL;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->opts = o;
	f->x = f->inverse = 1;
	f->tau_ns = o.half_life / M_LN2 * NS;
	f->quantum_ns = (uint64_t)(o.quantum * NS);
	f->order = sl_order_new(o.policy == SL_POLICY_SDRF ? o.resources : 1, kind);
	if (!f->order) {
		free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

void sl_fair_free(struct sl_fair *f)
{
	if (!f)
		return;
	sl_order_free(f->order);
	free(f->user);
	free(f->amount);
	free(f->lent);
	free(f->credits);
	free(f);
}

static int grow_one(void *list, size_t size)
{
	void **at = list, *more = realloc(*at, size);

	if (!more)
		return -ENOMEM;
	*at = more;
	return 0;
}

static int grow(struct sl_fair *f)
{
	const unsigned room = f->room ? 2 * f->room : ROOM_FIRST;

	if (grow_one(&f->user, room * sizeof(*f->user)) ||
	    grow_one(&f->amount, (size_t)room * f->opts.resources * sizeof(*f->amount)) ||
	    grow_one(&f->lent, room * sizeof(*f->lent)) ||
	    grow_one(&f->credits, room * sizeof(*f->credits)) || sl_order_grow(f->order, room))
		return -ENOMEM;
	f->room = room;
	return 0;
}

static double since_settled(const struct sl_fair *f)
{
	return (double)(f->now_ns - f->settled_ns) / NS;
}

int sl_fair_add_user(struct sl_fair *f, double weight)
{
	const unsigned u = f->users;

	if (!(weight >= SL_FAIR_WEIGHT_MIN && weight <= SL_FAIR_WEIGHT_MAX))
		return -EINVAL;
	if (u == SL_FAIR_USERS)
		return -E2BIG;
	if (u == f->room && grow(f))
		return -ENOMEM;
	f->user[u] = (struct fair_user){.weight = weight, .since = since_settled(f)};
	if (f->opts.policy == SL_POLICY_KARMA)
		f->user[u].credits = f->mean_credits;
	memset(fair_amounts(f, u), 0, f->opts.resources * sizeof(*f->amount));
	f->users++;
	f->weights += weight;
	f->shares_changed = true;
	return (int)u;
}

unsigned sl_fair_users(const struct sl_fair *f)
{
	return f->users;
}

static void place(struct sl_fair *f, unsigned u)
{
	double a[SL_FAIR_RESOURCES], b[SL_FAIR_RESOURCES];

	fair_lines(f, u, a, b);
	sl_order_set(f->order, u, a, b);
}

static void place_all(struct sl_fair *f)
{
	for (unsigned u = 0; u < f->users; u++)
		if (f->user[u].candidate)
			place(f, u);
}

/* The line of a commitment turns where the overuse changes, and goes on from where it is. */
static void turn(const struct sl_fair *f, struct fair_amount *m, double equal)
{
	const double commitment = m->over + m->excess * f->x;
	const double over = m->held * SL_FAIR_UNIT - equal;

	m->over = over > 0 ? over : 0;
	m->excess = (commitment - m->over) * f->inverse;
}

/* Equal shares after users were added. */
static void share_out(struct sl_fair *f)
{
	f->shares_changed = false;
	for (unsigned u = 0; u < f->users; u++) {
		struct fair_user *user = &f->user[u];

		user->equal = user->weight / f->weights;
		user->norm = f->weights / (f->users * user->weight);
		if (f->opts.policy == SL_POLICY_SDRF)
			for (unsigned r = 0; r < f->opts.resources; r++)
				turn(f, &fair_amounts(f, u)[r], user->equal);
	}
	place_all(f);
}

static void decay(struct sl_fair *f)
{
	f->x = exp(-(double)(f->now_ns - f->origin_ns) / f->tau_ns);
	if (f->x < X_MIN) {
		for (size_t i = 0; i < (size_t)f->users * f->opts.resources; i++)
			f->amount[i].excess *= f->x;
		sl_order_rescale(f->order, f->x);
		f->origin_ns = f->now_ns;
		f->x = 1;
	}
	f->inverse = 1 / f->x;
}

void sl_fair_advance(struct sl_fair *f, uint64_t now_ns)
{
	if (now_ns <= f->now_ns)
		return;
	if (f->shares_changed)
		share_out(f);
	f->now_ns = now_ns;
	if (f->opts.policy == SL_POLICY_SDRF)
		decay(f);
	else if (f->opts.policy == SL_POLICY_KARMA && fair_karma_settle(f))
		place_all(f);
}

void sl_fair_candidate(struct sl_fair *f, unsigned u, const double *demand)
{
	struct fair_amount *m = fair_amounts(f, u);

	if (f->shares_changed)
		share_out(f);
	for (unsigned r = 0; r < f->opts.resources; r++) {
		m[r].next = demand[r];
		/* who had nothing to start does not bring the past along */
		if (!f->user[u].candidate && m[r].tag < f->virtual_time[r])
			m[r].tag = f->virtual_time[r];
	}
	f->user[u].candidate = true;
	place(f, u);
}

void sl_fair_no_candidate(struct sl_fair *f, unsigned u)
{
	f->user[u].candidate = false;
	sl_order_remove(f->order, u);
}

int sl_fair_first(struct sl_fair *f)
{
	if (!f->users)
		return -1;
	if (f->shares_changed)
		share_out(f);
	return sl_order_first(f->order, f->x);
}

/* What u has becomes more (sign 1) or less (-1). */
static void change(struct sl_fair *f, unsigned u, const double *demand, double sign)
{
	struct fair_user *user = &f->user[u];
	struct fair_amount *m = fair_amounts(f, u);
	double most = 0;

	if (f->shares_changed)
		share_out(f);
	if (f->opts.policy == SL_POLICY_KARMA)
		fair_karma_count(f, u);
	for (unsigned r = 0; r < f->opts.resources; r++) {
		m[r].held += sign * demand[r];
		if (m[r].held > most)
			most = m[r].held;
		if (f->opts.policy == SL_POLICY_SDRF)
			turn(f, &m[r], user->equal);
	}
	user->dominant = most * SL_FAIR_UNIT;
}

/* DRFQ: u is served. */
static void serve(struct sl_fair *f, unsigned u, const double *demand, double seconds)
{
	struct fair_amount *m = fair_amounts(f, u);
	double latest = 0;

	for (unsigned r = 0; r < f->opts.resources; r++) {
		f->virtual_time[r] = fmax(f->virtual_time[r], m[r].tag);
		m[r].tag += demand[r] * SL_FAIR_UNIT * f->user[u].norm * seconds;
		latest = fmax(latest, m[r].tag);
	}
	for (unsigned r = 0; r < f->opts.resources; r++)
		m[r].tag = fmax(m[r].tag, latest - f->opts.memory);
}

void sl_fair_start(struct sl_fair *f, unsigned u, const double *demand, double seconds)
{
	change(f, u, demand, 1);
	if (f->opts.policy == SL_POLICY_DRFQ)
		serve(f, u, demand, seconds);
}

void sl_fair_finish(struct sl_fair *f, unsigned u, const double *demand)
{
	change(f, u, demand, -1);
	if (f->user[u].candidate)
		place(f, u);
}

double sl_fair_share(const struct sl_fair *f, unsigned u)
{
	return f->user[u].dominant;
}

double sl_fair_commitment(struct sl_fair *f, unsigned u)
{
	const struct fair_amount *m = fair_amounts(f, u);
	double most = 0;

	if (f->shares_changed)
		share_out(f);
	for (unsigned r = 0; r < f->opts.resources; r++)
		most = fmax(most, m[r].over + m[r].excess * f->x);
	return most;
}

double sl_fair_credits(const struct sl_fair *f, unsigned u)
{
	return f->user[u].credits;
}

double sl_fair_equal_share(const struct sl_fair *f, unsigned u)
{
	return f->user[u].weight / f->weights;
}
