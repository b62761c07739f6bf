/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sched_attr.h - what sched_getattr(2) and sched_setattr(2) take. <linux/sched/types.h> has it, but
 * defines struct sched_param again, which glibc's <sched.h> has already; glibc has its own
 * from 2.41.
 */
#ifndef SL_HEADERS_SCHED_ATTR_H
#define SL_HEADERS_SCHED_ATTR_H

#include <stdint.h>

struct sl_sched_attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns; /* SCHED_OTHER since Linux 6.12: the slice */
	uint64_t deadline_ns;
	uint64_t period_ns;
};
_Static_assert(sizeof(struct sl_sched_attr) == 48, "SCHED_ATTR_SIZE_VER0");

#endif /* SL_HEADERS_SCHED_ATTR_H */
