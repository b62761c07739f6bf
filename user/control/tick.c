// SPDX-License-Identifier: GPL-2.0-or-later
/* One round of the control loop. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/tick.h"

/* So long nothing happens before the loop slows down: a hot set that shifts every second or two
 * keeps it at its fastest. */
#define QUIET_NS 2000000000ull
/* A gain of so many times the minimum is acted on at once, a smaller one when it has lasted. */
#define LARGE_GAIN 3
#define LASTING_ROUNDS 2
#define LONG_LASTING_ROUNDS 10 /* of a gain below the minimum */
#define WORK_PER_BUCKET 256 /* bucket visits that a plan may take, for each bucket */
/* An elephant that lasts so many rounds is no burst: then it is worth moving all others away, which
 * gains next to nothing by the highest load, unless they are less than this, in cores. */
#define ELEPHANT_ROUNDS 5
#define CROWD_MIN 0.002
#define NOW_MIN_GAIN 0.005 /* of a plan on demand */
/* Waiting grows with load / (1 - load). Where a plan leaves less than this headroom, in cores, a
 * smaller gain is worth its moves: in proportion, down to LEAST_GAIN of the minimum. */
#define HEADROOM 0.1
#define LEAST_GAIN 0.2
/* A move takes the state along and parks what arrives meanwhile. Parked packets wait for tens of
 * microseconds, state is fetched flow by flow: at the mean a tenth of its cost. */
#define PARKED_WEIGHT 0.1

struct sl_tick {
	struct sl_tick_opts opts;
	struct sl_load load;
	struct sl_plan_bucket *buckets;
	struct sl_plan_worker *workers;
	struct sl_plan_move *moves;
	void *scratch;
	bool *pinned;
	uint16_t numa[SL_MAX_WORKERS];
	uint64_t eventful_ns; /* when something last happened */
	int elephant; /* of the latest round, -1: none */
	unsigned elephant_rounds; /* in a row */
	unsigned lasting; /* rounds in a row that found a gain */
	bool finer; /* the latest plan gains less than the minimum, which does near the limit */
	uint64_t interval_ns;
	uint64_t moved_ns; /* 0: never */
	struct sl_elastic elastic;
	struct sl_elastic_view view;
	bool cut; /* max_moves ended the latest plan */
};

struct sl_tick *sl_tick_new(unsigned workers_n, unsigned buckets_n, const struct sl_tick_opts *opts)
{
	struct sl_tick *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->opts = *opts;
	t->elastic.opts = opts->elastic;
	t->interval_ns = opts->tick_min_ns;
	t->elephant = -1;
	t->buckets = calloc(buckets_n, sizeof(*t->buckets));
	t->workers = calloc(workers_n, sizeof(*t->workers));
	t->moves = calloc(buckets_n, sizeof(*t->moves));
	t->pinned = calloc(buckets_n, sizeof(*t->pinned));
	t->scratch = malloc(sl_plan_scratch_size(buckets_n, workers_n));
	if (t->buckets && t->workers && t->moves && t->pinned && t->scratch &&
	    !sl_load_init(&t->load, workers_n, buckets_n, opts->smoothing_ns))
		return t;
	sl_tick_free(t);
	return NULL;
}

void sl_tick_free(struct sl_tick *t)
{
	if (!t)
		return;
	sl_load_fini(&t->load);
	free(t->buckets);
	free(t->workers);
	free(t->moves);
	free(t->pinned);
	free(t->scratch);
	free(t);
}

void sl_tick_configure(struct sl_tick *t, const struct sl_tick_opts *opts)
{
	/* Who begins takes over what it finds; who ends wakes all. */
	if (t->opts.elastic.enabled != opts->elastic.enabled) {
		t->elastic.begun = false;
		t->elastic.fill = !opts->elastic.enabled;
	}
	t->elastic.opts = opts->elastic;
	t->opts = *opts;
	t->load.smoothing_ns = opts->smoothing_ns;
	t->interval_ns = opts->tick_min_ns;
	t->eventful_ns = 0;
}

