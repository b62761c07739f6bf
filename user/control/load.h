/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - counters in, loads out. Pure: the caller reads the counters and the clock.
 *
 * Load of a worker: busy cycles / elapsed cycles, and `other`, what softirq and foreign work take
 * of its CPU; what of that fell into busy rounds is taken out of `busy`, or it would count twice.
 * Load of a bucket: arrivals x its measured cycles per packet, scaled so that the
 * buckets of a worker agree with the cycles that the worker measured per packet it processed.
 * Arrivals are counted by XDP before a ring can be full, so a saturated worker's buckets add up to
 * what they demand (more than 1.0), and saturated workers rank by demand. Where costs are known
 * badly and that comes out too low, what a saturated worker loses and what waits in its rings lift
 * it.
 */
#ifndef SL_CONTROL_LOAD_H
#define SL_CONTROL_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/maps.h>

/* A worker's counters, cumulative. */
struct sl_sample_worker {
	uint64_t busy_cycles, idle_cycles;
	uint64_t other_cycles; /* softirq and the like on its CPU */
	uint64_t foreign_cycles; /* threads of others there */
	uint64_t roaming_cycles; /* of these, threads that may run elsewhere too */
	uint64_t interrupted_cycles; /* of both, what the worker had to wait for */
	uint64_t packets; /* processed */
	uint64_t ring_full; /* lost because the worker was late */
	uint64_t heartbeat_ns;
	uint32_t ring_fill; /* packets waiting now */
	uint32_t state; /* enum sl_worker_state */
};

/* A bucket's counters, cumulative. */
struct sl_sample_bucket {
	uint64_t packets; /* arrivals on all queues and interfaces */
	uint64_t cost_cycles; /* of the sampled packets, at `owner` */
	uint32_t cost_samples;
	uint32_t flows; /* of its shard: what a move carries along */
	uint16_t owner; /* who holds the shard */
	uint16_t target; /* where the row points */
	bool absent; /* a part that is not in use, or a bucket whose parts have the packets */
	bool moving; /* a move is under way */
};

struct sl_sample {
	uint64_t now_ns;
	double cycles_per_ns;
	unsigned workers_n, buckets_n; /* constant over the life of a struct sl_load */
	const struct sl_sample_worker *workers;
	const struct sl_sample_bucket *buckets;
};

struct sl_load_worker {
	struct sl_sample_worker last;
	double busy; /* cores, latest interval, by the worker itself */
	double other; /* cores, smoothed over a second: what the CPU does besides. Threads that may
			 run elsewhere count alike at all workers, wherever they were: the kernel's
			 scheduler takes them where there is room. Of foreign threads counts at most
			 the half that one gets beside a worker who wants the CPU too */
	double softirq, foreign; /* cores, likewise: what it is made of, foreign as it was */
	double roaming; /* cores, likewise: of foreign, threads that may run elsewhere too */
	double interrupted; /* of the time in rounds, over that second of it */
	double awake, taken; /* cycles in rounds, and of these interrupted; weighted likewise */
	double demand; /* cores, smoothed: what its buckets ask for, may exceed 1 */
	double cycles_per_packet; /* smoothed; 0: not known yet */
	double scale; /* measured / sampled cycles per packet, smoothed */
	double lost; /* ring_full per second, latest interval */
	double losing; /* the same, smoothed: it is counted every 50 ms only */
};

struct sl_load_bucket {
	uint64_t last_packets, last_cycles;
	uint32_t last_samples;
	uint16_t last_owner;
	float rate; /* packets per second, smoothed */
	float age; /* seconds for which it has not changed at once */
	float recent, expected; /* packets of the latest `window` seconds, and what `rate` foretold
				 */
	float cost; /* cycles per packet, smoothed; 0: no sample yet */
	float load; /* cores */
};

struct sl_load {
	unsigned workers_n, buckets_n;
	unsigned rounds; /* intervals seen: 0 until the second sample */
	uint64_t last_ns;
	uint64_t smoothing_ns; /* time constant of rates, costs and scales */
	double window; /* seconds, exponentially weighted */
	double mean_cost; /* cycles per packet over all workers, smoothed */
	struct sl_load_worker *workers;
	struct sl_load_bucket *buckets;
};

/* Memory for the arrays. 0 or -ENOMEM. */
int sl_load_init(struct sl_load *l, unsigned workers_n, unsigned buckets_n, uint64_t smoothing_ns);
void sl_load_fini(struct sl_load *l);

/*
 * Take a sample. Samples less than a millisecond apart are ignored. A bucket whose arrivals at
 * least double or halve beyond what chance explains is believed at once, not smoothed, and then
 * averaged over the time since: that is how a shifted hot set is seen within one tick, and known
 * well after a few. Where buckets with a quarter of the packets changed, all are taken anew: most
 * are too small to show it one by one.
 */
void sl_load_update(struct sl_load *l, const struct sl_sample *s);

#endif /* SL_CONTROL_LOAD_H */
