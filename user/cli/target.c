// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/rpc.h"

static void free_names(char **names)
{
	for (char **n = names; n && *n; n++)
		free(*n);
	free(names);
}

/* The names, as one line says them. */
static void join_names(char **names, char *buf, size_t size)
{
	buf[0] = 0;
	for (char **n = names; *n; n++) {
		size_t used = strlen(buf);

		snprintf(buf + used, size - used, "%s%s", n == names ? "" : ", ", *n);
	}
}

static int no_instance(struct sl_error *err)
{
	if (geteuid())
		return sl_error_set(err, -EPERM,
				    "no instance to be seen without privilege; run as root");
	return sl_error_set(
		err, -ENOENT,
		"no instance on this machine; `sluice attach IF --match RULE` makes one");
}

/* Open those of `names` that are of this network namespace; keep one, count all in *here. */
static int open_here(char **names, unsigned *here, struct sl_instance **out, struct sl_error *err)
{
	int ret = 0, rc;

	for (; *names; names++) {
		struct sl_instance *inst;

		rc = sl_instance_open(*names, &inst, err);
		if (rc) {
			ret = rc;
			continue;
		}
		sl_instance_close(*out);
		*out = inst;
		(*here)++;
	}
	return *here ? 0 : ret;
}

static int open_only(struct sl_instance **out, struct sl_error *err)
{
	char **names = sl_instance_list();
	unsigned here = 0;
	char all[256];
	int ret;

	*out = NULL;
	if (!names)
		return sl_error_set(err, -ENOMEM, "no memory");
	ret = names[0] ? open_here(names, &here, out, err) : no_instance(err);
	if (here > 1) {
		sl_instance_close(*out);
		*out = NULL;
		join_names(names, all, sizeof(all));
		ret = sl_error_set(err, -EINVAL, "several instances are attached, name one of: %s",
				   all);
	}
	free_names(names);
	return ret;
}

int target_open(const char *name, struct sl_instance **out, struct sl_error *err)
{
	return name ? sl_instance_open(name, out, err) : open_only(out, err);
}

bool target_parse(const struct opt_spec *spec, int argc, char **argv, void *config,
		  const char *const *name, struct sl_instance **out, int *status)
{
	struct sl_error err;
	int ret;

	if (!opt_parse(spec, argc, argv, config, status))
		return false;
	ret = target_open(*name, out, &err);
	if (!ret)
		return true;
	*status = opt_refuse(spec, ret, &err);
	return false;
}

/* Fill in what every request has, ask, and free the request. */
static int ask(const char *path, const char *cmd, const char *instance, json_t *request,
	       int pass_fd, json_t **result, struct sl_error *err)
{
	int ret;

	if (!request || json_object_set_new(request, "cmd", json_string(cmd)) ||
	    (instance && json_object_set_new(request, "instance", json_string(instance))))
		ret = sl_error_set(err, -ENOMEM, "no memory");
	else
		ret = sl_rpc_call(path, request, pass_fd, result, err);
	json_decref(request);
	return ret;
}

static bool nobody_listens(int ret)
{
	return ret == -ENOENT || ret == -ECONNREFUSED;
}

int target_name(const char *given, char name[SL_NAME_MAX], struct sl_error *err)
{
	struct sl_instance *inst;
	int ret = target_open(given, &inst, err);

	if (!ret) {
		snprintf(name, SL_NAME_MAX, "%s", inst->name);
		sl_instance_close(inst);
	} else if (given && (ret == -EPERM || ret == -EACCES)) {
		snprintf(name, SL_NAME_MAX, "%s", given);
		ret = 0;
	}
	return ret;
}

int target_daemon(const char *cmd, const char *instance, json_t *request, json_t **result,
		  struct sl_error *err)
{
	char path[SL_RPC_PATH_MAX];
	int ret = sl_rpc_daemon_path(path, err);

	if (ret) {
		json_decref(request);
		return ret;
	}
	ret = ask(path, cmd, instance, request, -1, result, err);
	if (nobody_listens(ret))
		sl_error_set(err, ret, "%s: no daemon answers at %s; start sluiced", cmd, path);
	return ret;
}

int target_dataplane(const char *cmd, const struct sl_instance *inst, json_t *request, int pass_fd,
		     json_t **result, struct sl_error *err)
{
	char path[SL_RPC_PATH_MAX];
	int ret = sl_rpc_dataplane_path(inst->name, path, err);

	if (ret) {
		json_decref(request);
		return ret;
	}
	ret = ask(path, cmd, inst->name, request, pass_fd, result, err);
	if (nobody_listens(ret))
		sl_error_set(err, ret,
			     "%s: no dataplane runs for instance %s; start `sluice run -i %s`", cmd,
			     inst->name, inst->iface[0].name);
	return ret;
}

bool target_dataplane_alive(const struct sl_instance *inst)
{
	uint32_t pid = __atomic_load_n(&inst->control->pid, __ATOMIC_RELAXED);

	return pid && (!kill((pid_t)pid, 0) || errno == EPERM);
}