void sl_tick_pin(struct sl_tick *t, uint32_t bucket, bool pinned)
{
	if (bucket < t->load.buckets_n)
		t->pinned[bucket] = pinned;
}

bool sl_tick_pinned(const struct sl_tick *t, uint32_t bucket)
{
	return bucket < t->load.buckets_n && t->pinned[bucket];
}

void sl_tick_numa(struct sl_tick *t, unsigned worker, uint16_t node)
{
	if (worker < SL_MAX_WORKERS)
		t->numa[worker] = node;
}

void sl_tick_restart(struct sl_tick *t)
{
	t->elastic.begun = false;
	t->elastic.fill = false;
}

const struct sl_elastic *sl_tick_elastic(const struct sl_tick *t)
{
	return &t->elastic;
}

const struct sl_load *sl_tick_load(const struct sl_tick *t)
{
	return &t->load;
}

const char *sl_tick_verdict_name(enum sl_tick_verdict v)
{
	static const char *const names[SL_TICK_VERDICTS] = {
		[SL_TICK_LEARNING] = "learning", [SL_TICK_NO_WORKERS] = "no workers",
		[SL_TICK_CALM] = "calm",	 [SL_TICK_EVEN] = "even",
		[SL_TICK_WAITING] = "waiting",	 [SL_TICK_MOVED] = "moved",
	};

	return v < SL_TICK_VERDICTS ? names[v] : "unknown";
}

static bool stuck(const struct sl_tick *t, const struct sl_sample *s, unsigned w)
{
	const struct sl_sample_worker *k = &s->workers[w];

	return k->state == SL_WORKER_RUNNING && s->now_ns > k->heartbeat_ns &&
	       s->now_ns - k->heartbeat_ns > t->opts.stuck_ns;
}

/* Workers as the planner sees them. Returns how many may hold buckets. */
static unsigned prepare_workers(struct sl_tick *t, const struct sl_sample *s,
				struct sl_tick_result *r)
{
	unsigned usable = 0;

	for (unsigned w = 0; w < s->workers_n; w++) {
		struct sl_plan_worker *k = &t->workers[w];

		*k = (struct sl_plan_worker){.other = t->load.workers[w].other, .numa = t->numa[w]};
		if (stuck(t, s, w))
			r->stuck[r->stuck_n++] = (uint16_t)w;
		else
			k->usable = s->workers[w].state == SL_WORKER_RUNNING;
		usable += k->usable;
	}
	return usable;
}

static bool is_stuck(const struct sl_tick_result *r, unsigned worker)
{
	for (unsigned i = 0; i < r->stuck_n; i++)
		if (r->stuck[i] == worker)
			return true;
	return false;
}

/*
 * Buckets as the planner sees them, each where its row points. Those of a stuck worker, and those
 * between two workers, stay: who has their state cannot be asked to give it away now.
 */
static void prepare_buckets(struct sl_tick *t, const struct sl_sample *s,
			    const struct sl_tick_result *r)
{
	double flows = 1, rate = 1;

	for (unsigned b = 0; b < s->buckets_n; b++) {
		flows += s->buckets[b].flows;
		rate += t->load.buckets[b].rate;
	}
	flows /= s->buckets_n;
	rate /= s->buckets_n;
	for (unsigned b = 0; b < s->buckets_n; b++) {
		const struct sl_sample_bucket *k = &s->buckets[b];
		unsigned at = k->target < s->workers_n ? k->target : k->owner;
		bool held = is_stuck(r, at) || is_stuck(r, k->owner);

		t->buckets[b] = (struct sl_plan_bucket){
			.load = held ? 0 : t->load.buckets[b].load,
			.weight = k->flows / flows + PARKED_WEIGHT * t->load.buckets[b].rate / rate,
			.worker = (uint16_t)(at < s->workers_n ? at : 0),
			.pinned = held || k->absent || k->moving || t->pinned[b] ||
				  at >= s->workers_n,
		};
	}
}

/* The target utilisation cannot be held by acting above it. */
static double act_above(const struct sl_tick *t)
{
	double target = t->opts.elastic.target;

	return t->opts.elastic.enabled && target < t->opts.threshold ? target : t->opts.threshold;
}

