// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * csv.c - rows of a plain CSV. Its first row names the columns: submit; duration, or start and
 * finish; user; maybe weight, of the user; "task" is passed over; every other name is a resource.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sched/trace.h"

static int column_of(const char *name)
{
	static const struct {
		const char *name;
		int column;
	} known[] = {{"submit", COLUMN_SUBMIT}, {"duration", COLUMN_DURATION},
		     {"start", COLUMN_START},	{"finish", COLUMN_FINISH},
		     {"user", COLUMN_USER},	{"weight", COLUMN_WEIGHT},
		     {"task", COLUMN_NONE}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, name))
			return known[i].column;
	return 0;
}

/* A resource of this name, as the file before had it; a new one in the first file only. */
static int resource_of(struct trace *t, const char *name, bool first, struct sl_error *err)
{
	for (unsigned r = 0; r < t->resources; r++)
		if (!strcmp(t->resource_name[r], name))
			return (int)r;
	if (!first)
		return sl_error_set(err, -EINVAL, "\"%s\" is no resource of the file before", name);
	if (t->resources == SL_FAIR_RESOURCES)
		return sl_error_set(err, -EINVAL, "more than %d resources", SL_FAIR_RESOURCES);
	if (!trace_name_told(name))
		return sl_error_set(err, -EINVAL, "a name is not UTF-8: convert the file");
	if (!*name || strlen(name) >= sizeof(t->resource_name[0]))
		return sl_error_set(err, -EINVAL, "\"%s\" is no name of a resource", name);
	strcpy(t->resource_name[t->resources], name);
	return (int)t->resources++;
}

#define BIT(column) (1u << -(column))

int trace_csv_header(struct trace *t, char *row, struct sl_error *err)
{
	const bool first = !t->resources;
	char *field[TRACE_COLUMNS];
	const unsigned n = trace_split(row, field, TRACE_COLUMNS);
	unsigned resources = 0;

	if (n > TRACE_COLUMNS)
		return sl_error_set(err, -EINVAL, "more than %d columns", TRACE_COLUMNS);
	t->columns_seen = 0;
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(field[i], field[k]))
				return sl_error_set(err, -EINVAL, "two columns are named \"%s\"",
						    field[i]);
		t->column[i] = column_of(field[i]);
		if (t->column[i] < 0) {
			t->columns_seen |= BIT(t->column[i]);
			continue;
		}
		t->column[i] = resource_of(t, field[i], first, err);
		if (t->column[i] < 0)
			return -EINVAL;
		resources++;
	}
#define HAS(columns) ((t->columns_seen & (columns)) == (columns))
	if (!HAS(BIT(COLUMN_SUBMIT) | BIT(COLUMN_USER)) ||
	    !(HAS(BIT(COLUMN_DURATION)) || HAS(BIT(COLUMN_START) | BIT(COLUMN_FINISH))) ||
	    resources != t->resources || !resources)
		return sl_error_set(err, -EINVAL,
				    "the first row must name submit, user, duration (or start and "
				    "finish) and the resources");
	t->columns = n;
	return 0;
}

static int weigh(struct trace *t, const char *user, double weight, struct sl_error *err)
{
	int u;

	if (!(weight >= SL_FAIR_WEIGHT_MIN && weight <= SL_FAIR_WEIGHT_MAX))
		return sl_error_set(err, -EINVAL, "the weight of user %s must be from %g to %g",
				    user, SL_FAIR_WEIGHT_MIN, SL_FAIR_WEIGHT_MAX);
	u = trace_user(t, user, err);
	return u < 0 ? u : trace_user_weigh(t, (unsigned)u, weight, err);
}

/* A number of column i, times in microseconds. */
static int number(const struct trace *t, const char *field, unsigned i, double *value,
		  struct sl_error *err)
{
	const int column = t->column[i];
	const bool time = column < 0 && column != COLUMN_WEIGHT;
	char *end;

	*value = strtod(field, &end);
	if (end == field || *end || !(*value >= 0) || *value > TRACE_TIME_MAX)
		return sl_error_set(err, -EINVAL, "\"%s\" in column %u is no number from 0 on",
				    field, i + 1);
	if (!time)
		return 0;
	*value *= t->unit_us;
	return *value <= TRACE_TIME_MAX
		       ? 0
		       : sl_error_set(err, -EINVAL, "\"%s\" in column %u is more than 31 years",
				      field, i + 1);
}

int trace_csv_row(struct trace *t, char *row, struct sl_error *err)
{
	char *field[TRACE_COLUMNS];
	const unsigned n = trace_split(row, field, TRACE_COLUMNS);
	double word[-COLUMN_NONE + 1] = {0}, *demand; /* by -column */
	struct trace_task task = {0};
	const char *user = "";
	double start;
	int ret = 0;

	if (n != t->columns)
		return sl_error_set(err, -EINVAL, "%u columns; the first row has %u", n,
				    t->columns);
	for (unsigned i = 0; !ret && i < n; i++) {
		const int column = t->column[i];

		demand = &task.demand[column < 0 ? 0 : column];
		if (column == COLUMN_USER)
			user = field[i];
		else if (column != COLUMN_NONE)
			ret = number(t, field[i], i, column < 0 ? &word[-column] : demand, err);
	}
	if (ret)
		return ret;
	start = word[HAS(BIT(COLUMN_START)) ? -COLUMN_START : -COLUMN_SUBMIT];
	if (!HAS(BIT(COLUMN_DURATION)))
		word[-COLUMN_DURATION] = word[-COLUMN_FINISH] - start;
	if (word[-COLUMN_DURATION] < 0)
		return sl_error_set(err, -EINVAL, "the task finishes before it starts");
	task.submit_us = (uint64_t)llround(word[-COLUMN_SUBMIT]);
	task.duration_us = (uint64_t)llround(word[-COLUMN_DURATION]);
	if (HAS(BIT(COLUMN_WEIGHT)))
		ret = weigh(t, user, word[-COLUMN_WEIGHT], err);
	return ret ? ret : trace_add(t, &task, (uint64_t)llround(start), user, err);
}
