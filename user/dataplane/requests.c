// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/chain.h"
#include "dataplane/export.h"
#include "dataplane/frames.h"
#include "dataplane/housekeeping.h"
#include "dataplane/nf_host.h"
#include "dataplane/requests.h"
#include "dataplane/tap_worker.h"
#include "platform/rpc.h"

#define POLL_MS 200
#define FLOWS_MS 5000

static int on_wake(void *ctx, json_t *request, int fd, json_t **result, struct sl_error *err)
{
	housekeeping_wake(ctx);
	return 0;
}

static int on_workers(void *ctx, json_t *request, int fd, json_t **result, struct sl_error *err)
{
	struct sl_dataplane *dp = ctx;
	json_t *set = json_object_get(request, "set");
	int ret;

	if (!json_is_integer(set) || json_integer_value(set) < 1 ||
	    json_integer_value(set) > SL_MAX_WORKERS)
		return sl_error_set(err, -EINVAL, "--set: a number of workers, 1..%u",
				    dp->workers_max);
	ret = sl_dataplane_set_workers(dp, (unsigned)json_integer_value(set), err);
	if (!ret)
		*result = json_pack("{s:i}", "workers", (int)atomic_load(&dp->workers_now));
	return ret;
}

static int on_flows(void *ctx, json_t *request, int fd, json_t **result, struct sl_error *err)
{
	return export_flows(ctx, FLOWS_MS, result, err);
}

static int on_nf(void *ctx, json_t *request, int fd, json_t **result, struct sl_error *err)
{
	int ret = 0;

	if (json_is_true(json_object_get(request, "reload")))
		ret = nf_reload(ctx, err);
	if (!ret)
		*result = nf_report(ctx);
	return ret;
}

static int on_capture(void *ctx, json_t *request, int fd, json_t **result, struct sl_error *err)
{
	struct sl_dataplane *dp = ctx;
	json_int_t sample = json_integer_value(json_object_get(request, "sample"));
	json_int_t snaplen = json_integer_value(json_object_get(request, "snaplen"));
	json_t *names;
	int ret;

	if (fd < 0)
		return sl_error_set(err, -EINVAL, "capture: no socket was passed");
	if (sample < 0 || sample > INT32_MAX || snaplen < 0 || snaplen > SL_TAP_SNAPLEN)
		return sl_error_set(err, -EINVAL, "capture: sample 1..2^31, snaplen 1..%d",
				    SL_TAP_SNAPLEN);
	ret = tap_open(dp, fd, (unsigned)sample, (unsigned)snaplen, err);
	if (ret)
		return ret;
	names = json_array();
	for (unsigned i = 0; i < dp->inst->ifaces; i++)
		json_array_append_new(names, json_string(dp->inst->iface[i].name));
	*result = json_pack("{s:o,s:i}", "iface", names, "captures", 1);
	return 0;
}

static int on_cost(void *ctx, json_t *request, int fd, json_t **result, struct sl_error *err)
{
	struct sl_dataplane *dp = ctx;
	json_t *on = json_object_get(request, "on");

	if (!json_is_boolean(on))
		return sl_error_set(err, -EINVAL, "\"on\": true or false");
	atomic_store(&dp->cost_off, !json_is_true(on));
	return 0;
}

static json_t *frames_json(const struct sl_dataplane *dp)
{
	struct sl_frame_count c;

	frames_count(dp, &c);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "total", (json_int_t)c.total, "fill",
			 (json_int_t)c.fill, "rx", (json_int_t)c.rx, "parked", (json_int_t)c.parked,
			 "cached", (json_int_t)c.cached, "tx", (json_int_t)c.tx, "kernel",
			 (json_int_t)(c.total - c.fill - c.rx - c.parked - c.cached - c.tx));
}

/* Of the interface that ring r is a queue of. */
static const char *ring_interface(const struct sl_dataplane *dp, unsigned r)
{
	unsigned i = dp->inst->ifaces - 1;

	while (i && dp->iface_base[i] > r)
		i--;
	return dp->inst->iface[i].name;
}

static int on_status(void *ctx, json_t *request, int fd, json_t **result, struct sl_error *err)
{
	struct sl_dataplane *dp = ctx;
	json_t *chain = json_array(), *modes = json_array(), *names = json_array();
	bool busy_poll = false;

	for (unsigned i = 0; i < chain_slots(dp->chain); i++)
		json_array_append_new(chain, json_string(chain_nf(dp->chain, i)->name));
	for (unsigned r = 0; r < dp->rings; r++) {
		struct sl_worker_ring *wr = &dp->worker[0].ring[r];

		if (!wr->open)
			continue;
		busy_poll |= wr->xsk.busy_poll;
		json_array_append_new(modes, json_string(wr->xsk.zerocopy ? "zero-copy" : "copy"));
		json_array_append_new(names, json_string(ring_interface(dp, r)));
	}
	*result =
		json_pack("{s:i,s:i,s:i,s:o,s:o,s:o,s:b,s:i,s:i,s:o,s:i,s:i}", "pid", (int)getpid(),
			  "workers", (int)atomic_load(&dp->workers_now), "workers_max",
			  (int)dp->workers_max, "chain", chain, "rings", modes, "ring_interfaces",
			  names, "busy_poll", busy_poll, "busy_poll_us", (int)dp->opts.busy_poll_us,
			  "frame_size", (int)dp->frame_size, "frames", frames_json(dp), "ring_size",
			  (int)dp->xsk_opts.rx_size, "park_limit", (int)dp->park_limit);
	return 0;
}

static void *requests_main(void *arg)
{
	struct sl_dataplane *dp = arg;
	struct pollfd fd = {.fd = sl_rpc_server_fd(dp->rpc), .events = POLLIN};

	while (!atomic_load(&dp->stop)) {
		poll(&fd, 1, POLL_MS);
		sl_rpc_server_poll(dp->rpc);
		tap_reap(dp, false);
	}
	return NULL;
}

int requests_start(struct sl_dataplane *dp, struct sl_error *err)
{
	char path[SL_RPC_PATH_MAX];
	int ret;

	if (dp->opts.no_requests)
		return 0;
	ret = sl_rpc_dataplane_path(dp->inst->name, path, err);
	if (!ret)
		ret = sl_run_dir_make(err);
	if (!ret)
		ret = sl_rpc_server_open(path, NULL, &dp->rpc, err);
	if (ret)
		return ret;
	sl_rpc_server_add(dp->rpc, "wake", on_wake, dp);
	sl_rpc_server_add(dp->rpc, "workers", on_workers, dp);
	sl_rpc_server_add(dp->rpc, "flows", on_flows, dp);
	sl_rpc_server_add(dp->rpc, "nf", on_nf, dp);
	sl_rpc_server_add(dp->rpc, "capture", on_capture, dp);
	sl_rpc_server_add(dp->rpc, "cost", on_cost, dp);
	sl_rpc_server_add(dp->rpc, "status", on_status, dp);
	ret = pthread_create(&dp->requester, NULL, requests_main, dp);
	if (ret)
		return sl_error_set(err, -ret, "cannot start the requests thread: %s",
				    strerror(ret));
	dp->requests_run = true;
	pthread_setname_np(dp->requester, "sluice-request");
	return 0;
}

void requests_stop(struct sl_dataplane *dp)
{
	atomic_store(&dp->stop, true);
	if (dp->requests_run)
		pthread_join(dp->requester, NULL);
	dp->requests_run = false;
	tap_reap(dp, true);
	sl_rpc_server_close(dp->rpc);
	dp->rpc = NULL;
}
