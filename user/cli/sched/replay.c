// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sched/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/sched/ends.h"

#define PROGRESS_TASKS 65536

/* A task between submission and end, found by the cookie. */
struct waiting {
	uint64_t submit_us, duration_us;
	double dominant;
	uint32_t next_free;
	double demand[]; /* shares of the capacity, for the samples */
};

struct run {
	struct replay *replay;
	struct trace *trace;
	struct sl_sched *sched;
	struct ends ends;
	char *slab;
	size_t stride;
	uint32_t slots, free;
	uint64_t now_us, horizon_us;
	double used[SL_FAIR_RESOURCES];
	struct trace_task next;
	int have_next; /* as trace_sort_next() says */
	struct sl_error *err;
};

static struct waiting *waiting_of(const struct run *r, uint64_t cookie)
{
	return (void *)(r->slab + cookie * r->stride);
}

static int grow(struct run *r)
{
	const uint32_t slots = r->slots ? 2 * r->slots : 1024;
	char *slab = slots > r->slots ? realloc(r->slab, slots * r->stride) : NULL;

	if (!slab)
		return -ENOMEM;
	r->slab = slab;
	for (uint32_t i = slots; i-- > r->slots;) {
		waiting_of(r, i)->next_free = r->free;
		r->free = i;
	}
	r->slots = slots;
	return 0;
}

static int submit(struct run *r, const struct trace_task *t)
{
	const struct sl_fair_opts *o = &r->replay->opts.fair;
	const uint32_t slot = r->free;
	struct waiting *w;
	int ret;

	if (slot == UINT32_MAX) {
		ret = grow(r);
		return ret ? ret : submit(r, t);
	}
	r->replay->user[t->user].tasks++;
	ret = sl_sched_submit(r->sched, t->user, t->demand, (double)t->duration_us / 1e6, slot,
			      NULL);
	if (ret == -E2BIG) {
		r->replay->too_large++;
		return 0;
	}
	if (ret)
		return ret;
	w = waiting_of(r, slot);
	r->free = w->next_free;
	w->submit_us = t->submit_us;
	w->duration_us = t->duration_us;
	w->dominant = 0;
	for (unsigned i = 0; i < o->resources; i++) {
		w->demand[i] = t->demand[i] / o->capacity[i];
		w->dominant = fmax(w->dominant, w->demand[i]);
	}
	return 0;
}

static void account(struct run *r, const struct sl_sched_task *task, const struct waiting *w)
{
	struct replay_user *u = &r->replay->user[task->user];
	const double wait = (double)(r->now_us - w->submit_us);
	const bool done = r->now_us + w->duration_us <= r->horizon_us;

	u->started++;
	u->done += done;
	u->wait_us += wait;
	u->wait_max_us = fmax(u->wait_max_us, wait);
	u->share_us += w->dominant * (double)w->duration_us;
	r->replay->started++;
	r->replay->done += done;
	r->replay->wait_us += wait;
	for (unsigned i = 0; i < r->replay->opts.fair.resources; i++)
		r->used[i] += w->demand[i];
	if (r->trace->progress && r->replay->started % PROGRESS_TASKS == 0)
		r->trace->progress("scheduling", (double)r->replay->started / r->trace->tasks,
				   r->replay->started);
}

/* Start what can be. */
static int round_of(struct run *r)
{
	struct sl_sched_task task;

	while (sl_sched_next(r->sched, &task) == 1) {
		const struct waiting *w = waiting_of(r, task.cookie);
		int ret;

		account(r, &task, w);
		ret = ends_add(&r->ends, r->now_us + w->duration_us, task.id,
			       (uint32_t)task.cookie);
		if (ret)
			return ret;
	}
	return 0;
}

static void finish(struct run *r)
{
	const struct end end = ends_pop(&r->ends);
	struct waiting *w = waiting_of(r, end.cookie);

	for (unsigned i = 0; i < r->replay->opts.fair.resources; i++)
		r->used[i] -= w->demand[i];
	sl_sched_finish(r->sched, end.id);
	w->next_free = r->free;
	r->free = end.cookie;
}

/* Jain's index of what users with tasks hold. */
static double jain(const struct run *r)
{
	double sum = 0, squares = 0, n = 0;

	for (unsigned u = 0; u < r->replay->users; u++) {
		struct sl_sched_user_info info;

		sl_sched_info(r->sched, u, &info);
		if (!info.waiting && !info.running)
			continue;
		n++;
		sum += info.share;
		squares += info.share * info.share;
	}
	return squares > 0 ? sum * sum / (n * squares) : 1;
}

/* The state between two events holds for all sample times between them. */
static void sample_until(struct run *r, uint64_t next_us)
{
	struct replay *replay = r->replay;
	const double first = (double)r->trace->first_submit_us;
	const double step = ((double)r->horizon_us - first) / replay->samples_n;

	while (replay->sampled < replay->samples_n &&
	       first + step * replay->sampled < (double)next_us) {
		struct replay_sample *s = &replay->sample[replay->sampled];

		s->time_us = step * replay->sampled++;
		s->jain = jain(r);
		for (unsigned i = 0; i < replay->opts.fair.resources; i++)
			s->used[i] = r->used[i];
		for (unsigned i = 0; i < replay->top_n; i++) {
			struct sl_sched_user_info info;

			sl_sched_info(r->sched, replay->top[i], &info);
			s->share[i] = info.share;
		}
	}
}

