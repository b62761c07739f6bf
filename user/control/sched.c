// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sched.c - queues of tasks before a fair order. Memory is that of the tasks that wait or run, at
 * their highest number; it grows when a task is submitted, never when one is chosen.
 */
#include <sluice/sched.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/fair.h"
#include "control/machines.h"

#define NONE UINT32_MAX
#define SLOTS_FIRST 64u

enum task_state { TASK_FREE, TASK_WAITS, TASK_RUNS };

/* An id is the slot and how often it has been used, so that an old id finds nothing. */
struct task {
	uint64_t cookie;
	uint32_t next, previous; /* in its user's queue, or free */
	uint32_t user, machine;
	uint32_t uses;
	enum task_state state;
	double seconds;
};

struct queue {
	uint32_t first, last;
	uint64_t waiting, running;
};

struct sl_sched {
	struct sl_fair_opts opts;
	struct sl_fair *fair;
	struct sl_machines machines;
	struct task *task;
	double *demand; /* slot * resources + resource */
	uint32_t slots, free;
	struct queue *queue; /* of each user */
	unsigned queues;
	bool started, ticked; /* a task; the time was said */
	uint64_t origin_ns;
};

/* One line: `what` between two halves. */
static int refuse(struct sl_error *err, int code, const char *before, const char *what,
		  const char *after)
{
	if (err)
		snprintf(err->text, sizeof(err->text), "%s%s%s", before, what, after);
	return code;
}

int sl_sched_open(const struct sl_sched_opts *opts, struct sl_sched **out, struct sl_error *err)
{
	const unsigned machines = opts->machines ? opts->machines : 1;
	struct sl_sched *s;
	const char *what = "";
	int ret;

	if (machines > SL_SCHED_MACHINES || (unsigned)opts->fit > SL_FIT_DOMINANT)
		return refuse(err, -EINVAL, "the scheduler's setting ",
			      machines > SL_SCHED_MACHINES ? "machines" : "fit",
			      " makes no sense; see sched.h");
	s = calloc(1, sizeof(*s));
	if (!s)
		return refuse(err, -ENOMEM, "no memory", "", "");
	s->opts = opts->fair;
	s->free = NONE;
	ret = sl_fair_new(&opts->fair, SL_ORDER_AUTO, &s->fair, &what);
	if (!ret)
		ret = sl_machines_init(&s->machines, machines, opts->fair.resources, opts->fit);
	if (ret) {
		sl_sched_close(s);
		return ret == -EINVAL ? refuse(err, ret, "the policy's setting ", what,
					       " makes no sense; see fair.h")
				      : refuse(err, ret, "no memory", "", "");
	}
	*out = s;
	return 0;
}

void sl_sched_close(struct sl_sched *s)
{
	if (!s)
		return;
	sl_fair_free(s->fair);
	sl_machines_free(&s->machines);
	free(s->task);
	free(s->demand);
	free(s->queue);
	free(s);
}

static int grow(void *list, size_t size)
{
	void **at = list, *more = realloc(*at, size);

	if (!more)
		return -ENOMEM;
	*at = more;
	return 0;
}

int sl_sched_add_user(struct sl_sched *s, double weight)
{
	const unsigned u = sl_fair_users(s->fair);

	if (u == s->queues) {
		const unsigned room = u ? 2 * u : SLOTS_FIRST;

		if (grow(&s->queue, room * sizeof(*s->queue)))
			return -ENOMEM;
		s->queues = room;
	}
	s->queue[u] = (struct queue){.first = NONE, .last = NONE};
	return sl_fair_add_user(s->fair, weight);
}

void sl_sched_tick(struct sl_sched *s, uint64_t now_ns)
{
	if (!s->ticked && !s->started)
		s->origin_ns = now_ns;
	s->ticked = true;
	sl_fair_advance(s->fair, now_ns > s->origin_ns ? now_ns - s->origin_ns : 0);
}

static double *demand_of(const struct sl_sched *s, uint32_t slot)
{
	return s->demand + (size_t)slot * s->opts.resources;
}

static int more_slots(struct sl_sched *s)
{
	const uint32_t room = s->slots ? 2 * s->slots : SLOTS_FIRST;

	if (room <= s->slots || room == NONE || grow(&s->task, room * sizeof(*s->task)) ||
	    grow(&s->demand, (size_t)room * s->opts.resources * sizeof(*s->demand)))
		return -ENOMEM;
	for (uint32_t i = room; i-- > s->slots;) {
		s->task[i] = (struct task){.next = s->free};
		s->free = i;
	}
	s->slots = room;
	return 0;
}

