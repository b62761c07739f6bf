// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_shard.c - flow look-ups per second: a table for each shard, which one thread owns, against
 * one table that all threads share.
 *
 * All CPUs, one million flows, 40-byte keys, batches of 64, the same hash and the same stream of
 * packets for all, in slices that take turns. A thread looks up the flows that are steered to it:
 * for a shared table that is the kindest traffic, as no flow's cache line goes back and forth; the
 * `sprayed` figures are for traffic without that kindness. The last line is the summary; its ratio
 * is to the best of all variants of the shared tables.
 *
 * usage: bench_shard [flows [rounds [milliseconds]]]
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "shard_contenders.h"
#include "shard_worst.h"

#define THREADS_MAX 128
#define SLICES_MAX 101

enum contender {
	NONE,
	OURS,
	LFHT,
	STRIPED,
	STRIPED_UNLOCKED,
	LFHT_SPRAYED,
	STRIPED_SPRAYED,
	KINDS
};

static const char *const names[KINDS] = {
	"stream alone", "ours",		  "lfht", "striped", "striped, stages unlocked",
	"lfht sprayed", "striped sprayed"};

struct bench {
	struct sharded sharded;
	struct striped striped;
	struct cds_lfht *lfht;
	unsigned threads, slices, slice_ms;
	uint32_t flows;
	pthread_barrier_t start, end;
	enum contender kind; /* of this slice; written between the barriers */
	bool stop;
	atomic_bool slice_over;
	double mops[KINDS][SLICES_MAX];
};

struct thread {
	struct bench *bench;
	unsigned self;
	int cpu;
	pthread_t id;
	uint64_t done, missing;
} SL_LINE;

/* The stream without a table: what all figures contain. The keys must be written all the same. */
static unsigned none_batch(const struct stream_batch *b)
{
	__asm__ volatile("" ::"r"(b) : "memory");
	return SL_BATCH;
}

static unsigned one_batch(struct bench *b, enum contender kind, const struct stream_batch *batch,
			  uint64_t now)
{
	switch (kind) {
	case OURS:
		return sharded_batch(&b->sharded, batch, now);
	case LFHT:
	case LFHT_SPRAYED:
		return lfht_batch(b->lfht, batch, now);
	case STRIPED:
	case STRIPED_SPRAYED:
		return striped_batch(&b->striped, batch, now, true);
	case STRIPED_UNLOCKED:
		return striped_batch(&b->striped, batch, now, false);
	default:
		return none_batch(batch);
	}
}

static void slice(struct thread *t, struct stream *stream)
{
	struct bench *b = t->bench;
	struct stream_batch batch;
	enum contender kind = b->kind;

	stream->sprayed = kind == LFHT_SPRAYED || kind == STRIPED_SPRAYED;
	while (!atomic_load_explicit(&b->slice_over, memory_order_relaxed)) {
		stream_next(stream, &batch);
		t->missing += SL_BATCH - one_batch(b, kind, &batch, now_ns());
		t->done += SL_BATCH;
	}
}

