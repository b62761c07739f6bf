/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scale.h - how many workers there should be: as few as hold the target utilisation. Pure. Workers
 * are added early, on the trend of the load, and removed late, when the most that was wanted for a
 * while is less than there are.
 */
#ifndef SL_CONTROL_SCALE_H
#define SL_CONTROL_SCALE_H

#include <stdint.h>

struct sl_scale_opts {
	double target; /* utilisation of the workers, 0..1 */
	uint64_t ahead_ns; /* how far the trend is followed: what adding a worker takes, and some */
	uint64_t hold_ns; /* how long fewer must have been enough before one is removed */
	unsigned least, most; /* workers */
};

#define SL_SCALE_SLOTS 16

/* All zero but `opts` is a new one. */
struct sl_scale {
	struct sl_scale_opts opts;
	double level, slope; /* cores, cores a second; smoothed (Holt 1957) */
	uint64_t last_ns; /* 0: no sample yet */
	/* The most wanted in each part of the last hold_ns, a ring. */
	unsigned wanted[SL_SCALE_SLOTS];
	uint64_t slot_ns; /* when the latest slot began */
	unsigned slot;
};

/* Take the load of all workers at now_ns, in cores (what is asked for, also above what they can
 * do). Returns how many there should be now. */
unsigned sl_scale_workers(struct sl_scale *s, uint64_t now_ns, double load);

/* As if `workers` had been wanted now, for another reason than the load: they stay for hold_ns. */
void sl_scale_want(struct sl_scale *s, unsigned workers);

#endif /* SL_CONTROL_SCALE_H */
