/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_work.h - what the workers' CPUs do besides: softirq and other processes' threads, by
 * tracepoints (bpf/cpu_work.bpf.c), or by /proc/stat where these cannot be had.
 */
#ifndef SL_DATAPLANE_CPU_WORK_H
#define SL_DATAPLANE_CPU_WORK_H

#include "dataplane/internal.h"

/* Never fails: what cannot be traced is read from /proc/stat, and control.work_source says so. */
void cpu_work_open(struct sl_dataplane *dp);
/* Counters into the workers' rows; as often as housekeeping looks. */
void cpu_work_publish(struct sl_dataplane *dp, uint64_t now_ns);
void cpu_work_close(struct sl_dataplane *dp);

#endif /* SL_DATAPLANE_CPU_WORK_H */
