// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice move: store rows of the indirection table, as the daemon does, and watch the hand-overs.
 * Pins are the daemon's.
 */
#include "cli/move.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/move_log.h"
#include "cli/output.h"
#include "cli/sample.h"
#include "cli/target.h"
#include "dataplane/word.h"
#include "platform/announce.h"
#include "platform/rpc.h"

struct move_config {
	struct opt_list words;
	bool pin, unpin;
	uint64_t wait;
};

static const struct opt_arg args[] = {
	ARG_LIST(struct move_config, words, "[IF] BUCKET[-BUCKET]:WORKER", false,
		 "which buckets go to which worker"),
	ARG_END,
};

static const struct opt options[] = {
	OPT_FLAG(struct move_config, pin, 'P', "pin",
		 "keep the daemon from moving them afterwards"),
	OPT_FLAG(struct move_config, unpin, 'U', "unpin",
		 "let the daemon move them again; give buckets only"),
	OPT_DURATION(struct move_config, wait, 'w', "wait", "TIME", 0, 3600e9,
		     "wait up to TIME for the moves to end (default 2s)"),
	OPT_END,
};

static const struct opt_spec spec = {"move", "Move buckets to another worker, with their state",
				     args, options, NULL};

static int check_range(const struct sl_instance *inst, const struct move_range *r,
		       struct sl_error *err)
{
	for (uint32_t b = r->first; b <= r->last; b++) {
		const int parts = sl_parts_of(inst, b);

		if (!sl_bucket_exists(inst, b))
			return sl_error_set(err, -EINVAL,
					    "bucket %u: instance %s has buckets 0 to %u", r->last,
					    inst->name, inst->hash_buckets - 1);
		if (parts >= 0)
			return sl_error_set(err, -EBUSY,
					    "bucket %u is split: move its parts %d to %d, or "
					    "`sluice merge %u` first",
					    b, parts, parts + SL_SPLIT_PARTS - 1, b);
	}
	return 0;
}

/*
 * Buckets exist, and workers run: a row for a worker that does not is dealt to another at the next
 * start. Nothing is changed.
 */
static int check_words(const struct sl_instance *inst, const struct move_words *w, bool unpin,
		       struct sl_error *err)
{
	bool running = sl_instance_running(inst);
	int ret;

	for (unsigned i = 0; i < w->n; i++) {
		uint32_t worker = w->range[i].worker;

		ret = check_range(inst, &w->range[i], err);
		if (ret)
			return ret;
		if (unpin)
			continue;
		if (worker >= inst->max_workers)
			return sl_error_set(err, -EINVAL,
					    "worker %u: instance %s has room for workers 0 to %u",
					    worker, inst->name, inst->max_workers - 1);
		if (!running)
			return sl_error_set(
				err, -ENOTCONN,
				"no dataplane runs on %s, so worker %u does not: start `sluice "
				"run -i %s` first",
				inst->name, worker, inst->iface[0].name);
		if (__atomic_load_n(&inst->workers[worker].state, __ATOMIC_RELAXED) !=
		    SL_WORKER_RUNNING)
			return sl_error_set(
				err, -ESRCH,
				"worker %u does not run; `sluice workers %s` lists those "
				"that do",
				worker, inst->name);
	}
	return 0;
}

bool move_settle(const struct sl_instance *inst, uint32_t bucket, int worker, uint64_t deadline)
{
	const struct timespec pause = {.tv_nsec = MOVE_POLL_NS};

	for (;;) {
		struct sl_owner o = owner_load(&inst->owners[bucket]);

		if (o.owner == o.next && (worker < 0 || o.owner == worker))
			return true;
		if (sample_clock() >= deadline)
			return false;
		nanosleep(&pause, NULL);
	}
}

/*
 * Store one row, by compare-and-swap and only where the last move has ended: a row that is taken
 * back while packets of it are on their way makes them stray. Release: whoever reads the row sees
 * what was done before.
 */
static bool store_row(struct sl_instance *inst, uint32_t bucket, uint16_t worker, uint64_t deadline)
{
	for (;;) {
		uint64_t seen = __atomic_load_n(&inst->rows[bucket], __ATOMIC_ACQUIRE);
		struct sl_row row = row_unpack(seen);

		if (row.mode == SL_ROW_STAYS || !move_settle(inst, bucket, row.worker, deadline))
			return false;
		row = row_to(row, worker);
		row.mode = SL_ROW_WORKER;
		if (__atomic_compare_exchange_n(&inst->rows[bucket], &seen, row_pack(row), false,
						__ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	}
}

/* Announced, and told: or nobody tells, or not in time. */
static void announce_rows(struct sl_instance *inst, const struct move_words *w)
{
	const struct timespec pause = {.tv_nsec = SL_ANNOUNCE_POLL_NS};
	uint64_t since;

	if (!sl_announce_heard(inst->control, sl_announce_now()))
		return;
	for (unsigned i = 0; i < w->n; i++)
		for (uint32_t b = w->range[i].first; b <= w->range[i].last; b++)
			sl_announce_row(&inst->rows[b],
					__atomic_load_n(&inst->rows[b], __ATOMIC_ACQUIRE),
					(uint16_t)w->range[i].worker);
	since = sl_announce_now();
	while (sl_announce_state(inst->control, since, sl_announce_now()) == SL_ANNOUNCED_WAIT)
		nanosleep(&pause, NULL);
}

static void withdraw_rows(struct sl_instance *inst, const struct move_words *w)
{
	for (unsigned i = 0; i < w->n; i++)
		for (uint32_t b = w->range[i].first; b <= w->range[i].last; b++)
			sl_announce_withdraw(&inst->rows[b], (uint16_t)w->range[i].worker);
}

static int store_rows(struct sl_instance *inst, const struct move_words *w, uint64_t deadline,
		      struct sl_error *err)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct move_range *r = &w->range[i];

		for (uint32_t b = r->first; b <= r->last; b++)
			if (!store_row(inst, b, (uint16_t)r->worker, deadline))
				return sl_error_set(err, -ETIMEDOUT,
						    "bucket %u is under way for too long; it and "
						    "what follows was not moved; see `sluice "
						    "status %s`",
						    b, inst->name);
	}
	sl_rpc_wake(inst->name);
	return 0;
}

