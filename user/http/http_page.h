/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_page.h - /metrics over HTTP, for Prometheus. libmicrohttpd brings its own epoll descriptor,
 * which hangs in the caller's loop: no thread, and a slow scraper holds up nobody.
 */
#ifndef SL_HTTP_PAGE_H
#define SL_HTTP_PAGE_H

#include <stddef.h>
#include <sys/socket.h>

#include "platform/instance.h"

struct sl_http_page;

/* The page: malloc'ed, its length in *len; NULL on no memory. */
typedef char *sl_http_page_text(void *ctx, size_t *len);

/* Listen there; `setting` is named in what is wrong with it. */
int sl_http_page_open(const struct sockaddr_storage *addr, const char *setting,
		      sl_http_page_text *text, void *ctx, struct sl_http_page **page,
		      struct sl_error *err);
void sl_http_page_close(struct sl_http_page *page);
int sl_http_page_fd(const struct sl_http_page *page);
/* Serve what waits. Returns the longest time until it wants to be called again, ms; -1: none. */
int sl_http_page_run(struct sl_http_page *page);

#endif /* SL_HTTP_PAGE_H */
