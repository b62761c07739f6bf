/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cycles.h - the CPU's free-running counter: x86's time-stamp counter (constant and in step over
 * CPUs on everything since 2008), arm64's virtual counter, elsewhere nanoseconds. Its rate is
 * sl_control.tsc_hz. Not ordered against the loads and stores around it: a few ten cycles of error,
 * no more.
 */
#ifndef SLUICE_CYCLES_H
#define SLUICE_CYCLES_H

#include <stdint.h>
#include <time.h>

static inline uint64_t sl_cycles(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
#endif
}

#endif /* SLUICE_CYCLES_H */
