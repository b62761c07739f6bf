/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setters.h - values that scenario files have beside those of platform/yaml.h. */
#ifndef SL_CLI_SIM_SETTERS_H
#define SL_CLI_SIM_SETTERS_H

#include "platform/yaml.h"

/* "... is no good", and the field's mend. */
int sim_bad(struct sl_yaml *y, const yaml_node_t *node, const struct sl_yaml_field *f);

/* The index of a scalar among n words, or -1. */
int sim_word(const yaml_node_t *node, const char *const *words, int n);

SL_YAML_SETTER(sim_set_version); /* 1, stored nowhere */
SL_YAML_SETTER(sim_set_text); /* char[f->max] */
SL_YAML_SETTER(sim_set_ns); /* a time as a double, in nanoseconds */
SL_YAML_SETTER(sim_set_seed); /* uint64_t */

#endif /* SL_CLI_SIM_SETTERS_H */