/* One row of the report, with the move's figures if the log still has them. */
static json_t *result_json(uint32_t bucket, uint32_t worker, const char *state,
			   const struct sl_move *moves, unsigned n)
{
	for (unsigned i = n; i-- > 0;)
		if (moves[i].bucket == bucket && moves[i].to == worker) {
			json_t *row = move_json(&moves[i]);

			json_object_set_new(row, "state", json_string(state));
			return row;
		}
	return json_pack("{s:I,s:I,s:s}", "bucket", (json_int_t)bucket, "to", (json_int_t)worker,
			 "state", state);
}

static uint64_t latest_seq(const struct sl_instance *inst, struct sl_move *moves)
{
	unsigned n = move_log_read(inst->moves, 0, moves);

	return n ? moves[n - 1].seq : 0;
}

/* Wait for every move and tell each one's end. *late: how many did not end in time. */
static json_t *watch(const struct sl_instance *inst, const struct move_words *w, uint64_t deadline,
		     uint64_t seq, struct sl_move *moves, unsigned *late)
{
	json_t *rows = json_array();
	unsigned n;

	for (unsigned i = 0; i < w->n; i++)
		for (uint32_t b = w->range[i].first; b <= w->range[i].last; b++)
			move_settle(inst, b, (int)w->range[i].worker, deadline);
	n = move_log_read(inst->moves, seq, moves);
	for (unsigned i = 0; i < w->n; i++)
		for (uint32_t b = w->range[i].first; b <= w->range[i].last; b++) {
			bool done = move_settle(inst, b, (int)w->range[i].worker, 0);

			*late += !done;
			json_array_append_new(rows,
					      result_json(b, w->range[i].worker,
							  done ? "done" : "under way", moves, n));
		}
	return rows;
}

static const struct column columns[] = {
	{"bucket", "bucket", ALIGN_RIGHT, NULL},
	{"from", "from", ALIGN_RIGHT, NULL},
	{"to", "to", ALIGN_RIGHT, NULL},
	{"state", "state", ALIGN_LEFT, NULL},
	{"took_us", "took us", ALIGN_RIGHT, format_us},
	{"parked_max", "parked", ALIGN_RIGHT, NULL},
	{"rule", "rule", ALIGN_LEFT, NULL},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static int carry_out(struct sl_instance *inst, const struct move_words *w, uint64_t wait,
		     struct sl_error *err)
{
	struct sl_move *moves = calloc(SL_MOVE_LOG, sizeof(*moves));
	uint64_t deadline, seq;
	unsigned late = 0;
	json_t *rows;
	int ret;

	if (!moves)
		return sl_error_set(err, -ENOMEM, "no memory");
	seq = latest_seq(inst, moves);
	announce_rows(inst, w);
	deadline = sample_clock() + wait;
	ret = store_rows(inst, w, deadline, err);
	if (ret) {
		withdraw_rows(inst, w);
		goto out;
	}
	rows = watch(inst, w, deadline, seq, moves, &late);
	output_rows(rows, columns);
	if (late && wait)
		ret = sl_error_set(
			err, -ETIMEDOUT,
			"%u moves are still under way; `sluice moves %s` tells when they "
			"end",
			late, inst->name);
out:
	free(moves);
	return ret;
}

static int tell_daemon(const struct sl_instance *inst, const struct move_words *w, bool pin,
		       struct sl_error *err)
{
	for (unsigned i = 0; i < w->n; i++) {
		json_t *request = json_pack("{s:I,s:I}", "first", (json_int_t)w->range[i].first,
					    "last", (json_int_t)w->range[i].last);
		int ret = target_daemon(pin ? "pin" : "unpin", inst->name, request, NULL, err);

		if (ret)
			return ret;
	}
	return 0;
}

int cmd_move(int argc, char **argv)
{
	struct move_config config = {.wait = 2000000000};
	struct sl_instance *inst = NULL;
	struct move_words words;
	struct sl_error err;
	int ret, status;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	if (config.pin && config.unpin)
		return opt_usage(&spec, "--pin and --unpin exclude each other; give one");
	if (move_words_parse(&config.words, config.unpin, &words, &err))
		return opt_usage(&spec, "%s", err.text);
	ret = target_open(words.name, &inst, &err);
	if (ret)
		return opt_refuse(&spec, ret, &err);
	ret = check_words(inst, &words, config.unpin, &err);
	/* Pinned first: the daemon must not move them back in between. */
	if (!ret && (config.pin || config.unpin))
		ret = tell_daemon(inst, &words, config.pin, &err);
	if (!ret && !config.unpin)
		ret = carry_out(inst, &words, config.wait, &err);
	sl_instance_close(inst);
	return ret ? opt_refuse(&spec, ret, &err) : 0;
}
