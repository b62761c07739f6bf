// SPDX-License-Identifier: GPL-2.0-or-later
/* What is asked of the daemon: sluice pause, resume, balance. And sluice check, version. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/target.h"
#include "platform/config.h"
#include "platform/rpc.h"
#include "sluice/nf.h"

struct control_config {
	const char *name; /* instance or interface; of check: the file */
	bool dry_run;
};

static const struct opt_arg instance_arg[] = {
	ARG_INSTANCE(struct control_config, name),
	ARG_END,
};

/* Parse, ask the daemon, and give back its answer. True: *result is there. */
static bool ask_daemon(const struct opt_spec *spec, int argc, char **argv,
		       struct control_config *config, char name[SL_NAME_MAX], json_t **result,
		       int *status)
{
	struct sl_error err;
	int ret;

	if (!opt_parse(spec, argc, argv, config, status))
		return false;
	ret = target_name(config->name, name, &err);
	if (!ret)
		ret = target_daemon(spec->command, name,
				    json_pack("{s:b}", "dry_run", config->dry_run), result, &err);
	if (ret)
		*status = opt_refuse(spec, ret, &err);
	return !ret;
}

static int switch_balancer(const struct opt_spec *spec, const char *done, int argc, char **argv)
{
	struct control_config config = {0};
	char name[SL_NAME_MAX];
	json_t *result = NULL;
	int status;

	if (!ask_daemon(spec, argc, argv, &config, name, &result, &status))
		return status;
	if (cli.json)
		return output_json(json_is_object(result) ? result
							  : json_pack("{s:s}", done, name));
	json_decref(result);
	printf("%s: %s\n", name, done);
	return 0;
}

int cmd_pause(int argc, char **argv)
{
	static const struct opt_spec spec = {"pause", "Stop rebalancing until resume", instance_arg,
					     NULL, NULL};

	return switch_balancer(&spec, "paused", argc, argv);
}

int cmd_resume(int argc, char **argv)
{
	static const struct opt_spec spec = {"resume", "Rebalance again", instance_arg, NULL, NULL};

	return switch_balancer(&spec, "resumed", argc, argv);
}

static const struct column plan_columns[] = {
	{"bucket", "bucket", ALIGN_RIGHT, NULL}, {"from", "from", ALIGN_RIGHT, NULL},
	{"to", "to", ALIGN_RIGHT, NULL},	 {"load", "load", ALIGN_RIGHT, format_percent},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static double share(const json_t *result, const char *key)
{
	return 100 * json_number_value(json_object_get(result, key));
}

static void print_plan(const char *name, const json_t *result, bool dry_run)
{
	const json_t *moves = json_object_get(result, "moves");
	const json_t *elephant = json_object_get(result, "elephant");

	if (!json_array_size(moves)) {
		printf("%s: nothing to move: highest load %.1f%%, no assignment is below %.1f%%\n",
		       name, share(result, "before"), share(result, "bound"));
	} else {
		printf("%s: %zu moves%s: highest load %.1f%% -> %.1f%%, bound %.1f%%\n", name,
		       json_array_size(moves), dry_run ? " would be made" : "",
		       share(result, "before"), share(result, "after"), share(result, "bound"));
		output_table(moves, plan_columns);
	}
	if (json_is_true(json_object_get(result, "late")))
		printf("balance.plan_time ended the search: balance again, or raise it\n");
	if (json_is_integer(elephant) && json_integer_value(elephant) >= 0)
		printf("bucket %lld alone needs more than a core\n", json_integer_value(elephant));
}

int cmd_balance(int argc, char **argv)
{
	static const struct opt options[] = {
		OPT_FLAG(struct control_config, dry_run, 'n', "dry-run",
			 "print the plan and move nothing"),
		OPT_END,
	};
	static const struct opt_spec spec = {"balance", "Plan now, whatever the thresholds say",
					     instance_arg, options, NULL};
	struct control_config config = {0};
	char name[SL_NAME_MAX];
	json_t *result = NULL;
	int status;

	if (!ask_daemon(&spec, argc, argv, &config, name, &result, &status))
		return status;
	if (cli.json)
		return output_json(result);
	print_plan(name, result, config.dry_run);
	json_decref(result);
	return 0;
}

static json_t *checked_json(const char *file, const struct sl_config *c)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < c->instances_n; i++)
		json_array_append_new(names, json_string(c->instances[i].name));
	return json_pack("{s:s,s:b,s:o}", "file", file, "ok", 1, "instances", names);
}

int cmd_check(int argc, char **argv)
{
	static const struct opt_arg args[] = {
		ARG_STRING(struct control_config, name, "FILE", true,
			   "configuration (default " SL_CONFIG_PATH ")"),
		ARG_END,
	};
	static const struct opt_spec spec = {"check", "Check a configuration file of sluiced", args,
					     NULL, NULL};
	struct control_config config = {.name = SL_CONFIG_PATH};
	struct sl_config *c;
	struct sl_error err;
	int status;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	if (sl_config_load(config.name, &c, &err))
		return cli_fail(&err);
	if (cli.json)
		status = output_json(checked_json(config.name, c));
	else
		status = printf("%s: correct, %u instances\n", config.name, c->instances_n) < 0;
	sl_config_free(c);
	return status;
}

int cmd_version(int argc, char **argv)
{
	static const struct opt_spec spec = {"version", "Print the version", NULL, NULL, NULL};
	int status;

	if (!opt_parse(&spec, argc, argv, NULL, &status))
		return status;
	if (cli.json)
		return output_json(json_pack("{s:s,s:i,s:i,s:i}", "version", SL_VERSION, "abi",
					     SL_ABI_VERSION, "nf_abi", SL_NF_ABI, "protocol",
					     SL_RPC_VERSION));
	printf("sluice %s, map ABI %d, NF ABI %d\n", SL_VERSION, SL_ABI_VERSION, SL_NF_ABI);
	return 0;
}
