// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice run, on an instance in mode `stack`. */
#include "cli/run_stack.h"

#include <stdio.h>

#include "cli/options.h"
#include "dataplane/stack.h"
#include "platform/notify.h"

int run_stack(const struct opt_spec *spec, const struct sl_stack_opts *opts,
	      const sigset_t *signals)
{
	struct sl_stack_keeper *k;
	struct sl_error err;
	int rc = sl_stack_open(opts, &k, &err);

	if (rc)
		return opt_refuse(spec, rc, &err);
	if (opts->log)
		opts->log("serving");
	sl_notify("READY=1");
	rc = sl_stack_run(k, signals, &err);
	sl_notify("STOPPING=1");
	sl_stack_close(k);
	return rc ? cli_fail(&err) : 0;
}
