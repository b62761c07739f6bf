// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counters out of the mmapped maps. All are 64-bit words with one writer each (or written by atomic
 * adds): a relaxed load of each suffices, for loads are differences over a tenth of a second.
 */
#include "daemon/served.h"
#include "platform/cpu.h"

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

static void sample_workers(struct served *s)
{
	for (unsigned w = 0; w < s->inst->max_workers; w++) {
		const struct sl_worker *k = &s->inst->workers[w];
		int cpu = LOAD(k->cpu);

		if (cpu != s->cpu[w])
			sl_tick_numa(s->tick, w, sl_cpu_node(cpu));
		s->cpu[w] = cpu;
		s->workers[w] = (struct sl_sample_worker){
			.busy_cycles = LOAD(k->busy_cycles),
			.idle_cycles = LOAD(k->idle_cycles),
			.other_cycles = LOAD(k->softirq_cycles),
			.foreign_cycles = LOAD(k->foreign_cycles),
			.roaming_cycles = LOAD(k->roaming_cycles),
			.interrupted_cycles = LOAD(k->interrupted_cycles),
			.packets = LOAD(k->rx_packets),
			.ring_full = LOAD(k->ring_full),
			.heartbeat_ns = LOAD(k->heartbeat_ns),
			.ring_fill = LOAD(k->ring_fill),
			.state = LOAD(k->state),
		};
	}
}

/* Queue by queue: a queue's counters lie one after another. */
static void sample_arrivals(struct served *s)
{
	unsigned n = s->inst->buckets;

	for (unsigned b = 0; b < n; b++)
		s->buckets[b].packets = 0;
	for (unsigned i = 0; i < s->inst->ifaces; i++) {
		const struct sl_iface *f = &s->inst->iface[i];

		for (unsigned q = 0; q < f->queues_max && (q + 1) * n <= f->stats_entries; q++)
			for (unsigned b = 0; b < n; b++)
				s->buckets[b].packets += f->bucket_stats[q * n + b].packets;
	}
}

static void sample_buckets(struct served *s)
{
	const struct sl_instance *inst = s->inst;

	for (unsigned b = 0; b < inst->buckets; b++) {
		uint64_t row_word = LOAD(inst->rows[b]), owner_word = LOAD(inst->owners[b]);
		struct sl_sample_bucket *k = &s->buckets[b];
		struct sl_row row;
		struct sl_owner owner;

		__builtin_memcpy(&row, &row_word, sizeof(row));
		__builtin_memcpy(&owner, &owner_word, sizeof(owner));
		k->absent = !sl_bucket_exists(inst, b) ||
			    (owner.owner >= SL_TO_PARTS && owner.owner != SL_TO_NONE);
		k->owner = owner.owner;
		k->target = row.worker;
		/* A row that asks for a worker which cannot serve is a move that never begins. */
		k->moving = owner.owner != owner.next || row.mode == SL_ROW_STAYS ||
			    (row.worker != owner.owner && row.worker < inst->max_workers &&
			     s->workers[row.worker].state == SL_WORKER_RUNNING);
		k->flows = 0;
		if (owner.owner < inst->max_workers) {
			const struct sl_bucket_cost *c =
				&inst->cost[owner.owner * inst->buckets + b];

			k->cost_cycles = LOAD(c->cycles);
			k->cost_samples = LOAD(c->samples);
			k->flows = LOAD(c->flows);
		}
	}
}

struct sl_sample served_sample(struct served *s, uint64_t now_ns)
{
	uint64_t hz = LOAD(s->inst->control->tsc_hz);

	sample_workers(s);
	sample_arrivals(s);
	sample_buckets(s);
	return (struct sl_sample){.now_ns = now_ns,
				  .cycles_per_ns = (double)(hz ? hz : sl_cycles_hz()) / 1e9,
				  .workers_n = s->inst->max_workers,
				  .buckets_n = s->inst->buckets,
				  .workers = s->workers,
				  .buckets = s->buckets};
}
