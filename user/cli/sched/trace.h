/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace.h - tasks out of traces: read row by row, sorted by the time of submission, in memory
 * bounded by the tasks that are open at a time and a sort buffer; the rest is in a file without a
 * name.
 */
#ifndef SL_CLI_SCHED_TRACE_H
#define SL_CLI_SCHED_TRACE_H

#include <stdio.h>
#include <sluice/fair.h>

#include "platform/instance.h"

enum trace_format { TRACE_AUTO, TRACE_GOOGLE, TRACE_CSV };

/* Times are microseconds. What follows `demand` of the resources there are is not stored. */
struct trace_task {
	uint64_t submit_us, duration_us;
	uint32_t number; /* order of reading */
	uint32_t user;
	double demand[SL_FAIR_RESOURCES];
};

/* The latest time: 31 years. */
#define TRACE_TIME_MAX 1000000000000000u

/* What a column of a CSV is. */
#define TRACE_COLUMNS (SL_FAIR_RESOURCES + 8)
enum trace_column {
	COLUMN_NONE = -7,
	COLUMN_WEIGHT,
	COLUMN_USER,
	COLUMN_FINISH,
	COLUMN_START,
	COLUMN_DURATION,
	COLUMN_SUBMIT
};

struct trace {
	enum trace_format format;
	double unit_us; /* of a CSV's times */
	size_t sort_bytes; /* of the sort buffer */
	/* May be NULL. `share` of the work, below 0: unknown; `done` rows or tasks. */
	void (*progress)(const char *what, double share, uint64_t done);
	/* what was found */
	unsigned resources;
	char resource_name[SL_FAIR_RESOURCES][24];
	unsigned columns;
	int column[TRACE_COLUMNS]; /* resource, or an enum trace_column */
	unsigned columns_seen; /* bits of -column */
	uint32_t tasks; /* complete ones */
	uint64_t rows, skipped;
	double bytes, bytes_before; /* of all files, below 0: unknown; of those that were read */
	uint64_t first_submit_us, min_start_us, max_finish_us;
	double work[SL_FAIR_RESOURCES]; /* demand * seconds, of all */
	struct trace_users *users;
	struct trace_open *open;
	struct trace_sort *sort;
};

/* Read files, "-" is standard input, in this order. -errno with a line that names file and row;
 * what was read before is there nevertheless. */
int trace_read(struct trace *t, const char *const *files, unsigned n, struct sl_error *err);
void trace_free(struct trace *t);

/* One parsed row of each format, `row` is changed. 0 or -EINVAL with what is wrong. */
int trace_google_row(struct trace *t, char *row, struct sl_error *err);
int trace_csv_header(struct trace *t, char *row, struct sl_error *err);
int trace_csv_row(struct trace *t, char *row, struct sl_error *err);
void trace_open_free(struct trace_open *o);

/* A task is complete. */
int trace_add(struct trace *t, struct trace_task *task, uint64_t start_us, const char *user,
	      struct sl_error *err);

/* Split at commas; the number of fields, at most `max` of them are stored. */
unsigned trace_split(char *row, char **field, unsigned max);

/* Can JSON tell it: is it UTF-8? */
bool trace_name_told(const char *name);
/* Users by name: a number from 0 on, or -EINVAL, -E2BIG, -ENOMEM with a line. */
int trace_user(struct trace *t, const char *name, struct sl_error *err);
const char *trace_user_name(const struct trace *t, unsigned u);
unsigned trace_users(const struct trace *t);
/* A user has this weight: 0, or -EINVAL with a line if it had another. */
int trace_user_weigh(struct trace *t, unsigned u, double weight, struct sl_error *err);
/* 1 if nothing else was said. */
double trace_user_weight(const struct trace *t, unsigned u);
/* What all tasks of a user need, demand times seconds: to add, and as dominant share. */
void trace_user_add_work(struct trace *t, const struct trace_task *task);
double trace_user_work(const struct trace *t, unsigned u, const struct sl_fair_opts *opts);
void trace_users_free(struct trace_users *u);

/* Sorting: add tasks, then rewind, then next until 0. 1: there is one; -errno. What did not need a
 * file can be rewound again. */
struct trace_sort *trace_sort_new(unsigned resources, size_t bytes);
int trace_sort_add(struct trace_sort *s, const struct trace_task *task);
int trace_sort_rewind(struct trace_sort *s);
int trace_sort_next(struct trace_sort *s, struct trace_task *task);
void trace_sort_free(struct trace_sort *s);

#endif /* SL_CLI_SCHED_TRACE_H */
