/* SPDX-License-Identifier: GPL-2.0-or-later */
/* percpu.h - values of per-CPU maps. */
#ifndef SL_PLATFORM_PERCPU_H
#define SL_PLATFORM_PERCPU_H

#include <stdint.h>

/*
 * Over all CPUs, the sum of each of the `words` counters that a value of the map consists of. 0, or
 * -errno with zeros in `sum`.
 */
int sl_percpu_sum(int map, uint32_t index, uint64_t *sum, unsigned words);

#endif /* SL_PLATFORM_PERCPU_H */
