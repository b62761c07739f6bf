/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setters.h - values that scenario files have beside those of platform/yaml.h. */
#ifndef SL_CLI_SIM_SETTERS_H
#define SL_CLI_SIM_SETTERS_H

#include "platform/yaml.h"

SL_YAML_SETTER(sim_set_version); /* 1, stored nowhere */
SL_YAML_SETTER(sim_set_text); /* char[f->max] */
SL_YAML_SETTER(sim_set_ns); /* a time as a double, in nanoseconds */
SL_YAML_SETTER(sim_set_seed); /* uint64_t */

/* Item i of a list of policies: number p of them, below 0 none; not twice. */
int sim_add_policy(struct sl_yaml *y, const yaml_node_t *item, const struct sl_yaml_field *f,
		   unsigned i, int p, unsigned *list, unsigned *n);

#endif /* SL_CLI_SIM_SETTERS_H */
