// SPDX-License-Identifier: GPL-2.0-or-later
/* fair_policy.c - what a user's place depends on, for each policy. Lower comes first. */
#include <math.h>

#include "control/fair_internal.h"
#include "control/karma.h"

#define NS 1e9

/* Does the next task leave u within `share` of every resource? */
static bool within(const struct sl_fair *f, unsigned u, double share)
{
	const struct fair_amount *m = fair_amounts(f, u);

	for (unsigned r = 0; r < f->opts.resources; r++)
		if ((m[r].held + m[r].next) * SL_FAIR_UNIT > share)
			return false;
	return true;
}

/* Who is owed its share comes before all others, in DRF order. Shares are multiples of 2^-50, so
 * the difference is exact for equal weights. */
static double owed(const struct fair_user *user)
{
	return user->dominant * user->norm - 1;
}

static void sdrf(const struct sl_fair *f, unsigned u, double *a, double *b)
{
	const struct fair_user *user = &f->user[u];
	const struct fair_amount *m = fair_amounts(f, u);
	const bool first = !f->opts.no_floor && within(f, u, user->equal);

	for (unsigned r = 0; r < f->opts.resources; r++) {
		a[r] = first ? owed(user) : (user->dominant + m[r].over) * user->norm;
		b[r] = first ? 0 : m[r].excess * user->norm;
	}
}

static double drfq(const struct sl_fair *f, unsigned u)
{
	const struct fair_amount *m = fair_amounts(f, u);
	double latest = m[0].tag;

	for (unsigned r = 1; r < f->opts.resources; r++)
		latest = fmax(latest, m[r].tag);
	return latest;
}

static double guaranteed(const struct sl_fair *f, const struct fair_user *user)
{
	return (1 - f->opts.borrowable) * user->equal;
}

/*
 * Beyond the guaranteed share the richest first, after what it would pay for this quantum. Richer
 * than the mean: all earn as time passes, and doubles are finest about 0.
 */
static double karma(const struct sl_fair *f, unsigned u)
{
	const struct fair_user *user = &f->user[u];
	double left;

	if (within(f, u, guaranteed(f, user)))
		return owed(user);
	left = user->credits - f->mean_credits - (user->dominant - guaranteed(f, user));
	return 2 - left / (1 + fabs(left)); /* between 1 and 3, behind all who are owed */
}

void fair_lines(const struct sl_fair *f, unsigned u, double *a, double *b)
{
	const struct fair_user *user = &f->user[u];

	b[0] = 0;
	switch (f->opts.policy) {
	case SL_POLICY_SDRF:
		sdrf(f, u, a, b);
		break;
	case SL_POLICY_DRFQ:
		a[0] = drfq(f, u);
		break;
	case SL_POLICY_KARMA:
		a[0] = karma(f, u);
		break;
	case SL_POLICY_MAXMIN:
		a[0] = fair_amounts(f, u)[f->opts.resource].held * SL_FAIR_UNIT * user->norm;
		break;
	default:
		a[0] = user->dominant * user->norm;
	}
}

void fair_karma_count(struct sl_fair *f, unsigned u)
{
	struct fair_user *user = &f->user[u];
	const double now = (double)(f->now_ns - f->settled_ns) / NS;

	user->area += user->dominant * (now - user->since);
	user->since = now;
}

/* Several quanta without a change are settled as one long one. */
bool fair_karma_settle(struct sl_fair *f)
{
	const uint64_t quanta = (f->now_ns - f->settled_ns) / f->quantum_ns;
	const double n = (double)quanta, seconds = n * (double)f->quantum_ns / NS;
	double borrowed = 0;

	if (!quanta)
		return false;
	for (unsigned u = 0; u < f->users; u++) {
		struct fair_user *user = &f->user[u];
		const double had = user->area + user->dominant * (seconds - user->since);
		const double beyond = (had / seconds - guaranteed(f, user)) * n;

		f->credits[u] = user->credits;
		f->lent[u] = fmax(-beyond, 0);
		borrowed += fmax(beyond, 0);
		user->credits += f->opts.borrowable * user->equal * n - fmax(beyond, 0);
		user->area = 0;
		user->since = 0;
	}
	sl_karma_earn(f->credits, f->lent, f->users, borrowed);
	f->mean_credits = 0;
	for (unsigned u = 0; u < f->users; u++) {
		f->user[u].credits += f->lent[u];
		f->mean_credits += f->user[u].credits / f->users;
	}
	f->settled_ns += quanta * f->quantum_ns;
	return true;
}
