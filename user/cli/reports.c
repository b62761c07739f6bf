// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice moves, sluice losses, sluice flows, sluice nf. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/move_log.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/sample.h"
#include "cli/target.h"
#include "platform/losses.h"

struct report_config {
	const char *name;
	uint32_t count;
	uint64_t wait;
	bool reload;
};

static const struct opt_arg instance_arg[] = {
	ARG_INSTANCE(struct report_config, name),
	ARG_END,
};

static json_t *moves_json(const struct sl_instance *inst, unsigned count)
{
	struct sl_move *moves = calloc(SL_MOVE_LOG, sizeof(*moves));
	json_t *rows = moves ? json_array() : NULL;
	unsigned n;

	if (rows) {
		n = move_log_read(inst->moves, 0, moves);
		n = move_log_latest(moves, n, count);
		for (unsigned i = 0; i < n; i++)
			json_array_append_new(rows, move_json(&moves[i]));
	}
	free(moves);
	return rows;
}

/* Time of a move as its age. */
static void format_age(const json_t *value, char *buf, size_t size)
{
	snprintf(buf, size, "%.3f s ago",
		 (double)sample_clock() / 1e9 - json_number_value(value) / 1e6);
}

static void format_took(const json_t *value, char *buf, size_t size)
{
	if (json_is_null(value))
		snprintf(buf, size, "under way");
	else
		format_us(value, buf, size);
}

