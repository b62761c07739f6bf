// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters in, loads out. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "control/load.h"

#define INTERVAL_MIN_NS 1000000
/*
 * A change by a factor of two that is four standard deviations of a Poisson count off is no noise.
 * Counts of short intervals are small, so those of the latest CHANGE_SECONDS are asked too.
 */
#define CHANGE_FACTOR 2
#define CHANGE_SIGMAS 4
#define CHANGE_SECONDS 0.05
/* Buckets with so much of the packets changed: then the traffic is another, and what was learnt of
 * the buckets that are too small to tell is void as well. */
#define CHANGE_SHARE 0.25
#define OUTLIER 4
#define ENOUGH_SAMPLES 8 /* cost samples in an interval that count with half their weight */
#define BACKLOG_SHARE 0.25
/*
 * Time constant of what a CPU does besides. It may be known to 10 ms only (/proc/stat), half of a
 * short round: taken as it comes, it would have buckets moved to and fro.
 */
#define OTHER_SECONDS 1.0
/*
 * A foreign thread takes what the workers leave, and gives way to a worker who wants its share.
 * Counted in full it would drive the buckets away, take what they left, and so on.
 */
#define FOREIGN_MAX 0.5
/* Time constant of losses: the dataplane reads them every 50 ms, rounds are shorter. */
#define LOST_SECONDS 0.2
#define SATURATED 0.95 /* cores, busy and other */
#define LOSING_MIN 0.01 /* cores; less is what bursts lose now and then */
/* What waits in the rings is to be gone in this time: enough to rank two that are alike otherwise,
 * too little to mislead a plan. */
#define DRAIN_SECONDS 5.0
#define ENOUGH_PACKETS 32 /* processed in an interval, to measure cycles per packet */

int sl_load_init(struct sl_load *l, unsigned workers_n, unsigned buckets_n, uint64_t smoothing_ns)
{
	*l = (struct sl_load){.workers_n = workers_n,
			      .buckets_n = buckets_n,
			      .smoothing_ns = smoothing_ns,
			      .workers = calloc(workers_n, sizeof(*l->workers)),
			      .buckets = calloc(buckets_n, sizeof(*l->buckets))};
	if (l->workers && l->buckets)
		return 0;
	sl_load_fini(l);
	return -ENOMEM;
}

void sl_load_fini(struct sl_load *l)
{
	free(l->workers);
	free(l->buckets);
	l->workers = NULL;
	l->buckets = NULL;
}

/* A counter that went back was started anew. */
static uint64_t delta(uint64_t now, uint64_t last)
{
	return now >= last ? now - last : now;
}

static bool changed(double count, double expected)
{
	double sigma = sqrt(fmax(count, expected));

	return (count > CHANGE_FACTOR * expected || expected > CHANGE_FACTOR * count) &&
	       fabs(count - expected) > CHANGE_SIGMAS * sigma;
}

/* The rate is another one since `seconds` ago: what was learnt before is void. */
static void believe(struct sl_load_bucket *b, double count, double seconds, double window)
{
	b->rate = (float)(count / seconds);
	b->age = (float)seconds;
	b->recent = b->expected = (float)(b->rate * window);
}

/*
 * The mean over the time since the rate last changed; once that is longer than the smoothing, an
 * exponential mean. `window` is how many seconds `recent` covers, `keep` what is left of it.
 */
static void update_rate(struct sl_load_bucket *b, uint64_t packets, double dt, double alpha,
			double window, double keep, bool all_changed)
{
	double count = (double)packets, expected = b->rate * dt;

	b->recent = (float)(b->recent * keep + count);
	b->expected = (float)(b->expected * keep + expected);
	b->age += (float)dt;
	if (all_changed || changed(count, expected))
		believe(b, count, dt, window);
	else if (changed(b->recent, b->expected))
		believe(b, b->recent, window, window);
	else
		b->rate += (float)((count / dt - b->rate) * fmax(alpha, dt / b->age));
}

/*
 * Samples are the owner's: after a change of owner the next interval is the first that counts.
 * `prior` is believed until samples say otherwise. A sample that was interrupted (the thread was
 * preempted, a page was faulted in) is hundreds of times too long: an interval counts as at most
 * OUTLIER times what was known, so that it takes several in a row to make a bucket expensive.
 */
static void update_cost(struct sl_load_bucket *b, const struct sl_sample_bucket *s, double prior,
			double alpha)
{
	uint32_t samples = s->cost_samples - b->last_samples;

	if (s->owner == b->last_owner && samples && s->cost_cycles > b->last_cycles) {
		double cost = (double)(s->cost_cycles - b->last_cycles) / samples;

		if (!(b->cost > 0))
			b->cost = (float)(prior > 0 ? prior : cost);
		cost = fmin(fmax(cost, b->cost / OUTLIER), b->cost * OUTLIER);
		b->cost += (float)((cost - b->cost) * alpha * samples / (samples + ENOUGH_SAMPLES));
	}
	b->last_owner = s->owner;
	b->last_cycles = s->cost_cycles;
	b->last_samples = s->cost_samples;
}

