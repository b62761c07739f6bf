// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables of the VIPs that go by load, dealt again and again. A thread of its own: to put a table in
 * the place of another takes the kernel a grace period, 10 to 20 ms, in which probes would be late.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "cli/lb/run.h"
#include "cli/lb/stats.h"
#include "platform/clock.h"
#include "lb/loads.h"

#define NS_PER_S 1e9
/* Rates of 10 ms are mostly chance: they are smoothed over this. */
#define SMOOTH_S 0.5
#define RATE_STEP (1 / 16.0)
#define CPU_STEP (1 / 256.0)
/* Another command may have dealt rows without loads. */
#define FORCED_NS 1000000000ull
/* Rows of a server, on average: its share is exact to 1/64 of itself. More only cost time. */
#define ROWS_EACH 64
#define ROWS_MIN 1024
#define WATCH_SIZE (SL_LB_MAX_SERVERS * sizeof(struct sl_lb_watch))

/* What is known of a server's load. */
struct meter {
	uint64_t at_ns; /* 0: not read yet */
	uint64_t count, connections;
	double rate, connection_rate; /* a second, smoothed */
};

struct dealt {
	uint32_t vip; /* id */
	struct sl_lb_vip_key key;
	enum sl_lb_select select;
	enum sl_lb_metric metric;
	struct sl_lb_table table;
	struct sl_lb_member *members, *before;
	unsigned n, before_n;
	uint64_t stored_ns;
};

struct run_refill {
	struct sl_lb lb; /* the maps of another; the lock is its own */
	uint64_t every_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	struct dealt *vips[SL_LB_MAX_VIPS];
	unsigned n;
	void *scratch;
	struct sl_lb_watch *watch;
	struct sl_lb_cores *cores; /* what a server reported */
	struct meter meter[SL_LB_MAX_SERVERS];
};

static uint64_t counted(const struct sl_lb_stats *s, enum sl_lb_metric metric)
{
	if (metric == SL_LB_BY_PACKETS)
		return s->packets;
	return metric == SL_LB_BY_BYTES ? s->bytes + s->reply_bytes : s->connections;
}

static void smooth(double *rate, uint64_t more, double seconds)
{
	*rate += ((double)more / seconds - *rate) * seconds / (seconds + SMOOTH_S);
}

/* No table is dealt anew for what nobody would notice. */
static double in_steps(double load, double step)
{
	return (double)(uint64_t)(load / step) * step;
}

static void measure(struct run_refill *r, struct meter *m, uint32_t id, enum sl_lb_metric metric,
		    uint64_t now)
{
	struct sl_lb_stats s;
	uint64_t count;

	lb_stats_sum(r->lb.map[SL_LB_M_SERVER_STATS], id, &s);
	count = counted(&s, metric);
	if (m->at_ns && now > m->at_ns && count >= m->count && s.connections >= m->connections) {
		double seconds = (double)(now - m->at_ns) / NS_PER_S;

		smooth(&m->rate, count - m->count, seconds);
		smooth(&m->connection_rate, s.connections - m->connections, seconds);
	}
	m->at_ns = now;
	m->count = count;
	m->connections = s.connections;
	r->watch[id].load = (uint64_t)m->rate;
}

/* What a server says of its CPUs; one that is silent for too long is taken for the mean. */
static void take_report(struct run_refill *r, struct sl_lb_member *m)
{
	bool told =
		!sl_lb_cores_read(&r->lb, m->server.id, r->cores) && sl_lb_cores_fresh(r->cores);

	m->load = told ? in_steps(sl_lb_cores_mean(r->cores), CPU_STEP) : 0;
	m->age_ns = told ? 0 : SL_LB_NEVER_TOLD;
	r->watch[m->server.id].load = (uint64_t)(1000 * m->load);
}

/* Loads of the members, and what `least` wants to know of all of them. */
static void weigh(struct run_refill *r, struct dealt *d, struct sl_lb_fill_opts *opts, uint64_t now)
{
	double connections = 0, load = 0;

	for (unsigned i = 0; i < d->n; i++) {
		struct sl_lb_member *m = &d->members[i];
		struct meter *meter = &r->meter[m->server.id];

		measure(r, meter, m->server.id, d->metric, now);
		connections += meter->connection_rate;
		m->load = in_steps(meter->rate, RATE_STEP) / m->server.weight;
		m->age_ns = 0;
		if (d->metric == SL_LB_BY_CPU)
			take_report(r, m);
		load += m->load * m->server.weight;
	}
	opts->connections = connections * (double)r->every_ns / NS_PER_S;
	opts->added = connections > 0 ? load / connections / SMOOTH_S : 0;
}

static bool same_members(const struct dealt *d)
{
	return d->n == d->before_n && !memcmp(d->members, d->before, d->n * sizeof(*d->members));
}

/* Some rows, and these again and again: a turn through them comes by all servers as fairly. */
static void fill(struct run_refill *r, struct dealt *d, const struct sl_lb_fill_opts *opts)
{
	uint16_t *row = d->table.server;
	unsigned rows = ROWS_MIN;

	while (rows < SL_LB_ROWS && rows < ROWS_EACH * d->n)
		rows *= 2;
	sl_lb_fill(d->select, d->members, d->n, opts, row, rows, SL_LB_NO_SERVER, r->scratch);
	for (unsigned at = rows; at < SL_LB_ROWS; at += rows)
		memcpy(row + at, row, rows * sizeof(*row));
}

