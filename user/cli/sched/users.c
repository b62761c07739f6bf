// SPDX-License-Identifier: GPL-2.0-or-later
/* users.c - names of users and their numbers, in the order of their first complete task. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sched/trace.h"

/* Twice the users there may be, so that chains stay short. */
#define SLOTS (1u << 18)

struct trace_users {
	char *name[SL_FAIR_USERS];
	double *work[SL_FAIR_USERS]; /* of each resource */
	double weight[SL_FAIR_USERS]; /* 0: not said */
	uint32_t slot[SLOTS]; /* number + 1 */
	unsigned n;
};

static uint32_t hash(const char *name)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return (uint32_t)(h >> 32) & (SLOTS - 1);
}

bool trace_name_told(const char *name)
{
	json_t *told = json_string(name);
	const bool can = told;

	json_decref(told);
	return can;
}

int trace_user(struct trace *t, const char *name, struct sl_error *err)
{
	struct trace_users *u = t->users;
	uint32_t i = hash(name);

	if (!u) {
		t->users = u = calloc(1, sizeof(*u));
		if (!u)
			return sl_error_set(err, -ENOMEM, "no memory for users");
	}
	for (; u->slot[i]; i = (i + 1) & (SLOTS - 1))
		if (!strcmp(u->name[u->slot[i] - 1], name))
			return (int)u->slot[i] - 1;
	if (!trace_name_told(name))
		return sl_error_set(err, -EINVAL, "the user's name is not UTF-8: convert the file");
	if (u->n == SL_FAIR_USERS)
		return sl_error_set(err, -E2BIG, "more than %d users", SL_FAIR_USERS);
	u->name[u->n] = strdup(name);
	u->work[u->n] = calloc(SL_FAIR_RESOURCES, sizeof(double));
	if (!u->name[u->n] || !u->work[u->n]) {
		free(u->name[u->n]);
		free(u->work[u->n]);
		return sl_error_set(err, -ENOMEM, "no memory for %u users", u->n);
	}
	u->slot[i] = ++u->n;
	return (int)u->n - 1;
}

int trace_user_weigh(struct trace *t, unsigned u, double weight, struct sl_error *err)
{
	double *known = &t->users->weight[u];

	if (*known != 0 && *known != weight)
		return sl_error_set(err, -EINVAL, "user %s had weight %g before, here it has %g",
				    t->users->name[u], *known, weight);
	*known = weight;
	return 0;
}

double trace_user_weight(const struct trace *t, unsigned u)
{
	return t->users->weight[u] > 0 ? t->users->weight[u] : 1;
}

const char *trace_user_name(const struct trace *t, unsigned u)
{
	return t->users->name[u];
}

unsigned trace_users(const struct trace *t)
{
	return t->users ? t->users->n : 0;
}

void trace_users_free(struct trace_users *u)
{
	for (unsigned i = 0; u && i < u->n; i++) {
		free(u->name[i]);
		free(u->work[i]);
	}
	free(u);
}

void trace_user_add_work(struct trace *t, const struct trace_task *task)
{
	for (unsigned r = 0; r < t->resources; r++)
		t->users->work[task->user][r] += task->demand[r] * (double)task->duration_us;
}

double trace_user_work(const struct trace *t, unsigned u, const struct sl_fair_opts *opts)
{
	double most = 0;

	for (unsigned r = 0; r < opts->resources; r++)
		if (t->users->work[u][r] / opts->capacity[r] > most)
			most = t->users->work[u][r] / opts->capacity[r];
	return most;
}