/* What a sample of a bucket nobody sampled yet would show at this worker. */
static double sample_prior(const struct sl_load *l, unsigned w)
{
	if (w >= l->workers_n || !(l->workers[w].scale > 0))
		return 0;
	return l->workers[w].cycles_per_packet / l->workers[w].scale;
}

/* Cycles per packet for buckets that no sample describes: the worker's, else everybody's. */
static double fallback_cost(const struct sl_load *l, const struct sl_load_worker *w)
{
	return w->cycles_per_packet > 0 ? w->cycles_per_packet : l->mean_cost;
}

static void update_mean(struct sl_load *l)
{
	double sum = 0;
	unsigned n = 0;

	for (unsigned w = 0; w < l->workers_n; w++)
		if (l->workers[w].cycles_per_packet > 0) {
			sum += l->workers[w].cycles_per_packet;
			n++;
		}
	if (n)
		l->mean_cost = sum / n;
}

/* Of one worker's buckets in the latest interval. */
struct arrivals {
	double packets;
	double cycles; /* by the buckets' sampled costs; those without a sample are in neither */
};

/*
 * The samples of a bucket leave out what a packet costs outside the chain (rings, batches, sleeping
 * and waking); the worker's own cycles per packet have it. Their ratio scales the worker's buckets.
 * It is taken where the packets that arrived are the ones that were processed, near enough: a
 * worker with a backlog works on another mixture.
 */
static void update_scale(struct sl_load_worker *w, const struct arrivals *a, double busy,
			 double processed, double alpha)
{
	double scale;

	if (processed < ENOUGH_PACKETS || !(a->cycles > 0))
		return;
	if (w->scale > 0 && fabs(a->packets - processed) > BACKLOG_SHARE * processed)
		return;
	scale = busy / processed / (a->cycles / a->packets);
	if (!(w->scale > 0))
		w->scale = scale;
	else
		w->scale += (scale - w->scale) * alpha;
}

/*
 * Rounds are timed by the clock on the wall: a softirq, or a thread that took the CPU away, is in
 * them. Busy and polling rounds are interrupted alike.
 */
static void update_other(struct sl_load_worker *w, const struct sl_sample_worker *s, double elapsed,
			 double dt)
{
	double softirq = (double)delta(s->other_cycles, w->last.other_cycles) / elapsed;
	double foreign = (double)delta(s->foreign_cycles, w->last.foreign_cycles) / elapsed;
	double roaming = (double)delta(s->roaming_cycles, w->last.roaming_cycles) / elapsed;
	double awake = (double)delta(s->busy_cycles, w->last.busy_cycles) +
		       (double)delta(s->idle_cycles, w->last.idle_cycles);
	double taken = (double)delta(s->interrupted_cycles, w->last.interrupted_cycles);
	double alpha = -expm1(-dt / OTHER_SECONDS);

	w->softirq += (fmin(softirq, 1) - w->softirq) * alpha;
	w->foreign += (fmin(foreign, 1) - w->foreign) * alpha;
	w->roaming += (fmin(roaming, foreign) - w->roaming) * alpha;
	/* by sums, so that time in which it slept says nothing */
	w->awake += awake - w->awake * alpha;
	w->taken += taken - w->taken * alpha;
	w->interrupted = w->awake > 0 ? fmin(w->taken / w->awake, 1) : 0;
}

/*
 * A thread that is not bound to its CPU leaves it when a worker there gets busy. Counted where it
 * ran, it would have buckets go one way while it goes the other, and so on.
 */
static void share_roaming(struct sl_load *l, const struct sl_sample *s)
{
	double roaming = 0;
	unsigned n = 0;

	for (unsigned w = 0; w < l->workers_n; w++)
		if (s->workers[w].state == SL_WORKER_RUNNING) {
			roaming += l->workers[w].roaming;
			n++;
		}
	for (unsigned w = 0; w < l->workers_n; w++) {
		struct sl_load_worker *k = &l->workers[w];
		double foreign = k->foreign - k->roaming + (n ? roaming / n : 0);

		k->other = fmin(k->softirq + fmin(foreign, FOREIGN_MAX), 1);
	}
}

static void update_worker(struct sl_load_worker *w, const struct sl_sample_worker *s,
			  const struct arrivals *a, double elapsed, double dt, double alpha)
{
	double busy = (double)delta(s->busy_cycles, w->last.busy_cycles);
	double packets = (double)delta(s->packets, w->last.packets);

	update_other(w, s, elapsed, dt);
	busy *= 1 - w->interrupted;
	w->busy = fmin(busy / elapsed, 1);
	w->lost = (double)delta(s->ring_full, w->last.ring_full) / dt;
	w->losing += (w->lost - w->losing) * -expm1(-dt / LOST_SECONDS);
	update_scale(w, a, busy, packets, alpha);
	if (packets < ENOUGH_PACKETS)
		return;
	if (!(w->cycles_per_packet > 0))
		w->cycles_per_packet = busy / packets;
	else
		w->cycles_per_packet += (busy / packets - w->cycles_per_packet) * alpha;
}

