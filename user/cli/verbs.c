// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"

static void help(const struct verb_set *set)
{
	printf("Usage: sluice %s [-j | -p] VERB [options] [arguments]\n%s\n\n", set->command,
	       set->summary);
	for (const struct verb *v = set->verbs; v->name; v++)
		printf("  %-7s %s\n", v->name, v->spec->summary);
	printf("\n  -j, --json    print JSON\n"
	       "  -p, --pretty  print JSON, indented\n"
	       "  -h, --help    print this text; `sluice %s VERB --help` that of a verb\n",
	       set->command);
}

static int unknown(const struct verb_set *set, const char *word)
{
	fprintf(stderr, "sluice %s: %s%s%s; use one of", set->command,
		word ? "unknown verb \"" : "a verb is missing", word ? word : "", word ? "\"" : "");
	for (const struct verb *v = set->verbs; v->name; v++)
		fprintf(stderr, "%s %s", v == set->verbs ? "" : ",", v->name);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

int verbs_run(const struct verb_set *set, int argc, char **argv)
{
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
			help(set);
			return 0;
		}
		if (!strcmp(argv[at], "--pretty") || !strcmp(argv[at], "-p")) {
			cli.pretty = true;
		} else if (strcmp(argv[at], "--json") != 0 && strcmp(argv[at], "-j") != 0) {
			fprintf(stderr,
				"sluice %s: unknown option %s; allowed before the verb: --json, "
				"--pretty, --help\n",
				set->command, argv[at]);
			return EXIT_USAGE;
		}
		cli.json = true;
	}
	for (const struct verb *v = set->verbs; at < argc && v->name; v++)
		if (!strcmp(argv[at], v->name))
			return v->run(argc - at, argv + at);
	return unknown(set, at < argc ? argv[at] : NULL);
}