/* Has an elephant that lasts company that could leave? */
static bool crowded(const struct sl_tick *t, const struct sl_sample *s, int elephant)
{
	double crowd = 0;

	if (elephant < 0 || t->elephant_rounds < ELEPHANT_ROUNDS)
		return false;
	for (unsigned b = 0; b < s->buckets_n; b++)
		if ((int)b != elephant && !t->buckets[b].pinned &&
		    t->buckets[b].worker == t->buckets[elephant].worker)
			crowd += t->buckets[b].load;
	return crowd > CROWD_MIN;
}

static void run_plan(struct sl_tick *t, const struct sl_sample *s, const struct sl_plan_opts *opts,
		     struct sl_plan_result *r)
{
	sl_plan(t->buckets, s->buckets_n, t->workers, s->workers_n, opts, t->scratch, t->moves, r);
}

static double gain(const struct sl_plan_result *r)
{
	return (r->before - r->after) / r->before;
}

/* With little headroom left, a gain below the minimum may do. */
static void plan_near_limit(struct sl_tick *t, const struct sl_sample *s,
			    const struct sl_plan_opts *opts, struct sl_plan_result *r)
{
	struct sl_plan_opts finer = *opts;
	struct sl_plan_result found;

	if (r->before <= 1 - HEADROOM || r->bound >= 1)
		return;
	finer.min_gain *= LEAST_GAIN;
	run_plan(t, s, &finer, &found);
	if (gain(&found) < opts->min_gain * fmax((1 - found.after) / HEADROOM, LEAST_GAIN))
		return;
	*r = found;
	t->finer = found.moves > 0;
}

static void plan(struct sl_tick *t, const struct sl_sample *s, double min_gain, double calm,
		 struct sl_tick_result *r)
{
	struct sl_plan_opts opts = {.min_gain = min_gain,
				    .max_moves = t->opts.max_moves,
				    .deadline = t->opts.clock
							? t->opts.plan_ns
							: (uint64_t)s->buckets_n * WORK_PER_BUCKET,
				    .clock = t->opts.clock,
				    .any_node = t->opts.any_node,
				    .calm = calm};

	t->finer = false;
	run_plan(t, s, &opts, &r->plan);
	if (!r->plan.moves)
		plan_near_limit(t, s, &opts, &r->plan);
	if (!r->plan.moves && crowded(t, s, r->plan.elephant)) {
		opts.min_gain = 0;
		run_plan(t, s, &opts, &r->plan);
	}
	t->cut = t->opts.max_moves && r->plan.moves >= t->opts.max_moves;
}

/* By the thresholds, or for any gain. */
static void plan_round(struct sl_tick *t, const struct sl_sample *s, struct sl_tick_result *r)
{
	bool now = t->elastic.fill;

	if (t->opts.elastic.enabled)
		sl_elastic_restrict(&t->elastic, t->workers, s->workers_n);
	plan(t, s, now ? NOW_MIN_GAIN : t->opts.min_gain, now ? 0 : act_above(t), r);
}

/* Workers are added and removed, then the buckets planned for those who are awake. */
static void plan_elastic(struct sl_tick *t, const struct sl_sample *s, struct sl_tick_result *r)
{
	sl_elastic_look(&t->view, &t->elastic, &t->load, s, t->buckets, t->workers);
	sl_elastic_run(&t->elastic, &t->view, s->now_ns);
	plan_round(t, s, r);
	if (t->cut || !sl_elastic_review(&t->elastic, &t->view, &r->plan))
		return;
	for (unsigned w = 0; w < s->workers_n; w++)
		t->workers[w].usable = t->view.worker[w].runs;
	plan_round(t, s, r);
}

/* Buckets whose row points to a worker that cannot serve them must go at once. */
static bool must_empty(const struct sl_tick *t, unsigned moves)
{
	for (unsigned i = 0; i < moves; i++)
		if (!t->workers[t->moves[i].from].usable)
			return true;
	return false;
}

