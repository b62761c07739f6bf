// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice split, sluice merge: the wish goes into the row's mode, the dataplane carries it out.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/move.h"
#include "cli/output.h"
#include "cli/sample.h"
#include "cli/target.h"
#include "dataplane/word.h"
#include "platform/rpc.h"

struct split_config {
	struct opt_list words;
	uint64_t wait;
};

static const struct opt_arg args[] = {
	ARG_LIST(struct split_config, words, "[IF] BUCKET[-BUCKET]", false, "which buckets"),
	ARG_END,
};

static const struct opt options[] = {
	OPT_DURATION(struct split_config, wait, 'w', "wait", "TIME", 0, 3600e9,
		     "wait up to TIME for the end of it (default 2s)"),
	OPT_END,
};

static const struct opt_spec split_spec = {
	"split", "Divide buckets into parts, each with its flows, that move by themselves", args,
	options, NULL};
static const struct opt_spec merge_spec = {
	"merge", "Gather the parts of buckets on one worker and make the buckets whole again", args,
	options, NULL};

static int check(const struct sl_instance *inst, const struct move_words *w, bool split,
		 struct sl_error *err)
{
	const struct sl_control *c = inst->control;

	for (unsigned i = 0; i < w->n; i++)
		if (w->range[i].last >= inst->hash_buckets)
			return sl_error_set(err, -EINVAL,
					    "bucket %u: instance %s has buckets 0 to %u, and parts "
					    "cannot be split; name some of these",
					    w->range[i].last, inst->name, inst->hash_buckets - 1);
	if (!sl_instance_running(inst))
		return sl_error_set(err, -ENOTCONN,
				    "no dataplane runs on %s: start `sluice run -i %s` first",
				    inst->name, inst->iface[0].name);
	if (c->flags & SL_CTL_STACK)
		return sl_error_set(err, -ENOTSUP,
				    "%s is attached with --stack: the kernel's flows cannot be "
				    "divided; detach, and attach without it",
				    inst->name);
	if (!split || c->splits)
		return 0;
	if (inst->buckets == inst->hash_buckets)
		return sl_error_set(err, -ENOTSUP,
				    "%s has %u buckets, which are fine enough: attach with fewer "
				    "--buckets to split some",
				    inst->name, inst->hash_buckets);
	return sl_error_set(err, -ENOTSUP,
			    "what the dataplane of %s keeps cannot be divided: run it with network "
			    "functions that say so, see sluice(8)",
			    inst->name);
}

static bool is_split(const struct sl_instance *inst, uint32_t b)
{
	return to_parts(row_load(&inst->rows[b]).worker);
}

/* Store the wish, by compare-and-swap, once the bucket rests. */
static int ask(struct sl_instance *inst, uint32_t b, bool split, uint64_t deadline,
	       struct sl_error *err)
{
	for (;;) {
		uint64_t seen = __atomic_load_n(&inst->rows[b], __ATOMIC_ACQUIRE);
		struct sl_row row = row_unpack(seen);

		if (is_split(inst, b) == split)
			return 0;
		if (!move_settle(inst, b, row.worker, deadline))
			return sl_error_set(err, -ETIMEDOUT,
					    "bucket %u is under way for too long; it and what "
					    "follows stays as it is; see `sluice status %s`",
					    b, inst->name);
		row.mode = split ? SL_ROW_SPLIT : SL_ROW_WORKER;
		if (!__atomic_compare_exchange_n(&inst->rows[b], &seen, row_pack(row), false,
						 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			continue;
		sl_rpc_wake(inst->name);
		return 0;
	}
}

enum outcome { DONE, UNDER_WAY, REFUSED };
static const char *const outcomes[] = {"done", "under way", "refused"};

static enum outcome wait_for(const struct sl_instance *inst, uint32_t b, bool split,
			     uint64_t deadline)
{
	const struct timespec pause = {.tv_nsec = MOVE_POLL_NS};

	for (;;) {
		const struct sl_owner o = owner_load(&inst->owners[b]);
		const struct sl_row row = row_load(&inst->rows[b]);

		if (o.owner == o.next && o.owner == row.worker) {
			if (to_parts(o.owner) == split && (split || sl_parts_of(inst, b) < 0))
				return DONE;
			if ((row.mode == SL_ROW_SPLIT) != split)
				return REFUSED;
		}
		if (sample_clock() >= deadline)
			return UNDER_WAY;
		nanosleep(&pause, NULL);
	}
}

static json_t *result_json(const struct sl_instance *inst, uint32_t b, enum outcome o)
{
	const int parts = sl_parts_of(inst, b);
	char text[32] = "";

	if (parts >= 0)
		snprintf(text, sizeof(text), "%d-%d", parts, parts + SL_SPLIT_PARTS - 1);
	return json_pack("{s:I,s:s,s:s?}", "bucket", (json_int_t)b, "state", outcomes[o], "parts",
			 *text ? text : NULL);
}

static const struct column columns[] = {
	{"bucket", "bucket", ALIGN_RIGHT, NULL},
	{"state", "state", ALIGN_LEFT, NULL},
	{"parts", "parts", ALIGN_LEFT, NULL},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static int carry_out(struct sl_instance *inst, const struct move_words *w, bool split,
		     uint64_t wait, struct sl_error *err)
{
	const uint64_t deadline = sample_clock() + wait;
	unsigned count[3] = {0};
	json_t *rows;
	int ret = 0;

	for (unsigned i = 0; i < w->n && !ret; i++)
		for (uint32_t b = w->range[i].first; b <= w->range[i].last && !ret; b++)
			ret = ask(inst, b, split, deadline, err);
	if (ret)
		return ret;
	rows = json_array();
	for (unsigned i = 0; i < w->n; i++)
		for (uint32_t b = w->range[i].first; b <= w->range[i].last; b++) {
			enum outcome o = wait_for(inst, b, split, deadline);

			count[o]++;
			json_array_append_new(rows, result_json(inst, b, o));
		}
	output_rows(rows, columns);
	if (count[REFUSED])
		return sl_error_set(err, -EBUSY,
				    "%u buckets were refused: %d can be split at a time; `sluice "
				    "merge` some first",
				    count[REFUSED], SL_SPLITS);
	if (count[UNDER_WAY] && wait)
		return sl_error_set(err, -ETIMEDOUT,
				    "%u buckets are still under way; `sluice moves %s` tells when "
				    "that ends",
				    count[UNDER_WAY], inst->name);
	return 0;
}

static int run(const struct opt_spec *spec, int argc, char **argv, bool split)
{
	struct split_config config = {.wait = 2000000000};
	struct sl_instance *inst = NULL;
	struct move_words words;
	struct sl_error err;
	int ret, status;

	if (!opt_parse(spec, argc, argv, &config, &status))
		return status;
	if (move_words_parse(&config.words, true, &words, &err))
		return opt_usage(spec, "%s", err.text);
	ret = target_open(words.name, &inst, &err);
	if (ret)
		return opt_refuse(spec, ret, &err);
	ret = check(inst, &words, split, &err);
	if (!ret)
		ret = carry_out(inst, &words, split, config.wait, &err);
	sl_instance_close(inst);
	return ret ? opt_refuse(spec, ret, &err) : 0;
}

int cmd_split(int argc, char **argv)
{
	return run(&split_spec, argc, argv, true);
}

int cmd_merge(int argc, char **argv)
{
	return run(&merge_spec, argc, argv, false);
}
