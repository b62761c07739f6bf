// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mover IF [-d SECONDS] [-r MOVES_PER_SECOND] [-s SEED] [-w] [-x] - writes random rows, as fast as
 * it may, as a daemon would: only buckets whose last move has ended, only workers that run. With -w
 * the number of workers changes too, with -x buckets are split and made whole again. Reads the log
 * of moves as it goes and ends with one line of JSON.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/histogram.h"
#include "dataplane/word.h"
#include "platform/clock.h"
#include "platform/instance.h"
#include "platform/rpc.h"

#define MEMBERS_US 300000
#define SPLIT_ROUNDS 8

struct mover {
	struct sl_instance *inst;
	struct sl_histogram took; /* nanoseconds */
	uint64_t random, members_random; /* of each thread */
	uint64_t asked; /* rows written */
	uint64_t log_seq; /* last entry of the log that was read */
	uint64_t logged, missed;
	uint64_t rule[4];
	uint32_t parked_max;
	atomic_bool over;
	unsigned changes; /* of the number of workers */
	uint64_t splits, merges; /* that the log says have ended */
};

static uint32_t draw(struct mover *m, uint32_t n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (uint32_t)((m->random >> 32) * n >> 32);
}

static unsigned running(const struct mover *m, unsigned out[SL_MAX_WORKERS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->inst->max_workers; i++)
		if (__atomic_load_n(&m->inst->workers[i].state, __ATOMIC_ACQUIRE) ==
		    SL_WORKER_RUNNING)
			out[n++] = i;
	return n;
}

