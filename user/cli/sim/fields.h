/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fields.h - the settings of a scenario file, as a table over struct sim_file. */
#ifndef SL_CLI_SIM_FIELDS_H
#define SL_CLI_SIM_FIELDS_H

#include "cli/sim/file.h"
#include "platform/yaml.h"

extern const struct sl_yaml_field sim_fields[];

#endif /* SL_CLI_SIM_FIELDS_H */
