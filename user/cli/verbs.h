/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs.h - a command of verbs, each with options of its own: sluice lb show. */
#ifndef SL_CLI_VERBS_H
#define SL_CLI_VERBS_H

#include "cli/options.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const struct opt_spec *spec;
};

struct verb_set {
	const char *command; /* "lb" */
	const char *summary; /* a line under "Usage:" */
	const struct verb *verbs; /* ends with a NULL name */
};

/* What stands before the verb (--json, --help), then the verb. The exit status. */
int verbs_run(const struct verb_set *set, int argc, char **argv);

#endif /* SL_CLI_VERBS_H */