static const struct column move_columns[] = {
	{"asked_us", "when", ALIGN_RIGHT, format_age},
	{"bucket", "bucket", ALIGN_RIGHT, NULL},
	{"kind", "kind", ALIGN_LEFT, NULL},
	{"from", "from", ALIGN_RIGHT, NULL},
	{"to", "to", ALIGN_RIGHT, NULL},
	{"epoch", "epoch", ALIGN_RIGHT, NULL},
	{"took_us", "took us", ALIGN_RIGHT, format_took},
	{"parked_max", "parked", ALIGN_RIGHT, NULL},
	{"rule", "rule", ALIGN_LEFT, NULL},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

int cmd_moves(int argc, char **argv)
{
	static const struct opt options[] = {
		OPT_U32(struct report_config, count, 'n', "count", "N", 1, SL_MOVE_LOG,
			"only the latest N"),
		OPT_END,
	};
	static const struct opt_spec spec = {"moves", "Show the latest moves, oldest first",
					     instance_arg, options, NULL};
	struct report_config config = {.count = SL_MOVE_LOG};
	struct sl_instance *inst;
	int status;

	if (!target_parse(&spec, argc, argv, &config, &config.name, &inst, &status))
		return status;
	status = output_rows(moves_json(inst, config.count), move_columns);
	sl_instance_close(inst);
	return status;
}

/* One counter and its share of what was seen. */
static void print_loss(const char *indent, const char *name, uint64_t n, uint64_t seen)
{
	printf("%s%-*s %15llu", indent, (int)(24 - strlen(indent)), name, (unsigned long long)n);
	if (n && seen)
		printf("  %7.3f%%", 100.0 * (double)n / (double)seen);
	putchar('\n');
}

static void print_side(int64_t gap, bool quiet, const char *identity)
{
	if (!gap)
		printf("  adds up: %s\n", identity);
	else if (!quiet)
		printf("  %lld under way while it was read: %s\n", (long long)gap, identity);
	else
		printf("  DOES NOT ADD UP by %lld: %s\n", (long long)gap, identity);
}

static void print_losses(const struct sl_instance *inst, const struct sl_losses *l, bool quiet)
{
	char name[SL_DROP_NAME + 1];

	print_loss("", "seen", l->seen, 0);
	print_loss("  ", "delivered", l->delivered, l->seen);
	print_loss("    ", "forwarded", l->forwarded, l->seen);
	print_loss("    ", "consumed", l->consumed, l->seen);
	for (unsigned r = 0; r < SL_DROP_REASONS; r++) {
		if (!l->nf_drop[r])
			continue;
		sl_drop_name(inst, r, name);
		print_loss("    drop: ", name, l->nf_drop[r], l->seen);
	}
	print_loss("    ", "park_overflow", l->park_overflow, l->seen);
	print_loss("    ", "stray", l->stray, l->seen);
	print_loss("    ", "held", l->held, l->seen);
	print_loss("    ", "abandoned", l->abandoned, l->seen);
	print_loss("  ", "ring_full", l->ring_full, l->seen);
	print_loss("  ", "no_frame", l->no_frame, l->seen);
	print_loss("  ", "no_slot", l->no_slot, l->seen);
	print_loss("  ", "stamp_error", l->stamp_error, l->seen);
	print_loss("  ", "bad_row", l->bad_row, l->seen);
	print_loss("  ", "redirect_error", l->redirect_error, l->seen);
	print_side(sl_losses_gap_in(l), quiet, "seen = delivered + lost before a worker");
	print_side(sl_losses_gap_out(l), quiet,
		   "delivered = forwarded + consumed + dropped + held");
	if (l->steer[SL_INFO_SOFTWARE_HASH])
		print_loss("", "software_hash", l->steer[SL_INFO_SOFTWARE_HASH], l->seen);
	print_loss("", "passed_to_stack", sl_losses_passed(l), 0);
	for (unsigned c = SL_PASS_UNCONFIGURED; c <= SL_PASS_UNKNOWN; c++)
		if (l->steer[c])
			print_loss("  ", sl_steer_name(c), l->steer[c], 0);
}

int cmd_losses(int argc, char **argv)
{
	static const struct opt options[] = {
		OPT_DURATION(struct report_config, wait, 'w', "wait", "TIME", 0, 60e9,
			     "let still counters settle for up to TIME (default 500ms)"),
		OPT_END,
	};
	static const struct opt_spec spec = {"losses", "Show where every packet went", instance_arg,
					     options, NULL};
	struct report_config config = {.wait = 500000000};
	struct sl_instance *inst;
	struct sl_losses l;
	struct sl_error err;
	bool quiet;
	int ret, status;

	if (!target_parse(&spec, argc, argv, &config, &config.name, &inst, &status))
		return status;
	ret = sl_losses_read_quiet(inst, (unsigned)(config.wait / 1000000), &l, &quiet);
	if (ret) {
		sl_error_set(&err, ret, "instance %s: the verdict counters cannot be read: %s",
			     inst->name, strerror(-ret));
		status = cli_fail(&err);
	} else if (cli.json) {
		status = output_json(sl_losses_json(inst, &l, quiet));
	} else {
		print_losses(inst, &l, quiet);
	}
	sl_instance_close(inst);
	return status;
}

/* Text of a flow: its members in their order, "key=value". */
static void print_flow(const json_t *flow)
{
	const char *key, *gap = "";
	char text[256];
	json_t *value;

	json_object_foreach ((json_t *)flow, key, value) {
		format_plain(value, text, sizeof(text));
		printf("%s%s=%s", gap, key, text);
		gap = " ";
	}
	putchar('\n');
}

/* A row of the dataplane's answer to `cmd`, for people. */
static int report(const struct opt_spec *spec, int argc, char **argv, const char *cmd,
		  void (*print)(const json_t *row))
{
	struct report_config config = {0};
	struct sl_instance *inst;
	json_t *rows = NULL, *row;
	struct sl_error err;
	int ret, status;
	size_t i;

	if (!target_parse(spec, argc, argv, &config, &config.name, &inst, &status))
		return status;
	ret = target_dataplane(cmd, inst, json_pack("{s:b}", "reload", config.reload), -1, &rows,
			       &err);
	sl_instance_close(inst);
	if (ret)
		return cli_fail(&err);
	if (cli.json)
		return output_json(rows);
	json_array_foreach (rows, i, row)
		print(row);
	json_decref(rows);
	return 0;
}

int cmd_flows(int argc, char **argv)
{
	static const struct opt_spec spec = {"flows", "List the flows that the NFs keep",
					     instance_arg, NULL, NULL};

	return report(&spec, argc, argv, "flows", print_flow);
}

/* Members of an object or elements of an array, one a line, what is inside them indented. */
static void print_tree(const json_t *tree, int depth)
{
	const char *key;
	char text[256];
	json_t *value;
	size_t i;

	json_array_foreach (tree, i, value) {
		if (json_is_object(value)) {
			printf("%*s", 2 * depth, "");
			print_flow(value);
		}
	}
	json_object_foreach ((json_t *)tree, key, value) {
		if (json_is_object(value) || json_is_array(value)) {
			printf("%*s%s\n", 2 * depth, "", key);
			print_tree(value, depth + 1);
			continue;
		}
		format_plain(value, text, sizeof(text));
		printf("%*s%-*s %s\n", 2 * depth, "", 24 - 2 * depth, key, text);
	}
}

static void print_nf(const json_t *nf)
{
	print_tree(nf, 0);
}

int cmd_nf(int argc, char **argv)
{
	static const struct opt options[] = {
		OPT_FLAG(struct report_config, reload, 'r', "reload",
			 "have them read their files again first; flows stay"),
		OPT_END,
	};
	static const struct opt_spec spec = {"nf",
					     "Show what the network functions say of themselves",
					     instance_arg, options, NULL};

	return report(&spec, argc, argv, "nf", print_nf);
}
