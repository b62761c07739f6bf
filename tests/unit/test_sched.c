// SPDX-License-Identifier: GPL-2.0-or-later
/* The scheduler's library calls: what starts, where, and what is refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/sched.h>

static struct sl_sched *make(struct sl_sched_opts o, unsigned users)
{
	struct sl_error err = {""};
	struct sl_sched *s;

	cr_assert_eq(sl_sched_open(&o, &s, &err), 0, "%s", err.text);
	for (unsigned u = 0; u < users; u++)
		cr_assert_eq(sl_sched_add_user(s, 1), (int)u);
	return s;
}

static uint64_t submit(struct sl_sched *s, unsigned user, double a, double b, uint64_t cookie)
{
	const double demand[2] = {a, b};
	uint64_t id;

	cr_assert_eq(sl_sched_submit(s, user, demand, 1, cookie, &id), 0);
	return id;
}

static const struct sl_sched_opts pool = {.fair = {.resources = 2, .capacity = {9, 18}}};

Test(sched, the_example_of_drf)
{
	struct sl_sched *s = make(pool, 2);
	struct sl_sched_user_info info;
	struct sl_sched_task task;
	unsigned started[2] = {0};

	for (unsigned i = 0; i < 10; i++) {
		submit(s, 0, 1, 4, i);
		submit(s, 1, 3, 1, i);
	}
	while (sl_sched_next(s, &task) == 1)
		started[task.user]++;
	cr_assert_eq(started[0], 3);
	cr_assert_eq(started[1], 2);
	for (unsigned u = 0; u < 2; u++) {
		cr_assert_eq(sl_sched_info(s, u, &info), 0);
		cr_assert_float_eq(info.share, 2 / 3.0, 1e-12);
		cr_assert_float_eq(info.equal_share, 0.5, 1e-12);
		cr_assert_eq(info.running, started[u]);
		cr_assert_eq(info.waiting, 10 - started[u]);
	}
	sl_sched_close(s);
}

/* In the order of submission, each once; who ended or never was is not there. */
Test(sched, ids_and_cookies)
{
	struct sl_sched *s = make(pool, 1);
	struct sl_sched_task task;
	uint64_t id[3];

	cr_assert_eq(sl_sched_next(s, &task), 0);
	cr_assert_eq(sl_sched_finish(s, 0), -ENOENT);
	for (unsigned i = 0; i < 3; i++)
		id[i] = submit(s, 0, 9, 1, 100 + i);
	cr_assert_eq(sl_sched_finish(s, id[1]), 0); /* withdrawn */
	cr_assert_eq(sl_sched_finish(s, id[1]), -ENOENT);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(task.id, id[0]);
	cr_assert_eq(task.cookie, 100);
	cr_assert_eq(sl_sched_next(s, &task), 0);
	cr_assert_eq(sl_sched_finish(s, id[0]), 0);
	cr_assert_eq(sl_sched_finish(s, id[0]), -ENOENT);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(task.cookie, 102);
	cr_assert_eq(sl_sched_finish(s, id[2]), 0);
	/* the place is used again, the id is not */
	id[0] = submit(s, 0, 1, 1, 7);
	cr_assert(id[0] != id[1] && id[0] != id[2]);
	cr_assert_eq(sl_sched_finish(s, id[0]), 0);
	cr_assert_eq(sl_sched_next(s, &task), 0);
	sl_sched_close(s);
}

