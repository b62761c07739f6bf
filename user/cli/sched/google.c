// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * google.c - rows of task_events of Google's cluster trace of 2011 (clusterdata-2011-2,
 * schema.csv): tasks that were submitted and scheduled in it and finished or failed. Evicted,
 * killed and lost ones, those submitted before it, rows with missing information and tasks without
 * a request are left out. The demand is that of the SCHEDULE row.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sched/trace.h"

#define FIELDS 13
#define OPEN_FIRST 4096u
/* The time of what happened after the trace. */
#define AFTER_THE_END (UINT64_MAX / 2)

enum field { TIME, MISSING, JOB, TASK, MACHINE, EVENT, USER, CLASS, PRIORITY, CPU, MEMORY };
enum event { SUBMIT, SCHEDULE, EVICT, FAIL, FINISH, KILL, LOST, UPDATE_PENDING, UPDATE_RUNNING };

/* A task that has been submitted, in a table with linear probing. */
struct open_task {
	uint64_t job, submit_us, start_us;
	uint32_t task;
	bool used, scheduled;
	double cpu, memory;
};

struct trace_open {
	struct open_task *slot;
	size_t slots, n; /* slots: a power of two */
};

/* Job numbers have 33 bits and tasks count from 0: the high bits of a product hang on all of both.
 */
static size_t home(const struct trace_open *o, uint64_t job, uint32_t task)
{
	const uint64_t h = (job + task * 0xff51afd7ed558ccdu) * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> 32) & (o->slots - 1);
}

static struct open_task *find(const struct trace_open *o, uint64_t job, uint32_t task)
{
	size_t i = home(o, job, task);

	while (o->slot[i].used && (o->slot[i].job != job || o->slot[i].task != task))
		i = (i + 1) & (o->slots - 1);
	return &o->slot[i];
}

static int grow(struct trace_open *o)
{
	const struct trace_open old = *o;

	o->slots = old.slots ? 2 * old.slots : OPEN_FIRST;
	o->slot = calloc(o->slots, sizeof(*o->slot));
	if (!o->slot) {
		*o = old;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old.slots; i++)
		if (old.slot[i].used)
			*find(o, old.slot[i].job, old.slot[i].task) = old.slot[i];
	free(old.slot);
	return 0;
}

/* Close the gap, so that what was pushed on by this one is found. */
static void drop(struct trace_open *o, struct open_task *t)
{
	size_t gap = (size_t)(t - o->slot), i = gap;

	if (!t->used)
		return;
	for (;;) {
		i = (i + 1) & (o->slots - 1);
		if (!o->slot[i].used)
			break;
		const size_t wants = home(o, o->slot[i].job, o->slot[i].task);

		if (((i - wants) & (o->slots - 1)) >= ((i - gap) & (o->slots - 1))) {
			o->slot[gap] = o->slot[i];
			gap = i;
		}
	}
	o->slot[gap].used = false;
	o->n--;
}

void trace_open_free(struct trace_open *o)
{
	if (o)
		free(o->slot);
	free(o);
}

static bool whole(const char *text, uint64_t *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !*end && !errno && *value <= INT64_MAX;
}

static bool amount(const char *text, double *value)
{
	char *end;

	*value = 0;
	if (!*text)
		return true;
	*value = strtod(text, &end);
	return !*end && *value >= 0 && isfinite(*value);
}

static int submit(struct trace_open *o, uint64_t job, uint64_t task, uint64_t time)
{
	struct open_task *t;

	if (time == 0 || time > TRACE_TIME_MAX) /* before the trace, or after it */
		return 0;
	if (4 * (o->n + 1) > 3 * o->slots && grow(o))
		return -ENOMEM;
	t = find(o, job, (uint32_t)task);
	o->n += !t->used;
	*t = (struct open_task){
		.job = job, .task = (uint32_t)task, .submit_us = time, .used = true};
	return 0;
}

static int schedule(struct open_task *t, char **field, uint64_t time, struct sl_error *err)
{
	if (!amount(field[CPU], &t->cpu))
		return sl_error_set(err, -EINVAL, "\"%s\" in column 10 is no CPU request",
				    field[CPU]);
	if (!amount(field[MEMORY], &t->memory))
		return sl_error_set(err, -EINVAL, "\"%s\" in column 11 is no memory request",
				    field[MEMORY]);
	t->start_us = time;
	t->scheduled = true;
	return 0;
}

static int end(struct trace *trace, struct open_task *t, uint64_t event, const char *user,
	       uint64_t time, struct sl_error *err)
{
	struct trace_task task = {.submit_us = t->submit_us};
	const bool complete = t->scheduled && time <= TRACE_TIME_MAX &&
			      (event == FINISH || event == FAIL) && t->cpu > 0 && t->memory > 0 &&
			      time >= t->start_us;
	const uint64_t start_us = t->start_us;

	task.duration_us = time - start_us;
	task.demand[0] = t->cpu;
	task.demand[1] = t->memory;
	drop(trace->open, t);
	return complete ? trace_add(trace, &task, start_us, user, err) : 0;
}

static int wrong(struct sl_error *err, char **field, unsigned i, const char *what)
{
	return sl_error_set(err, -EINVAL, "\"%s\" in column %u is no %s", field[i], i + 1, what);
}

int trace_google_row(struct trace *trace, char *row, struct sl_error *err)
{
	uint64_t time, job, task, event;
	char *field[FIELDS];
	const unsigned n = trace_split(row, field, FIELDS);
	struct open_task *t;

	if (n != FIELDS)
		return sl_error_set(err, -EINVAL, "%u columns; a row of task_events has %u", n,
				    FIELDS);
	if (!whole(field[TIME], &time) || (time > TRACE_TIME_MAX && time != AFTER_THE_END))
		return wrong(err, field, TIME, "time");
	if (!whole(field[JOB], &job))
		return wrong(err, field, JOB, "job");
	if (!whole(field[TASK], &task) || task > UINT32_MAX)
		return wrong(err, field, TASK, "task index");
	if (!whole(field[EVENT], &event) || event > UPDATE_RUNNING)
		return wrong(err, field, EVENT, "event from 0 to 8");
	if (*field[MISSING]) {
		trace->skipped++;
		return 0;
	}
	if (!trace->open) {
		trace->open = calloc(1, sizeof(*trace->open));
		if (!trace->open || grow(trace->open))
			return sl_error_set(err, -ENOMEM, "no memory");
		trace->resources = 2;
		strcpy(trace->resource_name[0], "cpu");
		strcpy(trace->resource_name[1], "memory");
	}
	if (event == SUBMIT)
		return submit(trace->open, job, task, time);
	t = find(trace->open, job, (uint32_t)task);
	if (!t->used || event == UPDATE_PENDING || event == UPDATE_RUNNING)
		return 0;
	return event == SCHEDULE ? schedule(t, field, time, err)
				 : end(trace, t, event, field[USER], time, err);
}