/* Whether the table is another than the one in force. */
static bool deal(struct run_refill *r, struct dealt *d, uint64_t now)
{
	struct sl_lb_fill_opts opts = {.stale_ns = UINT64_MAX - 1, .seed = now};
	struct sl_lb_member *swap = d->before;

	d->n = sl_lb_eligible(&r->lb, d->vip, d->members);
	weigh(r, d, &opts, now);
	if (same_members(d) && now - d->stored_ns < FORCED_NS)
		return false;
	fill(r, d, &opts);
	d->before = d->members;
	d->before_n = d->n;
	d->members = swap;
	d->stored_ns = now;
	return true;
}

/* Another command may have made it another, or given its id to one. */
static bool is_ours(const struct run_refill *r, const struct dealt *d)
{
	struct sl_lb_vip vip;

	return !bpf_map_lookup_elem(r->lb.map[SL_LB_M_VIPS], &d->key, &vip) && vip.id == d->vip &&
	       vip.select == d->select;
}

static void refill(struct run_refill *r)
{
	const struct sl_lb_table *tables[SL_LB_MAX_VIPS];
	uint32_t ids[SL_LB_MAX_VIPS];
	uint64_t now = sl_clock_ns();
	unsigned n = 0;

	if (sl_lb_lock(&r->lb, false)) /* the next time will do */
		return;
	for (unsigned i = 0; i < r->n; i++)
		if (is_ours(r, r->vips[i]) && deal(r, r->vips[i], now)) {
			ids[n] = r->vips[i]->vip;
			tables[n++] = &r->vips[i]->table;
		}
	if (n && sl_lb_store(&r->lb, ids, tables, n))
		for (unsigned i = 0; i < r->n; i++)
			r->vips[i]->before_n = 0;
	sl_lb_unlock(&r->lb);
}

static void *run(void *arg)
{
	struct run_refill *r = arg;
	struct timespec at;
	uint64_t next;

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		next = sl_clock_ns() + r->every_ns;
		pthread_mutex_unlock(&r->lock);
		refill(r);
		pthread_mutex_lock(&r->lock);
		at = (struct timespec){.tv_sec = (time_t)(next / 1000000000),
				       .tv_nsec = (long)(next % 1000000000)};
		while (!r->stop && pthread_cond_timedwait(&r->wake, &r->lock, &at) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* --- */

static void free_all(struct run_refill *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		free(r->vips[i]->members);
		free(r->vips[i]->before);
		free(r->vips[i]);
	}
	if (r->watch)
		munmap(r->watch, WATCH_SIZE);
	free(r->scratch);
	free(r->cores);
	free(r);
}

static int add(struct run_refill *r, unsigned id, const struct sl_lb_vip_config *v)
{
	struct dealt *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	r->vips[r->n++] = d;
	d->vip = id;
	d->key = v->key;
	d->select = (enum sl_lb_select)v->select;
	d->metric = (enum sl_lb_metric)v->metric;
	d->members = calloc(SL_LB_MAX_SERVERS, sizeof(*d->members));
	d->before = calloc(SL_LB_MAX_SERVERS, sizeof(*d->before));
	return d->members && d->before ? 0 : -ENOMEM;
}

static int add_vips(struct run_refill *r, const struct sl_lb_config *config)
{
	struct sl_lb_vip_entry *vips;
	unsigned n;
	int rc = sl_lb_vips(&r->lb, &vips, &n);

	if (rc)
		return rc;
	for (unsigned i = 0; !rc && i < n; i++)
		for (unsigned k = 0; !rc && k < config->vips_n; k++)
			if (!memcmp(&vips[i].key, &config->vips[k].key, sizeof(vips[i].key)) &&
			    sl_lb_select_by_load((enum sl_lb_select)config->vips[k].select))
				rc = add(r, vips[i].vip.id, &config->vips[k]);
	free(vips);
	return rc;
}

static int start_thread(struct run_refill *r)
{
	pthread_condattr_t monotonic;

	r->scratch = malloc(sl_lb_fill_scratch(SL_LB_MAX_SERVERS));
	r->watch = mmap(NULL, WATCH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			r->lb.map[SL_LB_M_WATCH], 0);
	if (r->watch == MAP_FAILED)
		r->watch = NULL;
	r->cores = malloc(sizeof(*r->cores));
	if (!r->scratch || !r->watch || !r->cores)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, &monotonic);
	return -pthread_create(&r->thread, NULL, run, r);
}

struct run_refill *run_refill_start(const struct sl_lb *lb, const struct sl_lb_config *config,
				    int *rc)
{
	struct run_refill *r = calloc(1, sizeof(*r));

	*rc = -ENOMEM;
	if (!r)
		return NULL;
	r->lb = *lb;
	r->lb.lock = -1;
	r->every_ns = config->refill_ns;
	*rc = add_vips(r, config);
	if (!*rc && r->n)
		*rc = start_thread(r);
	if (!*rc && r->n)
		return r;
	free_all(r);
	return NULL;
}

void run_refill_stop(struct run_refill *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	free_all(r);
}
