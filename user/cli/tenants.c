// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice tenants: what each tenant asks for, has, and has lost; once or again and again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/target.h"

struct tenants_config {
	const char *name, *tenant;
	bool watch;
	uint64_t interval;
};

static const struct column columns[] = {
	{"tenant", "tenant", ALIGN_LEFT, NULL},
	{"weight", "weight", ALIGN_RIGHT, format_plain},
	{"pps", "packets/s", ALIGN_RIGHT, format_count},
	{"bps", "bit/s", ALIGN_RIGHT, format_count},
	{"demand", "demand", ALIGN_RIGHT, format_percent},
	{"share", "share", ALIGN_RIGHT, format_percent},
	{"floor", "floor", ALIGN_RIGHT, format_percent},
	{"used", "used", ALIGN_RIGHT, format_percent},
	{"dominant", "dominant", ALIGN_LEFT, NULL},
	{"commitment", "commitment", ALIGN_RIGHT, format_percent},
	{"drops_pps", "drops/s", ALIGN_RIGHT, format_count},
	{"drops", "drops", ALIGN_RIGHT, NULL},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static int ask(const struct tenants_config *config, const char *name, json_t **result,
	       struct sl_error *err)
{
	json_t *request =
		config->tenant ? json_pack("{s:s}", "tenant", config->tenant) : json_object();

	return target_daemon("tenants", name, request, result, err);
}

static void print_text(const json_t *result)
{
	const json_t *all = json_object_get(result, "tenants");
	const char *name = json_string_value(json_object_get(result, "instance"));

	if (!json_array_size(all)) {
		printf("%s has no tenants: sluice.yaml(5), tenants\n", name);
		return;
	}
	printf("%s: %s\n", name, json_string_value(json_object_get(result, "policy")));
	output_table(all, columns);
}

/* Until it is interrupted, or nobody reads any more. */
static int watch(const struct opt_spec *spec, const struct tenants_config *config, const char *name)
{
	const struct timespec pause = {.tv_sec = (time_t)(config->interval / 1000000000),
				       .tv_nsec = (long)(config->interval % 1000000000)};
	struct sl_error err;
	json_t *result;

	for (;;) {
		int rc = ask(config, name, &result, &err);

		if (rc)
			return opt_refuse(spec, rc, &err);
		fputs("\033[H\033[J", stdout);
		print_text(result);
		json_decref(result);
		if (fflush(stdout))
			return EXIT_FAILED;
		nanosleep(&pause, NULL);
	}
}

int cmd_tenants(int argc, char **argv)
{
	static const struct opt_arg args[] = {
		ARG_INSTANCE(struct tenants_config, name),
		ARG_END,
	};
	static const struct opt options[] = {
		OPT_STRING(struct tenants_config, tenant, 't', "tenant", "NAME", "only this one"),
		OPT_FLAG(struct tenants_config, watch, 'w', "watch",
			 "show again and again, until interrupted"),
		OPT_DURATION(struct tenants_config, interval, 'i', "interval", "TIME", 1e7, 3.6e12,
			     "of --watch (default 1s)"),
		OPT_END,
	};
	static const struct opt_spec spec = {
		"tenants", "Show who shares an instance: what each tenant asks for, has and lost",
		args, options, NULL};
	struct tenants_config config = {.interval = 1000000000};
	char name[SL_NAME_MAX];
	json_t *result = NULL;
	struct sl_error err;
	int status, rc;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	if (config.watch && cli.json)
		return opt_usage(&spec, "--watch draws a table: leave out --json, or --watch");
	rc = target_name(config.name, name, &err);
	if (!rc && config.watch)
		return watch(&spec, &config, name);
	if (!rc)
		rc = ask(&config, name, &result, &err);
	if (rc)
		return opt_refuse(&spec, rc, &err);
	if (cli.json)
		return output_json(result);
	print_text(result);
	json_decref(result);
	return 0;
}
