/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * option_values.h - between options.c and its two halves: one value's text into its member, and
 * the help text.
 */
#ifndef SL_CLI_OPTION_VALUES_H
#define SL_CLI_OPTION_VALUES_H

#include <stdio.h>

#include "cli/options.h"

/* Store `text` (NULL for a flag) into o's member of `base`. `label` is what an error calls it. 0 or
 * -EINVAL with a line in err. */
int opt_value_set(const struct opt *o, const char *label, const char *text, void *base,
		  struct sl_error *err);

/* What --help prints: usage, arguments, options, one line each. */
void opt_help(const struct opt_spec *spec, const struct opt *common, FILE *out);

#endif /* SL_CLI_OPTION_VALUES_H */