/* The user whose turn it is has a task too large for now: others do not pass it. */
Test(sched, nobody_overtakes)
{
	struct sl_sched *s = make(pool, 2);
	struct sl_sched_task task;
	uint64_t large;

	submit(s, 1, 5, 1, 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	large = submit(s, 0, 9, 1, 0);
	submit(s, 1, 1, 1, 0);
	cr_assert_eq(sl_sched_next(s, &task), 0);
	cr_assert_eq(sl_sched_finish(s, task.id), 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(task.id, large);
	cr_assert_eq(sl_sched_next(s, &task), 0);
	/* withdrawn, it makes way */
	submit(s, 0, 9, 1, 0);
	cr_assert_eq(sl_sched_finish(s, large), 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(task.user, 0);
	sl_sched_close(s);
}

static unsigned placed(struct sl_sched *s, double a, double b)
{
	struct sl_sched_task task;

	submit(s, 0, a, b, 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	return task.machine;
}

/* Three machines of 10 and 10; after the first three tasks 5,5 and 4,9 and 9,3 are left. */
static struct sl_sched *three_machines(enum sl_fit fit)
{
	const struct sl_sched_opts o = {
		.fair = {.resources = 2, .capacity = {30, 30}}, .machines = 3, .fit = fit};
	struct sl_sched *s = make(o, 1);
	struct sl_sched_task task[4];
	/* the filler leaves room for none of the others beside it */
	const double demand[4][2] = {{5, 5}, {6, 1}, {1, 7}, {0, 0}};

	for (unsigned i = 0; i < 3; i++) {
		uint64_t fill[3];

		/* fill the machines before the one that is meant */
		for (unsigned k = 0; k < i; k++) {
			const double left[3][2] = {{5, 5}, {4, 9}, {9, 3}};

			submit(s, 0, left[k][0], left[k][1], 0);
			cr_assert_eq(sl_sched_next(s, &task[3]), 1);
			cr_assert_eq(task[3].machine, k);
			fill[k] = task[3].id;
		}
		submit(s, 0, demand[i][0], demand[i][1], 0);
		cr_assert_eq(sl_sched_next(s, &task[i]), 1);
		cr_assert_eq(task[i].machine, i);
		for (unsigned k = 0; k < i; k++)
			cr_assert_eq(sl_sched_finish(s, fill[k]), 0);
	}
	return s;
}

Test(sched, first_best_and_dominant_fit)
{
	struct sl_sched *s = three_machines(SL_FIT_FIRST);

	cr_assert_eq(placed(s, 3, 2), 0);
	cr_assert_eq(placed(s, 3, 3), 1);
	sl_sched_close(s);
	s = three_machines(SL_FIT_BEST);
	/* left would be 2+3, 1+7 and 6+1 */
	cr_assert_eq(placed(s, 3, 2), 0);
	sl_sched_close(s);
	s = three_machines(SL_FIT_DOMINANT);
	/* the least left would be 2, 1 and 1: the first of the two */
	cr_assert_eq(placed(s, 3, 2), 1);
	cr_assert_eq(placed(s, 8, 1), 2);
	sl_sched_close(s);
}

/* Though all together have room, no machine has. */
Test(sched, a_task_is_on_one_machine)
{
	const struct sl_sched_opts o = {.fair = {.resources = 1, .capacity = {3}}, .machines = 3};
	const double one = 1, more = 1.001, some = 0.6;
	struct sl_sched *s = make(o, 1);
	struct sl_sched_task task;
	unsigned on[3] = {0};

	cr_assert_eq(sl_sched_submit(s, 0, &more, 1, 0, NULL), -E2BIG);
	cr_assert_eq(sl_sched_submit(s, 0, &one, 1, 0, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(sl_sched_submit(s, 0, &some, 1, 0, NULL), 0);
	while (sl_sched_next(s, &task) == 1)
		on[task.machine]++;
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(on[i], 1);
	sl_sched_close(s);
}

/* A machine's size is capacity / n, and as much is asked for: it fits, whatever the rounding. */
Test(sched, a_whole_machine_is_to_be_had)
{
	for (unsigned n = 1; n <= SL_SCHED_MACHINES; n = n * 5 / 4 + 1) {
		const struct sl_sched_opts o = {.fair = {.resources = 1, .capacity = {0.7}},
						.machines = n};
		const double whole = 0.7 / n;
		struct sl_sched *s = make(o, 1);

		cr_assert_eq(sl_sched_submit(s, 0, &whole, 1, 0, NULL), 0, "of %u", n);
		sl_sched_close(s);
	}
}

#define USERS 9
#define TASKS 300

/* What a scheduler by the book would know: DRF over a pool of 1024 and 1024, exact in integers. */
struct book {
	struct {
		unsigned user, demand[2];
		enum { ENDED, WAITS, RUNS } state;
		uint64_t id;
	} task[TASKS];
	unsigned n, held[USERS][2], used[2];
};

static int head_of(const struct book *b, unsigned user)
{
	for (unsigned i = 0; i < b->n; i++)
		if (b->task[i].user == user && b->task[i].state == WAITS)
			return (int)i;
	return -1;
}

/* The task to start, or -1. */
static int book_next(const struct book *b)
{
	unsigned least = UINT32_MAX;
	int first = -1;

	for (unsigned u = 0; u < USERS; u++) {
		const unsigned *held = b->held[u];
		const unsigned share = held[0] > held[1] ? held[0] : held[1];
		const int head = head_of(b, u);

		if (head >= 0 && share < least) {
			least = share;
			first = head;
		}
	}
	for (unsigned r = 0; first >= 0 && r < 2; r++)
		if (b->used[r] + b->task[first].demand[r] > 1024)
			return -1;
	return first;
}

static void book_move(struct book *b, unsigned i, int sign)
{
	for (unsigned r = 0; r < 2; r++) {
		b->held[b->task[i].user][r] += (unsigned)sign * b->task[i].demand[r];
		b->used[r] += (unsigned)sign * b->task[i].demand[r];
	}
	b->task[i].state = sign > 0 ? RUNS : ENDED;
}

static void start_all(struct sl_sched *s, struct book *b)
{
	struct sl_sched_task task;
	int want;

	while ((want = book_next(b)) >= 0) {
		cr_assert_eq(sl_sched_next(s, &task), 1);
		cr_assert_eq(task.cookie, (uint64_t)want);
		cr_assert_eq(task.id, b->task[want].id);
		cr_assert_eq(task.user, b->task[want].user);
		book_move(b, (unsigned)want, 1);
	}
	cr_assert_eq(sl_sched_next(s, &task), 0);
}

/* Submissions, ends and withdrawals at random: each decision is that of the book. */
Test(sched, decides_by_the_book)
{
	static struct book b;

	srand(1);
	for (unsigned round = 0; round < 40; round++) {
		const struct sl_sched_opts o = {.fair = {.resources = 2, .capacity = {1024, 1024}}};
		struct sl_sched *s = make(o, USERS);

		memset(&b, 0, sizeof(b));
		for (unsigned step = 0; step < 900; step++) {
			const unsigned i = b.n ? rand() % b.n : 0;

			if (b.n < TASKS && rand() % 2) {
				const unsigned u = rand() % USERS;

				b.task[b.n].user = u;
				b.task[b.n].demand[0] = rand() % (round % 2 ? 60 : 400);
				b.task[b.n].demand[1] = rand() % (u % 2 ? 400 : 60);
				b.task[b.n].state = WAITS;
				b.task[b.n].id = submit(s, u, b.task[b.n].demand[0],
							b.task[b.n].demand[1], b.n);
				b.n++;
			} else if (b.n && b.task[i].state != ENDED) {
				cr_assert_eq(sl_sched_finish(s, b.task[i].id), 0);
				if (b.task[i].state == RUNS)
					book_move(&b, i, -1);
				b.task[i].state = ENDED;
			}
			if (rand() % 3)
				start_all(s, &b);
		}
		for (unsigned i = 0; i < b.n; i++)
			if (b.task[i].state != ENDED)
				cr_assert_eq(sl_sched_finish(s, b.task[i].id), 0);
		for (unsigned u = 0; u < USERS; u++) {
			struct sl_sched_user_info info;

			cr_assert_eq(sl_sched_info(s, u, &info), 0);
			cr_assert_eq(info.share, 0);
			cr_assert_eq(info.waiting + info.running, 0);
		}
		sl_sched_close(s);
	}
}

/* Time is handed in: what a user had too much of counts against it, and fades. */
Test(sched, sdrf_by_tick)
{
	const struct sl_sched_opts o = {.fair = {.policy = SL_POLICY_SDRF,
						 .resources = 1,
						 .capacity = {4},
						 .half_life = 10}};
	const double all = 4, one = 1;
	struct sl_sched *s = make(o, 3);
	struct sl_sched_user_info info;
	struct sl_sched_task task;

	cr_assert_eq(sl_sched_submit(s, 0, &all, 1, 0, NULL), 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	sl_sched_tick(s, 10000000000u);
	sl_sched_info(s, 0, &info);
	cr_assert_float_eq(info.commitment, 1 / 3.0, 1e-12); /* half of 1 - 1/3 */
	sl_sched_tick(s, 5); /* never back */
	sl_sched_info(s, 0, &info);
	cr_assert_float_eq(info.commitment, 1 / 3.0, 1e-12);
	sl_sched_finish(s, task.id);
	/* one is within everybody's third; the fourth goes to who had less before */
	for (unsigned i = 0; i < 6; i++)
		cr_assert_eq(sl_sched_submit(s, i % 3, &one, 1, i, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(task.user, 1);
	cr_assert_eq(sl_sched_next(s, &task), 0);
	sl_sched_close(s);
}

/* What is within the equal share is a matter of the oldest task, not of those behind it. */
Test(sched, the_floor_looks_at_the_oldest_task)
{
	const struct sl_sched_opts o = {
		.fair = {.policy = SL_POLICY_SDRF, .resources = 1, .capacity = {4}}};
	const double one = 1, three = 3, four = 4;
	struct sl_sched *s = make(o, 2);
	struct sl_sched_task task;

	cr_assert_eq(sl_sched_submit(s, 0, &one, 1, 0, NULL), 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(sl_sched_submit(s, 0, &one, 1, 1, NULL), 0);
	cr_assert_eq(sl_sched_submit(s, 0, &four, 1, 2, NULL), 0);
	cr_assert_eq(sl_sched_submit(s, 1, &three, 1, 3, NULL), 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(task.cookie, 1);
	sl_sched_close(s);
}

#define SECOND 1000000000ull

/* User 0 has had more than its share from `now` on: when both ask again the other is the richer,
 * though the lower number wins ties. */
static void richer_comes_first(struct sl_sched *s, uint64_t now)
{
	const double most = 7, one = 1;
	struct sl_sched_task task;

	sl_sched_tick(s, now);
	cr_assert_eq(sl_sched_submit(s, 0, &most, 1, 0, NULL), 0);
	cr_assert_eq(sl_sched_next(s, &task), 1);
	sl_sched_tick(s, now + 5 * SECOND);
	cr_assert_eq(sl_sched_finish(s, task.id), 0);
	for (unsigned i = 0; i < 16; i++)
		cr_assert_eq(sl_sched_submit(s, i % 2, &one, 1, i, NULL), 0);
	for (unsigned i = 0; i < 5; i++) /* two each are guaranteed */
		cr_assert_eq(sl_sched_next(s, &task), 1);
	cr_assert_eq(task.user, 1);
}

/* The clock may be that of the world: nobody has earned anything since 1970. And after ages of
 * earning alike who has earned a little more is still the richer. */
Test(sched, karma_whatever_time_it_is)
{
	struct sl_sched_opts o = {.fair = {.policy = SL_POLICY_KARMA,
					   .resources = 1,
					   .capacity = {8},
					   .borrowable = 0.5}};
	struct sl_sched *s = make(o, 2);
	struct sl_sched_user_info info;

	sl_sched_tick(s, 1790000000 * SECOND);
	sl_sched_info(s, 0, &info);
	cr_assert_eq(info.credits, 0);
	richer_comes_first(s, 1790000000 * SECOND);
	sl_sched_close(s);
	o.fair.quantum = 1e-3;
	s = make(o, 2);
	sl_sched_tick(s, 0);
	richer_comes_first(s, 100000000 * SECOND);
	sl_sched_close(s);
}

static void refused(struct sl_sched_opts o, const char *word)
{
	struct sl_error err = {""};
	struct sl_sched *s;

	cr_assert_eq(sl_sched_open(&o, &s, &err), -EINVAL);
	cr_assert(strstr(err.text, word), "%s", err.text);
	cr_assert_eq(sl_sched_open(&o, &s, NULL), -EINVAL);
}

Test(sched, bad_input)
{
	const double good[2] = {1, 1}, negative[2] = {1, -1}, nan[2] = {NAN, 1}, large[2] = {9, 19};
	struct sl_sched_opts o = pool;
	struct sl_sched_user_info info;
	struct sl_sched *s = make(pool, 1);
	struct sl_sched_task task;

	o.machines = SL_SCHED_MACHINES + 1;
	refused(o, "machines");
	o.machines = 0;
	o.fit = 3;
	refused(o, "fit");
	o.fit = 0;
	o.fair.capacity[1] = -1;
	refused(o, "capacity");
	cr_assert_eq(sl_sched_add_user(s, 0), -EINVAL);
	cr_assert_eq(sl_sched_add_user(s, -1), -EINVAL);
	cr_assert_eq(sl_sched_add_user(s, INFINITY), -EINVAL);
	cr_assert_eq(sl_sched_submit(s, 1, good, 1, 0, NULL), -EINVAL);
	cr_assert_eq(sl_sched_submit(s, 0, negative, 1, 0, NULL), -EINVAL);
	cr_assert_eq(sl_sched_submit(s, 0, nan, 1, 0, NULL), -EINVAL);
	cr_assert_eq(sl_sched_submit(s, 0, good, -1, 0, NULL), -EINVAL);
	cr_assert_eq(sl_sched_submit(s, 0, good, NAN, 0, NULL), -EINVAL);
	cr_assert_eq(sl_sched_submit(s, 0, good, 1e308, 0, NULL), -EINVAL);
	cr_assert_eq(sl_sched_submit(s, 0, large, 1, 0, NULL), -E2BIG);
	cr_assert_eq(sl_sched_info(s, 1, &info), -EINVAL);
	/* nothing of it is left behind */
	cr_assert_eq(sl_sched_next(s, &task), 0);
	cr_assert_eq(sl_sched_info(s, 0, &info), 0);
	cr_assert_eq(info.waiting, 0);
	sl_sched_close(s);
	sl_sched_close(NULL);
}
