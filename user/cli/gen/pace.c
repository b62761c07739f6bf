// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/gen/pace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define SLEEPS 64
#define SLEEP_NS 50000
#define MARGIN_MAX_NS 200000 /* on a machine worse than this, spinning would not mend it */
#define OFFSET_SAMPLES 2000

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("" ::: "memory");
#endif
}

uint64_t gen_due_ns(const struct gen_schedule *s, uint64_t i)
{
	if (s->rate <= 0)
		return s->start_ns;
	return s->start_ns + (uint64_t)((double)(i - i % s->burst) * 1e9 / s->rate);
}

uint64_t gen_due_count(const struct gen_schedule *s, uint64_t now_ns)
{
	uint64_t n;

	if (s->rate <= 0)
		return UINT64_MAX;
	if (now_ns < s->start_ns)
		return 0;
	n = (uint64_t)((double)(now_ns - s->start_ns) * s->rate / 1e9);
	return (n / s->burst + 1) * s->burst;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000u),
				    .tv_nsec = (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t gen_spin_margin_ns(void)
{
	uint64_t over[SLEEPS], margin;

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	for (unsigned i = 0; i < SLEEPS; i++) {
		uint64_t until = gen_now_ns() + SLEEP_NS;

		sleep_until(until);
		over[i] = gen_now_ns() - until;
	}
	qsort(over, SLEEPS, sizeof(over[0]), compare);
	/* Nine of ten sleeps end in time; half as much again covers most of the tenth. */
	margin = over[SLEEPS * 9 / 10] * 3 / 2;
	return margin < MARGIN_MAX_NS ? margin : MARGIN_MAX_NS;
}

void gen_wait_until(uint64_t until_ns, uint64_t margin_ns)
{
	uint64_t now = gen_now_ns();

	/* A sleep shorter than the margin costs more than it saves. */
	if (now + 2 * margin_ns < until_ns) {
		sleep_until(until_ns - margin_ns);
		now = gen_now_ns();
		if (now + margin_ns < until_ns)
			return;
	}
	while (now < until_ns) {
		cpu_relax();
		now = gen_now_ns();
	}
}

struct gen_clock_offset gen_clock_offset(void)
{
	struct gen_clock_offset best = {.error_ns = UINT64_MAX};

	for (unsigned i = 0; i < OFFSET_SAMPLES; i++) {
		uint64_t before = gen_now_ns();
		uint64_t real = gen_clock_ns(CLOCK_REALTIME);
		uint64_t after = gen_now_ns(), half = (after - before + 1) / 2;

		if (half >= best.error_ns)
			continue;
		best.error_ns = half;
		best.offset_ns = (int64_t)(real - before - half);
	}
	return best;
}