static void move_one(struct mover *m, const unsigned *workers, unsigned n)
{
	uint32_t b = draw(m, m->inst->buckets);
	struct sl_owner word = owner_load(&m->inst->owners[b]);
	uint64_t seen = __atomic_load_n(&m->inst->rows[b], __ATOMIC_ACQUIRE);
	struct sl_row row = row_unpack(seen);
	uint16_t to = (uint16_t)workers[draw(m, n)];

	if (word.owner != word.next || row.worker != word.owner || to == row.worker ||
	    row.worker >= SL_MAX_WORKERS || row.mode == SL_ROW_STAYS)
		return;
	row = row_to(row, to);
	if (__atomic_compare_exchange_n(&m->inst->rows[b], &seen, row_pack(row), false,
					__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		m->asked++;
}

static void wish(struct mover *m, uint32_t b, enum sl_row_mode mode)
{
	uint64_t seen = __atomic_load_n(&m->inst->rows[b], __ATOMIC_ACQUIRE);
	struct sl_row row = row_unpack(seen);

	row.mode = (uint8_t)mode;
	__atomic_compare_exchange_n(&m->inst->rows[b], &seen, row_pack(row), false,
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* One bucket more, or one less, half of them split at any time. */
static void split_one(struct mover *m)
{
	unsigned k = draw(m, SL_SPLITS);
	uint32_t whole = m->inst->control->split[k] - 1;

	if (whole < m->inst->hash_buckets)
		wish(m, whole, SL_ROW_WORKER);
	else
		wish(m, draw(m, m->inst->hash_buckets), SL_ROW_SPLIT);
}

/* Moves end in any order; stop at the first that is under way and look again later. */
static void read_log(struct mover *m)
{
	for (;;) {
		struct sl_move *e = &m->inst->moves[(m->log_seq + 1) % SL_MOVE_LOG];
		uint64_t seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
		struct sl_move copy = *e;

		if (seq < m->log_seq + 1)
			return;
		if (seq > m->log_seq + 1 || __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE) != seq) {
			m->log_seq++;
			m->missed++;
			continue;
		}
		if (!copy.ended_ns)
			return;
		sl_histogram_add(&m->took, copy.ended_ns - copy.asked_ns);
		m->rule[copy.rule & 3]++;
		m->splits += copy.to >= SL_TO_PARTS;
		m->merges += copy.from >= SL_TO_PARTS;
		if (copy.parked_max > m->parked_max)
			m->parked_max = copy.parked_max;
		m->logged++;
		m->log_seq++;
	}
}

static void set_workers(struct mover *m, unsigned n)
{
	json_t *request = json_pack("{s:s,s:i}", "cmd", "workers", "set", (int)n);
	char path[SL_RPC_PATH_MAX];
	struct sl_error err;

	if (!sl_rpc_dataplane_path(m->inst->name, path, &err) &&
	    sl_rpc_call(path, request, -1, NULL, &err))
		fprintf(stderr, "mover: workers %u: %s\n", n, err.text);
	json_decref(request);
}

static unsigned under_way(const struct mover *m)
{
	unsigned n = 0;

	for (uint32_t b = 0; b < m->inst->buckets; b++) {
		struct sl_owner word = owner_load(&m->inst->owners[b]);

		n += word.owner != word.next || row_load(&m->inst->rows[b]).worker != word.owner;
	}
	return n;
}

static void report(struct mover *m, double seconds, unsigned left)
{
	printf("{\"seconds\":%.3f,\"asked\":%lu,\"moves\":%lu,\"per_second\":%.0f,\"logged\":%lu,"
	       "\"missed\":%lu,\"unfinished\":%u,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
	       "\"by_rule\":{\"a\":%lu,\"d\":%lu,\"c\":%lu},\"parked_max\":%u,\"changes\":%u,"
	       "\"splits\":%lu,\"merges\":%lu}\n",
	       seconds, m->asked, (unsigned long)m->inst->control->moves_started,
	       (double)m->asked / seconds, m->logged, m->missed, left,
	       (double)sl_histogram_quantile(&m->took, 0.5) / 1e3,
	       (double)sl_histogram_quantile(&m->took, 0.99) / 1e3, (double)m->took.max / 1e3,
	       m->rule[SL_DRAIN_A], m->rule[SL_DRAIN_D], m->rule[SL_DRAIN_C], m->parked_max,
	       m->changes, m->splits, m->merges);
}

/* A thread of its own: a change returns when the workers that leave have left. */
static void *change_members(void *arg)
{
	struct mover *m = arg;
	unsigned all = m->inst->control->workers;
	struct mover dice = {.random = m->members_random};

	while (!atomic_load(&m->over)) {
		set_workers(m, all > 2 ? 2 + draw(&dice, all - 1) : 1 + draw(&dice, all));
		m->changes++;
		usleep(MEMBERS_US);
	}
	set_workers(m, all);
	return NULL;
}

static void fire(struct mover *m, double seconds, double rate, bool members, bool splits)
{
	uint64_t begin = sl_clock_ns(), end = begin + (uint64_t)(seconds * 1e9);
	unsigned workers[SL_MAX_WORKERS], n = 0, round = 0;
	pthread_t thread;
	uint64_t now;

	m->members_random = m->random * 31;
	members = members && !pthread_create(&thread, NULL, change_members, m);
	while ((now = sl_clock_ns()) < end) {
		double due = (double)(now - begin) / 1e9 * rate;

		if (round++ % 16 == 0)
			n = running(m, workers);
		for (unsigned i = 0; n > 1 && i < 256 && (double)m->asked < due; i++)
			move_one(m, workers, n);
		if (splits && round % SPLIT_ROUNDS == 0)
			split_one(m);
		read_log(m);
		usleep(200);
	}
	atomic_store(&m->over, true);
	if (members)
		pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	double seconds = 5, rate = 1e9;
	static struct mover m = {.random = 88172645463325252ull};
	struct sl_error err;
	bool members = false, splits = false;
	unsigned left;
	int c;

	while ((c = getopt(argc, argv, "d:r:s:wx")) != -1) {
		if (c == 'd')
			seconds = atof(optarg);
		else if (c == 'r')
			rate = atof(optarg);
		else if (c == 's')
			m.random += strtoull(optarg, NULL, 0) * 2654435761u;
		else if (c == 'w')
			members = true;
		else if (c == 'x')
			splits = true;
		else
			return 2;
	}
	if (optind + 1 != argc || sl_instance_open(argv[optind], &m.inst, &err)) {
		fprintf(stderr, "mover: %s\n", optind + 1 == argc ? err.text : "name an interface");
		return 2;
	}
	for (unsigned i = 0; i < SL_MOVE_LOG; i++)
		if (m.inst->moves[i].seq > m.log_seq)
			m.log_seq = m.inst->moves[i].seq;
	fire(&m, seconds, rate, members, splits);
	for (int i = 0; (left = under_way(&m)) && i < 500; i++)
		usleep(10000);
	read_log(&m);
	report(&m, seconds, left);
	return left != 0;
}
