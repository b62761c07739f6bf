// SPDX-License-Identifier: GPL-2.0-or-later
/* Prometheus over HTTP on a loopback address. */
#include "daemon/daemon.h"

static char *text(void *ctx, size_t *len)
{
	return metrics_text(ctx, len);
}

int metrics_start(struct daemon *d, struct sl_error *err)
{
	if (!d->config->metrics)
		return 0;
	return sl_http_page_open(&d->config->metrics_addr, "metrics.listen", text, d, &d->metrics,
				 err);
}

void metrics_stop(struct daemon *d)
{
	sl_http_page_close(d->metrics);
	d->metrics = NULL;
}
