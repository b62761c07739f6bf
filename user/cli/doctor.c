// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice doctor: what is wrong with an interface, and mend it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/options.h"
#include "cli/output.h"
#include "dataplane/sizes.h"
#include "platform/attach.h"
#include "platform/cpu.h"
#include "platform/examine.h"

/* A mended thing may show another: queues, then the table over them, then their interrupts. */
#define ROUNDS 3

struct doctor_config {
	const char *iface;
	bool fix;
};

struct doctor {
	struct sl_facts facts;
	struct sl_findings findings;
	json_t *actions; /* what --fix did: {id, text, command, done, error} */
};

/* What `sluice run` has room for. */
static unsigned workers_by_default(void)
{
	const unsigned cpus = sl_cpu_count();

	return cpus < SL_DEFAULT_MAX_WORKERS ? cpus : SL_DEFAULT_MAX_WORKERS;
}

static int examine(struct doctor *d, const char *ifname, struct sl_error *err)
{
	int rc = sl_examine(ifname, &d->facts, err);

	if (rc)
		return rc;
	d->facts.need = sizes_default_frames(d->facts.rx, workers_by_default());
	sl_doctor(&d->facts, &d->findings);
	return 0;
}

/* Was this command run already? Once more would not do more. */
static bool was_tried(const struct doctor *d, const struct sl_finding *finding)
{
	json_t *action;
	size_t i;

	json_array_foreach (d->actions, i, action)
		if (!strcmp(json_string_value(json_object_get(action, "command")),
			    finding->command))
			return true;
	return false;
}

static void mend(struct doctor *d, const struct sl_finding *finding)
{
	const int rc = sl_mend_apply(d->facts.ifname, &finding->mend);

	json_array_append_new(d->actions,
			      json_pack("{s:s,s:s,s:s,s:b,s:o}", "id", finding->id, "text",
					finding->text, "command", finding->command, "done", !rc,
					"error", rc ? json_string(strerror(-rc)) : json_null()));
}

/* Apply what can be, and look again. 0 or -errno with a line in err: the interface is gone. */
static int fix(struct doctor *d, const char *ifname, struct sl_error *err)
{
	int rc = 0;

	for (unsigned round = 0; !rc && round < ROUNDS; round++) {
		const size_t before = json_array_size(d->actions);

		for (unsigned i = 0; i < d->findings.n; i++)
			if (d->findings.v[i].mend.kind != SL_MEND_NONE &&
			    !was_tried(d, &d->findings.v[i]))
				mend(d, &d->findings.v[i]);
		if (json_array_size(d->actions) == before)
			break;
		rc = examine(d, ifname, err);
	}
	return rc;
}

static json_t *findings_json(const struct sl_findings *findings)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < findings->n; i++) {
		const struct sl_finding *f = &findings->v[i];

		json_array_append_new(
			rows, json_pack("{s:s,s:s,s:s,s:o,s:b}", "id", f->id, "level",
					f->problem ? "problem" : "note", "text", f->text, "command",
					f->command[0] ? json_string(f->command) : json_null(),
					"fixable", f->mend.kind != SL_MEND_NONE));
	}
	return rows;
}

static void print_actions(const json_t *actions)
{
	json_t *action;
	size_t i;

	json_array_foreach (actions, i, action) {
		const char *error = json_string_value(json_object_get(action, "error"));

		printf("%s %s\n", error ? "not fixed:" : "fixed:  ",
		       json_string_value(json_object_get(action, "text")));
		printf("           %s%s%s\n", json_string_value(json_object_get(action, "command")),
		       error ? ": " : "", error ? error : "");
	}
	if (json_array_size(actions))
		putchar('\n');
}

static void print(const struct doctor *d)
{
	const struct sl_findings *findings = &d->findings;

	doctor_facts_print(&d->facts);
	print_actions(d->actions);
	for (unsigned i = 0; i < findings->n; i++) {
		const struct sl_finding *f = &findings->v[i];

		printf("%s %s\n", f->problem ? "problem:" : "note:   ", f->text);
		if (f->command[0])
			printf("           %s\n", f->command);
	}
	if (!findings->problems)
		puts("nothing is wrong");
}

static int report(const struct doctor *d)
{
	int status = 0;

	if (cli.json)
		status = output_json(json_pack(
			"{s:s,s:I,s:o,s:O,s:o}", "interface", d->facts.ifname, "problems",
			(json_int_t)d->findings.problems, "findings", findings_json(&d->findings),
			"actions", d->actions, "facts", doctor_facts_json(&d->facts)));
	else
		print(d);
	return status ? status : d->findings.problems ? EXIT_FAILED : 0;
}

static int run(struct doctor *d, const struct opt_spec *spec, const struct doctor_config *config)
{
	struct sl_error err;
	int rc = examine(d, config->iface, &err);

	if (!rc && config->fix)
		rc = fix(d, config->iface, &err);
	/* 1 says that something is wrong with the interface, not with its name. */
	return rc ? opt_usage(spec, "%s", err.text) : report(d);
}

int cmd_doctor(int argc, char **argv)
{
	static const struct opt_arg args[] = {
		ARG_STRING(struct doctor_config, iface, "IF", false, "interface, attached or not"),
		ARG_END,
	};
	static const struct opt options[] = {
		OPT_FLAG(struct doctor_config, fix, 'f', "fix",
			 "apply what can be applied, and say what was done"),
		OPT_END,
	};
	static const struct opt_spec spec = {
		"doctor",
		"Find what is wrong with an interface, and the command that mends it",
		args,
		options,
		"Exit status: 0 nothing is wrong, 1 problems (with --fix: that are left), 2 "
		"usage.\n",
	};
	struct doctor_config config = {0};
	struct doctor *d;
	int status;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	d = calloc(1, sizeof(*d));
	if (!d)
		return output_json(NULL);
	d->actions = json_array();
	status = run(d, &spec, &config);
	json_decref(d->actions);
	free(d);
	return status;
}
