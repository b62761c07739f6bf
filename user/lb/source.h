/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.h - what a server knows of its own cores: which flow goes to which, and how busy they
 * are. It runs Sluice, whose maps say it, or its NIC spreads flows over CPUs.
 */
#ifndef SL_LB_SOURCE_H
#define SL_LB_SOURCE_H

#include "platform/instance.h"
#include "lb/report.h"
#include "platform/rss.h"

/* --- Sluice: cores are workers */

/* Since when the agent knows that a row is about to change: of sl_announce_read(), 0 at first. */
struct sl_source_plans {
	uint64_t since[SL_REPORT_ENTRIES + SL_REPORT_SPLITS];
};

/*
 * Rows as they are, or are about to be (platform/announce.h), at `now` of sl_announce_now() or
 * later. -E2BIG: more buckets than a report has room for.
 */
int sl_source_table(const struct sl_instance *inst, struct sl_source_plans *plans, uint64_t now,
		    struct sl_core_table *t, struct sl_error *err);

/* Counters of workers, for loads over the time between two readings. */
struct sl_source_workers {
	uint64_t now_ns;
	uint64_t cycles[SL_MAX_WORKERS];
};
void sl_source_read(const struct sl_instance *inst, struct sl_source_workers *now);
/*
 * A worker's load is its share of busy rounds, and what softirq and foreign threads take of its CPU
 * besides.
 */
void sl_source_loads(const struct sl_instance *inst, const struct sl_source_workers *before,
		     const struct sl_source_workers *now, struct sl_core_loads *out);

/* --- a NIC: cores are CPUs */

/*
 * `cpu`: of each RX queue; queues_n of them. -EOPNOTSUPP: the NIC does not show its table or its
 * key, or hashes in a way that nobody else can.
 */
int sl_source_nic_table(const struct sl_rss_door *door, const char *ifname, const unsigned *cpu,
			unsigned queues_n, struct sl_core_table *t, struct sl_error *err);
/* The CPU of each queue's interrupt: how many queues. -ENODATA: the kernel does not say (6.8 does).
 */
int sl_source_nic_cpus(const char *ifname, unsigned *cpu, unsigned room);

/* Time of each CPU since boot, in ticks: /proc/stat. */
struct sl_source_cpus {
	unsigned n;
	uint64_t busy[SL_REPORT_CORES], all[SL_REPORT_CORES];
};
int sl_source_cpus_read(struct sl_source_cpus *now);
/* The same from text. */
void sl_source_cpus_parse(const char *line, struct sl_source_cpus *now);
void sl_source_cpus_loads(const struct sl_source_cpus *before, const struct sl_source_cpus *now,
			  struct sl_core_loads *out);

#endif /* SL_LB_SOURCE_H */
