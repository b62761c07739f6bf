// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * heavyhitters[:bytes][:top=N][:window=SECONDS] - the flows with most packets, or bytes, without an
 * entry for each flow: a Space-Saving summary of 16 flows in each shard (Metwally, Agrawal, El
 * Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005).
 *
 * Of a shard's traffic N in a window, a flow with more than N/16 is in the summary for certain; no
 * count is too low, and none too high by more than its `error`, which is N/16 at most. A shard of
 * no more than 16 flows is counted exactly.
 *
 * Windows follow each other, each counted from zero. A shard keeps two summaries, of the window
 * that runs and of the one before it.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nf/builtin.h"
#include "nf/text.h"

#define FLOWS 16 /* of a summary: their tags fill a cache line */
#define KEY_WORDS (sizeof(struct sl_flow_key) / sizeof(uint64_t))
#define TOP_DEFAULT 20
#define TOP_MAX 1000
#define WINDOW_DEFAULT_S 10
#define WINDOW_MAX_S 1000000
#define NS_PER_S 1000000000ull
#define READ_TRIES 1000

/* count 0: a free place. */
struct summary {
	uint32_t tag[FLOWS]; /* hash of the flow; the owner's */
	uint64_t count[FLOWS];
	uint64_t error[FLOWS];
	uint64_t key[FLOWS][KEY_WORDS]; /* struct sl_flow_key */
	uint64_t total;
	uint64_t window; /* number of the window, plus 1; 0: of none */
};

/* The owner writes; a reader saw it whole if `version` was even and stayed as it was. */
struct hitters_shard {
	uint64_t version;
	uint64_t until_ns; /* the end of the running window; the owner's */
	unsigned running; /* which summary is its; the owner's */
	struct summary summary[2] __attribute__((aligned(64)));
};

struct heavyhitters {
	const struct sl_nf_host *host;
	bool bytes;
	unsigned top;
	uint64_t window_ns; /* 0: one window without end */
};

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)

/* --- arguments ------------------------------------------------------------------------------- */

static int parse_number(const char *text, unsigned long most, unsigned long *n)
{
	char *end;

	*n = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && *n <= most ? 0 : -EINVAL;
}

static int parse_word(struct heavyhitters *h, const char *word)
{
	unsigned long n;

	if (!strcmp(word, "bytes")) {
		h->bytes = true;
		return 0;
	}
	if (!strncmp(word, "top=", 4) && !parse_number(word + 4, TOP_MAX, &n) && n) {
		h->top = (unsigned)n;
		return 0;
	}
	if (!strncmp(word, "window=", 7) && !parse_number(word + 7, WINDOW_MAX_S, &n)) {
		h->window_ns = n * NS_PER_S;
		return 0;
	}
	return -EINVAL;
}

static int parse(struct heavyhitters *h, const char *args, char *err, size_t err_size)
{
	char *text = strdup(args), *rest = text, *word;
	int ret = text ? 0 : -ENOMEM;

	while (!ret && *args && (word = strsep(&rest, ":"))) {
		ret = parse_word(h, word);
		if (ret)
			snprintf(err, err_size,
				 "'%s': write bytes, top=1 to top=%d, or window=SECONDS up to %d "
				 "(0: since the start)",
				 word, TOP_MAX, WINDOW_MAX_S);
	}
	free(text);
	return ret;
}

static int heavyhitters_create(const char *args, void **self, char *err, size_t err_size)
{
	struct heavyhitters *h = calloc(1, sizeof(*h));
	int ret;

	if (!h)
		return -ENOMEM;
	h->top = TOP_DEFAULT;
	h->window_ns = WINDOW_DEFAULT_S * NS_PER_S;
	ret = parse(h, args, err, err_size);
	if (ret)
		free(h);
	else
		*self = h;
	return ret;
}

static int heavyhitters_start(void *self, const struct sl_nf_host *host, char *err, size_t err_size)
{
	((struct heavyhitters *)self)->host = host;
	return 0;
}

/* --- packets --------------------------------------------------------------------------------- */

/* Pairs with the fences in read_shard(): what is written between is seen whole or not at all. */
static void write_begin(struct hitters_shard *s)
{
	STORE(s->version, s->version + 1);
	atomic_thread_fence(memory_order_release);
}

static void write_end(struct hitters_shard *s)
{
	__atomic_store_n(&s->version, s->version + 1, __ATOMIC_RELEASE);
}

