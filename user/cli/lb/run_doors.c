// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cli/lb/metrics.h"
#include "cli/lb/run.h"
#include "platform/http_page.h"

#define METRICS_ID RUN_DOOR_ID

struct run_doors {
	struct sl_lb *lb;
	int epoll;
	struct sl_http_page *metrics;
};

struct run_doors *run_doors_open(struct sl_lb *lb, int epoll_fd)
{
	struct run_doors *d = calloc(1, sizeof(*d));

	if (d)
		*d = (struct run_doors){.lb = lb, .epoll = epoll_fd};
	return d;
}

static void shut(struct run_doors *d)
{
	sl_http_page_close(d->metrics);
	d->metrics = NULL;
}

void run_doors_close(struct run_doors *d)
{
	if (d)
		shut(d);
	free(d);
}

static int watch(struct run_doors *d, int fd, uint32_t id, struct sl_error *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = id};

	if (!epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &ev))
		return 0;
	return sl_error_set(err, -errno, "cannot wait for others: %s", strerror(errno));
}

static char *page(void *ctx, size_t *len)
{
	return lb_metrics_text(ctx, len);
}

int run_doors_set(struct run_doors *d, const struct sl_lb_config *config, struct sl_error *err)
{
	int rc = 0;

	shut(d);
	if (config->metrics) {
		rc = sl_http_page_open(&config->metrics_addr, "metrics", page, d->lb, &d->metrics,
				       err);
		if (!rc)
			rc = watch(d, sl_http_page_fd(d->metrics), METRICS_ID, err);
	}
	return rc;
}

void run_doors_serve(struct run_doors *d)
{
	if (d->metrics)
		sl_http_page_run(d->metrics);
}