static void *thread_run(void *arg)
{
	struct thread *t = arg;
	struct bench *b = t->bench;
	struct stream stream = {.rng = 0x9e3779b97f4a7c15ull * (t->self + 1),
				.per_thread = b->flows / b->threads,
				.threads = b->threads,
				.self = t->self};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(t->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	urcu_qsbr_register_thread();
	for (;;) {
		urcu_qsbr_thread_offline();
		pthread_barrier_wait(&b->start);
		urcu_qsbr_thread_online();
		if (b->stop)
			break;
		slice(t, &stream);
		pthread_barrier_wait(&b->end);
	}
	urcu_qsbr_unregister_thread();
	return NULL;
}

/* The same flows in all tables, in the same order. */
static void fill(struct bench *b)
{
	struct stream s = {.threads = b->threads};
	uint64_t now = now_ns();

	for (uint32_t i = 0; i < b->flows / b->threads; i++) {
		for (uint32_t owner = 0; owner < b->threads; owner++) {
			struct sl_flow_key key = {0};
			uint32_t hash = stream_hash(&s, i, owner);

			stream_key(&key, i, owner);
			if (!sl_flow_lookup(b->sharded.table[hash % SHARDS], &key, hash, now, 1) ||
			    !sl_flow_lookup(b->striped.stripe[hash % SHARDS].table, &key, hash, now,
					    1))
				abort();
			lfht_add(b->lfht, &key, hash);
		}
	}
}

static void open_tables(struct bench *b)
{
	struct sl_flow_table *table[SHARDS];
	unsigned long buckets = 1;

	tables_open(&b->sharded.budget, &b->sharded.config, b->sharded.table, SHARDS);
	tables_open(&b->striped.budget, &b->striped.config, table, SHARDS);
	for (unsigned i = 0; i < SHARDS; i++)
		b->striped.stripe[i].table = table[i];
	while (buckets < b->flows)
		buckets *= 2;
	b->lfht = cds_lfht_new_flavor(buckets, buckets, 0, 0, &urcu_qsbr_flavor, NULL);
	if (!b->lfht)
		abort();
}

static void run_slice(struct bench *b, struct thread *threads, enum contender kind, unsigned n)
{
	uint64_t done = 0, began, ns;
	struct timespec ts = {.tv_sec = b->slice_ms / 1000,
			      .tv_nsec = b->slice_ms % 1000 * 1000000l};

	for (unsigned i = 0; i < b->threads; i++)
		threads[i].done = 0;
	b->kind = kind;
	atomic_store(&b->slice_over, false);
	pthread_barrier_wait(&b->start);
	began = now_ns();
	nanosleep(&ts, NULL);
	atomic_store(&b->slice_over, true);
	pthread_barrier_wait(&b->end);
	ns = now_ns() - began;
	for (unsigned i = 0; i < b->threads; i++)
		done += threads[i].done;
	b->mops[kind][n] = (double)done * 1e3 / (double)ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static uint64_t run(struct bench *b)
{
	struct thread *threads = aligned_alloc(SL_CACHE_LINE, THREADS_MAX * sizeof(*threads));
	uint64_t missing = 0;
	cpu_set_t cpus;
	int cpu = -1;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	pthread_barrier_init(&b->start, NULL, b->threads + 1);
	pthread_barrier_init(&b->end, NULL, b->threads + 1);
	for (unsigned i = 0; i < b->threads; i++) {
		do
			cpu++;
		while (!CPU_ISSET(cpu, &cpus));
		threads[i] = (struct thread){.bench = b, .self = i, .cpu = cpu};
		if (pthread_create(&threads[i].id, NULL, thread_run, &threads[i]))
			abort();
	}
	/* Round 0 warms up and is overwritten. Nobody always comes behind the same one. */
	for (unsigned n = 0; n <= b->slices; n++) {
		for (unsigned i = 0; i < KINDS; i++)
			run_slice(b, threads, (n + i) % KINDS, n ? n - 1 : 0);
	}
	b->stop = true;
	pthread_barrier_wait(&b->start);
	for (unsigned i = 0; i < b->threads; i++) {
		pthread_join(threads[i].id, NULL);
		missing += threads[i].missing;
	}
	free(threads);
	return missing;
}

/*
 * Ours to another, the median over the rounds: in a round both have run within a second, and what
 * else the machine does then slows both.
 */
static double ratio(const struct bench *b, enum contender kind)
{
	double v[SLICES_MAX] = {0};

	for (unsigned n = 0; n < b->slices; n++)
		v[n] = b->mops[OURS][n] / b->mops[kind][n];
	return median(v, b->slices);
}

static void report(struct bench *b, uint32_t worst_ns)
{
	double mops[KINDS], ratios[KINDS], least = 1e9;

	for (enum contender kind = 0; kind < KINDS; kind++) {
		ratios[kind] = ratio(b, kind);
		if (kind > OURS && ratios[kind] < least)
			least = ratios[kind];
	}
	for (enum contender kind = 0; kind < KINDS; kind++) {
		mops[kind] = median(b->mops[kind], b->slices);
		printf("{\"bench\":\"shard\",\"table\":\"%s\",\"mops\":%.2f,\"min\":%.2f,"
		       "\"max\":%.2f,\"ours_to_it\":%.2f}\n",
		       names[kind], mops[kind], b->mops[kind][0], b->mops[kind][b->slices - 1],
		       ratios[kind]);
	}
	printf("{\"bench\":\"shard\",\"threads\":%u,\"flows\":%u,\"ours_mops\":%.2f,"
	       "\"lfht_mops\":%.2f,\"striped_mops\":%.2f,\"ratio\":%.2f,\"rounds\":%u,"
	       "\"bytes_per_flow\":%.1f,\"worst_op_ns\":%u}\n",
	       b->threads, b->flows, mops[OURS], mops[LFHT],
	       mops[STRIPED] > mops[STRIPED_UNLOCKED] ? mops[STRIPED] : mops[STRIPED_UNLOCKED],
	       least, b->slices, (double)b->sharded.budget.used / b->flows, worst_ns);
}

int main(int argc, char **argv)
{
	static struct bench b = {.slices = 31, .slice_ms = 60, .flows = 1000000};
	uint32_t worst_ns;
	cpu_set_t cpus;

	if (argc > 1)
		b.flows = (uint32_t)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		b.slices = (unsigned)strtoul(argv[2], NULL, 0);
	if (argc > 3)
		b.slice_ms = (unsigned)strtoul(argv[3], NULL, 0);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	b.threads = (unsigned)CPU_COUNT(&cpus);
	if (!b.slices || b.slices > SLICES_MAX || b.threads > THREADS_MAX || b.flows < b.threads ||
	    !b.slice_ms) {
		fprintf(stderr, "usage: bench_shard [flows [rounds (1..%d) [milliseconds]]]\n",
			SLICES_MAX);
		return 2;
	}

	worst_ns = worst_measure(b.flows);
	open_tables(&b);
	fill(&b);
	if (run(&b)) {
		fprintf(stderr, "bench_shard: flows were not found\n");
		return 1;
	}
	report(&b, worst_ns);
	return 0;
}
