/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pace.h - clocks and waiting: when each packet is due, and how well this machine can tell.
 */
#ifndef SL_GEN_PACE_H
#define SL_GEN_PACE_H

#include <stdint.h>
#include <time.h>

static inline uint64_t gen_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t gen_now_ns(void)
{
	return gen_clock_ns(CLOCK_MONOTONIC);
}

/* An open-loop schedule: it goes on when the sender falls behind, so that no delay hides another.
 */
struct gen_schedule {
	uint64_t start_ns;
	double rate; /* packets a second; 0: everything is due at once */
	uint32_t burst; /* packets due at one time */
};

/* When packet number i is due. */
uint64_t gen_due_ns(const struct gen_schedule *s, uint64_t i);
/* How many packets are due by `now`; UINT64_MAX without a rate. */
uint64_t gen_due_count(const struct gen_schedule *s, uint64_t now_ns);

/*
 * What a sleep overruns by on this machine: measured over some 5 ms, with the thread's timer slack
 * set to its least. Returns how long before the time to stop sleeping and to spin, ns.
 */
uint64_t gen_spin_margin_ns(void);

/* Sleep, then spin, until the time. `margin_ns` is gen_spin_margin_ns()'s. Returns early on a
 * signal. */
void gen_wait_until(uint64_t until_ns, uint64_t margin_ns);

/* CLOCK_REALTIME minus CLOCK_MONOTONIC, and by how much that may be wrong. */
struct gen_clock_offset {
	int64_t offset_ns;
	uint64_t error_ns;
};
struct gen_clock_offset gen_clock_offset(void);

#endif /* SL_GEN_PACE_H */
