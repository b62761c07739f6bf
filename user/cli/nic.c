// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice nic: the NICs' own tables, and whether packets come in as they say. */
#include <stdio.h>
#include <limits.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/target.h"
#include "platform/nic_state.h"

#define I(x) ((json_int_t)(x))
#define NOT_GIVEN UINT_MAX

struct nic_config {
	const char *name;
	unsigned hardware; /* index in hardware_words, or NOT_GIVEN */
};

/* In the order of enum sl_hardware. */
static const char *const hardware_words[] = {"auto", "on", "off", NULL};

static json_t *nic_json(const struct sl_instance *inst, unsigned i)
{
	const struct sl_nic_state nic = sl_nic_state_read(inst, i);
	char line[SL_NIC_LINE];

	return json_pack("{s:s,s:s,s:s,s:I,s:f,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "interface",
			 inst->iface[i].name, "hardware", sl_hardware_name(inst->control->hardware),
			 "state", sl_nic_state_name(nic.state), "entries", I(nic.entries), "own",
			 nic.own / 1000.0, "writes", I(nic.writes), "entries_written",
			 I(nic.written), "packets", I(nic.packets), "astray", I(nic.astray), "late",
			 I(nic.late), "cut_short", I(nic.cut_short), "rewrites", I(nic.rewrites),
			 "trouble",
			 sl_nic_trouble(inst, i, line) ? json_string(line) : json_null());
}

static const struct column columns[] = {
	{"interface", "interface", ALIGN_LEFT, NULL},
	{"hardware", "hardware", ALIGN_LEFT, NULL},
	{"state", "state", ALIGN_LEFT, NULL},
	{"entries", "entries", ALIGN_RIGHT, NULL},
	{"own", "own queue", ALIGN_RIGHT, format_percent},
	{"entries_written", "written", ALIGN_RIGHT, NULL},
	{"packets", "packets", ALIGN_RIGHT, format_count},
	{"astray", "astray", ALIGN_RIGHT, NULL},
	{"late", "late", ALIGN_RIGHT, NULL},
	{NULL, NULL, ALIGN_LEFT, NULL},
};

static int show(const struct sl_instance *inst)
{
	json_t *rows = json_array();
	char line[SL_NIC_LINE];
	int status;

	for (unsigned i = 0; i < inst->ifaces; i++)
		json_array_append_new(rows, nic_json(inst, i));
	status = output_rows(rows, columns);
	for (unsigned i = 0; i < inst->ifaces && !cli.json; i++)
		if (sl_nic_trouble(inst, i, line))
			printf("warning: %s\n", line);
	return status;
}

int cmd_nic(int argc, char **argv)
{
	static const struct opt_arg args[] = {
		ARG_INSTANCE(struct nic_config, name),
		ARG_END,
	};
	static const struct opt options[] = {
		OPT_CHOICE(struct nic_config, hardware, 'H', "hardware", "WHEN", hardware_words,
			   "let the NIC's table follow: auto, on, or off, which gives it back"),
		OPT_END,
	};
	static const struct opt_spec spec = {
		"nic", "Show the NICs' own tables, and whether packets come in as they say", args,
		options, NULL};
	struct nic_config config = {.hardware = NOT_GIVEN};
	struct sl_instance *inst;
	int status;

	if (!target_parse(&spec, argc, argv, &config, &config.name, &inst, &status))
		return status;
	if (config.hardware == NOT_GIVEN)
		status = show(inst);
	else
		/* the dataplane looks at it once a second */
		__atomic_store_n(&inst->control->hardware, config.hardware, __ATOMIC_RELAXED);
	sl_instance_close(inst);
	return status;
}
