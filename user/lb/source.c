// SPDX-License-Identifier: GPL-2.0-or-later
/* Of a server that runs Sluice: its rows, and how busy its workers are. */
#include <bpf/bpf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/toeplitz.h"
#include "platform/announce.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "lb/source.h"

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

static uint8_t entry_of(uint16_t worker, unsigned workers)
{
	if (worker < workers)
		return (uint8_t)worker;
	if (worker >= SL_TO_PARTS && worker < SL_TO_PARTS + SL_SPLITS)
		return (uint8_t)(SL_REPORT_SPLIT + worker - SL_TO_PARTS);
	return SL_REPORT_NOBODY;
}

/* Workers that may hold buckets. */
static unsigned workers_n(const struct sl_instance *inst)
{
	unsigned n = LOAD(inst->control->workers);

	if (n > inst->max_workers)
		n = inst->max_workers;
	return n < 1 ? 1 : n > SL_REPORT_CORES ? SL_REPORT_CORES : n;
}

static int key_of(const struct sl_instance *inst, struct sl_core_table *t)
{
	const struct sl_control *ctl = inst->control;
	struct sl_toeplitz *table;
	uint32_t zero = 0;
	int rc;

	memset(t->key, 0, sizeof(t->key));
	if (!(LOAD(ctl->flags) & SL_CTL_TOEPLITZ)) {
		t->hash = SL_REPORT_SYMMETRIC;
		for (unsigned i = 0; i < SL_HASH_KEY; i++) {
			uint64_t word = htobe64(LOAD(ctl->hash_key[i]));

			memcpy(t->key + i * sizeof(word), &word, sizeof(word));
		}
		return 0;
	}
	t->hash = SL_REPORT_TOEPLITZ;
	table = malloc(sizeof(*table));
	if (!table)
		return -ENOMEM;
	rc = bpf_map_lookup_elem(inst->toeplitz_fd, &zero, table) ? -errno : 0;
	if (!rc)
		sl_toeplitz_key(table, t->key);
	free(table);
	return rc;
}

int sl_source_table(const struct sl_instance *inst, struct sl_source_plans *plans, uint64_t now,
		    struct sl_core_table *t, struct sl_error *err)
{
	unsigned parts = inst->buckets - inst->hash_buckets;
	int rc;

	if (inst->hash_buckets > SL_REPORT_ENTRIES)
		return sl_error_set(err, -E2BIG,
				    "%s has %u buckets, and a report %d at most: attach with "
				    "--buckets %d",
				    inst->name, inst->hash_buckets, SL_REPORT_ENTRIES,
				    SL_REPORT_ENTRIES);
	rc = key_of(inst, t);
	if (rc)
		return sl_error_set(err, rc, "%s: cannot read its key: %s", inst->name,
				    strerror(-rc));
	t->cores = (uint8_t)workers_n(inst);
	t->entries = (uint16_t)inst->hash_buckets;
	memset(t->fields, SL_REPORT_ADDRESSES | SL_REPORT_PORTS, sizeof(t->fields));
	for (unsigned i = 0; i < inst->hash_buckets; i++)
		t->core[i] =
			entry_of(sl_announce_read(&inst->rows[i], &plans->since[i], now), t->cores);
	memset(t->split, SL_REPORT_NOBODY, sizeof(t->split));
	for (unsigned i = 0; i < parts && i < SL_REPORT_SPLITS; i++) {
		const unsigned b = inst->hash_buckets + i;
		uint8_t core =
			entry_of(sl_announce_read(&inst->rows[b], &plans->since[b], now), t->cores);

		if (core < SL_REPORT_SPLIT)
			t->split[i] = core;
	}
	return 0;
}

void sl_source_read(const struct sl_instance *inst, struct sl_source_workers *now)
{
	now->now_ns = sl_clock_ns();
	for (unsigned w = 0; w < inst->max_workers && w < SL_MAX_WORKERS; w++) {
		const struct sl_worker *k = &inst->workers[w];

		/* what interrupted a busy round is in it already */
		now->cycles[w] = LOAD(k->busy_cycles) + LOAD(k->softirq_cycles) +
				 LOAD(k->foreign_cycles) - LOAD(k->interrupted_cycles);
	}
}

void sl_source_loads(const struct sl_instance *inst, const struct sl_source_workers *before,
		     const struct sl_source_workers *now, struct sl_core_loads *out)
{
	uint64_t hz = LOAD(inst->control->tsc_hz), ns = now->now_ns - before->now_ns;
	double all = (double)(hz ? hz : sl_cycles_hz()) * (double)ns / 1e9;

	out->cores = workers_n(inst);
	out->period_ms = (unsigned)(ns / 1000000) + 1;
	for (unsigned w = 0; w < out->cores; w++) {
		double load = (double)(int64_t)(now->cycles[w] - before->cycles[w]) / all;

		load = load < 0 ? 0 : load > 1 ? 1 : load;
		out->load[w] = (uint16_t)(load * SL_REPORT_CORE);
	}
}
