/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sched.h - a task scheduler's queue with a fair order: who submits what, and what to start next.
 * docs/examples/my_sched.c is a whole one; sl_sched(3) tells the same as this page.
 *
 *	struct sl_sched_opts opts = { .fair = { .policy = SL_POLICY_SDRF, .resources = 2,
 *						.capacity = { 9, 18 } } };
 *
 *	sl_sched_open(&opts, &s, &err);
 *	user = sl_sched_add_user(s, 1);
 *	sl_sched_submit(s, user, demand, 60, cookie, &id);
 *	sl_sched_tick(s, now);
 *	while (sl_sched_next(s, &task) == 1)
 *		... start task.cookie on task.machine; when it ends: sl_sched_finish(s, task.id) ...
 *	sl_sched_close(s);
 *
 * Tasks of one user start in the order of submission. The user whose turn it is, is asked for its
 * oldest task; if that does not fit nothing starts until something ends: nobody overtakes a large
 * task for ever. A scheduler is one object without globals, to be used by one thread at a time.
 */
#ifndef SLUICE_SCHED_H
#define SLUICE_SCHED_H

#include <stdint.h>

#include <sluice/error.h>
#include <sluice/fair.h>

#ifdef __cplusplus
extern "C" {
#endif

/* On which machine a task starts, of those where it fits. */
enum sl_fit {
	SL_FIT_FIRST = 0, /* the first */
	SL_FIT_BEST, /* where the least is left, summed over the resources as shares */
	SL_FIT_DOMINANT, /* where the least is left of the resource that will be shortest */
};

#define SL_SCHED_MACHINES 100000
#define SL_SCHED_SECONDS_MAX 1e12

/* Zero means the default everywhere. */
struct sl_sched_opts {
	struct sl_fair_opts fair; /* policy and capacity of all together */
	unsigned machines; /* equal parts of the capacity; 0 or 1: one pool */
	enum sl_fit fit;
};

struct sl_sched_task {
	uint64_t id;
	uint64_t cookie; /* as it was submitted */
	unsigned user;
	unsigned machine;
};

struct sl_sched;

/* 0 and *s, or -EINVAL, -ENOMEM with a line in err (may be NULL). */
int sl_sched_open(const struct sl_sched_opts *opts, struct sl_sched **s, struct sl_error *err);
void sl_sched_close(struct sl_sched *s);

/* Add a user: its number, from 0 on, or -EINVAL for a weight that is not from SL_FAIR_WEIGHT_MIN to
 * SL_FAIR_WEIGHT_MAX, -E2BIG beyond SL_FAIR_USERS, -ENOMEM. */
int sl_sched_add_user(struct sl_sched *s, double weight);

/* The time, nanoseconds from any origin: the first is where time begins, or 0 if a task has started
 * before. It never goes back: an earlier one is taken for the latest. */
void sl_sched_tick(struct sl_sched *s, uint64_t now_ns);

/*
 * Queue a task. `demand` has one value >= 0 for each resource, in the unit of the capacity;
 * `seconds` is how long it is expected to run (only DRFQ asks; 1 if unknown). 0 and *id (may be
 * NULL), or -EINVAL: no such user, a demand or time that is no number or negative, or a time of
 * more than SL_SCHED_SECONDS_MAX; -E2BIG: no machine has so much, so it could never start; -ENOMEM.
 */
int sl_sched_submit(struct sl_sched *s, unsigned user, const double *demand, double seconds,
		    uint64_t cookie, uint64_t *id);

/* The task to start now: 1 and *task, which holds its resources from now on; or 0: nothing waits,
 * or what comes next does not fit. No allocation, no system call. */
int sl_sched_next(struct sl_sched *s, struct sl_sched_task *task);

/* A task ended, or, if it still waits, is withdrawn. 0, or -ENOENT: no such task (any more). */
int sl_sched_finish(struct sl_sched *s, uint64_t id);

/* What a user has now. */
struct sl_sched_user_info {
	double share; /* dominant: 0..1 */
	double equal_share; /* weight / sum of weights */
	double commitment; /* SDRF: dominant; else 0 */
	double credits; /* Karma; else 0 */
	uint64_t waiting, running; /* tasks */
};

/* 0, or -EINVAL: no such user. */
int sl_sched_info(struct sl_sched *s, unsigned user, struct sl_sched_user_info *info);

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_SCHED_H */
