/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - which instance a command means, and who answers for it.
 */
#ifndef SL_CLI_TARGET_H
#define SL_CLI_TARGET_H

#include <jansson.h>

#include "cli/options.h"
#include "platform/instance.h"

/* The argument of a command that is about one instance. */
#define ARG_INSTANCE(s, m)                                                                         \
	ARG_STRING(s, m, "IF", true, "interface or instance; may be left out if there is only one")

/*
 * Open the instance of an interface's or instance's name; NULL: the only one there is. 0 or -errno
 * with a line in err. Close with sl_instance_close().
 */
int target_open(const char *name, struct sl_instance **out, struct sl_error *err);

/*
 * opt_parse(), then open the instance that `*name`, a member of `config`, stands for. True: go on.
 * False: return *status from the command.
 */
bool target_parse(const struct opt_spec *spec, int argc, char **argv, void *config,
		  const char *const *name, struct sl_instance **out, int *status);

/*
 * The instance's name. Who may speak to the daemon's socket need not be allowed to open the maps:
 * the name is then taken as it is.
 */
int target_name(const char *given, char name[SL_NAME_MAX], struct sl_error *err);

/*
 * Ask the daemon, or the instance's dataplane: `request` (stolen) gets "cmd" and "instance".
 * `pass_fd` -1: none. 0 and *result (yours, may be NULL pointer), or -errno with a line that says
 * which process is not there and how to start it.
 */
int target_daemon(const char *cmd, const char *instance, json_t *request, json_t **result,
		  struct sl_error *err);
int target_dataplane(const char *cmd, const struct sl_instance *inst, json_t *request, int pass_fd,
		     json_t **result, struct sl_error *err);

/* A process with the pid that the dataplane left in `control` exists. */
bool target_dataplane_alive(const struct sl_instance *inst);

#endif /* SL_CLI_TARGET_H */
