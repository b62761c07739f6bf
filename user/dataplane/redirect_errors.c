// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/log.h"
#include "dataplane/redirect_errors.h"
#include "redirect_err.skel.h"

struct sl_redirect_errors {
	struct redirect_err_bpf *skel;
	int map_fd;
	uint64_t base; /* of former incarnations */
};

static int enter_maps(struct sl_dataplane *dp, int map_fd)
{
	const uint64_t zero = 0;

	for (unsigned i = 0; i < dp->inst->ifaces; i++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);

		if (bpf_obj_get_info_by_fd(dp->inst->iface[i].xsks_fd, &info, &len) ||
		    bpf_map_update_elem(map_fd, &info.id, &zero, BPF_NOEXIST))
			return -errno;
	}
	return 0;
}

void redirect_errors_open(struct sl_dataplane *dp)
{
	struct sl_redirect_errors *e = calloc(1, sizeof(*e));

	if (!e)
		return;
	e->base = dp->inst->control->redirect_error;
	e->skel = redirect_err_bpf__open_and_load();
	if (!e->skel || enter_maps(dp, bpf_map__fd(e->skel->maps.redirect_errors)) ||
	    redirect_err_bpf__attach(e->skel)) {
		dp_log(dp, "redirect errors cannot be counted: tracepoint xdp_redirect_err: %s",
		       strerror(errno));
		redirect_err_bpf__destroy(e->skel);
		free(e);
		return;
	}
	e->map_fd = bpf_map__fd(e->skel->maps.redirect_errors);
	dp->redirect_errors = e;
}

void redirect_errors_publish(struct sl_dataplane *dp)
{
	struct sl_redirect_errors *e = dp->redirect_errors;
	uint32_t key, *prev = NULL;
	uint64_t sum = 0, n;

	if (!e)
		return;
	while (!bpf_map_get_next_key(e->map_fd, prev, &key)) {
		if (!bpf_map_lookup_elem(e->map_fd, &key, &n))
			sum += n;
		prev = &key;
	}
	stat_set(&dp->inst->control->redirect_error, e->base + sum);
}

void redirect_errors_close(struct sl_dataplane *dp)
{
	if (!dp->redirect_errors)
		return;
	redirect_errors_publish(dp);
	redirect_err_bpf__destroy(dp->redirect_errors->skel);
	free(dp->redirect_errors);
	dp->redirect_errors = NULL;
}