/* Is it time to act on what would gain so much? */
static bool lasted(const struct sl_tick *t, double gained)
{
	if (gained >= LARGE_GAIN * t->opts.min_gain)
		return true;
	return t->lasting >= (t->finer ? LONG_LASTING_ROUNDS : LASTING_ROUNDS);
}

static enum sl_tick_verdict decide(struct sl_tick *t, const struct sl_sample *s,
				   struct sl_tick_result *r)
{
	if (!prepare_workers(t, s, r))
		return SL_TICK_NO_WORKERS;
	if (!t->load.rounds)
		return SL_TICK_LEARNING;
	prepare_buckets(t, s, r);
	if (t->opts.elastic.enabled)
		plan_elastic(t, s, r);
	else
		plan_round(t, s, r);
	t->elastic.fill &= r->plan.moves > 0;
	if (t->elastic.fill || must_empty(t, r->plan.moves))
		return SL_TICK_MOVED;
	if (r->plan.before <= act_above(t)) {
		t->lasting = 0;
		return SL_TICK_CALM;
	}
	if (!r->plan.moves) {
		t->lasting = 0;
		return SL_TICK_EVEN;
	}
	t->lasting++;
	if (!lasted(t, gain(&r->plan)))
		return SL_TICK_WAITING;
	if (t->moved_ns && s->now_ns - t->moved_ns < t->opts.min_interval_ns)
		return SL_TICK_WAITING;
	return SL_TICK_MOVED;
}

/* Fast while something is wrong, slower and slower while nothing is. */
static uint64_t next_interval(struct sl_tick *t, uint64_t now_ns, enum sl_tick_verdict v)
{
	bool eventful = v == SL_TICK_MOVED || v == SL_TICK_WAITING || v == SL_TICK_LEARNING;

	/* While somebody sleeps a load that rises must be seen in time. */
	eventful |= t->opts.elastic.enabled && t->elastic.asleep_n;
	if (eventful || !t->eventful_ns)
		t->eventful_ns = now_ns;
	if (now_ns - t->eventful_ns <= QUIET_NS)
		t->interval_ns = t->opts.tick_min_ns;
	else if (t->interval_ns < t->opts.tick_max_ns)
		t->interval_ns *= 2;
	if (t->interval_ns > t->opts.tick_max_ns)
		t->interval_ns = t->opts.tick_max_ns;
	return t->interval_ns;
}

static void result_moves(const struct sl_tick *t, struct sl_tick_result *r)
{
	r->moves = t->moves;
	r->moves_n = r->verdict == SL_TICK_MOVED ? r->plan.moves : 0;
}

void sl_tick_run(struct sl_tick *t, const struct sl_sample *s, struct sl_tick_result *r)
{
	*r = (struct sl_tick_result){.plan.elephant = -1};
	sl_load_update(&t->load, s);
	r->verdict = decide(t, s, r);
	t->elephant_rounds = r->plan.elephant == t->elephant ? t->elephant_rounds + 1 : 0;
	t->elephant = r->plan.elephant;
	r->next_ns = next_interval(t, s->now_ns, r->verdict);
	result_moves(t, r);
}

void sl_tick_plan_now(struct sl_tick *t, const struct sl_sample *s, struct sl_tick_result *r)
{
	*r = (struct sl_tick_result){.plan.elephant = -1, .next_ns = t->opts.tick_min_ns};
	if (!prepare_workers(t, s, r)) {
		r->verdict = SL_TICK_NO_WORKERS;
	} else if (!t->load.rounds) {
		r->verdict = SL_TICK_LEARNING;
	} else {
		prepare_buckets(t, s, r);
		if (t->opts.elastic.enabled)
			sl_elastic_restrict(&t->elastic, t->workers, s->workers_n);
		plan(t, s, NOW_MIN_GAIN, 0, r);
		r->verdict = r->plan.moves ? SL_TICK_MOVED : SL_TICK_EVEN;
	}
	result_moves(t, r);
}

void sl_tick_applied(struct sl_tick *t, uint64_t now_ns)
{
	t->moved_ns = now_ns;
	t->lasting = 0;
	t->elastic.fill &= t->cut;
}
