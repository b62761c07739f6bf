// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts about the instance that an interface belongs to, and its dataplane. */
#include <bpf/bpf.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/toeplitz.h"
#include "platform/examine.h"
#include "platform/rpc.h"

static const struct sl_iface *find_iface(const struct sl_instance *inst, const char *ifname)
{
	for (unsigned i = 0; i < inst->ifaces; i++)
		if (!strcmp(inst->iface[i].name, ifname))
			return &inst->iface[i];
	return NULL;
}

/* A key cannot be told from the tables made of it, but the tables of the device's can be compared.
 */
static bool key_differs(const struct sl_instance *inst, const struct sl_facts *facts)
{
	struct sl_toeplitz *tables = calloc(2, sizeof(*tables));
	uint8_t key[SL_TOEPLITZ_KEY] = {0};
	const __u32 zero = 0;
	bool differs = false;

	if (tables && facts->key_bytes &&
	    !bpf_map_lookup_elem(inst->toeplitz_fd, &zero, &tables[0])) {
		memcpy(key, facts->key,
		       facts->key_bytes < sizeof(key) ? facts->key_bytes : sizeof(key));
		sl_toeplitz_build(key, &tables[1]);
		differs = memcmp(&tables[0], &tables[1], sizeof(tables[0])) != 0;
	}
	free(tables);
	return differs;
}

static void read_workers(const struct sl_instance *inst, struct sl_facts *facts)
{
	for (unsigned w = 0; w < inst->max_workers && facts->workers < SL_FACT_WORKERS; w++)
		if (inst->workers[w].state == SL_WORKER_RUNNING)
			facts->worker_cpu[facts->workers++] = inst->workers[w].cpu;
}

/* Sockets of this interface: the lists of rings go side by side. */
static bool any_copies(const json_t *status, const char *ifname)
{
	const json_t *names = json_object_get(status, "ring_interfaces"), *mode;
	bool copy = false;
	size_t i;

	json_array_foreach (json_object_get(status, "rings"), i, mode) {
		const char *name = json_string_value(json_array_get(names, i));

		copy |= name && !strcmp(name, ifname) && !strcmp(json_string_value(mode), "copy");
	}
	return copy;
}

static void ask_dataplane(const struct sl_instance *inst, struct sl_facts *facts)
{
	json_t *request = json_pack("{s:s,s:s}", "cmd", "status", "instance", inst->name);
	char path[SL_RPC_PATH_MAX];
	json_t *status = NULL;
	struct sl_error err;

	if (request && !sl_rpc_dataplane_path(inst->name, path, &err) &&
	    !sl_rpc_call(path, request, -1, &status, &err)) {
		facts->copy = any_copies(status, facts->ifname);
		facts->busy_poll = json_integer_value(json_object_get(status, "busy_poll_us")) > 0;
		facts->frame_size =
			(unsigned)json_integer_value(json_object_get(status, "frame_size"));
	}
	json_decref(status);
	json_decref(request);
}

void examine_instance(const char *ifname, struct sl_facts *facts)
{
	const struct sl_iface *iface;
	struct sl_instance *inst;
	struct sl_error err;
	int rc = sl_instance_open(ifname, &inst, &err);

	facts->foreign = rc == -EEXIST;
	facts->unseen = rc == -EPERM || rc == -EACCES;
	if (rc)
		return;
	iface = find_iface(inst, ifname);
	if (iface) {
		facts->attached = iface->mode == SL_XDP_NATIVE ? SL_FACT_NATIVE : SL_FACT_GENERIC;
		facts->queues_room = iface->queues_max;
		facts->toeplitz = inst->control->flags & SL_CTL_TOEPLITZ;
		facts->key_differs = facts->toeplitz && key_differs(inst, facts);
		facts->running = sl_instance_running(inst);
	}
	if (facts->running) {
		read_workers(inst, facts);
		ask_dataplane(inst, facts);
	}
	sl_instance_close(inst);
}