static void compute_loads(struct sl_load *l, const struct sl_sample *s)
{
	double hz = s->cycles_per_ns * 1e9;

	for (unsigned w = 0; w < l->workers_n; w++)
		l->workers[w].demand = 0;
	for (unsigned b = 0; b < l->buckets_n; b++) {
		unsigned w = s->buckets[b].owner;
		struct sl_load_bucket *k = &l->buckets[b];
		double cost = k->cost;

		k->load = 0;
		if (w >= l->workers_n)
			continue;
		if (!(cost > 0))
			cost = fallback_cost(l, &l->workers[w]);
		else if (l->workers[w].scale > 0)
			cost *= l->workers[w].scale;
		k->load = (float)(k->rate * cost / hz);
		l->workers[w].demand += k->load;
	}
}

/*
 * By how much to lift what a saturated worker's buckets ask for: to what it does and loses, if they
 * were underrated, and by what waits in its rings.
 */
static double pressure(const struct sl_load_worker *w, double hz)
{
	double cores = w->cycles_per_packet / hz; /* for each packet a second */
	double losing = w->losing * cores, need = w->demand;

	if (w->busy + w->other < SATURATED || !(need > 0))
		return 1;
	if (losing > LOSING_MIN)
		need = fmax(need, w->busy + losing);
	if (need + w->other >= 1) /* below, it is a burst that will be gone in a moment */
		need += w->last.ring_fill / DRAIN_SECONDS * cores;
	return fmin(need / w->demand, OUTLIER);
}

static void rank_saturated(struct sl_load *l, const struct sl_sample *s)
{
	double factor[SL_MAX_WORKERS];

	for (unsigned w = 0; w < l->workers_n; w++) {
		factor[w] = pressure(&l->workers[w], s->cycles_per_ns * 1e9);
		l->workers[w].demand *= factor[w];
	}
	for (unsigned b = 0; b < l->buckets_n; b++)
		if (s->buckets[b].owner < l->workers_n)
			l->buckets[b].load *= (float)factor[s->buckets[b].owner];
}

/* Whether buckets that carry, or carried, much of the packets changed in this interval. */
static bool traffic_changed(const struct sl_load *l, const struct sl_sample *s, double dt)
{
	double came = 0, went = 0, packets = 0, foretold = 0;

	for (unsigned b = 0; b < l->buckets_n; b++) {
		double count = (double)delta(s->buckets[b].packets, l->buckets[b].last_packets);
		double expected = l->buckets[b].rate * dt;

		packets += count;
		foretold += expected;
		if (!changed(count, expected))
			continue;
		came += count;
		went += expected;
	}
	return came > CHANGE_SHARE * packets || went > CHANGE_SHARE * foretold;
}

static void update_buckets(struct sl_load *l, const struct sl_sample *s,
			   struct arrivals arrivals[SL_MAX_WORKERS], double dt, double alpha)
{
	double keep = exp(-dt / CHANGE_SECONDS);
	bool all = traffic_changed(l, s, dt);

	l->window = l->window * keep + dt;
	for (unsigned b = 0; b < l->buckets_n; b++) {
		const struct sl_sample_bucket *now = &s->buckets[b];
		struct sl_load_bucket *k = &l->buckets[b];
		uint64_t packets = delta(now->packets, k->last_packets);

		update_cost(k, now, sample_prior(l, now->owner), alpha);
		k->last_packets = now->packets;
		if (!(dt > 0))
			continue;
		update_rate(k, packets, dt, alpha, l->window, keep, all);
		if (now->owner >= l->workers_n || !(k->cost > 0))
			continue;
		arrivals[now->owner].packets += (double)packets;
		arrivals[now->owner].cycles += (double)packets * k->cost;
	}
}

void sl_load_update(struct sl_load *l, const struct sl_sample *s)
{
	struct arrivals arrivals[SL_MAX_WORKERS] = {0};
	uint64_t dt_ns = s->now_ns - l->last_ns;
	bool first = !l->last_ns;
	double dt = first ? 0 : (double)dt_ns / 1e9, alpha;

	if (!first && dt_ns < INTERVAL_MIN_NS)
		return;
	/* The first interval has no past to be smoothed with. */
	alpha = l->rounds && l->smoothing_ns ? -expm1(-(double)dt_ns / (double)l->smoothing_ns) : 1;
	update_buckets(l, s, arrivals, dt, alpha);
	for (unsigned w = 0; w < l->workers_n; w++) {
		if (!first)
			update_worker(&l->workers[w], &s->workers[w], &arrivals[w],
				      (double)dt_ns * s->cycles_per_ns, dt, alpha);
		l->workers[w].last = s->workers[w];
	}
	update_mean(l);
	if (!first) {
		share_roaming(l, s);
		compute_loads(l, s);
		rank_saturated(l, s);
		l->rounds++;
	}
	l->last_ns = s->now_ns;
}
