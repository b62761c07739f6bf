// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/http_page.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16
#define IDLE_SECONDS 10
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct sl_http_page {
	struct MHD_Daemon *http;
	int epoll_fd;
	sl_http_page_text *text;
	void *ctx;
};

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, char *body, size_t len,
			     enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, body, mode);
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, CONTENT_TYPE);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	static char not_found[] = "not found: the metrics are at /metrics\n";
	static char not_allowed[] = "not allowed: use GET\n";
	const struct sl_http_page *page = ctx;
	char *text;
	size_t len;

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(c, MHD_HTTP_METHOD_NOT_ALLOWED, not_allowed, sizeof(not_allowed) - 1,
			     MHD_RESPMEM_PERSISTENT);
	if (strcmp(url, "/metrics") != 0)
		return reply(c, MHD_HTTP_NOT_FOUND, not_found, sizeof(not_found) - 1,
			     MHD_RESPMEM_PERSISTENT);
	text = page->text(page->ctx, &len);
	return text ? reply(c, MHD_HTTP_OK, text, len, MHD_RESPMEM_MUST_FREE) : MHD_NO;
}

static unsigned port_of(const struct sockaddr_storage *addr)
{
	return ntohs(addr->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)addr)->sin6_port
						 : ((const struct sockaddr_in *)addr)->sin_port);
}

/* Our own socket: libmicrohttpd would not tell why it could not have one. */
static int listen_socket(const struct sockaddr_storage *addr, const char *setting,
			 struct sl_error *err)
{
	socklen_t len = addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in);
	int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1,
	    rc;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd >= 0 && !bind(fd, (const struct sockaddr *)addr, len) &&
	    !listen(fd, CONNECTIONS_MAX))
		return fd;
	rc = -errno;
	if (fd >= 0)
		close(fd);
	return sl_error_set(err, rc, "%s: port %u: %s: choose another address or port, or \"off\"",
			    setting, port_of(addr), strerror(-rc));
}

int sl_http_page_open(const struct sockaddr_storage *addr, const char *setting,
		      sl_http_page_text *text, void *ctx, struct sl_http_page **page,
		      struct sl_error *err)
{
	struct sl_http_page *m = calloc(1, sizeof(*m));
	const union MHD_DaemonInfo *info;
	int fd;

	if (!m)
		return sl_error_set(err, -ENOMEM, "no memory");
	fd = listen_socket(addr, setting, err);
	if (fd < 0) {
		free(m);
		return fd;
	}
	*m = (struct sl_http_page){.text = text, .ctx = ctx};
	m->http = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, m,
				   MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				   CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				   MHD_OPTION_END);
	info = m->http ? MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		if (m->http)
			MHD_stop_daemon(m->http);
		else
			close(fd);
		free(m);
		return sl_error_set(err, -ENOMEM, "metrics: the HTTP server does not start");
	}
	m->epoll_fd = info->epoll_fd;
	*page = m;
	return 0;
}

void sl_http_page_close(struct sl_http_page *page)
{
	if (!page)
		return;
	MHD_stop_daemon(page->http);
	free(page);
}

int sl_http_page_fd(const struct sl_http_page *page)
{
	return page->epoll_fd;
}

int sl_http_page_run(struct sl_http_page *page)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(page->http);
	return MHD_get_timeout(page->http, &ms) == MHD_YES ? (int)(ms < 1000 ? ms : 1000) : -1;
}
