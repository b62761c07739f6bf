// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What Open vSwitch's poll-mode drivers do (pmd-auto-lb): whole receive queues move. A core above
 * the limit for several samples in a row makes it try a new assignment, heaviest queue first to the
 * least loaded core; it takes it if the variance of the loads falls enough, and then rests.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/engine.h"

struct queue {
	uint32_t index;
	double load;
	uint64_t work; /* that its buckets had done at the last sample */
	uint32_t core;
};

struct ovs {
	struct queue *queue, *sorted;
	double *load; /* [core], of the assignment that is tried */
	uint64_t *busy;
	uint32_t above; /* samples in a row */
	uint64_t last_ns, changed_ns;
};

static uint32_t queues(const struct sim *s)
{
	return s->scenario->ovs.queues * s->scenario->cores;
}

static void fini(struct sim *s)
{
	struct ovs *o = s->policy_state;

	if (!o)
		return;
	free(o->queue);
	free(o->sorted);
	free(o->load);
	free(o->busy);
	free(o);
	s->policy_state = NULL;
}

static int init(struct sim *s)
{
	uint32_t n = queues(s);
	struct ovs *o = s->policy_state = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->queue = calloc(n, sizeof(*o->queue));
	o->sorted = calloc(n, sizeof(*o->sorted));
	o->load = calloc(s->scenario->cores, sizeof(*o->load));
	o->busy = calloc(s->scenario->cores, sizeof(*o->busy));
	if (!o->queue || !o->sorted || !o->load || !o->busy)
		return -ENOMEM;
	/* Bucket b is hashed to queue b % n: the first table gives queue q to core q % cores. */
	for (uint32_t q = 0; q < n; q++)
		o->queue[q] = (struct queue){.index = q, .core = s->bucket[q].row};
	return 0;
}

static int heavier(const void *a, const void *b)
{
	const struct queue *x = a, *y = b;

	return x->load != y->load ? (x->load < y->load) - (x->load > y->load)
				  : (x->index > y->index) - (x->index < y->index);
}

static double variance(const double *load, uint32_t n)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += load[i];
		squares += load[i] * load[i];
	}
	return squares / n - sum / n * (sum / n);
}

/* Loads of cores and queues since the last sample. True: a core is above the limit. */
static bool sample(struct sim *s, struct ovs *o)
{
	const uint32_t n = queues(s);
	double ns = (double)(s->now_ns - o->last_ns);
	bool above = false;

	for (uint32_t i = 0; i < s->scenario->cores; i++) {
		o->load[i] = fmin((double)(s->core[i].busy_ns - o->busy[i]) / ns, 1);
		o->busy[i] = s->core[i].busy_ns;
		above |= o->load[i] >= s->scenario->ovs.limit;
	}
	for (uint32_t q = 0; q < n; q++) {
		uint64_t work = 0;

		for (uint32_t b = q; b < s->scenario->buckets; b += n)
			work += s->bucket[b].done;
		o->queue[q].load =
			(double)(work - o->queue[q].work) * s->scenario->service.mean_ns / ns;
		o->queue[q].work = work;
	}
	o->last_ns = s->now_ns;
	return above;
}

/* Try; true if it is better by enough. o->load becomes that of the new assignment. */
static bool assign(struct sim *s, struct ovs *o)
{
	const uint32_t n = queues(s), cores = s->scenario->cores;
	double was = variance(o->load, cores);

	for (uint32_t q = 0; q < n; q++)
		o->sorted[q] = o->queue[q];
	qsort(o->sorted, n, sizeof(*o->sorted), heavier);
	for (uint32_t i = 0; i < cores; i++)
		o->load[i] = 0;
	for (uint32_t q = 0; q < n; q++) {
		uint32_t least = 0;

		for (uint32_t i = 1; i < cores; i++)
			if (o->load[i] < o->load[least])
				least = i;
		o->sorted[q].core = least;
		o->load[least] += o->sorted[q].load;
	}
	return variance(o->load, cores) <= was * (1 - s->scenario->ovs.gain);
}

static void apply(struct sim *s, struct ovs *o)
{
	const uint32_t n = queues(s);

	for (uint32_t q = 0; q < n; q++) {
		o->queue[o->sorted[q].index].core = o->sorted[q].core;
		for (uint32_t b = o->sorted[q].index; b < s->scenario->buckets; b += n)
			bucket_move(s, b, o->sorted[q].core);
	}
}

static uint64_t tick(struct sim *s)
{
	const struct sim_ovs_opts *c = &s->scenario->ovs;
	struct ovs *o = s->policy_state;

	if (!s->now_ns)
		return c->sample_ns;
	o->above = sample(s, o) ? o->above + 1 : 0;
	if (o->above < c->samples || (o->changed_ns && s->now_ns - o->changed_ns < c->interval_ns))
		return c->sample_ns;
	o->above = 0;
	if (assign(s, o)) {
		apply(s, o);
		o->changed_ns = s->now_ns;
	}
	return c->sample_ns;
}

const struct policy policy_ovs = {"ovs", .init = init, .tick = tick, .fini = fini};