int sl_sched_submit(struct sl_sched *s, unsigned user, const double *demand, double seconds,
		    uint64_t cookie, uint64_t *id)
{
	double amount[SL_FAIR_RESOURCES], *kept;
	struct queue *q;
	struct task *t;
	uint32_t slot;

	if (user >= sl_fair_users(s->fair) || !(seconds >= 0) || seconds > SL_SCHED_SECONDS_MAX ||
	    !sl_fair_quantize(&s->opts, demand, amount))
		return -EINVAL;
	if (!sl_machines_can(&s->machines, amount))
		return -E2BIG;
	if (s->free == NONE && more_slots(s))
		return -ENOMEM;
	slot = s->free;
	t = &s->task[slot];
	s->free = t->next;
	kept = demand_of(s, slot);
	for (unsigned r = 0; r < s->opts.resources; r++)
		kept[r] = amount[r];
	q = &s->queue[user];
	*t = (struct task){.cookie = cookie,
			   .next = NONE,
			   .previous = q->last,
			   .user = user,
			   .uses = t->uses + 1,
			   .state = TASK_WAITS,
			   .seconds = seconds};
	if (q->last == NONE)
		q->first = slot;
	else
		s->task[q->last].next = slot;
	q->last = slot;
	q->waiting++;
	if (q->first == slot)
		sl_fair_candidate(s->fair, user, kept);
	if (id)
		*id = (uint64_t)t->uses << 32 | slot;
	return 0;
}

/* Take a task out of its user's queue. */
static void unlink_task(struct sl_sched *s, const struct task *t)
{
	struct queue *q = &s->queue[t->user];

	if (t->previous == NONE)
		q->first = t->next;
	else
		s->task[t->previous].next = t->next;
	if (t->next == NONE)
		q->last = t->previous;
	else
		s->task[t->next].previous = t->previous;
	q->waiting--;
}

/* The head of the user's queue is another, or there is none. */
static void new_head(struct sl_sched *s, unsigned user)
{
	const uint32_t first = s->queue[user].first;

	if (first == NONE)
		sl_fair_no_candidate(s->fair, user);
	else
		sl_fair_candidate(s->fair, user, demand_of(s, first));
}

int sl_sched_next(struct sl_sched *s, struct sl_sched_task *task)
{
	const int user = sl_fair_first(s->fair);
	uint32_t slot;
	struct task *t;
	int machine;

	if (user < 0)
		return 0;
	slot = s->queue[user].first;
	t = &s->task[slot];
	machine = sl_machines_take(&s->machines, demand_of(s, slot));
	if (machine < 0)
		return 0;
	unlink_task(s, t);
	s->started = true;
	t->state = TASK_RUNS;
	t->machine = (uint32_t)machine;
	s->queue[user].running++;
	sl_fair_start(s->fair, t->user, demand_of(s, slot), t->seconds);
	new_head(s, t->user);
	*task = (struct sl_sched_task){.id = (uint64_t)t->uses << 32 | slot,
				       .cookie = t->cookie,
				       .user = t->user,
				       .machine = t->machine};
	return 1;
}

int sl_sched_finish(struct sl_sched *s, uint64_t id)
{
	const uint32_t slot = (uint32_t)id;
	struct task *t;

	if (slot >= s->slots || s->task[slot].state == TASK_FREE ||
	    s->task[slot].uses != (uint32_t)(id >> 32))
		return -ENOENT;
	t = &s->task[slot];
	if (t->state == TASK_RUNS) {
		s->queue[t->user].running--;
		sl_machines_give(&s->machines, t->machine, demand_of(s, slot));
		sl_fair_finish(s->fair, t->user, demand_of(s, slot));
	} else {
		const bool first = s->queue[t->user].first == slot;

		unlink_task(s, t);
		if (first)
			new_head(s, t->user);
	}
	t->state = TASK_FREE;
	t->next = s->free;
	s->free = slot;
	return 0;
}

int sl_sched_info(struct sl_sched *s, unsigned user, struct sl_sched_user_info *info)
{
	if (user >= sl_fair_users(s->fair))
		return -EINVAL;
	*info = (struct sl_sched_user_info){.share = sl_fair_share(s->fair, user),
					    .equal_share = sl_fair_equal_share(s->fair, user),
					    .waiting = s->queue[user].waiting,
					    .running = s->queue[user].running};
	if (s->opts.policy == SL_POLICY_SDRF)
		info->commitment = sl_fair_commitment(s->fair, user);
	if (s->opts.policy == SL_POLICY_KARMA)
		info->credits = sl_fair_credits(s->fair, user);
	return 0;
}
