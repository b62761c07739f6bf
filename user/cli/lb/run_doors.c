// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cli/lb/metrics.h"
#include "cli/lb/run.h"
#include "http/http_page.h"
#include "lb/loads.h"

#define REPORTS_ID RUN_DOOR_ID
#define METRICS_ID (RUN_DOOR_ID + 1)
#define REPORTS_MAX 256 /* at once, so that a flood of them holds up nothing */

struct run_doors {
	struct sl_lb *lb;
	int epoll;
	struct sl_lb_loads *reports; /* NULL: nobody goes by them */
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
	sl_lb_loads_close(d->reports);
	sl_http_page_close(d->metrics);
	d->reports = NULL;
	d->metrics = NULL;
}

void run_doors_close(struct run_doors *d)
{
	if (d)
		shut(d);
	free(d);
}

static bool by_reports(const struct sl_lb_config *config)
{
	for (unsigned i = 0; i < config->vips_n; i++) {
		const struct sl_lb_vip_config *v = &config->vips[i];

		if (v->select == SL_LB_BY_CORE ||
		    (v->metric == SL_LB_BY_CPU &&
		     sl_lb_select_by_load((enum sl_lb_select)v->select)))
			return true;
	}
	return false;
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
	if (by_reports(config)) {
		rc = sl_lb_loads_open(d->lb, *config->reports ? config->reports : NULL,
				      SL_LB_MAX_AGE_MS, &d->reports, err);
		if (!rc)
			rc = watch(d, sl_lb_loads_fd(d->reports), REPORTS_ID, err);
	}
	if (!rc && config->metrics) {
		rc = sl_http_page_open(&config->metrics_addr, "metrics", page, d->lb, &d->metrics,
				       err);
		if (!rc)
			rc = watch(d, sl_http_page_fd(d->metrics), METRICS_ID, err);
	}
	return rc;
}

void run_doors_event(struct run_doors *d, uint32_t id)
{
	if (id == REPORTS_ID && d->reports)
		sl_lb_loads_receive(d->reports, REPORTS_MAX);
	/* the page is served in each round */
}

void run_doors_serve(struct run_doors *d)
{
	if (d->metrics)
		sl_http_page_run(d->metrics);
}