static int at_ends(struct run *r)
{
	int ret = 0;

	while (!ret && r->ends.n && r->ends.heap[0].at_us == r->now_us) {
		finish(r);
		ret = round_of(r);
	}
	return ret;
}

static int at_arrivals(struct run *r)
{
	int ret = 0;

	while (!ret && r->have_next == 1 && r->next.submit_us == r->now_us) {
		ret = submit(r, &r->next);
		r->have_next = trace_sort_next(r->trace->sort, &r->next);
	}
	return ret ? ret : round_of(r);
}

static int events(struct run *r)
{
	int ret = 0;

	r->have_next = trace_sort_next(r->trace->sort, &r->next);
	while (!ret && (r->have_next == 1 || r->ends.n)) {
		const bool end = r->ends.n &&
				 (r->have_next != 1 || r->ends.heap[0].at_us <= r->next.submit_us);
		const uint64_t at = end ? r->ends.heap[0].at_us : r->next.submit_us;

		sample_until(r, at);
		r->now_us = at;
		sl_sched_tick(r->sched, (at - r->trace->first_submit_us) * 1000);
		ret = end ? at_ends(r) : at_arrivals(r);
	}
	r->replay->end_us = r->now_us;
	sample_until(r, UINT64_MAX);
	return ret ? ret : r->have_next;
}

static int by_work(const void *a, const void *b, void *arg)
{
	const double x = ((const struct replay *)arg)->user[*(const unsigned *)a].share_us;
	const double y = ((const struct replay *)arg)->user[*(const unsigned *)b].share_us;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The users with the most work, known from a first pass over the tasks' sums. */
static int choose_top(struct replay *replay, const struct trace *trace)
{
	unsigned *all = malloc((replay->users + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (unsigned u = 0; u < replay->users; u++) {
		all[u] = u;
		replay->user[u].share_us = trace_user_work(trace, u, &replay->opts.fair);
	}
	qsort_r(all, replay->users, sizeof(*all), by_work, replay);
	replay->top_n = replay->users < REPLAY_TOP ? replay->users : REPLAY_TOP;
	memcpy(replay->top, all, replay->top_n * sizeof(*all));
	for (unsigned u = 0; u < replay->users; u++)
		replay->user[u].share_us = 0;
	free(all);
	return 0;
}

static int prepare(struct run *r)
{
	struct replay *replay = r->replay;
	int ret = sl_sched_open(&replay->opts, &r->sched, r->err);

	if (ret)
		return ret;
	for (unsigned u = 0; u < replay->users; u++)
		if (sl_sched_add_user(r->sched, replay->user[u].weight) < 0)
			return -ENOMEM;
	replay->sample = calloc(replay->samples_n + 1, sizeof(*replay->sample));
	return replay->sample ? choose_top(replay, r->trace) : -ENOMEM;
}

int replay_run(struct replay *replay, struct trace *trace, struct sl_error *err)
{
	struct run r = {.replay = replay, .trace = trace, .free = UINT32_MAX, .err = err};
	struct timespec begin, end;
	int ret;

	r.stride = sizeof(struct waiting) + replay->opts.fair.resources * sizeof(double);
	r.horizon_us = trace->max_finish_us;
	err->text[0] = 0;
	ret = prepare(&r);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (!ret)
		ret = events(&r);
	clock_gettime(CLOCK_MONOTONIC, &end);
	replay->decisions_seconds =
		(double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	if (ret && !*err->text)
		sl_error_set(err, ret, "the simulation: %s", strerror(-ret));
	sl_sched_close(r.sched);
	ends_free(&r.ends);
	free(r.slab);
	return ret;
}

void replay_free(struct replay *replay)
{
	free(replay->user);
	free(replay->sample);
}

double replay_mean_user_wait(const struct replay *replay)
{
	double sum = 0;
	unsigned n = 0;

	for (unsigned u = 0; u < replay->users; u++)
		if (replay->user[u].started) {
			sum += replay->user[u].wait_us / (double)replay->user[u].started;
			n++;
		}
	return n ? sum / n : 0;
}

static double completion(const struct replay_user *u)
{
	return u->tasks ? (double)u->done / (double)u->tasks : 1;
}

double replay_mean_user_completion(const struct replay *replay)
{
	double sum = 0;

	for (unsigned u = 0; u < replay->users; u++)
		sum += completion(&replay->user[u]);
	return replay->users ? sum / replay->users : 1;
}

double replay_jain_completion(const struct replay *replay)
{
	double sum = 0, squares = 0;

	for (unsigned u = 0; u < replay->users; u++) {
		sum += completion(&replay->user[u]);
		squares += completion(&replay->user[u]) * completion(&replay->user[u]);
	}
	return squares > 0 ? sum * sum / (replay->users * squares) : 1;
}

double replay_mean_jain(const struct replay *replay)
{
	double sum = 0;

	for (unsigned i = 0; i < replay->sampled; i++)
		sum += replay->sample[i].jain;
	return replay->sampled ? sum / replay->sampled : 1;
}
