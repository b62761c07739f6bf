/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SL_CLI_RUN_STACK_H
#define SL_CLI_RUN_STACK_H

#include <signal.h>

struct opt_spec;
struct sl_stack_opts;

/* Keep an instance in mode `stack` until a signal comes. The exit status. */
int run_stack(const struct opt_spec *spec, const struct sl_stack_opts *opts,
	      const sigset_t *signals);

#endif /* SL_CLI_RUN_STACK_H */
