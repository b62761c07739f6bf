/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loads.h - sluice lb loads: what servers report of their cores. */
#ifndef SL_CLI_LB_LOADS_H
#define SL_CLI_LB_LOADS_H

#include "cli/options.h"

extern const struct opt_spec lb_loads_spec;
int lb_loads(int argc, char **argv);

#endif /* SL_CLI_LB_LOADS_H */
