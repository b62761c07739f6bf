// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/sample.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t sample_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static struct sl_owner owner_of(uint64_t word)
{
	struct sl_owner o;

	memcpy(&o, &word, sizeof(o));
	o.next &= (__u16)~SL_OWNER_HOLD; /* held is not moving: some milliseconds, no other owner */
	return o;
}

static bool reading_init(struct reading *r, const struct sl_instance *inst)
{
	r->workers = calloc(inst->max_workers, sizeof(*r->workers));
	r->owners = calloc(inst->buckets, sizeof(*r->owners));
	r->packets = calloc(inst->buckets, sizeof(*r->packets));
	r->bytes = calloc(inst->buckets, sizeof(*r->bytes));
	r->cost = calloc(inst->buckets, sizeof(*r->cost));
	return r->workers && r->owners && r->packets && r->bytes && r->cost;
}

static void reading_fini(struct reading *r)
{
	free(r->workers);
	free(r->owners);
	free(r->packets);
	free(r->bytes);
	free(r->cost);
}

static void reading_take(struct reading *r, const struct sl_instance *inst)
{
	size_t sums = inst->buckets * sizeof(*r->packets);

	r->now_ns = sample_clock();
	memcpy(r->workers, inst->workers, inst->max_workers * sizeof(*r->workers));
	memset(r->packets, 0, sums);
	memset(r->bytes, 0, sums);
	for (unsigned i = 0; i < inst->ifaces; i++) {
		const volatile struct sl_bucket_stats *stats = inst->iface[i].bucket_stats;

		for (unsigned q = 0; q < inst->iface[i].queues_max; q++, stats += inst->buckets)
			for (unsigned b = 0; b < inst->buckets; b++) {
				r->packets[b] += stats[b].packets;
				r->bytes[b] += stats[b].bytes;
			}
	}
	for (unsigned b = 0; b < inst->buckets; b++) {
		unsigned owner;

		r->owners[b] = __atomic_load_n(&inst->owners[b], __ATOMIC_RELAXED);
		owner = owner_of(r->owners[b]).owner;
		if (owner < inst->max_workers)
			r->cost[b] = inst->cost[(size_t)owner * inst->buckets + b];
	}
}

struct sample *sample_new(const struct sl_instance *inst)
{
	struct sample *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s)
		return NULL;
	s->workers = calloc(inst->max_workers, sizeof(*s->workers));
	s->buckets = calloc(inst->buckets, sizeof(*s->buckets));
	ok = reading_init(&s->before, inst);
	ok = reading_init(&s->after, inst) && ok;
	if (ok && s->workers && s->buckets)
		return s;
	sample_free(s);
	return NULL;
}

void sample_free(struct sample *s)
{
	if (!s)
		return;
	reading_fini(&s->before);
	reading_fini(&s->after);
	free(s->workers);
	free(s->buckets);
	free(s);
}

static void worker_rates(struct sample *s, unsigned max_workers)
{
	for (unsigned i = 0; i < max_workers; i++) {
		const struct sl_worker *a = &s->before.workers[i], *b = &s->after.workers[i];
		struct worker_rate *w = &s->workers[i];
		uint64_t busy = b->busy_cycles - a->busy_cycles;
		uint64_t all =
			busy + b->idle_cycles - a->idle_cycles + b->sleep_cycles - a->sleep_cycles;

		*w = (struct worker_rate){.heartbeat_age_ns = -1};
		if (b->heartbeat_ns)
			w->heartbeat_age_ns = (int64_t)(s->after.now_ns - b->heartbeat_ns);
		w->stuck = b->state != SL_WORKER_ABSENT &&
			   w->heartbeat_age_ns > (int64_t)HEARTBEAT_STUCK_NS;
		w->load = all ? (double)busy / (double)all : 0;
		w->pps = (double)(b->rx_packets - a->rx_packets) / s->seconds;
	}
}

/*
 * Cycles per packet: of what the owner sampled in between, else of all that it ever sampled, else
 * its mean over all its packets.
 */
static double cycles_per_packet(const struct sample *s, unsigned bucket, unsigned owner)
{
	const struct sl_bucket_cost *a = &s->before.cost[bucket], *b = &s->after.cost[bucket];
	uint32_t samples = b->samples - a->samples;
	uint64_t packets;

	if (owner_of(s->before.owners[bucket]).owner == owner && samples && b->cycles > a->cycles)
		return (double)(b->cycles - a->cycles) / samples;
	if (b->samples)
		return (double)b->cycles / b->samples;
	packets = s->after.workers[owner].rx_packets - s->before.workers[owner].rx_packets;
	if (!packets)
		return 0;
	return (double)(s->after.workers[owner].busy_cycles -
			s->before.workers[owner].busy_cycles) /
	       (double)packets;
}

static void bucket_rates(struct sample *s, unsigned buckets, unsigned max_workers, uint64_t tsc_hz)
{
	for (unsigned b = 0; b < buckets; b++) {
		struct bucket_rate *r = &s->buckets[b];

		*r = (struct bucket_rate){.packets = s->after.packets[b],
					  .bytes = s->after.bytes[b],
					  .flows = s->after.cost[b].flows,
					  .parked = s->after.cost[b].parked,
					  .owner = owner_of(s->after.owners[b])};
		r->pps = (double)(s->after.packets[b] - s->before.packets[b]) / s->seconds;
		if (r->owner.owner >= max_workers)
			continue;
		s->workers[r->owner.owner].buckets++;
		if (tsc_hz)
			r->load = r->pps * cycles_per_packet(s, b, r->owner.owner) / (double)tsc_hz;
	}
}

void sample_rates(struct sample *s, unsigned buckets, unsigned max_workers, uint64_t tsc_hz)
{
	s->seconds = (double)(s->after.now_ns - s->before.now_ns) / 1e9;
	if (s->seconds <= 0)
		s->seconds = 1e-9;
	worker_rates(s, max_workers);
	bucket_rates(s, buckets, max_workers, tsc_hz);
}

void sample_take(struct sample *s, const struct sl_instance *inst)
{
	struct reading last = s->after;

	s->after = s->before;
	s->before = last;
	reading_take(&s->after, inst);
	sample_rates(s, inst->buckets, inst->max_workers, inst->control->tsc_hz);
	for (unsigned b = 0; b < inst->buckets; b++) {
		uint64_t word = __atomic_load_n(&inst->rows[b], __ATOMIC_RELAXED);

		memcpy(&s->buckets[b].row, &word, sizeof(word));
	}
}

struct sample *sample_over(const struct sl_instance *inst, uint64_t ns)
{
	const struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000),
				      .tv_nsec = (long)(ns % 1000000000)};
	struct sample *s = sample_new(inst);

	if (!s)
		return NULL;
	sample_take(s, inst);
	nanosleep(&wait, NULL);
	sample_take(s, inst);
	return s;
}

unsigned sample_worker_count(const struct sl_instance *inst)
{
	unsigned n = inst->control->workers;

	for (unsigned i = n; i < inst->max_workers; i++)
		if (inst->workers[i].state != SL_WORKER_ABSENT)
			n = i + 1;
	return n < inst->max_workers ? n : inst->max_workers;
}

const char *sample_worker_state(const struct sample *s, unsigned worker)
{
	if (s->workers[worker].stuck)
		return "stuck";
	switch (s->after.workers[worker].state) {
	case SL_WORKER_RUNNING:
		return "running";
	case SL_WORKER_LEAVING:
		return "leaving";
	default:
		return "absent";
	}
}