static uint64_t window_at(const struct heavyhitters *h, uint64_t now_ns)
{
	return h->window_ns ? now_ns / h->window_ns : 0;
}

static void begin_window(const struct heavyhitters *h, struct hitters_shard *s, uint64_t now_ns)
{
	uint64_t number = window_at(h, now_ns);
	struct summary *next = &s->summary[number & 1];

	write_begin(s);
	for (unsigned i = 0; i < FLOWS; i++)
		STORE(next->count[i], 0);
	STORE(next->total, 0);
	STORE(next->window, number + 1);
	write_end(s);
	s->running = number & 1;
	s->until_ns = h->window_ns ? (number + 1) * h->window_ns : UINT64_MAX;
}

/* The place of the flow, or FLOWS. */
static unsigned find(const struct summary *m, const struct sl_flow_key *key, uint32_t tag)
{
	for (unsigned i = 0; i < FLOWS; i++)
		if (m->tag[i] == tag && m->count[i] && !memcmp(m->key[i], key, sizeof(*key)))
			return i;
	return FLOWS;
}

static unsigned least_of(const struct summary *m)
{
	unsigned least = 0;

	for (unsigned i = 1; i < FLOWS; i++)
		if (m->count[i] < m->count[least])
			least = i;
	return least;
}

/* A flow that has no place takes that of the least, and its count: it may have had as many. */
static void replace(struct hitters_shard *s, struct summary *m, const struct sl_flow_key *key,
		    uint32_t tag, uint64_t weight)
{
	unsigned i = least_of(m);
	uint64_t words[KEY_WORDS];

	memcpy(words, key, sizeof(words));
	m->tag[i] = tag;
	write_begin(s);
	STORE(m->error[i], m->count[i]);
	STORE(m->count[i], m->count[i] + weight);
	for (unsigned w = 0; w < KEY_WORDS; w++)
		STORE(m->key[i][w], words[w]);
	write_end(s);
}

static void heavyhitters_process(const struct sl_nf_ctx *ctx, struct sl_packet **pkts, unsigned n)
{
	const struct heavyhitters *h = ctx->self;

	for (unsigned i = 0; i < n; i++) {
		struct hitters_shard *s = sl_nf_shard(h->host, pkts[i]->meta->bucket);
		uint64_t weight = h->bytes ? pkts[i]->len : 1;
		struct sl_flow_key key;
		struct summary *m;
		unsigned place;

		if (sl_packet_flow_key(pkts[i], &key, NULL))
			continue;
		if (ctx->now_ns >= s->until_ns)
			begin_window(h, s, ctx->now_ns);
		m = &s->summary[s->running];
		sl_nf_count(&m->total, weight);
		place = find(m, &key, pkts[i]->meta->hash);
		if (place < FLOWS)
			sl_nf_count(&m->count[place], weight);
		else
			replace(s, m, &key, pkts[i]->meta->hash, weight);
	}
}

/* --- reports --------------------------------------------------------------------------------- */

struct hitter {
	uint64_t count, error;
	uint64_t key[KEY_WORDS];
	uint32_t bucket;
};

/* The heaviest flows of a window that were met so far: `room` is twice what is wanted. */
struct ranking {
	uint64_t window; /* number, plus 1 */
	struct hitter *hitter;
	size_t n, room;
	uint64_t total;
	uint64_t missed_max; /* no flow that is not listed has more */
	unsigned unread; /* shards whose owner never rested */
};

static int heavier_first(const void *a, const void *b)
{
	const struct hitter *x = a, *y = b;

	return x->count > y->count ? -1 : x->count < y->count;
}

static void keep_heaviest(struct ranking *r)
{
	qsort(r->hitter, r->n, sizeof(*r->hitter), heavier_first);
	if (r->n <= r->room / 2)
		return;
	r->n = r->room / 2;
	if (r->hitter[r->n].count > r->missed_max)
		r->missed_max = r->hitter[r->n].count;
}

/* The flows of a summary, as they stood at one moment if the version has not changed meanwhile. */
static unsigned copy_summary(const struct summary *m, uint64_t window, struct hitter out[FLOWS],
			     uint64_t *total)
{
	unsigned n = 0;

	*total = 0;
	if (LOAD(m->window) != window)
		return 0;
	*total = LOAD(m->total);
	for (unsigned i = 0; i < FLOWS; i++) {
		out[n].count = LOAD(m->count[i]);
		out[n].error = LOAD(m->error[i]);
		for (unsigned w = 0; w < KEY_WORDS; w++)
			out[n].key[w] = LOAD(m->key[i][w]);
		n += out[n].count > 0;
	}
	return n;
}

