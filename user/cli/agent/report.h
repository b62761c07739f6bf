/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - sluice agent report: how busy this server's cores are, to its load balancers. */
#ifndef SL_CLI_AGENT_REPORT_H
#define SL_CLI_AGENT_REPORT_H

#include "cli/options.h"

extern const struct opt_spec agent_report_spec;
int agent_report(int argc, char **argv);

#endif /* SL_CLI_AGENT_REPORT_H */
