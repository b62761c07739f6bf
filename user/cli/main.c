// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice: the command line. Finds the command; each command reads its own options. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "platform/bpf_log.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
	{"attach", cmd_attach, "put the steering program on interfaces"},
	{"detach", cmd_detach, "take it off"},
	{"run", cmd_run, "run the dataplane: workers and network functions"},
	{"status", cmd_status, "an instance and what is wrong with it"},
	{"top", cmd_top, "a live view of workers, buckets, moves and losses"},
	{"workers", cmd_workers, "workers and their load; --set N changes their number"},
	{"buckets", cmd_buckets, "buckets, their owner and load"},
	{"moves", cmd_moves, "the latest moves"},
	{"flows", cmd_flows, "flows that the network functions keep"},
	{"nf", cmd_nf, "what the network functions say of themselves"},
	{"nic", cmd_nic, "the NICs' own tables, and whether packets come in as they say"},
	{"losses", cmd_losses, "where every packet went"},
	{"tenants", cmd_tenants, "who shares an instance: demand, share, drops"},
	{"move", cmd_move, "move buckets by hand; --pin keeps them there"},
	{"split", cmd_split, "divide buckets into parts that move by themselves"},
	{"merge", cmd_merge, "make split buckets whole again"},
	{"pause", cmd_pause, "stop rebalancing"},
	{"resume", cmd_resume, "rebalance again"},
	{"balance", cmd_balance, "plan now; --dry-run only prints the plan"},
	{"doctor", cmd_doctor, "find what is wrong with an interface; --fix mends it"},
	{"check", cmd_check, "check a configuration file of sluiced"},
	{"capture", cmd_capture, "write packets of the workers as pcap"},
	{"gen", cmd_gen, "generate traffic and check what comes back"},
	{"sim", cmd_sim, "simulate a scenario: policies side by side"},
	{"sched", cmd_sched, "run a trace of tasks under a fair-share policy"},
	{"lb", cmd_lb, "a load balancer in XDP: VIPs, servers, cookies"},
	{"agent", cmd_agent, "on a server: take off balancers' tunnels, write their cookies"},
	{"version", cmd_version, "print the version"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(void)
{
	puts("Usage: sluice [-j | -p] COMMAND [options] [arguments]\n"
	     "Steers packets into per-core workers and keeps the workers balanced.\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	puts("\n  -j, --json     print JSON\n"
	     "  -p, --pretty   print JSON, indented\n"
	     "  -V, --version  print the version\n"
	     "  -h, --help     print this text; `sluice COMMAND --help` that of a command");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool is(const char *word, const char *letter, const char *name)
{
	return !strcmp(word, letter) || !strcmp(word, name);
}

int main(int argc, char **argv)
{
	const struct command *command;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (is(argv[i], "-h", "--help")) {
			help();
			return output_close(0);
		}
		if (is(argv[i], "-V", "--version"))
			return output_close(cmd_version(1, (char *[]){"version", NULL}));
		if (is(argv[i], "-p", "--pretty"))
			cli.pretty = true;
		else if (!is(argv[i], "-j", "--json")) {
			fprintf(stderr,
				"sluice: unknown option %s; allowed before the command: "
				"--json, --pretty, --version, --help\n",
				argv[i]);
			return EXIT_USAGE;
		}
		cli.json = true;
	}
	if (i == argc) {
		fputs("sluice: a command is missing; `sluice --help` lists them\n", stderr);
		return EXIT_USAGE;
	}
	command = find(argv[i]);
	if (!command) {
		fprintf(stderr, "sluice: unknown command \"%s\"; `sluice --help` lists them\n",
			argv[i]);
		return EXIT_USAGE;
	}
	sl_bpf_log_setup(false);
	return output_close(command->run(argc - i, argv + i));
}