/* How many flows the shard has of the window; -EAGAIN if its owner never rests. */
static int read_shard(const struct hitters_shard *s, uint64_t window, struct hitter out[FLOWS],
		      uint64_t *total)
{
	for (unsigned try = 0; try < READ_TRIES; try++) {
		uint64_t version = __atomic_load_n(&s->version, __ATOMIC_ACQUIRE);
		unsigned n;

		if (!(version & 1)) {
			n = copy_summary(&s->summary[(window - 1) & 1], window, out, total);
			atomic_thread_fence(memory_order_acquire);
			if (LOAD(s->version) == version)
				return (int)n;
		}
		sched_yield();
	}
	return -EAGAIN;
}

static void rank_shard(struct ranking *r, const struct hitters_shard *s, uint32_t bucket)
{
	struct hitter found[FLOWS];
	uint64_t total, least = UINT64_MAX;
	int n = read_shard(s, r->window, found, &total);

	if (n < 0) {
		r->unread++;
		return;
	}
	r->total += total;
	for (int i = 0; i < n; i++) {
		if (found[i].count < least)
			least = found[i].count;
		found[i].bucket = bucket;
		if (r->n == r->room)
			keep_heaviest(r);
		r->hitter[r->n++] = found[i];
	}
	if (n == FLOWS && least > r->missed_max)
		r->missed_max = least;
}

static void print_ranking(struct text *t, const struct ranking *r)
{
	text_add(t, "{\"total\":%" PRIu64 ",\"missed_max\":%" PRIu64 ",\"unread\":%u,\"top\":[",
		 r->total, r->missed_max, r->unread);
	for (size_t i = 0; i < r->n; i++) {
		text_add(t, "%s{", i ? "," : "");
		text_flow_key(t, (const struct sl_flow_key *)r->hitter[i].key);
		text_add(t, ",\"count\":%" PRIu64 ",\"error\":%" PRIu64 ",\"bucket\":%" PRIu32 "}",
			 r->hitter[i].count, r->hitter[i].error, r->hitter[i].bucket);
	}
	text_add(t, "]}");
}

/* `window`: number, plus 1. */
static int print_window(struct text *t, const struct heavyhitters *h, uint64_t window)
{
	struct ranking r = {.window = window, .room = 2ul * h->top};

	r.hitter = malloc(r.room * sizeof(*r.hitter));
	if (!r.hitter)
		return -ENOMEM;
	for (uint32_t b = 0; b < h->host->buckets; b++)
		rank_shard(&r, sl_nf_shard(h->host, b), b);
	keep_heaviest(&r);
	print_ranking(t, &r);
	free(r.hitter);
	return 0;
}

static uint64_t window_now(const struct heavyhitters *h)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return window_at(h, (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec) + 1;
}

static int print_windows(struct text *t, const struct heavyhitters *h, uint64_t window)
{
	unsigned long long seconds = h->window_ns / NS_PER_S;
	int ret;

	text_add(t,
		 "\"unit\":\"%s\",\"window_s\":%llu,\"running\":", h->bytes ? "bytes" : "packets",
		 seconds);
	ret = print_window(t, h, window);
	if (ret || !seconds)
		return ret;
	text_add(t, ",\"last\":");
	return print_window(t, h, window - 1);
}

/* A window that begins meanwhile takes the place of the last but one: then all is read again. */
static int heavyhitters_show(void *self, char *buf, size_t size)
{
	const struct heavyhitters *h = self;
	struct text t;
	uint64_t window;

	do {
		t = (struct text){.buf = buf, .size = size};
		window = window_now(h);
		if (print_windows(&t, h, window))
			return -1;
	} while (window_now(h) != window);
	return text_end(&t);
}

const struct sl_nf sl_nf_heavyhitters = {
	.abi = SL_NF_ABI,
	.name = "heavyhitters",
	.summary = "heavyhitters[:bytes][:top=N][:window=SECONDS] finds the heaviest flows for "
		   "sluice nf",
	.shard_size = sizeof(struct hitters_shard),
	.create = heavyhitters_create,
	.destroy = free,
	.start = heavyhitters_start,
	.process = heavyhitters_process,
	.show = heavyhitters_show,
};
